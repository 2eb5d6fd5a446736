"""Candidate sources: groups of a few neighbouring components.

The contour rule gives the box and the class of a group.  The network learns which groups are sources, and how
certain the class is.
"""

import numpy as np

from claran_core.common.compiled import compiled
from claran_core.common.morphology import MAX_COUNT, MORPHOLOGIES
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

# Distance to the nearest component if there is no other.
FAR_PX = 2 * REACH_PX

# Prominences of secondary peaks among the features, and their largest value there.
N_PROMINENCES, MAX_PROMINENCE = 3, 3.0

# Features of the members, of their places and surroundings, and one for each class.
N_MEMBER_FEATURES, N_PLACE_FEATURES = 12, 8
N_FEATURES = N_MEMBER_FEATURES + N_PLACE_FEATURES + len(MORPHOLOGIES)

# Columns of the numbers of each component that features are computed from.
N_PEAKS, SNR, FLUX, AREA = range(4)


def find_candidates(batch: ComponentBatch) -> Candidates:
    """Return the candidates of some subjects; those of one subject depend on its own components alone.

    Components of a single pixel are not members of candidates, but count as surroundings.
    """
    own = batch.components
    boxes = own.boxes.astype(np.float64)
    numbers = np.stack([own.n_peaks, own.snr, own.flux, own.area], axis=1).astype(np.float64)
    members, counts = component_groups(boxes, batch.usable, batch.starts)
    first, end = np.repeat(batch.starts[:-1], counts), np.repeat(batch.starts[1:], counts)
    squares = dr1_boxes(boxes[first[:, None] + np.maximum(members, 0)], members >= 0)
    points, features = _described(
        members, first, end, squares, boxes, own.peaks, numbers, own.prominences.astype(np.float64)
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
        places = features[k, N_MEMBER_FEATURES:]
        places[2] = (squares[k, 2] - squares[k, 0]) / EXTENT_PX
        _fill_link_features(links, boxes[subject], places)
        _fill_surroundings(own, boxes[subject], peaks[subject], numbers[subject], places)
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
    rule = CLASS_BY_RULE[len(own) - 1, min(n_peaks, MAX_COUNT) - 1]
    features[N_MEMBER_FEATURES + N_PLACE_FEATURES + rule] = 1.0


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
    """Set the features of the other components of the subject: the nearest, the brightest, the number."""
    x1, y1 = boxes[own, 0].min(), boxes[own, 1].min()
    x2, y2 = boxes[own, 2].max(), boxes[own, 3].max()
    nearest, near_snr, best_snr, n_inside = np.inf, 1.0, 0.0, 0
    for other in range(len(boxes)):
        if (own == other).any():
            continue
        gap = np.inf
        for member in own:
            gap = min(gap, box_gap(boxes, member, other))
        if gap < nearest:
            nearest, near_snr = gap, numbers[other, SNR]
        best_snr = max(best_snr, numbers[other, SNR])
        x, y = peaks[other]
        n_inside += x1 <= x <= x2 and y1 <= y <= y2
    if len(own) == len(boxes):
        best_snr = 1.0
    places[3] = min(nearest, FAR_PX) / GAP_PX
    places[4] = np.log(near_snr) / LOG_SCALE
    places[5] = np.log(best_snr) / LOG_SCALE
    places[6] = len(boxes) / COUNT
    places[7] = n_inside / COUNT
