"""Probabilities of sets of atoms that are consistent: those of all sets with one atom add up to one.

The candidates of a view are judged one by one, so that a lobe may be improbable as a source of its own, and
each set with it as well.  But the sky is a partition: each atom is in exactly one source, or in no source.
The probability of a partition is taken as proportional to the product of the weights of its sets (a
log-linear model; `claran_core.catalogue.associate.set_weights` has the weights).  The probability of a set is
that of all partitions that contain it.

Sets that can hardly matter do not link their atoms.  The others do, strongest first, into clusters of up to
`MOST_ATOMS`, in which all partitions are counted.  A set that would exceed this limit is compared with the
partitions of its own atoms instead.
"""

import numpy as np

from claran_core.common.compiled import compiled
from claran_core.common.ragged import Ragged
from claran_core.common.union_find import root_of

__all__ = ["MOST_ATOMS", "joint_probability"]

# Atoms of the largest cluster of which all partitions are counted: 2^12 subsets.
MOST_ATOMS = 12

# Sets of less weight, in units of that of their atoms alone, link no atoms.
LEAST_RATIO = 0.01

# Limit of the logarithm of a ratio: six such sets stay within the range of float64.
MOST_LOG_RATIO = 60.0


def joint_probability(
    sets: Ragged, log_weight: np.ndarray, artefact: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the probability of each set, and of each atom that it is no source.

    Parameters
    ----------
    sets : Ragged
        Atoms of each of m sets, ascending; no set is repeated.
    log_weight : (m,) float array
        Logarithm of the weight of the set as one source.
    artefact : (n,) float array
        Logarithm of the weight of the atom as no source; -inf if it must be part of a source.

    Returns
    -------
    of_set : (m,) float64 array
    of_artefact : (n,) float64 array
        For each atom the probabilities of its sets and of no source add up to one.
    """
    n = len(artefact)
    sizes = np.diff(sets.starts)
    single = np.full(n, -np.inf)
    of_one = np.flatnonzero(sizes == 1)
    single[sets.values[sets.starts[of_one]]] = log_weight[of_one]
    alone = np.logaddexp(single, artefact)
    alone[~np.isfinite(alone)] = 0.0
    several = np.flatnonzero(sizes > 1)
    own = sets.take(several)
    ratio = np.exp(np.minimum(log_weight[several] - own.sums(alone), MOST_LOG_RATIO))
    order = np.argsort(-ratio, kind="stable")
    of_several, stays = _counted(own.starts, own.values, ratio, order, n)
    of_set = np.empty(len(sizes))
    of_set[several] = of_several
    with np.errstate(invalid="ignore"):
        of_set[of_one] = (stays * np.exp(single - alone))[sets.values[sets.starts[of_one]]]
    return of_set, stays * np.exp(artefact - alone)


@compiled
def _counted(
    starts: np.ndarray, values: np.ndarray, ratio: np.ndarray, order: np.ndarray, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the probability of each set of several atoms, and that each atom is in none.

    `ratio` is the weight of a set in units of that of its atoms alone; `order` is descending in it.
    """
    cluster, is_inside = _clusters(starts, values, ratio, order, n)
    sizes, place = _placed(cluster)
    inside, set_starts, parts, part_masks, part_starts = _sets_of_clusters(
        starts, values, is_inside, cluster, place
    )
    of_set, stays, without = np.zeros(len(ratio)), np.empty(n), np.ones(len(ratio))
    total = np.empty(1 << MOST_ATOMS)
    for k in range(n):
        size = sizes[k]
        if size < 2:
            continue
        own = inside[set_starts[k] : set_starts[k + 1]]
        masks = _masks(own, starts, values, place)
        _sum_partitions(masks, ratio[own], size, total)
        full = (1 << size) - 1
        for at in range(len(own)):
            of_set[own[at]] = ratio[own[at]] * total[full & ~masks[at]] / total[full]
        for at in range(part_starts[k], part_starts[k + 1]):
            without[parts[at]] *= total[part_masks[at]]
    for j in np.flatnonzero(~is_inside):
        of_set[j] = ratio[j] / (ratio[j] + without[j])
    _share(starts, values, order, is_inside, of_set, stays)
    return of_set, stays


@compiled
def _placed(cluster: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of atoms of each cluster, and the place of each atom in its own."""
    sizes, place = np.zeros(len(cluster), np.int64), np.empty(len(cluster), np.int64)
    for atom in range(len(cluster)):
        place[atom] = sizes[cluster[atom]]
        sizes[cluster[atom]] += 1
    return sizes, place


@compiled
def _sets_of_clusters(
    starts: np.ndarray, values: np.ndarray, is_inside: np.ndarray, cluster: np.ndarray, place: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the sets inside each cluster, and the parts of other sets that lie in each.

    Returns
    -------
    inside, set_starts : int64 arrays
        Cluster k contains the sets ``inside[set_starts[k]]`` to ``inside[set_starts[k + 1] - 1]``.
    parts, masks, part_starts : int64 arrays
        The set of each part, and its atoms in the cluster as bits; cluster k has the parts from
        ``part_starts[k]`` on.
    """
    numbers = np.arange(len(cluster) + 1)
    inside = np.flatnonzero(is_inside)
    of_inside = cluster[values[starts[inside]]]
    order = np.argsort(of_inside, kind="mergesort")
    outside = np.flatnonzero(~is_inside)
    size = (starts[outside + 1] - starts[outside]).sum()
    parts, masks, of_part = np.empty(size, np.int64), np.zeros(size, np.int64), np.empty(size, np.int64)
    filled = 0
    for j in outside:
        first = filled
        for at in range(starts[j], starts[j + 1]):
            found = first
            while found < filled and of_part[found] != cluster[values[at]]:
                found += 1
            if found == filled:
                parts[found], of_part[found] = j, cluster[values[at]]
                filled += 1
            masks[found] |= 1 << place[values[at]]
    by_cluster = np.argsort(of_part[:filled], kind="mergesort")
    return (
        inside[order],
        np.searchsorted(of_inside[order], numbers),
        parts[by_cluster],
        masks[by_cluster],
        np.searchsorted(of_part[by_cluster], numbers),
    )


@compiled
def _clusters(
    starts: np.ndarray, values: np.ndarray, ratio: np.ndarray, order: np.ndarray, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the cluster of each atom, named by an atom in it, and which sets lie inside a cluster."""
    parent, size = np.arange(n), np.ones(n, np.int64)
    is_inside = np.zeros(len(ratio), np.bool_)
    for j in order:
        if ratio[j] < LEAST_RATIO:
            break
        roots = np.empty(starts[j + 1] - starts[j], np.int64)
        for at in range(len(roots)):
            roots[at] = root_of(parent, values[starts[j] + at])
        roots = np.unique(roots)
        joined = size[roots].sum()
        if joined <= MOST_ATOMS:
            is_inside[j] = True
            parent[roots] = roots[0]
            size[roots[0]] = joined
    cluster = np.empty(n, np.int64)
    for atom in range(n):
        cluster[atom] = root_of(parent, atom)
    return cluster, is_inside


@compiled
def _masks(own: np.ndarray, starts: np.ndarray, values: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Return the atoms of some sets of one cluster as bits."""
    masks = np.zeros(len(own), np.int64)
    for k in range(len(own)):
        for at in range(starts[own[k]], starts[own[k] + 1]):
            masks[k] |= 1 << place[values[at]]
    return masks


@compiled
def _sum_partitions(masks: np.ndarray, ratio: np.ndarray, n: int, total: np.ndarray) -> None:
    """Fill in, for each subset of n atoms, the sum over its partitions of the products of their weights.

    Each partition places the first atom of the subset alone, with weight 1, or in one set.
    """
    lowest = masks & -masks
    order = np.argsort(lowest, kind="mergesort")
    by_bit = np.searchsorted(lowest[order], 1 << np.arange(n + 1))
    total[0] = 1.0
    for bit in range(n - 1, -1, -1):  # subsets whose first atom is `bit`: what is left has later ones only
        own = order[by_bit[bit] : by_bit[bit + 1]]
        step = 1 << (bit + 1)
        for subset in range(1 << bit, 1 << n, step):
            found = total[subset ^ (1 << bit)]
            for j in own:
                if masks[j] & ~subset == 0:
                    found += ratio[j] * total[subset & ~masks[j]]
            total[subset] = found


@compiled
def _share(
    starts: np.ndarray,
    values: np.ndarray,
    order: np.ndarray,
    is_inside: np.ndarray,
    of_set: np.ndarray,
    stays: np.ndarray,
) -> None:
    """Divide the probability of each atom between the sets inside a cluster, the others, and the atom alone.

    The most probable of the others comes first; the sets inside share what it leaves of each of their atoms.
    """
    left = np.ones(len(stays))
    for j in order:
        if not is_inside[j]:
            of_set[j] *= _least(left, starts[j], starts[j + 1], values)
            for at in range(starts[j], starts[j + 1]):
                left[values[at]] -= of_set[j]
    for j in np.flatnonzero(is_inside):
        of_set[j] *= _least(left, starts[j], starts[j + 1], values)
    stays[:] = 1.0
    for j in range(len(of_set)):
        for at in range(starts[j], starts[j + 1]):
            stays[values[at]] -= of_set[j]
    stays[:] = np.maximum(stays, 0.0)


@compiled
def _least(left: np.ndarray, first: int, end: int, values: np.ndarray) -> float:
    """Return the least of what is left of the atoms of a set."""
    least = 1.0
    for at in range(first, end):
        least = min(least, left[values[at]])
    return least
