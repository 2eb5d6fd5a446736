"""Small tables of the report: ledger, flags, outcomes, classes."""

import numpy as np
import pandas as pd
import pytest
from report_inputs import make_inputs, sources

from claran_core.catalogue.product.schema import OUTCOME_DESCRIPTIONS
from claran_core.common.morphology import MORPHOLOGIES
from claran_core.report.summary import (
    band_rows,
    class_bars,
    flag_rows,
    ledger_problems,
    outcome_rows,
    split_bars,
)


def test_ledger_is_summed_per_band_radio_first() -> None:
    rows = band_rows(make_inputs(10).ledger)
    assert [(row.band, row.counts) for row in rows] == [("radio", (9, 0, 0, 1)), ("infrared", (8, 0, 2, 0))]
    assert rows[0].mean_coverage == pytest.approx(0.9)


def test_problems_are_grouped_worst_first() -> None:
    problems, left_out = ledger_problems(make_inputs(10).ledger)
    assert [(p.status, p.count, p.example) for p in problems] == [
        ("failed", 1, "S009"),
        ("no_coverage", 2, "S001"),
    ]
    assert left_out == 0


def test_gaps_are_one_line_per_band() -> None:
    ledger = pd.concat([make_inputs(100).ledger] * 2, ignore_index=True).head(100)
    gap = np.linspace(0.001, 0.9, len(ledger))
    reasons = [f"{one:.2%} of the pixels have no data" for one in gap]
    problems, left_out = ledger_problems(
        ledger.assign(status="partial", band="radio", coverage=1 - gap, reason=reasons)
    )
    assert [(p.reason, p.count) for p in problems] == [("0.10% to 90.00% of the pixels have no data", 100)]
    assert left_out == 0
    one, _ = ledger_problems(ledger.head(1).assign(status="partial", coverage=0.75, reason="25.00% missing"))
    assert one[0].reason == "25.00% of the pixels have no data"


def test_long_lists_of_problems_are_truncated_and_counted() -> None:
    ledger = make_inputs(100).ledger
    ledger = ledger.assign(status="failed", reason=[f"file {i}" for i in range(len(ledger))])
    problems, left_out = ledger_problems(ledger)
    assert len(problems) + left_out == 200
    assert left_out > 0


def test_flags_are_counted_by_subject_and_source() -> None:
    inputs = make_inputs(10)
    rows = {row.name: row for row in flag_rows(inputs.fused, sources(4).assign(flags=[1024, 1028, 4, 0]))}
    assert (rows["INFRARED_MISSING"].subjects, rows["INFRARED_MISSING"].sources) == (2, 2)
    assert (rows["EDGE"].subjects, rows["EDGE"].sources) == (0, 2)


def test_outcomes_are_all_named_and_counted() -> None:
    outcomes = pd.DataFrame({"outcome": ["source", "artefact", "artefact", "noise"]})
    rows = {name: (count, text) for name, count, text in outcome_rows(outcomes)}
    assert list(rows) == list(OUTCOME_DESCRIPTIONS)
    counts = {name: count for name, (count, _) in rows.items() if count}
    assert counts == {"source": 1, "artefact": 2, "noise": 1}


def test_bars_are_as_long_as_their_share_of_the_longest() -> None:
    bars = class_bars(sources(9), MORPHOLOGIES)
    assert [(bar.count, bar.length) for bar in bars] == [(2, 1.0)] * 3 + [(1, 0.5)] * 3
    assert [(bar.label, bar.count) for bar in split_bars(make_inputs(9).targets)] == [
        ("train", 4),
        ("test", 5),
        ("none", 0),
    ]
