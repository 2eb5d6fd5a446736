"""Count true sources and classifications per subject, and false classifications (paper section 6.2.2)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from claran_core.evaluation.listing import Listing
from claran_core.evaluation.matching import NO_TRUTH, match_detections
from claran_core.evaluation.resampling import draw_copies, interval

__all__ = ["FORMS", "THRESHOLDS", "completeness_ratios", "threshold_rows"]

FORMS = ("classifications", "sources")

_SHARES = ("equal", "fewer_true", "more_true")

THRESHOLDS = pa.schema(
    [
        pa.field("form", pa.string(), nullable=False),
        pa.field("min_probability", pa.float64(), nullable=False),
        *[
            pa.field(f"{sample}_{share}", pa.float64())
            for sample in ("all", "multi_source")
            for share in _SHARES
        ],
        pa.field("n_classified", pa.int64(), nullable=False),
        pa.field("n_false", pa.int64(), nullable=False),
        pa.field("false_per_subject", pa.float64()),
        pa.field("completeness", pa.float64()),
    ]
)


def completeness_ratios(
    listing: Listing,
    labels: pd.DataFrame,
    subjects: np.ndarray,
    min_probability: float,
    n_resamplings: int,
    rng: np.random.Generator,
) -> dict[str, dict[str, dict[str, Any]]]:
    """Return the fractions of subjects with as many, more and fewer true sources than classifications.

    These are the values of paper Tables 10 and 11.  Section 6.2.2: "We define a completeness ratio to be the
    ratio of the total number of radio sources to the total number of correct classifications per subject
    (N_TRUE/N_CLASSIFIED).  [...] Ratios greater than 1.0 suggest that an individual field contains more DR1
    sources than classified.  Likewise, a ratio below 1.0 indicates that CLARAN found more than one
    classification per source within a field."  A ratio below 1 implies that all classifications count that
    section 6.1.1 keeps ("reject all classifications with P-values below 0.8 unless the classification with
    the highest P-value is below 0.8"), without its second assumption of one source per field.

    The ratio is counted over subjects that have truth, in two forms.  ``classifications`` counts as the paper
    does: one source may have several classes.  ``sources`` counts the sources of each subject
    (`claran_core.evaluation.listing.distinct_sources`) at the catalogue's minimum probability.

    Parameters
    ----------
    listing : Listing
        Detections of the evaluated subjects only.
    labels : DataFrame
        True sources of the evaluated subjects only.
    subjects : (S,) str array
        All evaluated subjects, sorted.
    min_probability : float
        Minimum probability of a classification, for the form ``classifications``.
    n_resamplings : int
        Number of bootstrap samples of subjects for the intervals.
    rng : numpy.random.Generator
        Random numbers of the bootstrap.

    Returns
    -------
    dict
        Per form and sample (``all`` subjects, ``multi_source``: two or more true sources): the fractions
        ``equal``, ``fewer_true``, ``more_true`` (NaN for an empty sample), ``n_subjects``, ``interval_95``
        of each fraction, and ``distribution`` (Fig. 16): each ``ratio`` from the lowest with its
        ``n_subjects``; the ratio is None for subjects without a classification.
    """
    n_true = _per_subject(labels, subjects)
    drawn = list(draw_copies(len(subjects), n_resamplings, rng))
    draws = np.stack(drawn) if drawn else np.zeros((0, len(subjects)), int)
    return {
        form: {
            sample: _sample(n_true, _per_subject(rows, subjects), chosen, draws)
            for sample, chosen in _samples(n_true).items()
        }
        for form, rows in zip(
            FORMS, (listing.classifications(min_probability), listing.sources()), strict=True
        )
    }


def threshold_rows(
    listing: Listing,
    labels: pd.DataFrame,
    subjects: np.ndarray,
    min_iou: float,
    thresholds: Sequence[float],
) -> list[dict[str, Any]]:
    """Count what `completeness_ratios` counts, and false classifications, at each minimum probability.

    For the form ``sources`` a threshold replaces the catalogue's minimum probability.
    A classification is false when it matches no true source of its class (section 5.2: "true positive if
    and only if the IoU [...] between K and some ground-truth sources of class m in S is greater than
    0.5"), in subjects with and without truth alike.

    Returns
    -------
    list of dict
        Columns of `THRESHOLDS`, one row per form and threshold: the fractions of `completeness_ratios`;
        ``n_classified`` and ``n_false`` in all subjects, ``false_per_subject``, and ``completeness``, the
        fraction of true sources that are found (NaN without true sources).
    """
    n_true = _per_subject(labels, subjects)
    rows = []
    for threshold in thresholds:
        both = listing.classifications(threshold), listing.sources(threshold)
        for form, kept in zip(FORMS, both, strict=True):
            n_classified = _per_subject(kept, subjects)
            n_false = int((match_detections(kept, labels, min_iou) == NO_TRUTH).sum())
            shares = {
                f"{sample}_{name}": value
                for sample, chosen in _samples(n_true).items()
                for name, value in _shares(n_true[chosen], n_classified[chosen]).items()
            }
            rows.append(
                {
                    "form": form,
                    "min_probability": float(threshold),
                    **shares,
                    "n_classified": len(kept),
                    "n_false": n_false,
                    "false_per_subject": _ratio(n_false, len(subjects)),
                    "completeness": _ratio(len(kept) - n_false, len(labels)),
                }
            )
    return rows


def _samples(n_true: np.ndarray) -> dict[str, np.ndarray]:
    return {"all": n_true > 0, "multi_source": n_true > 1}


def _sample(
    n_true: np.ndarray, n_classified: np.ndarray, chosen: np.ndarray, draws: np.ndarray
) -> dict[str, Any]:
    kinds = _kinds(n_true, n_classified)
    drawn = draws[:, chosen]
    total = drawn.sum(axis=1)
    with np.errstate(invalid="ignore"):
        shares = {name: drawn @ kind[chosen] / total for name, kind in kinds.items()}
    return {
        **_shares(n_true[chosen], n_classified[chosen]),
        "n_subjects": int(chosen.sum()),
        "interval_95": {name: interval(values, 2.5, 97.5) for name, values in shares.items()},
        "distribution": _distribution(n_true[chosen], n_classified[chosen]),
    }


def _kinds(n_true: np.ndarray, n_classified: np.ndarray) -> dict[str, np.ndarray]:
    kinds = (n_true == n_classified, n_true < n_classified, n_true > n_classified)
    return dict(zip(_SHARES, kinds, strict=True))


def _shares(n_true: np.ndarray, n_classified: np.ndarray) -> dict[str, float]:
    return {name: _ratio(int(kind.sum()), len(kind)) for name, kind in _kinds(n_true, n_classified).items()}


def _distribution(n_true: np.ndarray, n_classified: np.ndarray) -> list[dict[str, float | int | None]]:
    with np.errstate(divide="ignore"):
        ratios, counts = np.unique(n_true / n_classified, return_counts=True)
    return [
        {"ratio": float(ratio) if np.isfinite(ratio) else None, "n_subjects": int(count)}
        for ratio, count in zip(ratios, counts, strict=True)
    ]


def _per_subject(table: pd.DataFrame, subjects: np.ndarray) -> np.ndarray:
    return table["subject_id"].value_counts().reindex(subjects, fill_value=0).to_numpy(int)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
