"""Completeness and reliability of a catalogue: counted by hand, intervals against a table."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from truth_rows import DEC, RA, catalogue_of, outcome, outcomes_of, row, source, truth_of

from claran_core.common.files import write_table
from claran_core.common.flags import Flag
from claran_core.common.frame import Frame
from claran_core.evaluation.catalogue_figures import plot_catalogue_shares
from claran_core.evaluation.catalogue_scores import (
    BINS,
    binned_shares,
    catalogue_metrics,
    catalogue_summary,
    field_ratios,
    wilson_interval,
)
from claran_core.evaluation.catalogue_truth import compare_with_truth

FRAME = Frame()
SUBJECTS = pd.DataFrame({"ra": [RA], "dec": [DEC], "scale": [1]})

TRUTH = truth_of(
    source("compact", (0, 0), flux=2.5),
    source("other class", (0, 40), flux=4.0),
    source("double", (50, 0), (70, 0), flux=20.0, size=35.0),
    source("missed", (-40, 0), flux=2.2),
    source("weak", (-40, 40), snr=8.0, flux=1.1),
    source("faint", flux=0.6, at=(-20, -20)),
    source("beyond", (900, 0), placement="outside"),
)
CATALOGUE = catalogue_of(
    row("a", (0, 0), integrated_flux=2.5),
    row("b", (0, 40), morphology="1C_2P", integrated_flux=4.1, flags=int(Flag.DOUBTFUL)),
    row("c", (50, 0), integrated_flux=11.0),
    row("d", (30, -60), integrated_flux=2.2, snr=9.0),
    row("e", integrated_flux=np.nan, snr=np.nan, angular_size=9.0),
)
PLACES = [(0, 0), (0, 40), (50, 0), (30, -60)]
OUTCOMES = outcomes_of(
    *[outcome("source", place) for place in PLACES],
    outcome("artefact", (70, 0)),
    outcome("artefact", (-40, 0)),
    outcome("noise", (-40, 40)),
    outcome("noise", (10, 70), snr=5.5),
)
COMPARISON = compare_with_truth(CATALOGUE, TRUTH, OUTCOMES)


def test_wilson_intervals() -> None:
    # Newcombe 1998, Statistics in Medicine 17, 857: Table I, method 3.
    for n_right, n, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)):
        np.testing.assert_allclose(wilson_interval(n_right, n), (low, high), atol=5e-5)
    assert wilson_interval(20, 20)[1] == 1.0
    assert np.isnan(wilson_interval(0, 0)).all()


def test_metrics_by_hand() -> None:
    metrics = catalogue_metrics(COMPARISON, CATALOGUE, TRUTH, OUTCOMES, SUBJECTS, FRAME)
    assert json.loads(json.dumps(metrics, allow_nan=False)) == metrics
    counts = metrics["counts"]
    assert (counts["n_rows"], counts["n_sources"], counts["n_rows_without_component"]) == (5, 7, 1)
    assert counts["n_doubtful"] == 1
    assert counts["rows"] == {"true": 2, "fragment": 1, "blend": 0, "false": 2}
    assert counts["sources"] == {"found": 2, "blended": 0, "fragmented": 0, "partial": 1, "missed": 4}
    missed = {name: n for name, n in counts["missed"].items() if n}
    assert missed == {"not_visible": 1, "outside": 1, "noise": 1, "artefact": 1}
    assert sum(counts["sources"].values()) == len(TRUTH) and sum(missed.values()) == 4
    labelled = metrics["labelled"]  # without weak, faint and beyond
    assert labelled["n_sources"] == 4
    assert (labelled["completeness"]["share"], labelled["completeness_with_class"]["share"]) == (0.5, 0.25)
    assert (metrics["reliability"]["share"], metrics["reliability_with_class"]["share"]) == (0.4, 0.2)
    assert metrics["per_1000_sources"] == {
        "duplicates": 0.0,
        "fragments": 250.0,
        "fragmented_sources": 0.0,
        "blends": 0.0,
        "false_rows": 500.0,
        "losses": 250.0,
    }
    # The compact source lies within an arcminute of the other class, the missed one and the middle of the
    # double; the double also of the other class, which lies within one of the missed one.
    neighbours = metrics["neighbours"]
    assert (neighbours["n_pairs"], neighbours["n_lost"], neighbours["n_blended"]) == (4, 2, 0)
    assert neighbours["lost"]["share"] == 0.5
    sure = metrics["without_doubtful"]
    assert (sure["completeness"]["n"], sure["completeness"]["share"]) == (4, 0.25)
    assert (sure["reliability"]["n"], sure["reliability"]["share"]) == (4, 0.25)
    assert metrics["by_size"]["0-60"]["n_sources"] == 4
    components = metrics["components"]
    assert components["true_components"]["n"] == 6
    assert components["true_components"]["rejected"] == 0.5
    assert components["other_components"] == {"n": 2, "source": 1, "artefact": 0, "noise": 1} | {
        "below_limit": 0,
        "absent": 0,
        "listed": 0.5,
    }


def test_summary_is_one_line() -> None:
    line = catalogue_summary(catalogue_metrics(COMPARISON, CATALOGUE, TRUTH, OUTCOMES, SUBJECTS, FRAME))
    assert line == (
        "catalogue: completeness 0.500 (0.150-0.850, 95 %), reliability 0.400 (0.118-0.769, 95 %), "
        "from 4 sources of 10 sigma or more and 5 rows; no duplicates"
    )
    nothing = compare_with_truth(catalogue_of(), truth_of())
    empty = catalogue_summary(
        catalogue_metrics(nothing, catalogue_of(), truth_of(), outcomes_of(), SUBJECTS, FRAME)
    )
    assert "completeness not measurable, reliability not measurable, from 0 sources" in empty


def test_bins_by_hand(tmp_path: Path) -> None:
    bins = binned_shares(COMPARISON, CATALOGUE)
    write_table(tmp_path / "bins.parquet", bins, BINS)
    key = bins.set_index(["measure", "against", "bin"])[["n", "n_right", "n_class_right"]]
    assert key.loc[("completeness", "flux", "2-3")].tolist() == [2, 1, 1]
    assert key.loc[("completeness", "flux", "3-5")].tolist() == [1, 1, 0]
    assert key.loc[("completeness", "flux", "0-0.7")].tolist() == [1, 0, 0]
    assert key.loc[("completeness", "angular_size", "30-45")].tolist() == [1, 0, 0]
    assert key.loc[("completeness", "morphology", "1C_1P")].tolist() == [3, 2, 1]
    assert key.loc[("reliability", "flux", "10-30")].tolist() == [1, 0, 0]
    assert key.loc[("reliability", "morphology", "1C_2P")].tolist() == [1, 1, 0]
    assert key.loc[("reliability", "snr", "7-10")].tolist() == [1, 0, 0]
    # All six sources of the area against flux density, those seen against brightness, the rest from 10 sigma.
    totals = bins.groupby(["measure", "against"])["n"].sum()
    assert totals["completeness"].to_dict() == {"flux": 6, "snr": 5, "angular_size": 4, "morphology": 4}
    assert totals["reliability"].to_dict() == {"flux": 4, "snr": 4, "angular_size": 5, "morphology": 5}
    one = bins[(bins["measure"] == "completeness") & (bins["bin"] == "2-3")].iloc[0]
    assert (one["share"], one["share_low"]) == (0.5, pytest.approx(wilson_interval(1, 2)[0]))


def test_ratios_per_field() -> None:
    # The subjects lie at RA, DEC; 150 arcsec east of it, where the border is at 59 arcsec; around the source
    # `beyond`; and on empty sky.
    offsets = Frame(size_px=0, pixel_scale_arcsec=1.0)
    ra, dec = offsets.frame_to_sky(RA, DEC, np.array([0.0, -150.0, -900.0, 600.0]), np.zeros(4))
    ratios = field_ratios(CATALOGUE, TRUTH, pd.DataFrame({"ra": ra, "dec": dec, "scale": [1] * 4}), FRAME)
    # Around RA, DEC: 4 true sources of 10 sigma or more; 4 rows, one of them without brightness.
    # East: the double, with its middle at 60 arcsec, but not its row c at 50 arcsec.
    assert ratios["all"] == {"n_subjects": 2 + 1, "equal": pytest.approx(1 / 3, abs=1e-6)} | {
        "fewer_true": 0.0,
        "more_true": pytest.approx(2 / 3, abs=1e-6),
    }
    assert ratios["multi_source"] == {"n_subjects": 1, "equal": 1.0, "fewer_true": 0.0, "more_true": 0.0}
    nothing = field_ratios(catalogue_of(), truth_of(), SUBJECTS, FRAME)
    assert nothing["all"] == {"n_subjects": 0, "equal": None, "fewer_true": None, "more_true": None}


@pytest.mark.parametrize("empty", [False, True])
def test_the_figure_is_drawn(empty: bool, tmp_path: Path) -> None:
    catalogue, truth = (CATALOGUE.head(0), TRUTH.head(0)) if empty else (CATALOGUE, TRUTH)
    comparison = compare_with_truth(catalogue, truth)
    path = tmp_path / "catalogue.png"
    plot_catalogue_shares(path, binned_shares(comparison, catalogue))
    assert path.read_bytes()[:4] == b"\x89PNG"
    metrics = catalogue_metrics(comparison, catalogue, truth, outcomes_of(), SUBJECTS, FRAME)
    json.dumps(metrics, allow_nan=False)
