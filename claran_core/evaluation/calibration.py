"""Calibration of the probabilities: of sources with probability 0.7, seven in ten should be true.

The paper's P-value "approximates the probability the identified source belongs to the identified
morphology class" (section 6.1.1); the paper does not measure how well.  The reliability diagram and the
expected calibration error follow Guo et al. 2017 (arXiv:1706.04599), eq. 2 to 5.  A calibration is an
isotonic regression of what is true on the probabilities (Zadrozny & Elkan 2002).
"""

from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import isotonic_regression

from claran_core.common.calibration import Calibration, logit
from claran_core.evaluation.resampling import draw_copies, interval

__all__ = ["calibration", "catalogue_calibration", "fit_calibration"]

N_BINS = 10

# A calibration has at most this many knots, each of at least so many cases.
MAX_KNOTS, MIN_CASES = 24, 40

# Probabilities nearer to 0 and 1 have the logit of this one.
LEAST_PROBABILITY = 1e-6

# Decimals of the knots.
DECIMALS = 6


def catalogue_calibration(
    catalogue: pd.DataFrame, status: np.ndarray, n_resamplings: int, rng: np.random.Generator
) -> dict[str, Any]:
    """Compare ``source_probability`` of the catalogue's rows with the fraction that is exactly one source.

    Parameters
    ----------
    catalogue : DataFrame
        Columns ``subject_id`` and ``source_probability``.
    status : (n,) object array
        Status of each row (`claran_core.evaluation.catalogue_truth.STATUSES`).
    n_resamplings, rng
        As `calibration`, whose result is returned.
    """
    subjects, subject = np.unique(catalogue["subject_id"].to_numpy(str), return_inverse=True)
    probability = catalogue["source_probability"].to_numpy(float)
    return calibration(probability, status == "true", subject, len(subjects), n_resamplings, rng)


def fit_calibration(probability: np.ndarray, is_true: np.ndarray) -> Calibration:
    """Return the monotone map of probabilities to the fraction that is true, by isotonic regression.

    Cases are taken in groups of equal number by probability; each group is one knot, and groups whose
    fractions do not rise are joined.

    Parameters
    ----------
    probability : (n,) float array
        Probability of each case.
    is_true : (n,) bool array
        Whether it is true.

    Returns
    -------
    Calibration
        Identity for fewer than `MIN_CASES` cases.
    """
    n_groups = min(MAX_KNOTS, len(probability) // MIN_CASES)
    if n_groups == 0:
        return Calibration()
    clipped = np.clip(np.asarray(probability, float), LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    order = np.argsort(clipped, kind="stable")
    groups = np.array_split(order, n_groups)
    count = np.array([len(one) for one in groups], float)
    # One more case of the mean probability keeps the fraction of a group off 0 and 1.
    right = np.array([is_true[one].sum() + clipped[one].mean() for one in groups]) / (count + 1)
    at = np.array([logit(clipped[one]).mean() for one in groups])
    level = isotonic_regression(right, weights=count).x
    joined = np.cumsum(np.append(True, (np.diff(level) > LEAST_PROBABILITY) & (np.diff(at) > 0))) - 1
    weight = np.bincount(joined, count)
    knots = np.stack([np.bincount(joined, count * each) / weight for each in (at, level)], axis=1)
    return Calibration.of(knots.round(DECIMALS).tolist())


def calibration(
    probability: np.ndarray,
    true_positive: np.ndarray,
    subject: np.ndarray,
    n_subjects: int,
    n_resamplings: int,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Compare probabilities with the fraction of true detections, in bins of width 0.1.

    Parameters
    ----------
    probability : (N,) float array
        Probability of each detection; there is one detection per box and class.
    true_positive : (N,) bool array
        Whether the detection is true by the paper's matching (section 5.2).  Of two detections of one
        source in one class, the second is false.
    subject : (N,) int array
        Number of each detection's subject, 0 .. n_subjects - 1.
    n_subjects : int
        Number of evaluated subjects.
    n_resamplings : int
        Number of bootstrap samples of subjects for the intervals.
    rng : numpy.random.Generator
        Random numbers of the bootstrap.

    Returns
    -------
    dict
        ``error``: expected calibration error, the mean over the detections of |fraction true - mean
        probability| of their bin (NaN without detections), with ``interval_95``; ``n``; ``bins``, all ten
        from the lowest: ``low, high`` (low included; 1 belongs to the last), ``n``, ``mean_probability``,
        ``share_right`` (the fraction that is true; NaN for an empty bin) and its ``interval_95``.
    """
    sums = _sums_per_subject(probability, true_positive, subject, n_subjects)
    totals = sums.sum(axis=0)
    drawn = np.array([np.tensordot(c, sums, 1) for c in draw_copies(n_subjects, n_resamplings, rng)])
    drawn = drawn.reshape(-1, N_BINS, 3)
    _, mean, share = _shares(totals)
    shares = _shares(drawn)[2]
    return {
        "error": float(_error(totals)),
        "interval_95": interval(_error(drawn), 2.5, 97.5),
        "n": len(probability),
        "bins": [
            {
                "low": k / N_BINS,
                "high": (k + 1) / N_BINS,
                "n": int(totals[k, 0]),
                "mean_probability": float(mean[k]),
                "share_right": float(share[k]),
                "interval_95": interval(shares[:, k], 2.5, 97.5),
            }
            for k in range(N_BINS)
        ],
    }


def _sums_per_subject(
    probability: np.ndarray, true_positive: np.ndarray, subject: np.ndarray, n_subjects: int
) -> np.ndarray:
    """Return number, sum of probabilities and number of true detections, (n_subjects, N_BINS, 3)."""
    # Compare as float32, the precision of the stored column: float32(0.7) is less than 0.7.
    edges = (np.arange(1, N_BINS) / N_BINS).astype(np.float32)
    bins = np.digitize(probability.astype(np.float32), edges)
    sums = np.zeros((n_subjects, N_BINS, 3))
    rows = np.stack([np.ones(len(probability)), probability, true_positive], axis=1)
    np.add.at(sums, (subject, bins), rows)
    return sums


def _shares(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    n, probability, right = np.moveaxis(sums, -1, 0)
    with np.errstate(invalid="ignore"):
        return n, probability / n, right / n


def _error(sums: np.ndarray) -> np.ndarray:
    n, probability, right = np.moveaxis(sums, -1, 0)
    with np.errstate(invalid="ignore"):
        return np.abs(right - probability).sum(axis=-1) / n.sum(axis=-1)
