"""Match detections to true sources by the paper's rule (section 5.2), per class and subject.

All metrics use this ranking and matching.  The result does not depend on the order of the tables: rows of
equal probability are ordered by subject and box.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from claran_core.common.boxes import box_array, paired_iou

__all__ = ["NO_TRUTH", "RankedClass", "match_detections", "rank_classes", "ranking"]

# Row number of the true source of a detection that matches none.
NO_TRUTH = -1


@dataclass(frozen=True)
class RankedClass:
    """Detections of one class, most probable first, and its true sources.

    Attributes
    ----------
    true_positive : (K,) bool array
        tp(k) of paper eq. 12.
    probability : (K,) float array
        In descending order.
    subject : (K,) int array
        Number of the detection's subject.
    truth_subject : (T,) int array
        Number of each true source's subject.
    n_subjects : int
        Number of evaluated subjects; their numbers are 0 .. n_subjects - 1.
    """

    true_positive: np.ndarray
    probability: np.ndarray
    subject: np.ndarray
    truth_subject: np.ndarray
    n_subjects: int


def match_detections(
    detections: pd.DataFrame, labels: pd.DataFrame, min_iou: float, *, inclusive: bool = False
) -> np.ndarray:
    """Find the true source of each detection.

    In descending order of probability, each detection is matched to the true source of its class and subject
    that it overlaps most, among those not yet matched, if their IoU is above `min_iou`.

    Parameters
    ----------
    detections : DataFrame
        Columns ``subject_id``, ``morphology``, ``probability`` and the box.
    labels : DataFrame
        Columns ``subject_id``, ``morphology`` and the box.
    min_iou : float
        IoU that a true detection exceeds.
    inclusive : bool, optional
        Accept an IoU of exactly `min_iou` too, as COCO does.

    Returns
    -------
    (N,) int array
        Row of `labels` that each row of `detections` matches, or `NO_TRUTH`.
    """
    pairs = _overlapping_pairs(detections, labels, min_iou, inclusive)
    found = np.full(len(detections), NO_TRUTH)
    taken = np.zeros(len(labels), dtype=bool)
    for detection, truth in pairs.tolist():
        if found[detection] == NO_TRUTH and not taken[truth]:
            found[detection], taken[truth] = truth, True
    return found


def _overlapping_pairs(
    detections: pd.DataFrame, labels: pd.DataFrame, min_iou: float, inclusive: bool
) -> np.ndarray:
    """Return the rows (detection, truth) that may match, in the order in which they are matched."""
    keys = ["subject_id", "morphology"]
    rank = np.empty(len(detections), dtype=np.int64)
    rank[ranking(detections)] = np.arange(len(detections))
    left = detections[keys].assign(detection=np.arange(len(detections)), rank=rank)
    right = labels[keys].assign(truth=np.arange(len(labels)))
    pairs = left.merge(right, on=keys)[["detection", "truth", "rank"]].to_numpy(np.int64)
    boxes = box_array(labels)[pairs[:, 1]]
    iou = paired_iou(box_array(detections)[pairs[:, 0]], boxes)
    enough = iou >= min_iou if inclusive else iou > min_iou
    # Of equal overlaps the leftmost, then topmost true box comes first, in any order of the labels.
    order = np.lexsort((*boxes[enough].T[::-1], -iou[enough], pairs[enough, 2]))
    return pairs[enough][order, :2]


def ranking(detections: pd.DataFrame) -> np.ndarray:
    """Return the order of the rows by descending probability; ties by subject, then box."""
    subject = detections["subject_id"].to_numpy(dtype=str)
    probability = detections["probability"].to_numpy(float)
    return np.lexsort((*box_array(detections).T[::-1], subject, -probability))


def rank_classes(
    detections: pd.DataFrame,
    labels: pd.DataFrame,
    subjects: np.ndarray,
    classes: Sequence[str],
    found: np.ndarray,
) -> dict[str, RankedClass]:
    """Rank the detections of each class.

    Parameters
    ----------
    detections, labels : DataFrame
        Rows of the evaluated subjects only.
    subjects : (S,) str array
        All evaluated subjects, sorted, with and without detections or truth.
    classes : sequence of str
        Values of ``morphology`` to rank.
    found : (N,) int array
        Result of `match_detections`.
    """
    order = ranking(detections)
    ranked = pd.DataFrame(
        {
            "subject": pd.Index(subjects).get_indexer(detections["subject_id"]),
            "morphology": detections["morphology"].to_numpy(),
            "probability": detections["probability"].to_numpy(float),
            "true_positive": found != NO_TRUTH,
        }
    ).iloc[order]
    truth_subject = pd.Index(subjects).get_indexer(labels["subject_id"])
    result = {}
    for name in classes:
        rows = ranked[ranked["morphology"] == name]
        result[name] = RankedClass(
            true_positive=rows["true_positive"].to_numpy(),
            probability=rows["probability"].to_numpy(),
            subject=rows["subject"].to_numpy(),
            truth_subject=truth_subject[(labels["morphology"] == name).to_numpy()],
            n_subjects=len(subjects),
        )
    return result
