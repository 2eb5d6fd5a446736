"""Find the radio components that a detection consists of.

Flux densities, counts and the search for duplicates need the components of each detection.  A box in the
convention of DR1 does not enclose the emission: the components of a double may extend beyond it.  The search
is therefore inverse: of all groups of neighbouring components, it takes the one whose DR1 box fits the
detection best.

Only detectors that predict boxes need this rule; the association network knows the components of a detection.
A core between two lobes does not change their box: only the class of the detection tells whether the core
belongs to it.
"""

from collections.abc import Sequence

import numpy as np

from claran_core.common.boxes import paired_iou
from claran_core.common.frame import Frame
from claran_core.common.morphology import MAX_COUNT, MORPHOLOGIES
from claran_core.components.component_batch import ComponentBatch
from claran_core.components.component_groups import CLASS_BY_RULE, component_groups, dr1_boxes

__all__ = ["members_of"]

# A group of components fits a detection when the IoU of their boxes exceeds the paper's limit for a true
# detection (section 5.2).
MIN_FIT_IOU = 0.5

# Groups whose IoU is within this of the best are compared by class: a core between two lobes does not change
# the box.
EQUAL_FIT = 0.03


def members_of(
    boxes: np.ndarray,
    morphologies: Sequence[str] | np.ndarray,
    subject: np.ndarray,
    components: ComponentBatch,
    frame: Frame,
) -> list[np.ndarray]:
    """Return the components of detections.

    Parameters
    ----------
    boxes : (n, 4) float array
        Boxes ``x1 y1 x2 y2`` of the detections, frame px.
    morphologies : sequence of str
        Classes of the detections.
    subject : (n,) int array
        Place in `components` of the subject of each detection.
    components : ComponentBatch
        Components of the subjects by the contour rule.
    frame : Frame
        Geometry of the subjects; boxes are clipped to it.

    Returns
    -------
    list of int64 arrays
        Indices into the components of the subject: the group whose box fits best.  Among equal fits, a group
        of the detection's class comes first, then the larger one.  If no group fits, the components whose
        brightest pixel is in the box; possibly none.
    """
    every = components.components
    groups, counts = component_groups(every.boxes.astype(np.float64), components.usable, components.starts)
    is_member = groups >= 0
    rows = np.where(is_member, np.repeat(components.starts[:-1], counts)[:, None] + groups, 0)
    squares = np.clip(dr1_boxes(every.boxes[rows], is_member), 0.0, frame.size_px)
    n_members = is_member.sum(axis=1)
    n_peaks = np.where(is_member, every.n_peaks[rows], 0).sum(axis=1)
    rule = CLASS_BY_RULE[n_members - 1, np.minimum(n_peaks, MAX_COUNT) - 1]
    # All pairs of a detection and a group of its subject.
    n_pairs = counts[subject]
    starts = np.cumsum(n_pairs) - n_pairs
    detection = np.repeat(np.arange(len(subject)), n_pairs)
    group = np.arange(len(detection)) - np.repeat(starts - (np.cumsum(counts) - counts)[subject], n_pairs)
    fit = paired_iou(np.asarray(boxes, float)[detection], squares[group])
    best = np.zeros(len(subject))
    np.maximum.at(best, detection, fit)
    good = np.flatnonzero((best[detection] > MIN_FIT_IOU) & (fit >= best[detection] - EQUAL_FIT))
    detection, group, fit = detection[good], group[good], fit[good]
    by_rule = {name: number for number, name in enumerate(MORPHOLOGIES)}
    named = np.array([by_rule.get(name, -1) for name in morphologies], np.int64)  # -1: no class of the rule
    order = np.lexsort((-group, fit, n_members[group], rule[group] == named[detection], detection))
    chosen = np.full(len(subject), -1)
    chosen[detection[order]] = group[order]  # the last of each detection is the best
    members = []
    for own, place, box in zip(chosen, subject, boxes, strict=True):
        members.append(_inside(box, components, place) if own < 0 else groups[own, is_member[own]])
    return members


def _inside(box: np.ndarray, components: ComponentBatch, subject: int) -> np.ndarray:
    """Return the usable components of a subject whose brightest pixel is in a box."""
    own = slice(components.starts[subject], components.starts[subject + 1])
    peaks = components.components.peaks[own]
    inside = ((peaks >= box[:2]) & (peaks <= box[2:])).all(axis=1)
    return np.flatnonzero(components.usable[own] & inside)
