"""Groups of components that may be one source: connected sets of a few neighbours, and their boxes.

The detector scores these groups, and inference looks up the components of a predicted box in them.

Which sets a component is in depends on what is near it alone.  A component is linked to at most
`MAX_NEIGHBOURS` others, and sets are limited by the number of components *between* their members.  A
component is between two others if it is nearer to both than they are to each other (the relative
neighbourhood graph of Toussaint 1980 links components without any between).
"""

import numpy as np

from claran_core.common.compiled import compiled
from claran_core.common.morphology import MAX_COUNT, MORPHOLOGIES, morphology_of
from claran_core.components.contour_rule import dr1_extents, union_centres

__all__ = [
    "CLASS_BY_RULE",
    "MAX_BETWEEN",
    "MAX_MEMBERS",
    "MAX_NEIGHBOURS",
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

# Largest gap between linked components, edge to edge: 100 arcsec in px of the finest frame.
REACH_PX = 72.7

# Links of one component.  Two components are linked if each is among this many nearest ones of the other.
MAX_NEIGHBOURS = 12

# Largest sum over the links of a set of 2, 3 or 4 components of the numbers of components between the linked
# ones, for 0, 1, .. `MAX_NEIGHBOURS` neighbours of its most crowded member.  Without a limit up to five
# neighbours: six components have at most 56 sets.  Elsewhere there are about 20 sets per component, whatever
# the density, and all pairs of linked ones, so that few sources in the foreground do not separate two lobes.
ANY = 1 << 30
MAX_BETWEEN = np.array(
    [
        [ANY] * 13,
        [ANY] * 6 + [4, 4, 3, 3, 2, 2, 1],
        [ANY] * 6 + [3, 2, 2, 1, 1, 1, 0],
    ]
)

# A set of components is stored as one integer: from the highest bits down, each member plus one in this many
# bits, and 0 in unused places.  The order of the integers is that of the sets.
MEMBER_BITS = 15
MEMBER_MASK = (1 << MEMBER_BITS) - 1


@compiled
def component_groups(
    boxes: np.ndarray, usable: np.ndarray, starts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the connected sets of up to `MAX_MEMBERS` components of each subject.

    Each usable component alone is a set.  Components are linked if the gap between their boxes is at most
    `REACH_PX` and both are near each other compared with their other neighbours (`MAX_NEIGHBOURS`,
    `MAX_BETWEEN`).  The order of the components of a subject has no influence, except among equal boxes.

    Parameters
    ----------
    boxes : (n, 4) float64 array
        Contour boxes ``x1 y1 x2 y2`` of all components, frame px.
    usable : (n,) bool array
        Which components may be in a set.
    starts : (N + 1,) int64 array
        Components ``starts[k]`` to ``starts[k + 1] - 1`` belong to subject k, at most 32,767.

    Returns
    -------
    members : (K, MAX_MEMBERS) int64 array
        Indices in the subject of the components of each set, ascending, then -1.  Subject after subject;
        small sets first, sets of one size in the order of their indices.
    counts : (N,) int64 array
        Number of sets of each subject.
    """
    counts = np.zeros(len(starts) - 1, np.int64)
    members = np.full((4 * len(boxes) + 16, MAX_MEMBERS), -1, np.int64)
    total = 0
    for subject in range(len(counts)):
        first = starts[subject]
        own = np.flatnonzero(usable[first : starts[subject + 1]])
        sets = _connected_sets(boxes[first + own])
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
def _connected_sets(boxes: np.ndarray) -> np.ndarray:
    """Return the sets of boxes (m, 4), as integers, in order of size."""
    near, n_near = _neighbours(boxes)
    between = _between(near, n_near)
    level = (np.arange(len(boxes)) + 1) << ((MAX_MEMBERS - 1) * MEMBER_BITS)
    sums = np.zeros(len(boxes), np.int64)
    found = level
    for size in range(1, MAX_MEMBERS):
        level, sums = _enlarged(level, sums, size, near, n_near, between)
        found = np.concatenate((found, level))
    return found


@compiled
def _neighbours(boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the neighbours within `REACH_PX` of each box, the nearest first.

    The distance of boxes is their gap.  Among equal gaps the distance of the centres decides, and then the
    order of the corners.

    Returns
    -------
    near : (m, MAX_NEIGHBOURS) int64 array
        Indices of the neighbours, then -1.
    n_near : (m,) int64 array
        Number of neighbours.
    """
    order = np.argsort(boxes[:, 0], kind="mergesort")  # stable
    boxes = boxes[order]
    right = np.empty(len(boxes))  # right-most edge up to each box
    for k in range(len(boxes)):
        right[k] = boxes[k, 2] if k == 0 else max(right[k - 1], boxes[k, 2])
    near = np.full((len(boxes), MAX_NEIGHBOURS), -1, np.int64)
    n_near = np.zeros(len(boxes), np.int64)
    for one in range(len(boxes)):
        found = _nearest(boxes, right, one)
        for place in range(MAX_NEIGHBOURS):
            if found[place] >= 0:
                near[order[one], place] = order[found[place]]
                n_near[order[one]] += 1
    return near, n_near


@compiled
def _nearest(boxes: np.ndarray, right: np.ndarray, one: int) -> np.ndarray:
    """Return the neighbours of a box, the nearest first, then -1; ``(MAX_NEIGHBOURS,)`` int64.

    Boxes are sorted by their left edges; `right` is the right-most edge up to each box.
    """
    gaps = np.full(MAX_NEIGHBOURS, REACH_PX)
    apart = np.full(MAX_NEIGHBOURS, np.inf)
    found = np.full(MAX_NEIGHBOURS, -1, np.int64)
    low, high = boxes[one, 1], boxes[one, 3]
    other = one + 1
    while other < len(boxes) and boxes[other, 0] - boxes[one, 2] <= gaps[-1]:
        if boxes[other, 1] - high <= gaps[-1] and low - boxes[other, 3] <= gaps[-1]:
            _insert(boxes, one, other, gaps, apart, found)
        other += 1
    other = one - 1
    while other >= 0 and boxes[one, 0] - right[other] <= gaps[-1]:
        if boxes[other, 1] - high <= gaps[-1] and low - boxes[other, 3] <= gaps[-1]:
            _insert(boxes, one, other, gaps, apart, found)
        other -= 1
    return found


@compiled
def _insert(
    boxes: np.ndarray, one: int, other: int, gaps: np.ndarray, apart: np.ndarray, found: np.ndarray
) -> None:
    """Insert a box among the nearest ones of another, if it is one of these.

    `gaps`, `apart` and `found` are the gap, the square of twice the distance of the centres and the index of
    the nearest so far, ``(MAX_NEIGHBOURS,)``; unused places have the index -1 and the gap `REACH_PX`.
    """
    gap = box_gap(boxes, one, other)
    if gap > gaps[-1]:
        return
    x = boxes[one, 0] + boxes[one, 2] - boxes[other, 0] - boxes[other, 2]
    y = boxes[one, 1] + boxes[one, 3] - boxes[other, 1] - boxes[other, 3]
    square = x * x + y * y
    place = MAX_NEIGHBOURS
    while place > 0 and (
        gap < gaps[place - 1]
        or (gap == gaps[place - 1] and square < apart[place - 1])
        or (
            gap == gaps[place - 1]
            and square == apart[place - 1]
            and _is_first(boxes, other, found[place - 1])
        )
    ):
        place -= 1
        if place + 1 < MAX_NEIGHBOURS:
            gaps[place + 1], apart[place + 1] = gaps[place], apart[place]
            found[place + 1] = found[place]
    if place < MAX_NEIGHBOURS:
        gaps[place], apart[place], found[place] = gap, square, other


@compiled
def _is_first(boxes: np.ndarray, one: int, other: int) -> bool:
    """Return whether the corners of one of `boxes` come before those of another, or else its index."""
    for corner in range(4):
        if boxes[one, corner] != boxes[other, corner]:
            return bool(boxes[one, corner] < boxes[other, corner])
    return one < other


@compiled
def _between(near: np.ndarray, n_near: np.ndarray) -> np.ndarray:
    """Return how many components are between each component and its neighbours; -1 without a link.

    Arguments are those of `_neighbours`; the result has the places of `near`.
    """
    between = np.full(near.shape, -1, np.int64)
    for one in range(len(near)):
        for place in range(n_near[one]):
            other, both = near[one, place], 0
            for back in range(n_near[other]):
                third = near[other, back]
                if third == one:
                    between[one, place] = both
                    break
                for nearer in range(place):
                    both += near[one, nearer] == third
    return between


@compiled
def _enlarged(
    level: np.ndarray, sums: np.ndarray, size: int, near: np.ndarray, n_near: np.ndarray, between: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the sets (k,) of `size` + 1 components, sorted, and the sum over their links (k,) of `between`.

    `level` and `sums` are those of `size`.  A set has the links with the least sum.  Without one of its
    members at the end of these, it is one of `level`, as the limits fall with size and crowding.
    """
    bound = 0
    for own in level:
        for place in range(size):
            bound += n_near[_member(own, place)]
    met, costs = np.empty(bound, np.int64), np.empty(bound, np.int64)
    n_met = 0
    for number in range(len(level)):
        own, crowding = level[number], 0
        for place in range(size):
            crowding = max(crowding, n_near[_member(own, place)])
        for place in range(size):
            member = _member(own, place)
            for link in range(n_near[member]):
                new = near[member, link]
                cost = sums[number] + between[member, link]
                limit = MAX_BETWEEN[size - 1, max(crowding, n_near[new])]
                if between[member, link] >= 0 and cost <= limit and not _contains(own, size, new):
                    met[n_met], costs[n_met] = _with_member(own, size, new), cost
                    n_met += 1
    return _distinct(met[:n_met], costs[:n_met])


@compiled
def _distinct(met: np.ndarray, costs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each set once, in ascending order, and the least of its costs."""
    order = np.argsort(met, kind="mergesort")
    met, costs = met[order], costs[order]
    n_sets = 0
    for number in range(len(met)):
        if n_sets > 0 and met[number] == met[n_sets - 1]:
            costs[n_sets - 1] = min(costs[n_sets - 1], costs[number])
        else:
            met[n_sets], costs[n_sets] = met[number], costs[number]
            n_sets += 1
    return met[:n_sets], costs[:n_sets]


@compiled
def _contains(own: int, size: int, member: int) -> bool:
    """Return whether a component is in a set."""
    for place in range(size):
        if _member(own, place) == member:
            return True
    return False


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
