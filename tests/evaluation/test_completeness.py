"""Completeness ratios and false classifications against the minimum probability, counted by hand."""

import numpy as np
import pandas as pd
import pytest
from detection_rows import detection

from claran_core.common import tables
from claran_core.evaluation.completeness import THRESHOLDS, completeness_ratios, threshold_rows
from claran_core.evaluation.listing import Listing

SUBJECTS = np.array(["blank", "empty", "one", "two"])  # nothing is, and nothing is found, in "empty"

MIN_PROBABILITY = 0.5


def rows(*entries: tuple[str, str, float, float]) -> pd.DataFrame:
    """Return detections of (subject, class, probability, left edge) with boxes of 10 px."""
    return pd.DataFrame(
        [
            detection(subject, (x, 0, x + 10, 10), morphology=kind, probability=probability)
            for subject, kind, probability, x in entries
        ]
    )


LABELS = rows(("one", "1C_1P", 1, 0), ("two", "1C_1P", 1, 0), ("two", "1C_2P", 1, 50))
FOUND = rows(
    ("blank", "1C_1P", 0.3, 0),  # false; a classification at any threshold, as the best of its subject
    ("one", "1C_1P", 0.9, 0),  # true
    ("one", "1C_2P", 0.5, 0),  # false: the source is 1C_1P
    ("two", "1C_1P", 0.7, 0),  # true
    ("two", "1C_2P", 0.6, 50),  # true
)


def at(threshold: float) -> dict[str, dict]:
    """Return the row of each form at one threshold."""
    listing = Listing(FOUND, MIN_PROBABILITY)
    return {str(row["form"]): row for row in threshold_rows(listing, LABELS, SUBJECTS, 0.5, [threshold])}


def test_low_threshold_by_hand() -> None:
    row = at(0.1)["classifications"]
    # one: 1 true of 2 classified; two: 2 of 2; blank has no truth, so no ratio, but its box is false.
    assert (row["all_equal"], row["all_fewer_true"], row["all_more_true"]) == (0.5, 0.5, 0)
    assert (row["multi_source_equal"], row["multi_source_more_true"]) == (1, 0)
    assert (row["n_classified"], row["n_false"], row["completeness"]) == (5, 2, 1)
    assert row["false_per_subject"] == 0.5
    # As the catalogue lists them, the second class of the same box is gone.
    listed = at(0.1)["sources"]
    assert (listed["all_equal"], listed["n_classified"], listed["n_false"]) == (1, 4, 1)


def test_high_threshold_by_hand() -> None:
    row = at(0.65)["classifications"]
    # one: 1 of 1; two: 2 true, 1 classified; the best box of blank stays.
    assert (row["all_equal"], row["all_fewer_true"], row["all_more_true"]) == (0.5, 0, 0.5)
    assert row["multi_source_more_true"] == 1
    assert (row["n_classified"], row["n_false"]) == (3, 1)
    assert row["completeness"] == pytest.approx(2 / 3)
    # The catalogue leaves a field without a probable source blank.
    listed = at(0.65)["sources"]
    assert (listed["n_classified"], listed["n_false"]) == (2, 0)


def test_sources_are_chosen_by_the_sum_over_the_classes() -> None:
    shared = {"p_1c_1p": 0.4, "p_1c_2p": 0.35}
    found = pd.DataFrame(
        [
            detection("one", (0, 0, 10, 10), morphology=kind, probability=probability, **shared)
            for kind, probability in (("1C_1P", 0.4), ("1C_2P", 0.35))
        ]
    )
    row = threshold_rows(Listing(found, MIN_PROBABILITY), LABELS, SUBJECTS, 0.5, [0.7])[1]
    assert (row["form"], row["n_classified"], row["n_false"]) == ("sources", 1, 0)


def test_rows_have_the_columns_of_the_file() -> None:
    assert list(at(0.5)["sources"]) == THRESHOLDS.names


def test_ratios_agree_with_the_threshold_rows_and_have_intervals_over_subjects() -> None:
    rng = np.random.default_rng(0)
    measured = completeness_ratios(Listing(FOUND, MIN_PROBABILITY), LABELS, SUBJECTS, 0.65, 400, rng)[
        "classifications"
    ]
    every = measured["all"]
    assert (every["equal"], every["more_true"], every["n_subjects"]) == (0.5, 0.5, 2)
    assert every["interval_95"]["equal"] == [0, 1]
    assert every["interval_95"]["fewer_true"] == [0, 0]
    assert every["distribution"] == [{"ratio": 1.0, "n_subjects": 1}, {"ratio": 2.0, "n_subjects": 1}]
    assert measured["multi_source"]["interval_95"]["more_true"] == [1, 1]


@pytest.mark.parametrize("n_resamplings", [0, 10])
def test_empty_tables(n_resamplings: int) -> None:
    nothing, truth = tables.DETECTIONS.empty_table().to_pandas(), tables.LABELS.empty_table().to_pandas()
    # Without truth, everything that is found is false.
    for found, labels, subjects, n_classifications, n_sources in (
        (nothing, LABELS, SUBJECTS, 0, 0),
        (FOUND, truth, SUBJECTS, 3, 1),
        (nothing, truth, SUBJECTS[:0], 0, 0),
    ):
        listing = Listing(found, MIN_PROBABILITY)
        rng = np.random.default_rng(0)
        every = completeness_ratios(listing, labels, subjects, 0.8, n_resamplings, rng)["sources"]["all"]
        classifications, row = threshold_rows(listing, labels, subjects, 0.5, [0.8])
        assert classifications["n_false"] == n_classifications
        assert row["n_false"] == n_sources
        if len(labels):
            assert (every["more_true"], row["completeness"]) == (1, 0)
            assert every["distribution"] == [{"ratio": None, "n_subjects": 2}]
        else:
            assert np.isnan(every["equal"])
            assert every["interval_95"]["equal"] is None
            assert np.isnan(row["completeness"])
