"""Candidate sources: every combination of a few neighbouring components might be one source.

Given which components belong together, box and class follow from the contour rule.  What is left to learn is
which of these combinations are sources, and how surely each is of the class that was counted.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse.csgraph import minimum_spanning_tree

from claran_core.combinations import MAX_MEMBERS, REACH_PX, combinations, dr1_square
from claran_core.components import MIN_COMPONENT_PX, box_gaps, dr1_extent
from claran_core.morphology import MORPHOLOGIES, morphology_of
from claran_core.subject_components import SubjectComponents

__all__ = ["BRIDGE_SAMPLES", "N_FEATURES", "Candidates", "find_candidates"]

# Points looked at on the line between two linked components, from peak to peak.
BRIDGE_SAMPLES = 6

# Scales that bring features to the order of one: widths in frame px, logarithms, counts.
GAP_PX, EXTENT_PX, LOG_SCALE, COUNT = 20.0, 40.0, 3.0, 3.0

# What "nothing there" is worth as a distance.
FAR_PX = 2 * REACH_PX

N_FEATURES = 20 + len(MORPHOLOGIES)


@dataclass(frozen=True)
class Candidates:
    """Candidate sources of one subject, entry by entry; frame px.

    Attributes
    ----------
    boxes : (K, 4) float32 array
        Square ``x1 y1 x2 y2`` with the extent by the DR1 rule as its side; not clipped.
    members : (K, MAX_MEMBERS) int64 array
        Components in it, in the order of the subject's components; -1 where there are fewer.
    points : (K, MAX_MEMBERS + (MAX_MEMBERS - 1) * BRIDGE_SAMPLES, 2) float32 array
        Positions ``x y``: the members' brightest pixels, then points between linked members.
    is_point : (K, ...) bool array
        Which of them are used.
    features : (K, N_FEATURES) float32 array
        Numbers about the candidate and its surroundings, each of the order of one.
    """

    boxes: np.ndarray
    members: np.ndarray
    points: np.ndarray
    is_point: np.ndarray
    features: np.ndarray

    def __len__(self) -> int:
        return len(self.boxes)


def find_candidates(components: SubjectComponents) -> Candidates:
    """List the candidates of a subject, in an order that depends on its components alone.

    Components of a single pixel are in none of them, but count as surroundings.
    """
    gaps = box_gaps(components.boxes.astype(np.float64))
    usable = np.flatnonzero(components.n_pixels >= MIN_COMPONENT_PX)
    sets = combinations(usable, gaps)
    n, n_points = len(sets), MAX_MEMBERS + (MAX_MEMBERS - 1) * BRIDGE_SAMPLES
    found = Candidates(
        boxes=np.zeros((n, 4), np.float32),
        members=np.full((n, MAX_MEMBERS), -1, np.int64),
        points=np.zeros((n, n_points, 2), np.float32),
        is_point=np.zeros((n, n_points), bool),
        features=np.zeros((n, N_FEATURES), np.float32),
    )
    for k, own in enumerate(sets):
        members = np.array(own)
        links = _links(gaps[np.ix_(members, members)])
        found.boxes[k] = dr1_square(components.boxes[members])
        found.members[k, : len(own)] = members
        _set_points(found.points[k], found.is_point[k], components.peaks[members], links)
        found.features[k] = _features(components, members, gaps, links)
    return found


def _links(gaps: np.ndarray) -> np.ndarray:
    """Pairs (m, 2) of members and gaps between them that hold a candidate together most shortly."""
    if len(gaps) == 1:
        return np.empty((0, 2), int)
    # A tree over zero weights has no edges: touching boxes count as a little apart.
    tree = minimum_spanning_tree(gaps + 1e-3).tocoo()
    return np.stack([tree.row, tree.col], axis=1)


def _set_points(points: np.ndarray, is_point: np.ndarray, peaks: np.ndarray, links: np.ndarray) -> None:
    points[: len(peaks)], is_point[: len(peaks)] = peaks, True
    steps = ((np.arange(BRIDGE_SAMPLES) + 1) / (BRIDGE_SAMPLES + 1))[:, None]
    for number, (one, other) in enumerate(links):
        place = slice(MAX_MEMBERS + number * BRIDGE_SAMPLES, MAX_MEMBERS + (number + 1) * BRIDGE_SAMPLES)
        points[place] = peaks[one] + steps * (peaks[other] - peaks[one])
        is_point[place] = True


def _features(
    components: SubjectComponents, members: np.ndarray, gaps: np.ndarray, links: np.ndarray
) -> np.ndarray:
    others = np.setdiff1d(np.arange(len(components)), members)
    bridged = gaps[members[links[:, 0]], members[links[:, 1]]]
    snr = np.sort(components.snr[members].astype(np.float64))[::-1]
    flux = np.sort(components.flux[members].astype(np.float64))[::-1]
    n_peaks = int(components.n_peaks[members].sum())
    prominences = np.sort(components.prominences[members].ravel())[::-1][:3]
    near, near_snr, best_snr, inside = FAR_PX, 1.0, 1.0, 0
    if len(others):
        apart = gaps[np.ix_(members, others)].min(axis=0)
        near, near_snr = min(apart.min(), FAR_PX), components.snr[others[apart.argmin()]]
        best_snr = components.snr[others].max()
        own = components.boxes[members]
        peaks = components.peaks[others]
        inside = ((peaks >= own[:, :2].min(axis=0)) & (peaks <= own[:, 2:].max(axis=0))).all(axis=1).sum()
    rule = MORPHOLOGIES.index(morphology_of(len(members), n_peaks)[0])
    return np.array(
        [
            len(members) / COUNT,
            n_peaks / COUNT,
            (len(members) + np.minimum(prominences, 1.0).sum()) / COUNT,
            *np.minimum(prominences, 3.0),
            np.log(snr[0]) / LOG_SCALE,
            np.log(snr[-1]) / LOG_SCALE,
            np.log(max(flux.sum(), 1.0)) / LOG_SCALE,
            flux[1] / flux[0] if len(flux) > 1 else 0.0,
            flux[2] / flux[0] if len(flux) > 2 else 0.0,
            np.log(max(components.area[members].min(), 1.0)) / LOG_SCALE,
            (bridged.max() if len(bridged) else 0.0) / GAP_PX,
            bridged.sum() / GAP_PX,
            dr1_extent(components.boxes[members]) / EXTENT_PX,
            near / GAP_PX,
            np.log(near_snr) / LOG_SCALE,
            np.log(best_snr) / LOG_SCALE,
            len(components) / COUNT,
            inside / COUNT,
            *np.eye(len(MORPHOLOGIES))[rule],
        ],
        dtype=np.float32,
    )
