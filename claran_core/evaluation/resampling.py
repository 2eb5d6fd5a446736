"""How far a number can be trusted: samples of subjects drawn with replacement (bootstrap).

Subjects are drawn, not sources: sources of one subject share their image.  A subject drawn twice counts
twice.
"""

from collections.abc import Iterator

import numpy as np

__all__ = ["draw_copies", "interval"]


def draw_copies(n_subjects: int, n_resamplings: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """How often each subject is in a sample, (n_subjects,) int, sample by sample; none without subjects."""
    for _ in range(n_resamplings if n_subjects else 0):
        yield np.bincount(rng.integers(n_subjects, size=n_subjects), minlength=n_subjects)


def interval(values: np.ndarray, low: float, high: float) -> list[float] | None:
    """Percentiles `low` and `high` of the samples that have a value; None if none has."""
    measured = values[~np.isnan(values)]
    return np.percentile(measured, [low, high]).tolist() if len(measured) else None
