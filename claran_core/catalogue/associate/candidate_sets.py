"""Sets of sky components ("atoms") that candidates propose as sources, and what the views say of each.

A candidate votes for the set of atoms of its units if it shows the set whole: no other unit of its view has
an atom of the set, and the border cuts none of its units.  A view that shows the set only in part, or mixed
with other atoms in one unit, gives no vote.  Only sets that no view shows whole take the votes of cut views.

Votes of one scale are averaged; scales are kept apart, because a coarse view knows less of small sources
(`claran_core.catalogue.associate.set_weights`).  A fine view that shows the parts of a blend without
proposing them as a candidate counts as well (`claran_core.catalogue.associate.unlisted`).
"""

from dataclasses import dataclass, fields

import numpy as np

from claran_core.catalogue.associate.sky_components import SkyComponents
from claran_core.catalogue.associate.unlisted import dismissed_sets
from claran_core.catalogue.associate.views import Sky
from claran_core.common.calibration import logit
from claran_core.common.compiled import compiled
from claran_core.common.errors import InputError
from claran_core.common.frame import SCALES
from claran_core.common.ragged import Ragged, starts_of

__all__ = ["Evidence", "Votes", "find_votes", "gather_evidence"]

# Distance from the border of the frame, in arcsec at scale 1, at which a view has its full weight: about the
# separation of the components of a triple (median 47 arcsec in RGZ DR1).  Nearer to the border, further
# components may lie outside.
FULL_ROOM_ARCSEC = 45.0

# Least weight of a view.
MIN_WEIGHT = 0.05

# Probabilities are limited to this distance from 0 and 1 before their logits are averaged.
MIN_PROBABILITY = 1e-6

# Scales of views, ascending.
SCALE_NUMBERS = np.array(SCALES)


@dataclass(frozen=True)
class Votes:
    """The votes for each set, sorted by set and view; one for each view that has any.

    Attributes
    ----------
    sets : Ragged
        Atoms of each of m sets, ascending.
    starts : (m + 1,) int64 array
        Set k has the votes ``starts[k]`` to ``starts[k + 1] - 1``.
    candidate : (n,) int64 array
        Row of `Candidates`.
    is_whole : (n,) bool array
        Whether the view shows the set whole; the votes of a set are all whole or none is.
    dismissed : (k,) int64 array
        Sets that a finer view without a vote dismissed.
    """

    sets: Ragged
    starts: np.ndarray
    candidate: np.ndarray
    is_whole: np.ndarray
    dismissed: np.ndarray


@dataclass(frozen=True)
class Evidence:
    """What the views say of each of m sets.

    Attributes
    ----------
    source : (m, 4) float32 array
        Mean logit of the probability of a source at each of `SCALES`; NaN where no view shows the set.
    artefact : (m, 4) float32 array
        The same of an artefact, by the views in which the set is one unit.
    is_dismissed : (m,) bool array
        Whether a finer view without a vote dismissed the set.
    classes : (m, C) float64 array
        Probabilities of the classes by the finest scale with votes, up to a factor.
    best : (m,) int64 array
        The candidate that shows the set best: of the finest scale, with the most room.
    n_views : (m,) int64 array
        Number of votes.
    disagree : (m,) bool array
        Whether some views find a source probable and others do not.
    at_edge : (m,) bool array
        Whether the border cuts the set in each view.
    """

    source: np.ndarray
    artefact: np.ndarray
    is_dismissed: np.ndarray
    classes: np.ndarray
    best: np.ndarray
    n_views: np.ndarray
    disagree: np.ndarray
    at_edge: np.ndarray

    def take(self, sets: np.ndarray) -> "Evidence":
        """Return the entries of some sets."""
        return Evidence(**{field.name: getattr(self, field.name)[sets] for field in fields(self)})


def find_votes(sky: Sky, atoms: SkyComponents) -> Votes:
    """Return the sets of all candidates and the votes for them.

    Raises
    ------
    InputError
        If a candidate consists of a component that is no unit.
    """
    candidates = sky.candidates
    shared = _units_per_atom(sky, atoms)
    starts, values, closed = _sets_of(
        candidates.units.starts, candidates.units.values, atoms.units.starts, atoms.units.values, shared
    )
    if (np.diff(starts) == 0).any():
        lost = candidates.units.values[candidates.units.starts[np.flatnonzero(np.diff(starts) == 0)[0]]]
        raise InputError(
            f"candidates: component {sky.components.ids[lost]} lies inside a coarser one, so it is no unit; "
            "remove results/candidates and rerun the inference stage"
        )
    every = Ragged(starts, values)
    number, leader = _distinct(every)
    whole = closed & ~candidates.at_edge
    has_whole = np.zeros(len(leader), bool)
    has_whole[number[whole]] = True
    used = np.flatnonzero(whole == has_whole[number])
    # Of several votes of one view the most probable stays, as those of several boxes of one group.
    total = candidates.classes.sum(axis=1)
    key = number[used] * np.int64(len(sky.views.scale)) + candidates.view[used]
    order = np.argsort(key, kind="stable")
    used, key = used[order], key[order]
    if (np.diff(key) == 0).any():
        order = np.lexsort((-total[used], key))
        used, key = used[order], key[order]
    first = np.ones(len(used), bool)
    first[1:] = np.diff(key) != 0
    used = used[first]
    sets, vote_starts = every.take(leader), starts_of(np.bincount(number[used], minlength=len(leader)))
    dismissed = dismissed_sets(sky, atoms, sets, vote_starts, used)
    return Votes(sets, vote_starts, used, whole[used], dismissed)


def _units_per_atom(sky: Sky, atoms: SkyComponents) -> np.ndarray:
    """Return how many usable units of its view stand for the atom of each entry of ``atoms.units``."""
    rows = sky.components
    unit = np.repeat(np.arange(len(rows.view)), np.diff(atoms.units.starts))
    counted = rows.usable[unit]
    key = rows.view[unit] * np.int64(len(atoms.ids)) + atoms.units.values
    order = np.argsort(key, kind="stable")
    new = np.ones(len(order), bool)
    new[1:] = np.diff(key[order]) != 0
    group = np.cumsum(new) - 1
    total = np.bincount(group, counted[order], minlength=group.max(initial=-1) + 1)
    shared = np.empty(len(order), np.int32)
    shared[order] = total[group]
    return shared


@compiled
def _sets_of(
    starts: np.ndarray,
    units: np.ndarray,
    unit_starts: np.ndarray,
    unit_atoms: np.ndarray,
    shared: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the atoms of candidates, and which are closed: no other unit of the view has one of the atoms.

    Parameters
    ----------
    starts, units : int arrays
        Units (rows) of each of n candidates.
    unit_starts, unit_atoms : int arrays
        Atoms of each row.
    shared : int array
        For each entry of `unit_atoms` the number of units of the view that have the atom.

    Returns
    -------
    set_starts : (n + 1,) int64 array
    set_atoms : int32 array
        Atoms of candidate k from ``set_starts[k]`` on, ascending, each once.
    closed : (n,) bool array
    """
    n = len(starts) - 1
    size, longest = 0, 0
    for k in range(n):
        own = 0
        for at in range(starts[k], starts[k + 1]):
            own += unit_starts[units[at] + 1] - unit_starts[units[at]]
        size, longest = size + own, max(longest, own)
    set_starts = np.zeros(n + 1, np.int64)
    set_atoms = np.empty(size, np.int32)
    closed = np.zeros(n, np.bool_)
    found, counts = np.empty(longest, np.int32), np.empty(longest, np.int32)
    filled = 0
    for k in range(n):
        own = 0
        for at in range(starts[k], starts[k + 1]):
            for entry in range(unit_starts[units[at]], unit_starts[units[at] + 1]):
                _insert(unit_atoms[entry], shared[entry], found, counts, own)
                own += 1
        expected = 0
        for place in range(own):
            if place == 0 or found[place] != found[place - 1]:
                set_atoms[filled] = found[place]
                expected += counts[place]
                filled += 1
        closed[k] = expected == own
        set_starts[k + 1] = filled
    return set_starts, set_atoms[:filled].copy(), closed


@compiled
def _insert(atom: int, count: int, found: np.ndarray, counts: np.ndarray, n: int) -> None:
    """Insert an atom into the n sorted ones, with its count."""
    place = n
    while place > 0 and found[place - 1] > atom:
        found[place], counts[place] = found[place - 1], counts[place - 1]
        place -= 1
    found[place], counts[place] = atom, count


def _distinct(sets: Ragged) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of the distinct set of each set, and the first set with each number; int64."""
    digest = _digests(sets.starts, sets.values)
    order = np.argsort(digest, kind="stable")
    return _grouped(sets.starts, sets.values, digest, order)


@compiled
def _digests(starts: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return a 64-bit digest of each list (FNV-1a over its entries, then mixed as by splitmix64)."""
    digests = np.empty(len(starts) - 1, np.uint64)
    for k in range(len(digests)):
        digest = np.uint64(14695981039346656037)
        for at in range(starts[k], starts[k + 1]):
            digest = (digest ^ np.uint64(values[at])) * np.uint64(1099511628211)
            digest ^= digest >> np.uint64(29)
        digest = (digest ^ (digest >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        digest = (digest ^ (digest >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        digests[k] = digest ^ (digest >> np.uint64(31))
    return digests


@compiled
def _grouped(
    starts: np.ndarray, values: np.ndarray, digests: np.ndarray, order: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return number and first of equal lists; `order` sorts the digests, so that equal lists are close."""
    number = np.empty(len(order), np.int64)
    leader = np.empty(len(order), np.int64)
    n, run = 0, 0
    for at in range(len(order)):
        own = order[at]
        if at and digests[own] != digests[order[at - 1]]:
            run = n
        found = n
        for other in range(run, n):  # one, unless the digests of different sets collide
            if _is_equal(starts, values, own, leader[other]):
                found = other
                break
        if found == n:
            leader[n] = own
            n += 1
        number[own] = found
    return number, leader[:n].copy()


@compiled
def _is_equal(starts: np.ndarray, values: np.ndarray, one: int, other: int) -> bool:
    """Return whether two lists have the same entries."""
    length = starts[one + 1] - starts[one]
    if starts[other + 1] - starts[other] != length:
        return False
    for at in range(length):
        if values[starts[one] + at] != values[starts[other] + at]:
            return False
    return True


def gather_evidence(sky: Sky, votes: Votes) -> Evidence:
    """Return what the views say of each set."""
    candidates = sky.candidates
    own = votes.candidate
    scale = sky.views.scale[candidates.view[own]]
    weight = np.clip(candidates.room[own] / (FULL_ROOM_ARCSEC * scale), MIN_WEIGHT, 1.0)
    total = candidates.classes.sum(axis=1, dtype=np.float64)[own]
    is_unit = np.diff(candidates.units.starts)[own] == 1
    source, artefact, shares, best, disagree = _averaged(
        votes.starts,
        np.searchsorted(SCALE_NUMBERS, scale),
        weight,
        candidates.room[own],
        _limited_logit(total),
        np.where(is_unit, _limited_logit(candidates.artefact[own].astype(np.float64)), np.nan),
        candidates.classes,
        own,
    )
    is_dismissed = np.zeros(len(votes.sets), bool)
    is_dismissed[votes.dismissed] = True
    cut = candidates.at_edge[own]
    return Evidence(
        source=source,
        artefact=artefact,
        is_dismissed=is_dismissed,
        classes=shares,
        best=own[best],
        n_views=np.diff(votes.starts),
        disagree=disagree,
        at_edge=np.minimum.reduceat(cut, votes.starts[:-1]) if len(votes.sets) else cut,
    )


def _limited_logit(probability: np.ndarray) -> np.ndarray:
    return logit(np.clip(probability, MIN_PROBABILITY, 1 - MIN_PROBABILITY))


@compiled
def _averaged(
    starts: np.ndarray,
    scale: np.ndarray,
    weight: np.ndarray,
    room: np.ndarray,
    source: np.ndarray,
    artefact: np.ndarray,
    classes: np.ndarray,
    candidate: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Average votes, sorted by set and scale; `scale` counts `SCALES`, `classes` are those of candidates.

    Returns
    -------
    source : (m, k) float32 array
        Mean logit at each scale; NaN without votes.
    artefact : (m, k) float32 array
        The same for votes of one unit.
    classes : (m, c) float64 array
        Mean class probabilities of the finest scale.
    best : (m,) int64 array
        The vote with the most room at that scale.
    disagree : (m,) bool array
        Whether the probabilities lie on both sides of a half.
    """
    m = len(starts) - 1
    mean = np.full((m, len(SCALE_NUMBERS)), np.nan, np.float32)
    mean_artefact = np.full((m, len(SCALE_NUMBERS)), np.nan, np.float32)
    shares = np.zeros((m, classes.shape[1]))
    best, disagree = np.zeros(m, np.int64), np.zeros(m, np.bool_)
    for k in range(m):
        first, end = starts[k], starts[k + 1]
        at, n_probable = first, 0
        while at < end:
            of_scale, total, weights = scale[at], 0.0, 0.0
            sum_artefact, weight_artefact = 0.0, 0.0
            finest = at == first
            best[k] = at if finest else best[k]
            while at < end and scale[at] == of_scale:
                total += weight[at] * source[at]
                weights += weight[at]
                n_probable += source[at] >= 0.0
                if not np.isnan(artefact[at]):
                    sum_artefact += weight[at] * artefact[at]
                    weight_artefact += weight[at]
                if finest:
                    shares[k] += weight[at] * classes[candidate[at]]
                    best[k] = at if room[at] > room[best[k]] else best[k]
                at += 1
            mean[k, of_scale] = total / weights
            if weight_artefact > 0:
                mean_artefact[k, of_scale] = sum_artefact / weight_artefact
        disagree[k] = 0 < n_probable < end - first
    return mean, mean_artefact, shares, best, disagree
