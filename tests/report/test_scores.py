"""Scores show the paper's values for the same method."""

from pathlib import Path

from report_inputs import make_inputs, with_truth

from claran_core.report.scores import scores


def test_published_values_are_those_of_the_same_method(tmp_path: Path) -> None:
    inputs = with_truth(make_inputs(), tmp_path)
    (score,) = scores(inputs.metrics)
    assert score.rows[0].published == 0.8784  # paper Table 5, D4, 1C_1P
    assert score.total.published == 0.836
    assert score.total.ap == 1.0  # every test subject's only source was found where it is
    assert score.n_subjects == 12
    (unknown,) = scores({"D9": {**inputs.metrics["D4"], "published": None}})
    assert not unknown.has_published
