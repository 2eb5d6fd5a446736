"""Groups of components that may be one source: connected sets of a few neighbours, and their boxes.

The detector scores these groups, and inference looks up the components of a predicted box in them.
"""

import numpy as np

from claran_core.common.compiled import compiled
from claran_core.common.morphology import MAX_COUNT, MORPHOLOGIES, morphology_of
from claran_core.components.contour_rule import dr1_extents, union_centres

__all__ = [
    "CLASS_BY_RULE",
    "MAX_CANDIDATES",
    "MAX_MEMBERS",
    "REACH_PX",
    "box_gap",
    "component_groups",
    "dr1_boxes",
]

# Components in one group.  RGZ labels have up to three; a fourth allows for lobes in two pieces.
MAX_MEMBERS = 4

# Index in `MORPHOLOGIES` of the class by the contour rule, for 1, 2, .. components and 1, 2, .. peaks.
CLASS_BY_RULE = np.array(
    [
        [MORPHOLOGIES.index(morphology_of(n_components, n_peaks)[0]) for n_peaks in range(1, MAX_COUNT + 1)]
        for n_components in range(1, MAX_MEMBERS + 1)
    ]
)

# Largest gap between linked components, edge to edge: 100 arcsec in frame px.
REACH_PX = 72.7

# Groups per subject.  In a crowded subject, the longest links are dropped first: the reach shrinks by this
# factor at a time down to a limit, below which only single components are left.
MAX_CANDIDATES = 128
SHRINKING = 0.8
MIN_REACH_PX = 1e-3

# A set of components is stored as one integer: from the highest bits down, each member plus one in this many
# bits, and 0 in unused places.  The order of the integers is that of the sets.
MEMBER_BITS = 15
MEMBER_MASK = (1 << MEMBER_BITS) - 1


@compiled
def component_groups(
    boxes: np.ndarray, usable: np.ndarray, starts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return all connected sets of up to `MAX_MEMBERS` components of each subject.

    Components are linked if the gap between their boxes is at most `REACH_PX`, or less in a crowded subject:
    there are at most `MAX_CANDIDATES` sets, or only the single components if these are more.

    Parameters
    ----------
    boxes : (n, 4) float64 array
        Contour boxes ``x1 y1 x2 y2`` of all components, frame px.
    usable : (n,) bool array
        Which components may be in a set.
    starts : (N + 1,) int64 array
        Components ``starts[k]`` to ``starts[k + 1] - 1`` belong to subject k.

    Returns
    -------
    members : (K, MAX_MEMBERS) int64 array
        Indices in the subject of the components of each set, ascending, then -1.  Subject after subject;
        small sets first, sets of one size in the order of their indices.
    counts : (N,) int64 array
        Number of sets of each subject.
    """
    counts = np.zeros(len(starts) - 1, np.int64)
    members = np.full((2 * len(boxes) + MAX_CANDIDATES, MAX_MEMBERS), -1, np.int64)
    total = 0
    for subject in range(len(counts)):
        first = starts[subject]
        own = np.flatnonzero(usable[first : starts[subject + 1]])
        sets = _sets_within_limit(_gaps(boxes[first + own]))
        if total + len(sets) > len(members):
            grown = np.full((2 * len(members) + len(sets), MAX_MEMBERS), -1, np.int64)
            grown[:total] = members[:total]
            members = grown
        for number in range(len(sets)):
            for place in range(MAX_MEMBERS):
                member = _member(sets[number], place)
                if member >= 0:
                    members[total + number, place] = own[member]
        counts[subject] = len(sets)
        total += len(sets)
    return members[:total].copy(), counts


@compiled
def box_gap(boxes: np.ndarray, one: int, other: int) -> float:
    """Return the gap from edge to edge between two of `boxes` (n, 4), 0 if they touch."""
    x = max(boxes[one, 0], boxes[other, 0]) - min(boxes[one, 2], boxes[other, 2])
    y = max(boxes[one, 1], boxes[other, 1]) - min(boxes[one, 3], boxes[other, 3])
    return float(np.hypot(max(x, 0.0), max(y, 0.0)))


@compiled
def _gaps(boxes: np.ndarray) -> np.ndarray:
    """Return the gaps (m, m) between all pairs of boxes."""
    gaps = np.zeros((len(boxes), len(boxes)))
    for one in range(len(boxes)):
        for other in range(one):
            gaps[one, other] = gaps[other, one] = box_gap(boxes, one, other)
    return gaps


@compiled
def _sets_within_limit(gaps: np.ndarray) -> np.ndarray:
    """Return the connected sets, as integers, for the largest reach at which they are few enough."""
    limit = max(MAX_CANDIDATES, len(gaps))
    reach = REACH_PX
    while reach >= MIN_REACH_PX:
        complete, sets = _connected_sets(gaps <= reach, limit)
        if complete:
            return sets
        reach *= SHRINKING
    return _single(len(gaps))


@compiled
def _single(n: int) -> np.ndarray:
    """Return the sets of one component, as integers."""
    return (np.arange(n) + 1) << ((MAX_MEMBERS - 1) * MEMBER_BITS)


@compiled
def _connected_sets(linked: np.ndarray, limit: int) -> tuple[bool, np.ndarray]:
    """Return whether there are at most `limit` connected sets, and, if so, all of them in order of size."""
    found = level = _single(len(linked))
    for size in range(1, MAX_MEMBERS):
        complete, level = _enlarged(level, size, linked, limit - len(found))
        if not complete:
            return False, found
        found = np.concatenate((found, level))
    return True, found


@compiled
def _enlarged(level: np.ndarray, size: int, linked: np.ndarray, limit: int) -> tuple[bool, np.ndarray]:
    """Return whether sets of `size` have at most `limit` enlargements by one component, and the sorted sets.

    Each enlarged set is met at most once from each of its members.
    """
    met = np.zeros((size + 1) * limit, np.int64)
    n_met = 0
    for own in level:
        for new in range(len(linked)):
            if not _extends(own, size, new, linked):
                continue
            if n_met == len(met):
                return False, met[:0]
            met[n_met] = _with_member(own, size, new)
            n_met += 1
    met = np.sort(met[:n_met])
    n_sets = 0
    for number in range(n_met):
        if number == 0 or met[number] != met[number - 1]:
            met[n_sets] = met[number]
            n_sets += 1
    return n_sets <= limit, met[:n_sets]


@compiled
def _extends(own: int, size: int, new: int, linked: np.ndarray) -> bool:
    """Return whether a component is outside a set and linked to a member."""
    touches = False
    for place in range(size):
        member = _member(own, place)
        if member == new:
            return False
        touches |= linked[new, member]
    return touches


@compiled
def _with_member(own: int, size: int, new: int) -> int:
    """Return a set with one more component, in ascending order."""
    place = 0
    while place < size and _member(own, place) < new:
        place += 1
    enlarged = (new + 1) << ((MAX_MEMBERS - 1 - place) * MEMBER_BITS)
    for later in range(size):
        moved = later if later < place else later + 1
        enlarged |= (_member(own, later) + 1) << ((MAX_MEMBERS - 1 - moved) * MEMBER_BITS)
    return enlarged


@compiled
def _member(own: int, place: int) -> int:
    """Return the component at a place of a set, -1 for an unused place."""
    return ((own >> ((MAX_MEMBERS - 1 - place) * MEMBER_BITS)) & MEMBER_MASK) - 1


def dr1_boxes(boxes: np.ndarray, is_component: np.ndarray) -> np.ndarray:
    """Return the boxes ``x1 y1 x2 y2`` (K, 4) of sources by the rule of DR1 and the paper.

    Source k consists of those components with boxes (K, n, 4) for which `is_component` (K, n) is True, at
    least one.
    """
    boxes = boxes.astype(np.float64)
    middle, half = union_centres(boxes, is_component), 0.5 * dr1_extents(boxes, is_component)[:, None]
    return np.concatenate([middle - half, middle + half], axis=1)
