"""Divide sky components ("atoms") into sources: the partition of greatest total probability.

Each atom is in exactly one chosen set, or alone as an artefact.  A chosen set S counts ``|S| p(S)``, an
artefact its probability, so that the total is the expected number of atoms that are placed correctly.

An atom may always stand alone, so a set is of use only if it counts more than its atoms alone.  Atoms linked
by such sets form clusters, which are independent of each other.  The partition of a cluster of up to
`EXACT_ATOMS` is exact; beyond, a search of `MAX_STEPS` steps improves a greedy one.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from claran_core.catalogue.associate.cluster_solver import ROUNDING, solve
from claran_core.common.compiled import compiled
from claran_core.common.ragged import Ragged, starts_of

__all__ = ["EXACT_ATOMS", "Partition", "best_partition", "second_groupings"]

# Atoms of the largest cluster whose partition is found by going through all subsets.
EXACT_ATOMS = 16

# Steps of the search in larger clusters: about 10 ms.
MAX_STEPS = 200_000


@dataclass(frozen=True)
class Partition:
    """The chosen partition of n atoms.

    Attributes
    ----------
    owner : (n,) int64 array
        The set that each atom is in; -1: it is an artefact.
    useful : (k,) int64 array
        Sets of several atoms that count more than their atoms alone.
    """

    owner: np.ndarray
    useful: np.ndarray


def best_partition(sets: Ragged, probability: np.ndarray, artefact: np.ndarray) -> Partition:
    """Return the partition with the greatest total.

    Parameters
    ----------
    sets : Ragged
        Atoms of each of m sets, ascending; no set is repeated.
    probability : (m,) float array
        Probability that the set is one source.
    artefact : (n,) float array
        Probability that the atom is no source.

    Notes
    -----
    Equal totals are decided in favour of large sets, then of those that come first in `sets`; of an atom
    alone, in favour of a source.
    """
    n = len(artefact)
    sizes = np.diff(sets.starts)
    single = np.full(n, -1, np.int64)
    of_one = np.flatnonzero(sizes == 1)
    single[sets.values[sets.starts[of_one]]] = of_one
    alone = np.where(single >= 0, np.maximum(probability[single], artefact), artefact)
    owner = np.where((single >= 0) & (probability[single] >= artefact), single, -1)
    several = np.flatnonzero(sizes > 1)
    value = sizes[several] * probability[several]
    useful = several[value > sets.take(several).sums(alone) + ROUNDING]
    if len(useful):
        chosen = _chosen(sets.take(useful), probability[useful], alone)
        taken = sets.take(useful[chosen])
        owner[taken.values] = np.repeat(useful[chosen], np.diff(taken.starts))
    return Partition(owner, useful)


def _chosen(sets: Ragged, probability: np.ndarray, alone: np.ndarray) -> np.ndarray:
    """Return which sets (m,) are in the partition; all sets are useful ones."""
    cluster_of, n_clusters = _clusters(sets, len(alone))
    linked = np.unique(sets.values)
    atoms = linked[np.argsort(cluster_of[linked], kind="stable")]
    place = np.full(len(alone), -1, np.int64)
    starts = starts_of(np.bincount(cluster_of[linked], minlength=n_clusters))
    place[atoms] = np.arange(len(atoms)) - starts[cluster_of[atoms]]
    of_set = cluster_of[sets.values[sets.starts[:-1]]]
    # Large sets first, so that they win among equal totals.
    order = np.lexsort((-np.diff(sets.starts), of_set))
    ordered = sets.take(order)
    chosen = np.zeros(len(order), np.bool_)
    chosen[order] = _solve_clusters(
        starts,
        alone[atoms],
        starts_of(np.bincount(of_set, minlength=n_clusters)),
        ordered.starts,
        place[ordered.values],
        probability[order],
    )
    return chosen


def _clusters(sets: Ragged, n: int) -> tuple[np.ndarray, int]:
    """Return the cluster of each of n atoms, numbered by the first atom; -1: in no set; and their number."""
    first = np.repeat(sets.values[sets.starts[:-1]], np.diff(sets.starts))
    links = coo_array((np.ones(len(first), np.int8), (first, sets.values)), shape=(n, n))
    label = connected_components(links, directed=False)[1]
    number = np.full(n, -1, np.int64)
    values, where = np.unique(label[sets.values], return_inverse=True)
    number[sets.values] = where
    return number, len(values)


@compiled
def _solve_clusters(
    atom_starts: np.ndarray,
    alone: np.ndarray,
    set_starts: np.ndarray,
    starts: np.ndarray,
    members: np.ndarray,
    probability: np.ndarray,
) -> np.ndarray:
    """Return which sets are chosen: cluster k has atoms ``atom_starts[k]`` .., sets ``set_starts[k]`` .."""
    chosen = np.zeros(len(probability), np.bool_)
    for k in range(len(atom_starts) - 1):
        first, end = set_starts[k], set_starts[k + 1]
        values = alone[atom_starts[k] : atom_starts[k + 1]]
        own = starts[first : end + 1]
        chosen[first:end] = solve(
            values, own - own[0], members[own[0] : own[-1]], probability[first:end], EXACT_ATOMS, MAX_STEPS
        )
    return chosen


def second_groupings(
    sets: Ragged, probability: np.ndarray, artefact: np.ndarray, found: Partition, chosen: np.ndarray
) -> tuple[Ragged, np.ndarray]:
    """Return the next best grouping of the atoms of each chosen set: the best one without the set.

    Parameters
    ----------
    sets, probability, artefact
        As for `best_partition`, whose result is `found`.
    chosen : (k,) int array
        The sets.

    Returns
    -------
    groups : Ragged
        For each atom of each set the number of its source, from 0 in the order of their first atoms; -1 if
        it is an artefact.
    mean : (k,) float64 array
        Mean of what the atoms count: the probability of that grouping.
    """
    sizes = np.diff(sets.starts)
    own = sets.take(chosen)
    single = np.full(len(artefact), -1.0)
    of_one = np.flatnonzero(sizes == 1)
    single[sets.values[sets.starts[of_one]]] = probability[of_one]
    several = chosen[sizes[chosen] > 1]
    rank = np.full(len(artefact), -1, np.int64)
    wanted = sets.take(several)
    rank[wanted.values] = np.repeat(np.arange(len(several)), np.diff(wanted.starts))
    # Useful sets within one chosen set, other than the set itself.
    parts = sets.take(found.useful)
    lowest, highest = parts.extremes(rank)
    inside = (lowest == highest) & (lowest >= 0)
    inside[inside] = found.useful[inside] != several[lowest[inside]]
    order = np.flatnonzero(inside)[np.argsort(lowest[inside], kind="stable")]
    parts, parent = parts.take(order), lowest[order]
    sources = np.full(len(chosen), -1, np.int64)
    sources[sizes[chosen] > 1] = np.arange(len(several))
    groups, mean = _second(
        own.starts,
        own.values,
        np.searchsorted(parent, sources),
        np.searchsorted(parent, sources, side="right"),
        parts.starts,
        parts.values,
        probability[found.useful[order]],
        single,
        np.asarray(artefact, float),
    )
    return Ragged(own.starts, groups), mean


@compiled
def _second(
    starts: np.ndarray,
    atoms: np.ndarray,
    first_part: np.ndarray,
    end_part: np.ndarray,
    part_starts: np.ndarray,
    part_atoms: np.ndarray,
    probability: np.ndarray,
    single: np.ndarray,
    artefact: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return groups and means as `second_groupings`; set k has the parts ``first_part[k]`` .. as subsets."""
    groups = np.full(len(atoms), -1, np.int32)
    mean = np.zeros(len(starts) - 1)
    for k in range(len(mean)):
        own = atoms[starts[k] : starts[k + 1]]
        if len(own) == 1:
            mean[k] = artefact[own[0]]
            continue
        alone = np.maximum(single[own], artefact[own])
        first, end = first_part[k], end_part[k]
        part = part_starts[first : end + 1]
        members = np.searchsorted(own, part_atoms[part[0] : part[-1]])
        value = probability[first:end]
        chosen = solve(alone, part - part[0], members, value, EXACT_ATOMS, MAX_STEPS)
        source = np.full(len(own), -1, np.int64)
        total = 0.0
        for j in np.flatnonzero(chosen):
            for at in range(part[j] - part[0], part[j + 1] - part[0]):
                source[members[at]] = len(own) + j
                total += value[j]
        mean[k] = _numbered(source, single[own], artefact[own], total, groups[starts[k] : starts[k + 1]])
    return groups, mean


@compiled
def _numbered(
    source: np.ndarray, single: np.ndarray, artefact: np.ndarray, total: float, groups: np.ndarray
) -> float:
    """Number the sources of the atoms of one set in `groups`, and return the mean of what they count."""
    n = 0
    for one in range(len(source)):
        if source[one] < 0:
            total += max(single[one], artefact[one])
            if single[one] < artefact[one]:
                continue
            groups[one], n = n, n + 1
        elif groups[one] < 0:
            for other in range(one, len(source)):
                if source[other] == source[one]:
                    groups[other] = n
            n += 1
    return total / len(source)
