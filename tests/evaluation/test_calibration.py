"""Reliability diagram and calibration error, against values worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from claran_core.common.calibration import Calibration, logit
from claran_core.evaluation.calibration import (
    MIN_CASES,
    calibration,
    catalogue_calibration,
    fit_calibration,
)


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


def overconfident(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities whose logits are twice too large, and what is true."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(1.5, 1.5, n)
    is_true = rng.random(n) < 1 / (1 + np.exp(-logits))
    return 1 / (1 + np.exp(-2 * logits)), is_true


def error_of(probability: np.ndarray, is_true: np.ndarray) -> float:
    rng = np.random.default_rng(0)
    return calibration(probability, is_true, np.arange(len(is_true)), len(is_true), 0, rng)["error"]


def test_a_fit_makes_other_probabilities_true() -> None:
    fitted = fit_calibration(*overconfident(6000, 1))
    probability, is_true = overconfident(20000, 2)
    before, after = error_of(probability, is_true), error_of(fitted.apply(logit(probability)), is_true)
    assert before > 0.08
    assert after < 0.015
    assert len(fitted.knots) <= 24


def test_a_fit_of_true_probabilities_changes_little() -> None:
    rng = np.random.default_rng(3)
    probability = rng.random(10000)
    fitted = fit_calibration(probability, rng.random(10000) < probability)
    places = np.linspace(0.02, 0.98, 49)
    np.testing.assert_allclose(fitted.apply(logit(places)), places, atol=0.06)


def test_a_fit_is_monotone_where_the_fractions_are_not() -> None:
    # The middle third is true less often than the lowest one: both become one knot.
    probability = np.repeat([0.2, 0.5, 0.9], 8 * MIN_CASES)
    is_true = np.tile(np.arange(8) < 4, 3 * MIN_CASES)
    is_true[8 * MIN_CASES : 16 * MIN_CASES] = np.tile(np.arange(8) < 2, MIN_CASES)
    is_true[16 * MIN_CASES :] = True
    fitted = fit_calibration(probability, is_true)
    low, middle, high = fitted.apply(logit(np.array([0.2, 0.5, 0.9])))
    assert low < middle < high
    assert low == pytest.approx(0.375, abs=0.25) and high > 0.98


def test_few_cases_give_the_identity() -> None:
    assert fit_calibration(np.full(MIN_CASES - 1, 0.5), np.ones(MIN_CASES - 1, bool)) == Calibration()
    assert fit_calibration(np.empty(0), np.empty(0, bool)) == Calibration()


def test_the_rows_of_a_catalogue_by_hand() -> None:
    rows = pd.DataFrame({"subject_id": ["s", "s", "t"], "source_probability": [0.95, 0.85, 0.95]})
    status = np.array(["true", "fragment", "true"], object)
    measured = catalogue_calibration(rows, status, 0, np.random.default_rng(0))
    assert measured["error"] == pytest.approx((2 * 0.05 + 0.85) / 3)
    assert measured["n"] == 3
