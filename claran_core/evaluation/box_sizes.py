"""Compare the sizes of detected and true boxes (paper section 5.5, Table 8)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from claran_core.evaluation.resampling import draw_copies, interval

__all__ = ["width_correlations"]

# Minimum number of pairs: fewer lie on a line, or nearly so, by chance.
MIN_PAIRS = 3


def width_correlations(
    sources: pd.DataFrame,
    subjects: np.ndarray,
    classes: Sequence[str],
    n_resamplings: int,
    rng: np.random.Generator,
) -> dict[str, dict[str, float | int | list[float] | None]]:
    """Return the Pearson correlation of detected and true box widths, per class (paper Table 8).

    Section 5.5: "We calculate the correlation coefficients between the size (width) of each
    CLARAN-generated box and the size of its matching ground-truth (DR1) box."

    Parameters
    ----------
    sources : DataFrame
        Columns ``subject_id, morphology, width, found_width`` of
        `claran_core.evaluation.sources.TRUE_SOURCES`; sources that were not found are ignored.
    subjects : (S,) str array
        All evaluated subjects, sorted.
    classes : sequence of str
        Classes to report.
    n_resamplings : int
        Number of bootstrap samples of subjects for the interval.
    rng : numpy.random.Generator
        Random numbers of the bootstrap.

    Returns
    -------
    dict
        Per class ``correlation`` (NaN with fewer than three pairs or all widths equal), ``n``,
        ``interval_95``, and ``median_ratio``, the median of detected width / true width.
    """
    found = sources[sources["found_width"].notna()]
    place = pd.Index(subjects).get_indexer(found["subject_id"])
    groups = {name: np.flatnonzero((found["morphology"] == name).to_numpy()) for name in classes}
    pairs = found[["width", "found_width"]].to_numpy(float)
    drawn: dict[str, list[float]] = {name: [] for name in classes}
    for copies in draw_copies(len(subjects), n_resamplings, rng):
        for name, rows in groups.items():
            drawn[name].append(_pearson(pairs[rows], copies[place[rows]]))
    return {
        name: {
            "correlation": _pearson(pairs[rows], np.ones(len(rows), int)),
            "n": len(rows),
            "interval_95": interval(np.array(drawn[name]), 2.5, 97.5),
            "median_ratio": float(np.median(pairs[rows, 1] / pairs[rows, 0])) if len(rows) else float("nan"),
        }
        for name, rows in groups.items()
    }


def _pearson(pairs: np.ndarray, copies: np.ndarray) -> float:
    """Return the correlation of pairs (n, 2), each counted `copies` (n,) times."""
    first, second = pairs.T
    n, drawn = copies.sum(), copies > 0
    if drawn.sum() < MIN_PAIRS or np.ptp(first[drawn]) == 0 or np.ptp(second[drawn]) == 0:
        return float("nan")
    dx, dy = first - copies @ first / n, second - copies @ second / n
    return float(copies @ (dx * dy) / np.sqrt((copies @ dx**2) * (copies @ dy**2)))
