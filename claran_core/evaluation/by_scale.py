"""Average precision of the detections in subjects of each larger scale, which the paper does not have."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from claran_core.common.morphology import MORPHOLOGIES
from claran_core.common.tables import NATIVE_SCALE
from claran_core.evaluation.matching import match_detections, rank_classes
from claran_core.evaluation.metrics import choose_sample
from claran_core.evaluation.precision import average_precision, mean_over_classes

__all__ = ["precision_by_scale"]


def precision_by_scale(
    detections: pd.DataFrame,
    labels: pd.DataFrame,
    targets: pd.DataFrame,
    min_iou: float,
    classes: Sequence[str] = MORPHOLOGIES,
) -> dict[str, dict[str, Any]]:
    """Return average precision (paper eq. 12 and 14) of the subjects of each scale above 1.

    Parameters
    ----------
    detections, labels, targets : DataFrame
        Columns of `DETECTIONS`, `LABELS` and `TARGETS` (`claran_core.common.tables`).
    min_iou : float
        IoU that a true detection exceeds.
    classes : sequence of str
        Names of the classes.

    Returns
    -------
    dict
        By scale, as text: ``n_subjects``, ``n_sources``, ``mean`` and one value per class, NaN without truth.
        Only scales with true sources.
    """
    table = {}
    for scale in sorted(set(targets["scale"].tolist()) - {NATIVE_SCALE}):
        subjects = choose_sample(targets, labels, scale).subjects
        true, found = (
            rows[rows["subject_id"].isin(subjects)].reset_index(drop=True) for rows in (labels, detections)
        )
        if not len(true):
            continue
        matched = match_detections(found, true, min_iou)
        ranked = rank_classes(found, true, subjects, classes, matched)
        ap = {
            name: average_precision(one.true_positive, len(one.truth_subject)) for name, one in ranked.items()
        }
        counts = {"n_subjects": len(subjects), "n_sources": len(true)}
        table[str(scale)] = {**counts, "mean": mean_over_classes(ap), **ap}
    return table
