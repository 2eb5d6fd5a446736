"""What the paper reports beside AP: sizes of the boxes, and how many classifications a source gets."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from claran_core.catalogue.postfilter import keep_probable, resolve_competing
from claran_core.evaluation.matching import NO_TRUTH

__all__ = ["completeness_ratios", "width_correlations"]

# Fewer pairs than this lie on a line, or nearly so, by chance.
MIN_PAIRS = 3


def width_correlations(
    detections: pd.DataFrame, labels: pd.DataFrame, found: np.ndarray, classes: Sequence[str]
) -> dict[str, dict[str, float | int]]:
    """Pearson correlation of the widths of true detections and of their true boxes (paper Table 8).

    Parameters
    ----------
    detections, labels : DataFrame
        With ``morphology`` and boxes.
    found : (N,) int array
        Result of `claran_core.evaluation.matching.match_detections`.
    classes : sequence of str
        Classes to report.

    Returns
    -------
    dict
        Per class ``correlation`` (NaN with fewer than three pairs or all widths equal) and ``n``.
    """
    hit = found != NO_TRUTH
    widths = pd.DataFrame(
        {
            "morphology": detections["morphology"].to_numpy()[hit],
            "found": _width(detections)[hit],
            "true": _width(labels)[found[hit]],
        }
    )
    result: dict[str, dict[str, float | int]] = {}
    for name in classes:
        pairs = widths[widths["morphology"] == name]
        result[name] = {"correlation": _pearson(pairs["found"], pairs["true"]), "n": len(pairs)}
    return result


def completeness_ratios(
    detections: pd.DataFrame, labels: pd.DataFrame, subjects: np.ndarray, min_probability: float
) -> dict[str, dict[str, dict[str, float | int]]]:
    """Shares of subjects with as many, more and fewer true sources than classifications (Tables 10, 11).

    The paper's ratio N_true / N_classified is 1, above 1 and below 1.  Counted over subjects that have
    truth, after the filter of section 6.1.1 without the one-source assumption, in two forms:
    ``classifications`` as the paper counts, where one source may have several classes, and ``sources``
    as the catalogue lists them, each source once.

    Returns
    -------
    dict
        Per form and per sample (``all`` subjects, ``multi_source``: two or more true sources): the shares
        ``equal``, ``fewer_true``, ``more_true`` (NaN for an empty sample), and ``n_subjects``.
    """
    kept = keep_probable(detections, min_probability)
    n_true = _per_subject(labels, subjects)
    forms = {"classifications": kept, "sources": resolve_competing(kept)}
    samples = {"all": n_true > 0, "multi_source": n_true > 1}
    return {
        form: {
            sample: _shares(n_true[chosen], _per_subject(rows, subjects)[chosen])
            for sample, chosen in samples.items()
        }
        for form, rows in forms.items()
    }


def _width(table: pd.DataFrame) -> np.ndarray:
    return (table["box_x2"] - table["box_x1"]).to_numpy(float)


def _pearson(first: pd.Series, second: pd.Series) -> float:
    if len(first) < MIN_PAIRS or first.nunique() == 1 or second.nunique() == 1:
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])


def _per_subject(table: pd.DataFrame, subjects: np.ndarray) -> np.ndarray:
    return table["subject_id"].value_counts().reindex(subjects, fill_value=0).to_numpy(int)


def _shares(n_true: np.ndarray, n_classified: np.ndarray) -> dict[str, float | int]:
    n = len(n_true)
    return {
        "equal": float((n_true == n_classified).mean()) if n else float("nan"),
        "fewer_true": float((n_true < n_classified).mean()) if n else float("nan"),
        "more_true": float((n_true > n_classified).mean()) if n else float("nan"),
        "n_subjects": n,
    }
