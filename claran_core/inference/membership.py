"""Find the radio components that a detection consists of.

Flux densities, counts and the search for duplicates need the components of each detection.  A box in the
convention of DR1 does not enclose the emission: the components of a double may extend beyond it.  The search
is therefore inverse: of all groups of neighbouring components, it takes the one whose DR1 box fits the
detection best.

The rule serves all detectors.  The association network scores groups, but a core between two lobes does not
change their box: with and without it, both groups match the true source in training, and suppression keeps
either.  Only the class of the detection tells whether the core belongs to it.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from claran_core.common.boxes import box_array, paired_iou
from claran_core.common.frame import Frame
from claran_core.common.morphology import morphology_of
from claran_core.components.component_batch import ComponentBatch
from claran_core.components.component_groups import component_groups, dr1_boxes
from claran_core.components.component_table import NO_COMPONENTS, SubjectComponents

__all__ = ["component_ids_of", "members_of"]

# A group of components fits a detection when the IoU of their boxes exceeds the paper's limit for a true
# detection (section 5.2).
MIN_FIT_IOU = 0.5

# Groups whose IoU is within this of the best are compared by class: a core between two lobes does not change
# the box.
EQUAL_FIT = 0.03


def members_of(
    boxes: np.ndarray, morphologies: Sequence[str], components: SubjectComponents, frame: Frame
) -> list[tuple[int, ...]]:
    """Return the components of each detection of a subject.

    Parameters
    ----------
    boxes : (n, 4) float array
        Boxes ``x1 y1 x2 y2`` of the detections, frame px.
    morphologies : sequence of str
        Classes of the detections.
    components : SubjectComponents
        Components of the subject by the contour rule.
    frame : Frame
        Geometry of the subject; boxes are clipped to it.

    Returns
    -------
    list of tuple of int
        Indices into `components` of the group whose box fits best.  Among equal fits, a group of the
        detection's class comes first, then the larger one.  If no group fits, the components whose
        brightest pixel is in the box; possibly none.
    """
    batch = ComponentBatch.of([components])
    groups, _ = component_groups(components.boxes.astype(np.float64), batch.usable, batch.starts)
    if not len(groups) or not len(boxes):
        return [()] * len(boxes)
    sets = [tuple(row[row >= 0].tolist()) for row in groups]
    squares = np.clip(dr1_boxes(components.boxes[groups], groups >= 0), 0.0, frame.size_px)
    classes = [morphology_of(len(own), int(components.n_peaks[list(own)].sum()))[0] for own in sets]
    fits = paired_iou(np.asarray(boxes, float)[:, None], squares[None])  # (n, len(sets))
    return [
        _best(fit, sets, np.array([name == morphology for name in classes]))
        or _inside(box, components, np.flatnonzero(batch.usable))
        for box, morphology, fit in zip(boxes, morphologies, fits, strict=True)
    ]


def component_ids_of(
    detections: pd.DataFrame, components: Mapping[str, SubjectComponents], frame: Frame
) -> list[np.ndarray]:
    """Return the identities of the components of each detection of a table.

    Parameters
    ----------
    detections : DataFrame
        Columns ``subject_id``, ``morphology`` and the box; any order, any number of subjects.
    components : mapping of str to SubjectComponents
        Components of each subject that has any, by subject.
    frame : Frame
        Geometry of the subjects.

    Returns
    -------
    list of int64 arrays
        One entry per row, by the rule of `members_of`.
    """
    ids = [NO_COMPONENTS.ids] * len(detections)
    for subject_id, rows in detections.groupby("subject_id", sort=False).indices.items():
        part = detections.iloc[rows]
        own = components.get(str(subject_id), NO_COMPONENTS)
        groups = members_of(box_array(part), part["morphology"].tolist(), own, frame)
        for row, group in zip(rows, groups, strict=True):
            ids[row] = own.ids[list(group)]
    return ids


def _best(fit: np.ndarray, sets: list[tuple[int, ...]], same_class: np.ndarray) -> tuple[int, ...]:
    if fit.max() <= MIN_FIT_IOU:
        return ()
    good = np.flatnonzero(fit >= fit.max() - EQUAL_FIT)
    return sets[max(good, key=lambda k: (same_class[k], len(sets[k]), fit[k], -k))]


def _inside(box: np.ndarray, components: SubjectComponents, usable: np.ndarray) -> tuple[int, ...]:
    peaks = components.peaks[usable]
    inside = ((peaks >= box[:2]) & (peaks <= box[2:])).all(axis=1)
    return tuple(int(k) for k in usable[inside])
