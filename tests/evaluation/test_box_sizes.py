"""Correlation of box widths, against the textbook formula and in cases without one."""

import numpy as np
import pandas as pd
import pytest

from claran_core.evaluation.box_sizes import width_correlations

SUBJECTS = np.array(["s0", "s1", "s2", "s3"])


def sources(*rows: tuple) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["subject_id", "morphology", "width", "found_width"])


def measure(table: pd.DataFrame, n_resamplings: int = 0) -> dict:
    rng = np.random.default_rng(0)
    return width_correlations(table, SUBJECTS, ["1C_1P", "2C_2P"], n_resamplings, rng)


def test_correlation_by_hand() -> None:
    # Deviations (-1, 0, 1) and (-2, 1, 1): r = 3 / sqrt(2 * 6).
    table = sources(("s0", "1C_1P", 1, 2), ("s1", "1C_1P", 2, 5), ("s2", "1C_1P", 3, 5))
    one = measure(table)["1C_1P"]
    assert one["correlation"] == pytest.approx(3 / np.sqrt(12))
    assert one["n"] == 3
    assert one["median_ratio"] == 2  # of 2, 2.5 and 5/3
    assert one["interval_95"] is None


def test_sources_not_found_do_not_count() -> None:
    table = sources(*[("s0", "1C_1P", i, 2 * i) for i in (1, 2, 3)], ("s1", "1C_1P", 9, np.nan))
    assert measure(table)["1C_1P"]["n"] == 3
    assert measure(table)["1C_1P"]["correlation"] == pytest.approx(1)


def test_a_subject_drawn_twice_counts_twice() -> None:
    rng = np.random.default_rng(1)
    names = np.repeat(SUBJECTS, 5)
    true, found = rng.uniform(10, 50, 20), rng.uniform(10, 50, 20)
    table = sources(*zip(names, ["1C_1P"] * 20, true, found, strict=True))
    low, high = measure(table, 300)["1C_1P"]["interval_95"]
    drawn = []
    again = np.random.default_rng(0)
    for _ in range(300):
        rows = np.concatenate([np.flatnonzero(names == SUBJECTS[k]) for k in again.integers(4, size=4)])
        drawn.append(np.corrcoef(true[rows], found[rows])[0, 1])
    assert (low, high) == pytest.approx(tuple(np.percentile(drawn, [2.5, 97.5])))


@pytest.mark.parametrize("widths", [[], [(1, 2), (2, 3)], [(5, 1), (5, 2), (5, 3)], [(1, 4), (2, 4), (3, 4)]])
def test_a_correlation_that_cannot_be_measured_is_nan(widths: list) -> None:
    one = measure(sources(*[("s0", "1C_1P", *pair) for pair in widths]), 20)["1C_1P"]
    assert np.isnan(one["correlation"])
    assert one["n"] == len(widths)
    assert one["interval_95"] is None
    assert measure(sources())["2C_2P"]["n"] == 0
