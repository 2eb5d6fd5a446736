"""Candidate sources: groups of a few neighbouring units, and what the network is told of each.

A unit is a component, or in a view at a coarser scale the component that several of the finest scale form
(`claran_core.components.component_batch`).  The contour rule gives the box and the class of a group.  The
network learns which groups are sources, and how certain the class is.  A candidate is compared with what is
near it in units of its own extent, not with whatever else its frame holds.
"""

import numpy as np

from claran_core.common.compiled import compiled
from claran_core.common.morphology import MAX_COUNT, MORPHOLOGIES
from claran_core.common.tables import NATIVE_SCALE
from claran_core.components.component_batch import ComponentBatch
from claran_core.components.component_groups import (
    CLASS_BY_RULE,
    MAX_MEMBERS,
    REACH_PX,
    box_gap,
    component_groups,
    dr1_boxes,
)
from claran_core.model.layers.types import Candidates

__all__ = ["BRIDGE_SAMPLES", "N_FEATURES", "find_candidates"]

# Points sampled on the line between two linked components, from peak to peak.
BRIDGE_SAMPLES = 6

# Links between the members of a candidate, and sampled points in all.
MAX_LINKS = MAX_MEMBERS - 1
N_POINTS = MAX_MEMBERS + MAX_LINKS * BRIDGE_SAMPLES

# Scales that bring features to the order of one: lengths in frame px, logarithms, counts.
GAP_PX, EXTENT_PX, LOG_SCALE, COUNT = 20.0, 40.0, 3.0, 3.0

# What lies farther than this from a candidate is not compared with it; also the distance to the nearest unit
# if there is no other.
FAR_PX = 2 * REACH_PX

# The surroundings of a candidate reach to this multiple of its extent, but at least of two beams (frame px).
SURROUNDINGS, MIN_EXTENT_PX = 2.0, 8.0

# Largest number of units counted in the surroundings: a crowd is a crowd.
MAX_COUNTED = 12.0

# Prominences of secondary peaks among the features, and their largest value there.
N_PROMINENCES, MAX_PROMINENCE = 3, 3.0

# Largest logarithm of the elongation of a member.
MAX_ELONGATION = 2.0

# Features of the members, of their places and surroundings, of how they lie along a line, and one for each
# class.
N_MEMBER_FEATURES, N_PLACE_FEATURES, N_AXIS_FEATURES = 20, 11, 11
FIRST_CLASS = N_MEMBER_FEATURES + N_PLACE_FEATURES + N_AXIS_FEATURES
N_FEATURES = FIRST_CLASS + len(MORPHOLOGIES)

# Columns of the numbers of each unit that features are computed from.
N_PEAKS, SNR, FLUX, AREA, SCALE, N_FINE, FINE_SNR, FINE_RATIO, AT_EDGE = range(9)


def find_candidates(batch: ComponentBatch) -> Candidates:
    """Return the candidates of some subjects; those of one subject depend on its own components alone.

    Components of a single pixel are not members of candidates, but count as surroundings.
    """
    own = batch.components
    boxes, fine_boxes = own.boxes.astype(np.float64), own.fine_boxes.astype(np.float64)
    columns = [own.n_peaks, own.snr, own.flux, own.area, own.scale, own.n_fine, own.fine_snr]
    numbers = np.stack([*columns, own.fine_ratio, own.at_edge], axis=1).astype(np.float64)
    members, counts = component_groups(boxes, batch.usable, batch.starts)
    first, end = np.repeat(batch.starts[:-1], counts), np.repeat(batch.starts[1:], counts)
    squares = dr1_boxes(boxes[first[:, None] + np.maximum(members, 0)], members >= 0)
    points, features = _described(
        members,
        first,
        end,
        squares,
        boxes,
        fine_boxes,
        own.peaks,
        numbers,
        own.prominences.astype(np.float64),
    )
    is_point = np.isfinite(points[..., 0])
    points[~is_point] = 0.0
    return Candidates(counts, squares.astype(np.float32), members, points, is_point, features)


@compiled
def _described(
    members: np.ndarray,
    first: np.ndarray,
    end: np.ndarray,
    squares: np.ndarray,
    boxes: np.ndarray,
    fine_boxes: np.ndarray,
    peaks: np.ndarray,
    numbers: np.ndarray,
    prominences: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the points (K, N_POINTS, 2), NaN where unused, and the features (K, N_FEATURES) of candidates.

    Candidate k has the box ``squares[k]``; its subject has the components ``first[k]`` to ``end[k] - 1``.
    """
    points = np.full((len(members), N_POINTS, 2), np.nan, np.float32)
    features = np.zeros((len(members), N_FEATURES), np.float32)
    for k in range(len(members)):
        own, subject = members[k][members[k] >= 0], slice(first[k], end[k])
        links = _links(own, boxes[subject])
        _fill_points(own, links, peaks[subject], points[k])
        _fill_member_features(own, numbers[subject], prominences[subject], features[k])
        places = features[k, N_MEMBER_FEATURES : N_MEMBER_FEATURES + N_PLACE_FEATURES]
        places[2] = (squares[k, 2] - squares[k, 0]) / EXTENT_PX
        _fill_link_features(links, boxes[subject], places)
        _fill_surroundings(own, boxes[subject], peaks[subject], numbers[subject], places)
        along = features[k, N_MEMBER_FEATURES + N_PLACE_FEATURES : FIRST_CLASS]
        _fill_axis_features(own, boxes[subject], fine_boxes[subject], peaks[subject], numbers[subject], along)
    return points, features


@compiled
def _links(own: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Return the pairs (m - 1, 2) of m members that link them: a minimum spanning tree (Prim 1957)."""
    links = np.zeros((len(own) - 1, 2), np.int64)
    inside = np.zeros(len(own), np.bool_)
    inside[0] = True
    for step in range(len(links)):
        shortest, newest = np.inf, 0
        for one in range(len(own)):
            for other in range(len(own)):
                if inside[one] and not inside[other]:
                    gap = box_gap(boxes, own[one], own[other])
                    if gap < shortest:
                        shortest, newest = gap, other
                        links[step, 0], links[step, 1] = own[one], own[other]
        inside[newest] = True
    return links


@compiled
def _fill_points(own: np.ndarray, links: np.ndarray, peaks: np.ndarray, points: np.ndarray) -> None:
    """Set the points (N_POINTS, 2) of a candidate: peaks of its members, then bridges between them."""
    for place in range(len(own)):
        points[place] = peaks[own[place]]
    for number in range(len(links)):
        one, other = peaks[links[number, 0]], peaks[links[number, 1]]
        for sample in range(BRIDGE_SAMPLES):
            part = (sample + 1) / (BRIDGE_SAMPLES + 1)
            place = MAX_MEMBERS + number * BRIDGE_SAMPLES + sample
            for axis in range(2):
                points[place, axis] = one[axis] + part * (other[axis] - one[axis])


@compiled
def _fill_member_features(
    own: np.ndarray, numbers: np.ndarray, prominences: np.ndarray, features: np.ndarray
) -> None:
    """Set the features of a candidate that follow from its members wherever they are, and its class."""
    members = numbers[own]
    flux = np.zeros(MAX_MEMBERS)
    flux[: len(own)] = -np.sort(-members[:, FLUX])
    n_peaks = int(members[:, N_PEAKS].sum())
    highest = -np.sort(-prominences[own].ravel())[:N_PROMINENCES]
    features[0] = len(own) / COUNT
    features[1] = n_peaks / COUNT
    features[2] = (len(own) + np.minimum(highest, 1.0).sum()) / COUNT
    features[3 : 3 + N_PROMINENCES] = np.minimum(highest, MAX_PROMINENCE)
    features[6] = np.log(members[:, SNR].max()) / LOG_SCALE
    features[7] = np.log(members[:, SNR].min()) / LOG_SCALE
    features[8] = np.log(max(flux.sum(), 1.0)) / LOG_SCALE
    features[9] = flux[1] / flux[0]
    features[10] = flux[2] / flux[0]
    features[11] = np.log(max(members[:, AREA].min(), 1.0)) / LOG_SCALE
    features[12] = members[:, SCALE].max() > NATIVE_SCALE
    features[13] = members[:, SCALE].min() > NATIVE_SCALE
    features[14] = np.log(max(members[:, N_FINE].sum(), 1.0)) / LOG_SCALE
    features[15] = np.log(max(members[:, FINE_SNR].max(), 1.0)) / LOG_SCALE
    features[16] = members[:, FINE_RATIO].max()
    features[17] = members[:, AT_EDGE].max()
    features[18] = np.log(members[:, SCALE].max()) / LOG_SCALE
    features[19] = np.log(max(members[:, FINE_SNR].min(), 1.0)) / LOG_SCALE
    rule = CLASS_BY_RULE[len(own) - 1, min(n_peaks, MAX_COUNT) - 1]
    features[FIRST_CLASS + rule] = 1.0


@compiled
def _fill_link_features(links: np.ndarray, boxes: np.ndarray, places: np.ndarray) -> None:
    """Set the largest gap and the sum of the gaps of the links."""
    largest, total = 0.0, 0.0
    for number in range(len(links)):
        gap = box_gap(boxes, links[number, 0], links[number, 1])
        largest, total = max(largest, gap), total + gap
    places[0], places[1] = largest / GAP_PX, total / GAP_PX


@compiled
def _fill_surroundings(
    own: np.ndarray, boxes: np.ndarray, peaks: np.ndarray, numbers: np.ndarray, places: np.ndarray
) -> None:
    """Set the features of the other units near a candidate; `places` has its extent already.

    They are the nearest unit, the brightest in the surroundings, the unit whose sidelobes may reach farthest
    (brightness over distance), and the numbers of units in the surroundings, within reach and in the box.
    """
    x1, y1 = boxes[own, 0].min(), boxes[own, 1].min()
    x2, y2 = boxes[own, 2].max(), boxes[own, 3].max()
    around = SURROUNDINGS * max(places[2] * EXTENT_PX, MIN_EXTENT_PX)
    brightest = numbers[own, SNR].max()
    nearest, near_snr, best_snr, strongest = FAR_PX, 1.0, 1.0, 0.0
    n_around, n_within, n_inside = 0, 0, 0
    for other in range(len(boxes)):
        x, y = peaks[other]
        if x < x1 - FAR_PX or x > x2 + FAR_PX or y < y1 - FAR_PX or y > y2 + FAR_PX:
            continue
        if (own == other).any():
            continue
        gap = FAR_PX
        for member in own:
            gap = min(gap, box_gap(boxes, member, other))
        if gap < nearest:
            nearest, near_snr = gap, numbers[other, SNR]
        strongest = max(strongest, numbers[other, SNR] / (1.0 + gap / GAP_PX))
        n_inside += x1 <= x <= x2 and y1 <= y <= y2
        n_within += gap <= REACH_PX
        if gap <= around:
            n_around += 1
            best_snr = max(best_snr, numbers[other, SNR])
    places[3] = nearest / GAP_PX
    places[4] = np.log(near_snr) / LOG_SCALE
    places[5] = np.log(best_snr) / LOG_SCALE
    places[6] = min(n_around, MAX_COUNTED) / COUNT
    places[7] = min(n_inside, MAX_COUNTED) / COUNT
    places[8] = np.log(1.0 + min(n_within, MAX_COUNTED)) / LOG_SCALE
    places[9] = min(nearest / around, 3.0)
    places[10] = np.log(max(strongest, 1.0) / brightest) / LOG_SCALE


@compiled
def _fill_axis_features(
    own: np.ndarray,
    boxes: np.ndarray,
    fine_boxes: np.ndarray,
    peaks: np.ndarray,
    numbers: np.ndarray,
    along: np.ndarray,
) -> None:
    """Set the features of several members along the axis of the group, the line between its farthest peaks.

    They are the largest distance of another peak from the axis, and the position between the ends of the one
    nearest to the middle, both in units of the length; how far the peak of each end lies outwards in its box
    (hotspots do, jets that fade do not); how far the box of each end is stretched along the axis; the ratios
    of the fluxes and of the sizes of the ends; the share of the axis between them that no box covers; and how
    far the box around the components of the finest scale in each end is stretched along the axis.
    """
    if len(own) < 2:
        return
    ends = _farthest(own, peaks)
    start = peaks[own[ends[0]]]
    x, y = peaks[own[ends[1]]] - start
    length = max(np.hypot(x, y), 1.0)
    x, y = x / length, y / length
    along[1] = 0.5
    for place in range(len(own)):
        if place in ends:
            continue
        dx, dy = peaks[own[place]] - start
        along[0] = max(along[0], abs(dy * x - dx * y) / length)
        along[1] = min(along[1], abs((dx * x + dy * y) / length - 0.5))
    outwards, stretch, fine_stretch, half = np.zeros(2), np.zeros(2), np.zeros(2), np.zeros(2)
    for side in range(2):
        member = own[ends[side]]
        width, height = boxes[member, 2] - boxes[member, 0], boxes[member, 3] - boxes[member, 1]
        dx = peaks[member, 0] - (boxes[member, 0] + boxes[member, 2]) / 2
        dy = peaks[member, 1] - (boxes[member, 1] + boxes[member, 3]) / 2
        half[side] = (width * abs(x) + height * abs(y)) / 2
        outwards[side] = (2 * side - 1) * (dx * x + dy * y) / half[side]
        stretch[side] = _stretch(boxes[member], x, y)
        fine_stretch[side] = _stretch(fine_boxes[member], x, y)
    flux, area = numbers[own[ends], FLUX], numbers[own[ends], AREA]
    along[2], along[3] = outwards.min(), outwards.max()
    along[4], along[5] = stretch.min(), stretch.max()
    along[6] = flux.min() / flux.max()
    along[7] = np.sqrt(area.min() / area.max())
    along[8] = max(length - half.sum(), 0.0) / length
    along[9], along[10] = fine_stretch.min(), fine_stretch.max()


@compiled
def _stretch(box: np.ndarray, x: float, y: float) -> float:
    """Return the logarithm of the extent of a box along a unit vector x, y over that across it."""
    width, height = box[2] - box[0], box[3] - box[1]
    ratio = (width * abs(x) + height * abs(y)) / (width * abs(y) + height * abs(x))
    return min(max(np.log(ratio), -MAX_ELONGATION), MAX_ELONGATION)


@compiled
def _farthest(own: np.ndarray, peaks: np.ndarray) -> np.ndarray:
    """Return the places of the two members whose peaks are farthest apart.

    Of equally distant pairs the largest x counts, then y.  The end with the smaller x comes first.
    So the order of the members does not matter.
    """
    ends, best = np.array([0, 1]), (-1.0, 0.0, 0.0)
    for one in range(len(own)):
        for other in range(len(own)):
            x1, y1 = peaks[own[one]]
            x2, y2 = peaks[own[other]]
            key = ((x1 - x2) ** 2 + (y1 - y2) ** 2, x1 + x2, y1 + y2)
            if (x1, y1) < (x2, y2) and key > best:
                ends[0], ends[1], best = one, other, key
    return ends
