"""Reliability diagram and calibration error, against values worked out by hand."""

import numpy as np
import pytest

from claran_core.evaluation.calibration import calibration


def measure(rows: list[tuple[float, bool, int]], n_subjects: int = 2, n_resamplings: int = 0) -> dict:
    """Of rows (probability, right, subject); probabilities as the tables store them."""
    probability, right, subject = zip(*rows, strict=True) if rows else ((), (), ())
    return calibration(
        np.array(probability, np.float32).astype(float),
        np.array(right, bool),
        np.array(subject, int),
        n_subjects,
        n_resamplings,
        np.random.default_rng(0),
    )


def test_error_by_hand() -> None:
    # 0.1 to 0.2: three with a mean of 0.15, one right, |1/3 - 0.15| = 0.18333; 0.9 to 1: one, |1 - 0.95|.
    measured = measure([(0.1, False, 0), (0.15, True, 0), (0.2 - 1e-6, False, 1), (0.95, True, 1)])
    low, high = measured["bins"][1], measured["bins"][9]
    assert (low["n"], high["n"]) == (3, 1)
    assert low["mean_probability"] == pytest.approx(0.15, abs=1e-6)
    assert low["share_right"] == pytest.approx(1 / 3)
    assert measured["error"] == pytest.approx((3 * (1 / 3 - 0.15) + 0.05) / 4, abs=1e-6)
    assert sum(one["n"] for one in measured["bins"]) == measured["n"] == 4


@pytest.mark.parametrize(("probability", "number"), [(0.3, 3), (0.7, 7), (0.9, 9), (1.0, 9), (0.0, 0)])
def test_bins_include_their_lower_edge_and_the_last_includes_one(probability: float, number: int) -> None:
    (filled,) = (k for k, one in enumerate(measure([(probability, True, 0)])["bins"]) if one["n"])
    assert filled == number


def test_intervals_come_from_whole_subjects() -> None:
    # Ten right ones in subject 0, ten wrong ones in subject 1: a sample has only right, half, or only wrong.
    rows = [(0.5, True, 0)] * 10 + [(0.5, False, 1)] * 10
    measured = measure(rows, n_resamplings=200)
    assert measured["error"] == 0
    assert measured["bins"][5]["interval_95"] == [0, 1]
    assert measured["interval_95"] == [0, 0.5]


def test_no_detections() -> None:
    for n_subjects in (0, 3):
        measured = measure([], n_subjects, n_resamplings=5)
        assert np.isnan(measured["error"])
        assert measured["interval_95"] is None
        assert [one["n"] for one in measured["bins"]] == [0] * 10
