"""Bootstrap: samples of subjects drawn with replacement, and intervals from them.

Subjects are drawn instead of sources because the sources of one subject share their image.  A subject drawn
twice counts twice.
"""

from collections.abc import Iterator

import numpy as np

__all__ = ["draw_copies", "interval"]


def draw_copies(n_subjects: int, n_resamplings: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield how often each subject is in a sample, (n_subjects,) int; yield nothing without subjects."""
    for _ in range(n_resamplings if n_subjects else 0):
        yield np.bincount(rng.integers(n_subjects, size=n_subjects), minlength=n_subjects)


def interval(values: np.ndarray, low: float, high: float) -> list[float] | None:
    """Return the percentiles `low` and `high` of the values that are not NaN; None if all are."""
    measured = values[~np.isnan(values)]
    return np.percentile(measured, [low, high]).tolist() if len(measured) else None
