"""Candidate sources: groups of a few neighbouring components.

The contour rule gives the box and the class of a group.  The network learns which groups are sources, and how
certain the class is.
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

# Points sampled on the line between two linked components, from peak to peak.
BRIDGE_SAMPLES = 6

# Links between the members of a candidate, and sampled points in all.
MAX_LINKS = MAX_MEMBERS - 1
N_POINTS = MAX_MEMBERS + MAX_LINKS * BRIDGE_SAMPLES

# Scales that bring features to the order of one: lengths in frame px, logarithms, counts.
GAP_PX, EXTENT_PX, LOG_SCALE, COUNT = 20.0, 40.0, 3.0, 3.0

# Distance to the nearest component if there is no other.
FAR_PX = 2 * REACH_PX

N_FEATURES = 20 + len(MORPHOLOGIES)

# Index in `MORPHOLOGIES` of the class by the contour rule, for 1, 2, .. components and 1, 2, .. peaks.
CLASS_BY_RULE = np.array(
    [
        [MORPHOLOGIES.index(morphology_of(n_components, n_peaks)[0]) for n_peaks in range(1, MAX_COUNT + 1)]
        for n_components in range(1, MAX_MEMBERS + 1)
    ]
)


@dataclass(frozen=True)
class Candidates:
    """Candidate sources of some subjects, subject after subject, in frame px.

    Attributes
    ----------
    counts : (N,) int64 array
        Number of candidates of each subject; their sum is K.
    boxes : (K, 4) float32 array
        Squares ``x1 y1 x2 y2`` with the extent by the DR1 rule as side; not clipped.
    members : (K, MAX_MEMBERS) int64 array
        Indices of its components in the subject; -1 in unused columns.
    points : (K, N_POINTS, 2) float32 array
        Positions ``x y``: the brightest pixels of the members, then points between linked members.
    is_point : (K, N_POINTS) bool array
        Which points are used.
    features : (K, N_FEATURES) float32 array
        Features of the candidate and its surroundings, each of the order of one.
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
    """Return the candidates of some subjects; those of one subject depend on its own components alone.

    Components of a single pixel are not members of candidates, but count as surroundings.
    """
    around = _Surroundings.of(subjects)
    groups: list[tuple[int, ...]] = []
    counts = np.zeros(len(subjects), np.int64)
    for k, components in enumerate(subjects):
        usable = np.flatnonzero(components.n_pixels >= MIN_COMPONENT_PX)
        found = component_groups(usable, around.gaps[k, : len(components), : len(components)])
        groups += found
        counts[k] = len(found)
    members = as_rows(groups)
    subject = np.repeat(np.arange(len(subjects)), counts)
    links, is_link = _links(around.gaps_within(subject, members), members >= 0)
    points, is_point = _points(around.of_members("peaks", subject, members), members >= 0, links, is_link)
    boxes = dr1_boxes(around.of_members("boxes", subject, members), members >= 0)
    features = _features(around, subject, members, links, is_link)
    return Candidates(counts, boxes.astype(np.float32), members, points, is_point, features)


@dataclass(frozen=True)
class _Surroundings:
    """Components of N subjects as arrays, padded to n components each.

    `components` has entries (N, n, ...), `present` (N, n) marks those that are not padding, and `gaps` (N, n,
    n) are the distances between their boxes.
    """

    components: SubjectComponents
    present: np.ndarray
    gaps: np.ndarray

    @classmethod
    def of(cls, subjects: Sequence[SubjectComponents]) -> "_Surroundings":
        counts = np.array([len(components) for components in subjects], np.int64)
        present = np.arange(max(counts.max(initial=0), 1)) < counts[:, None]
        filled = {}
        for field in fields(SubjectComponents):
            values = np.concatenate([getattr(components, field.name) for components in subjects])
            filled[field.name] = np.zeros((*present.shape, *values.shape[1:]), values.dtype)
            filled[field.name][present] = values
        return cls(SubjectComponents(**filled), present, box_gaps(filled["boxes"].astype(np.float64)))

    def of_members(self, name: str, subject: np.ndarray, members: np.ndarray) -> np.ndarray:
        """Return values (K, MAX_MEMBERS, ...) of members (K, MAX_MEMBERS), arbitrary where members is -1."""
        return getattr(self.components, name)[subject[:, None], members]

    def gaps_within(self, subject: np.ndarray, members: np.ndarray) -> np.ndarray:
        """Return the gaps (K, MAX_MEMBERS, MAX_MEMBERS) between members."""
        return self.gaps[subject[:, None, None], members[:, :, None], members[:, None, :]]


def _links(gaps: np.ndarray, is_member: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs of members that link each candidate: a minimum spanning tree (Prim 1957).

    The result is their indices among the members (K, MAX_LINKS, 2), and which are used (K, MAX_LINKS).
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
    """Return the points (K, N_POINTS, 2), peaks (K, MAX_MEMBERS, 2) and bridges, and which are used."""
    ends = peaks[np.arange(len(peaks))[:, None, None], links]  # (K, MAX_LINKS, 2 ends, 2)
    steps = ((np.arange(BRIDGE_SAMPLES) + 1) / (BRIDGE_SAMPLES + 1))[:, None]
    bridges = ends[:, :, None, 0] + steps * (ends[:, :, None, 1] - ends[:, :, None, 0])
    points = np.concatenate([peaks, bridges.reshape(len(peaks), MAX_LINKS * BRIDGE_SAMPLES, 2)], axis=1)
    is_point = np.concatenate([is_member, is_link.repeat(BRIDGE_SAMPLES, axis=1)], axis=1)
    return np.where(is_point[..., None], points, 0.0).astype(np.float32), is_point


def _features(
    around: _Surroundings, subject: np.ndarray, members: np.ndarray, links: np.ndarray, is_link: np.ndarray
) -> np.ndarray:
    """Return the features (K, N_FEATURES) of each candidate, its links and its surroundings."""
    is_member, every = members >= 0, np.arange(len(members))

    def of_members(name: str, padding: float) -> np.ndarray:
        values = around.of_members(name, subject, members).astype(np.float64)
        return np.where(is_member.reshape(*is_member.shape, *[1] * (values.ndim - 2)), values, padding)

    n_members = is_member.sum(axis=1)
    n_peaks = of_members("n_peaks", 0).sum(axis=1).astype(np.int64)
    prominences = of_members("prominences", -np.inf).reshape(len(members), 3 * MAX_MEMBERS)
    prominences = -np.sort(-prominences, axis=1)[:, :3]
    flux = -np.sort(-of_members("flux", 0.0), axis=1)
    boxes = around.of_members("boxes", subject, members).astype(np.float64)
    link_gaps = np.where(
        is_link, around.gaps_within(subject, members)[every[:, None], links[..., 0], links[..., 1]], 0.0
    )

    others = around.present[subject]
    row, column = np.nonzero(is_member)
    others[row, members[row, column]] = False
    has_others = others.any(axis=1)
    gaps = np.where(is_member[..., None], around.gaps[subject[:, None], members], np.inf).min(axis=1)
    gaps = np.where(others, gaps, np.inf)
    snr, peaks = around.components.snr[subject], around.components.peaks[subject]
    near_snr = np.where(has_others, snr[every, gaps.argmin(axis=1)], 1.0)
    best_snr = np.where(has_others, np.where(others, snr, 0.0).max(axis=1), 1.0)
    low, high = (
        of_members("boxes", np.inf)[..., :2].min(axis=1),
        of_members("boxes", -np.inf)[..., 2:].max(axis=1),
    )
    inside = ((peaks >= low[:, None]) & (peaks <= high[:, None])).all(axis=2) & others

    columns = [
        n_members / COUNT,
        n_peaks / COUNT,
        (n_members + np.minimum(prominences, 1.0).sum(axis=1)) / COUNT,
        *np.minimum(prominences, 3.0).T,
        np.log(of_members("snr", -np.inf).max(axis=1)) / LOG_SCALE,
        np.log(of_members("snr", np.inf).min(axis=1)) / LOG_SCALE,
        np.log(np.maximum(flux.sum(axis=1), 1.0)) / LOG_SCALE,
        flux[:, 1] / flux[:, 0],
        flux[:, 2] / flux[:, 0],
        np.log(np.maximum(of_members("area", np.inf).min(axis=1), 1.0)) / LOG_SCALE,
        link_gaps.max(axis=1) / GAP_PX,
        link_gaps.sum(axis=1) / GAP_PX,
        dr1_extents(boxes, is_member) / EXTENT_PX,
        np.minimum(gaps.min(axis=1), FAR_PX) / GAP_PX,
        np.log(near_snr) / LOG_SCALE,
        np.log(best_snr) / LOG_SCALE,
        around.present.sum(axis=1)[subject] / COUNT,
        inside.sum(axis=1) / COUNT,
        *np.eye(len(MORPHOLOGIES))[CLASS_BY_RULE[n_members - 1, np.minimum(n_peaks, MAX_COUNT) - 1]].T,
    ]
    return np.stack(columns, axis=1).astype(np.float32)
