"""Average precision against hand calculations and against an independent slow version."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from claran_core.evaluation.matching import RankedClass
from claran_core.evaluation.precision import (
    Metric,
    average_precision,
    bootstrap,
    coco_average_precision,
    mean_over_classes,
    precision_recall,
)


def ranked(true_positive: list[bool], subject: list[int], truth_subject: list[int], n: int) -> RankedClass:
    """Class with falling probabilities."""
    probability = np.linspace(0.9, 0.1, len(subject))
    return RankedClass(
        np.array(true_positive, bool), probability, np.array(subject, int), np.array(truth_subject, int), n
    )


def test_average_precision_by_hand() -> None:
    # Precision 1, 1/2, 2/3, 2/4 at the four detections; true ones first and third; four true sources.
    hits = np.array([True, False, True, False])
    precision, recall = precision_recall(hits, 4)
    np.testing.assert_allclose(precision, [1, 1 / 2, 2 / 3, 1 / 2])
    np.testing.assert_allclose(recall, [0.25, 0.25, 0.5, 0.5])
    assert average_precision(hits, 4) == pytest.approx((1 + 2 / 3) / 4)
    # 26 levels (0 .. 0.25) at precision 1, 25 (0.26 .. 0.50) at 2/3, none above.
    assert coco_average_precision(hits, 4) == pytest.approx((26 + 25 * 2 / 3) / 101)


def test_coco_uses_the_best_precision_at_or_above_a_level() -> None:
    # Precision 0, 1/2, 2/3: the envelope is 2/3 at every level.
    hits = np.array([False, True, True])
    assert coco_average_precision(hits, 2) == pytest.approx(2 / 3)
    assert average_precision(hits, 2) == pytest.approx((1 / 2 + 2 / 3) / 2)


@pytest.mark.parametrize("metric", [average_precision, coco_average_precision])
def test_extremes(metric: Metric) -> None:
    none = np.zeros(0, bool)
    assert metric(np.ones(7, bool), 7) == 1
    assert metric(np.zeros(7, bool), 7) == 0
    assert metric(none, 7) == 0
    assert np.isnan(metric(none, 0))
    assert np.isnan(metric(np.zeros(3, bool), 0))


@given(st.lists(st.booleans(), max_size=40), st.integers(0, 10))
def test_agrees_with_the_formula_written_out(hits: list[bool], missed: int) -> None:
    n_truth = sum(hits) + missed
    if n_truth == 0:
        return
    total = 0.0
    for k in range(1, len(hits) + 1):
        precision = len([hit for hit in hits[:k] if hit]) / k
        total += precision * (1 if hits[k - 1] else 0)
    assert average_precision(np.array(hits, bool), n_truth) == pytest.approx(total / n_truth)


def test_mean_is_over_the_classes_with_truth() -> None:
    assert mean_over_classes({"a": 0.5, "b": float("nan"), "c": 1.0}) == 0.75
    assert np.isnan(mean_over_classes({"a": float("nan")}))


def test_bootstrap_counts_a_subject_as_often_as_it_is_drawn() -> None:
    # Subject 0: found; subject 1: missed.  AP of a sample is the share of draws that hit subject 0.
    one = {"a": ranked([True], [0], [0, 1], 2)}
    values = bootstrap(one, 400, np.random.default_rng(1))["a"]
    assert set(values) == {0.0, 0.5, 1.0}
    assert np.mean(values == 0.5) == pytest.approx(0.5, abs=0.08)


def test_the_bootstrap_spread_is_that_of_a_fraction() -> None:
    # 300 of 400 sources found, no false ones: AP is a binomial share, sd sqrt(.75 * .25 / 400).
    one = {"a": ranked([True] * 300, list(range(300)), list(range(400)), 400)}
    values = bootstrap(one, 1000, np.random.default_rng(2))["mean"]
    assert values.mean() == pytest.approx(0.75, abs=0.003)
    assert values.std() == pytest.approx(np.sqrt(0.75 * 0.25 / 400), rel=0.1)


def test_bootstrap_leaves_absent_classes_out_of_the_mean() -> None:
    both = {"a": ranked([True], [0], [0], 1), "b": ranked([False], [0], [], 1)}
    drawn = bootstrap(both, 5, np.random.default_rng(3))
    assert np.isnan(drawn["b"]).all()
    assert drawn["mean"].tolist() == [1.0] * 5


def test_the_bootstrap_without_subjects_is_empty() -> None:
    assert len(bootstrap({"a": ranked([], [], [], 0)}, 10, np.random.default_rng(0))["mean"]) == 0


def test_bootstrap_is_repeatable_and_fast_enough_for_the_papers_test_set() -> None:
    rng = np.random.default_rng(4)
    classes = {}
    for name in "abcdef":
        subject = rng.integers(4600, size=4600 * 5 // 6)
        classes[name] = ranked(rng.random(len(subject)) < 0.2, subject, rng.integers(4600, size=800), 4600)
    started = time.perf_counter()
    first = bootstrap(classes, 500, np.random.default_rng(5))
    assert time.perf_counter() - started < 20
    again = bootstrap(classes, 20, np.random.default_rng(5))
    np.testing.assert_array_equal(first["mean"][:20], again["mean"])
