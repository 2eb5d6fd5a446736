"""Average precision (paper eq. 12-14), COCO's AP50, and bootstrap samples of both."""

from collections.abc import Callable, Mapping

import numpy as np

from claran_core.evaluation.matching import RankedClass
from claran_core.evaluation.resampling import draw_copies

__all__ = [
    "Metric",
    "average_precision",
    "bootstrap",
    "coco_average_precision",
    "mean_over_classes",
    "precision_recall",
]

# COCO evaluates the precision-recall curve at these completeness levels.
COCO_RECALLS = np.linspace(0.0, 1.0, 101)

# Precision of one class from tp(k), most probable first, and the number of true sources.
Metric = Callable[[np.ndarray, int], float]


def precision_recall(true_positive: np.ndarray, n_truth: int) -> tuple[np.ndarray, np.ndarray]:
    """Return reliability and completeness of the k most probable detections, for every k (paper eq. 13).

    Parameters
    ----------
    true_positive : (K,) bool array
        tp(k), most probable first.
    n_truth : int
        Number of true sources; 0 gives NaN for the completeness.

    Returns
    -------
    precision, recall : (K,) float arrays
    """
    hits = np.cumsum(true_positive)
    precision = hits / np.arange(1, len(hits) + 1)
    recall = hits / n_truth if n_truth else np.full(len(hits), np.nan)
    return precision, recall


def average_precision(true_positive: np.ndarray, n_truth: int) -> float:
    """Return AP of one class (paper eq. 12): the summed precision at each true detection over `n_truth`.

    Returns
    -------
    float
        NaN if `n_truth` is 0.
    """
    if n_truth == 0:
        return float("nan")
    precision, _ = precision_recall(true_positive, n_truth)
    return float(precision[true_positive].sum() / n_truth)


def coco_average_precision(true_positive: np.ndarray, n_truth: int) -> float:
    """Return AP of one class by COCO's definition (Lin et al. 2014, arXiv:1405.0312, and its code).

    It is the mean over 101 completeness levels of the best precision at that level or above.  Arguments and
    NaN as `average_precision`; AP50 requires matches with an IoU of 0.5 *or more*.
    """
    if n_truth == 0:
        return float("nan")
    precision, recall = precision_recall(true_positive, n_truth)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    reached = np.searchsorted(recall, COCO_RECALLS, side="left")
    return float(np.append(envelope, 0.0)[reached].mean())


def mean_over_classes(values: Mapping[str, float]) -> float:
    """Return the mean AP (mAP, paper eq. 14) over the classes that have truth; NaN if none has."""
    present = [value for value in values.values() if not np.isnan(value)]
    return float(np.mean(present)) if present else float("nan")


def bootstrap(
    ranked: Mapping[str, RankedClass],
    n_resamplings: int,
    rng: np.random.Generator,
    *,
    metric: Metric = average_precision,
) -> dict[str, np.ndarray]:
    """Return AP of every class in samples of subjects drawn with replacement.

    A subject drawn twice counts twice, truth and detections alike; the copies of a detection are adjacent in
    the ranking.

    Parameters
    ----------
    ranked : mapping of str to RankedClass
        Ranked detections per class, all over the same subjects.
    n_resamplings : int
        Number of samples.
    rng : numpy.random.Generator
        Random numbers of the bootstrap.
    metric : callable
        `average_precision` or `coco_average_precision`.

    Returns
    -------
    dict of str to (n_resamplings,) float array
        One entry per class, and ``"mean"`` over the classes present in each sample.
    """
    n_subjects = max((one.n_subjects for one in ranked.values()), default=0)
    values: dict[str, list[float]] = {name: [] for name in [*ranked, "mean"]}
    for copies in draw_copies(n_subjects, n_resamplings, rng):
        drawn = {name: _resampled(one, copies, metric) for name, one in ranked.items()}
        for name, value in {**drawn, "mean": mean_over_classes(drawn)}.items():
            values[name].append(value)
    return {name: np.array(column) for name, column in values.items()}


def _resampled(one: RankedClass, copies: np.ndarray, metric: Metric) -> float:
    true_positive = np.repeat(one.true_positive, copies[one.subject])
    return metric(true_positive, int(copies[one.truth_subject].sum()))
