"""Candidate sources: every combination of a few neighbouring components might be one source.

Given which components belong together, box and class follow from the contour rule.  What is left to learn is
which of these groups are sources, and how surely each is of the class that was counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from claran_core.common.morphology import MAX_COUNT, MORPHOLOGIES, morphology_of
from claran_core.components.component_groups import (
    MAX_MEMBERS,
    REACH_PX,
    as_rows,
    component_groups,
    dr1_boxes,
)
from claran_core.components.component_table import SubjectComponents
from claran_core.components.contour_rule import MIN_COMPONENT_PX, box_gaps, dr1_extents

__all__ = ["BRIDGE_SAMPLES", "N_FEATURES", "Candidates", "find_candidates"]

# Points looked at on the line between two linked components, from peak to peak.
BRIDGE_SAMPLES = 6

# Links that hold a candidate together, and points looked at in all.
MAX_LINKS = MAX_MEMBERS - 1
N_POINTS = MAX_MEMBERS + MAX_LINKS * BRIDGE_SAMPLES

# Scales that bring features to the order of one: widths in frame px, logarithms, counts.
GAP_PX, EXTENT_PX, LOG_SCALE, COUNT = 20.0, 40.0, 3.0, 3.0

# What "nothing there" is worth as a distance.
FAR_PX = 2 * REACH_PX

N_FEATURES = 20 + len(MORPHOLOGIES)

# Place in `MORPHOLOGIES` of the class by the contour rule, for 1, 2, .. components and 1, 2, .. peaks.
CLASS_BY_RULE = np.array(
    [
        [MORPHOLOGIES.index(morphology_of(n_components, n_peaks)[0]) for n_peaks in range(1, MAX_COUNT + 1)]
        for n_components in range(1, MAX_MEMBERS + 1)
    ]
)


@dataclass(frozen=True)
class Candidates:
    """Candidate sources of some subjects, entry by entry, one subject's after the other's; frame px.

    Attributes
    ----------
    counts : (N,) int64 array
        Candidates of each subject; their sum is K.
    boxes : (K, 4) float32 array
        Square ``x1 y1 x2 y2`` with the extent by the DR1 rule as its side; not clipped.
    members : (K, MAX_MEMBERS) int64 array
        Components in it, in the order of the subject's components; -1 where there are fewer.
    points : (K, N_POINTS, 2) float32 array
        Positions ``x y``: the members' brightest pixels, then points between linked members.
    is_point : (K, N_POINTS) bool array
        Which of them are used.
    features : (K, N_FEATURES) float32 array
        Numbers about the candidate and its surroundings, each of the order of one.
    """

    counts: np.ndarray
    boxes: np.ndarray
    members: np.ndarray
    points: np.ndarray
    is_point: np.ndarray
    features: np.ndarray

    def __len__(self) -> int:
        return len(self.boxes)


def find_candidates(subjects: Sequence[SubjectComponents]) -> Candidates:
    """List the candidates of some subjects; those of one depend on its own components alone.

    Components of a single pixel are in none of them, but count as surroundings.
    """
    around = _Surroundings.of(subjects)
    sets: list[tuple[int, ...]] = []
    counts = np.zeros(len(subjects), np.int64)
    for k, own in enumerate(subjects):
        usable = np.flatnonzero(own.n_pixels >= MIN_COMPONENT_PX)
        found = component_groups(usable, around.gaps[k, : len(own), : len(own)])
        sets += found
        counts[k] = len(found)
    members = as_rows(sets)
    subject = np.repeat(np.arange(len(subjects)), counts)
    links, is_link = _links(around.gaps_within(subject, members), members >= 0)
    points, is_point = _points(around.of_members("peaks", subject, members), members >= 0, links, is_link)
    boxes = dr1_boxes(around.of_members("boxes", subject, members), members >= 0)
    features = _features(around, subject, members, links, is_link)
    return Candidates(counts, boxes.astype(np.float32), members, points, is_point, features)


@dataclass(frozen=True)
class _Surroundings:
    """Components of N subjects side by side, filled up with nothing to n for each.

    `components` has entries (N, n, ...), `present` (N, n) says which are real, `gaps` (N, n, n) how far
    their boxes are apart.
    """

    components: SubjectComponents
    present: np.ndarray
    gaps: np.ndarray

    @classmethod
    def of(cls, subjects: Sequence[SubjectComponents]) -> "_Surroundings":
        counts = np.array([len(own) for own in subjects], np.int64)
        present = np.arange(max(counts.max(initial=0), 1)) < counts[:, None]
        filled = {}
        for field in fields(SubjectComponents):
            values = np.concatenate([getattr(own, field.name) for own in subjects])
            filled[field.name] = np.zeros((*present.shape, *values.shape[1:]), values.dtype)
            filled[field.name][present] = values
        return cls(SubjectComponents(**filled), present, box_gaps(filled["boxes"].astype(np.float64)))

    def of_members(self, name: str, subject: np.ndarray, members: np.ndarray) -> np.ndarray:
        """Values (K, MAX_MEMBERS, ...) of members (K, MAX_MEMBERS); any where there are fewer."""
        return getattr(self.components, name)[subject[:, None], members]

    def gaps_within(self, subject: np.ndarray, members: np.ndarray) -> np.ndarray:
        """Gaps (K, MAX_MEMBERS, MAX_MEMBERS) between members."""
        return self.gaps[subject[:, None, None], members[:, :, None], members[:, None, :]]


def _links(gaps: np.ndarray, is_member: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of members that hold each candidate together most shortly: a minimum spanning tree (Prim 1957).

    Returns their places among the members (K, MAX_LINKS, 2), and which are used (K, MAX_LINKS).
    """
    n = len(gaps)
    outside = is_member.copy()
    outside[:, 0] = False
    inside = is_member & ~outside
    links, is_link = np.zeros((n, MAX_LINKS, 2), np.int64), np.zeros((n, MAX_LINKS), bool)
    for step in range(MAX_LINKS):
        growing = np.flatnonzero(outside.any(axis=1))
        possible = inside[growing, :, None] & outside[growing, None, :]
        shortest = (
            np.where(possible, gaps[growing], np.inf).reshape(len(growing), MAX_MEMBERS**2).argmin(axis=1)
        )
        one, other = np.divmod(shortest, MAX_MEMBERS)
        links[growing, step, 0], links[growing, step, 1], is_link[growing, step] = one, other, True
        inside[growing, other], outside[growing, other] = True, False
    return links, is_link


def _points(
    peaks: np.ndarray, is_member: np.ndarray, links: np.ndarray, is_link: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Points (K, N_POINTS, 2) to look at, and which are used: peaks (K, MAX_MEMBERS, 2) and between them."""
    ends = peaks[np.arange(len(peaks))[:, None, None], links]  # (K, MAX_LINKS, 2 ends, 2)
    steps = ((np.arange(BRIDGE_SAMPLES) + 1) / (BRIDGE_SAMPLES + 1))[:, None]
    bridges = ends[:, :, None, 0] + steps * (ends[:, :, None, 1] - ends[:, :, None, 0])
    points = np.concatenate([peaks, bridges.reshape(len(peaks), MAX_LINKS * BRIDGE_SAMPLES, 2)], axis=1)
    is_point = np.concatenate([is_member, is_link.repeat(BRIDGE_SAMPLES, axis=1)], axis=1)
    return np.where(is_point[..., None], points, 0.0).astype(np.float32), is_point


def _features(
    around: _Surroundings, subject: np.ndarray, members: np.ndarray, links: np.ndarray, is_link: np.ndarray
) -> np.ndarray:
    """Numbers (K, N_FEATURES) about each candidate: itself, what holds it together, what lies beside it."""
    is_member, every = members >= 0, np.arange(len(members))

    def own(name: str, without: float) -> np.ndarray:
        values = around.of_members(name, subject, members).astype(np.float64)
        return np.where(is_member.reshape(*is_member.shape, *[1] * (values.ndim - 2)), values, without)

    n_members = is_member.sum(axis=1)
    n_peaks = own("n_peaks", 0).sum(axis=1).astype(np.int64)
    prominences = np.concatenate(np.split(own("prominences", -np.inf), MAX_MEMBERS, axis=1), axis=2)[:, 0]
    prominences = -np.sort(-prominences, axis=1)[:, :3]
    flux = -np.sort(-own("flux", 0.0), axis=1)
    boxes = around.of_members("boxes", subject, members).astype(np.float64)
    bridged = np.where(
        is_link, around.gaps_within(subject, members)[every[:, None], links[..., 0], links[..., 1]], 0.0
    )

    others = around.present[subject]
    row, column = np.nonzero(is_member)
    others[row, members[row, column]] = False
    anything = others.any(axis=1)
    gaps = np.where(is_member[..., None], around.gaps[subject[:, None], members], np.inf).min(axis=1)
    gaps = np.where(others, gaps, np.inf)
    snr, peaks = around.components.snr[subject], around.components.peaks[subject]
    near_snr = np.where(anything, snr[every, gaps.argmin(axis=1)], 1.0)
    best_snr = np.where(anything, np.where(others, snr, 0.0).max(axis=1), 1.0)
    low, high = own("boxes", np.inf)[..., :2].min(axis=1), own("boxes", -np.inf)[..., 2:].max(axis=1)
    inside = ((peaks >= low[:, None]) & (peaks <= high[:, None])).all(axis=2) & others

    columns = [
        n_members / COUNT,
        n_peaks / COUNT,
        (n_members + np.minimum(prominences, 1.0).sum(axis=1)) / COUNT,
        *np.minimum(prominences, 3.0).T,
        np.log(own("snr", -np.inf).max(axis=1)) / LOG_SCALE,
        np.log(own("snr", np.inf).min(axis=1)) / LOG_SCALE,
        np.log(np.maximum(flux.sum(axis=1), 1.0)) / LOG_SCALE,
        flux[:, 1] / flux[:, 0],
        flux[:, 2] / flux[:, 0],
        np.log(np.maximum(own("area", np.inf).min(axis=1), 1.0)) / LOG_SCALE,
        bridged.max(axis=1) / GAP_PX,
        bridged.sum(axis=1) / GAP_PX,
        dr1_extents(boxes, is_member) / EXTENT_PX,
        np.minimum(gaps.min(axis=1), FAR_PX) / GAP_PX,
        np.log(near_snr) / LOG_SCALE,
        np.log(best_snr) / LOG_SCALE,
        around.present.sum(axis=1)[subject] / COUNT,
        inside.sum(axis=1) / COUNT,
        *np.eye(len(MORPHOLOGIES))[CLASS_BY_RULE[n_members - 1, np.minimum(n_peaks, MAX_COUNT) - 1]].T,
    ]
    return np.stack(columns, axis=1).astype(np.float32)
