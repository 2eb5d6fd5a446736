"""The part of a run on which its catalogue is evaluated."""

import pandas as pd
from truth_rows import DEC, RA, catalogue_of, outcome, outcomes_of, row

from claran_core.common.frame import Frame
from claran_core.evaluation.catalogue_sample import choose_catalogue_sample

FRAME = Frame()
TARGETS = pd.DataFrame(
    {
        "subject_id": ["s", "t"],
        "ra": [RA, RA],
        "dec": [DEC, DEC + 0.1],
        "scale": 1,
        "split": ["test", "train"],
    }
)
CATALOGUE = catalogue_of(
    row("inside", (0, 0)),
    row("half", (0, 80), (0, 120)),  # its middle at 100 arcsec is outside, a component inside
    row("outside", (0, 360)),
    row("bare"),
)
OUTCOMES = outcomes_of(outcome("source", (0, 0)), outcome("noise", (0, 360)))


def test_the_test_split_with_its_rows_and_components() -> None:
    sample = choose_catalogue_sample(TARGETS, CATALOGUE, OUTCOMES, FRAME)
    assert (sample.name, sample.subjects["subject_id"].tolist()) == ("test", ["s"])
    assert sample.catalogue["source_id"].tolist() == ["inside", "half", "bare"]
    assert sample.outcomes["outcome"].tolist() == ["source"]

    # A wide frame of the test split shows what lies outside the narrow one.
    wide = choose_catalogue_sample(TARGETS.assign(scale=[4, 1]), CATALOGUE, OUTCOMES, FRAME)
    assert wide.catalogue["source_id"].tolist() == ["inside", "half", "outside", "bare"]
    assert wide.outcomes["outcome"].tolist() == ["source", "noise"]


def test_a_run_without_a_test_split_is_evaluated_as_a_whole() -> None:
    sample = choose_catalogue_sample(TARGETS.assign(split="none"), CATALOGUE, OUTCOMES, FRAME)
    assert (sample.name, len(sample.subjects), len(sample.catalogue), len(sample.outcomes)) == (
        "all",
        2,
        4,
        2,
    )


def test_an_empty_catalogue_is_normal() -> None:
    sample = choose_catalogue_sample(TARGETS, CATALOGUE.head(0), OUTCOMES.head(0), FRAME)
    assert (len(sample.catalogue), len(sample.outcomes)) == (0, 0)
