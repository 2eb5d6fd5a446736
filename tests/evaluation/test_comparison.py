"""Comparison with a user's catalogue: tables with known differences, and empty tables."""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import ArrayLike

from claran_core.common.files import write_table
from claran_core.common.frame import Frame
from claran_core.evaluation.comparison import (
    MATCHES,
    compare_catalogues,
    nearest_pairs,
)
from claran_core.evaluation.comparison_figures import plot_comparison
from claran_core.settings.evaluation import ComparisonOptions

FRAME = Frame()
RA, DEC = 200.0, 50.0
OFFSETS = Frame(size_px=0, pixel_scale_arcsec=1.0)
OPTIONS = ComparisonOptions(
    path="x.csv", radius_arcsec=5.0, flux_column="flux", flux_unit="mJy", class_column="class"
)
PLAIN = OPTIONS.changed(path="x", radius_arcsec=10.0, flux_column=None, class_column=None)


def sky(east: ArrayLike, north: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return positions (deg) from offsets (arcsec)."""
    return OFFSETS.frame_to_sky(RA, DEC, -np.asarray(east, float), -np.asarray(north, float))


def catalogue(
    east: ArrayLike,
    north: ArrayLike,
    flux: ArrayLike = 10.0,
    morphology: str | list[str] = "1C_1P",
    width: ArrayLike = 10.0,
) -> pd.DataFrame:
    """Return rows whose centroid lies 0.5 arcsec north of the centre of the box."""
    ra, dec = sky(east, north)
    columns = {
        "source_id": pd.Series([f"J{k:04d}" for k in range(len(ra))], dtype=object),
        "ra": ra,
        "dec": dec,
        "centroid_ra": ra,
        "centroid_dec": dec + 0.5 / 3600,
        "integrated_flux": flux,
        "morphology": pd.Series(morphology, index=range(len(ra)), dtype=object),
        "tight_ra": ra,
        "tight_dec": dec,
        "tight_width": width,
        "tight_height": 10.0,
    }
    return pd.DataFrame(columns)


def other(
    east: ArrayLike, north: ArrayLike, flux: ArrayLike = np.nan, kind: str | list[str] = ""
) -> pd.DataFrame:
    """Return the user's catalogue at offsets in arcsec."""
    ra, dec = sky(east, north)
    rows = np.arange(2, 2 + len(ra))
    return pd.DataFrame({"row": rows, "ra": ra, "dec": dec, "flux": flux, "class": kind})


SUBJECTS = pd.DataFrame({"ra": [RA], "dec": [DEC], "scale": [1]})


def compared(
    ours: pd.DataFrame, theirs: pd.DataFrame, options: ComparisonOptions = OPTIONS
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Compare two catalogues over one subject."""
    return compare_catalogues(ours, theirs, SUBJECTS, FRAME, options)


def test_by_hand(tmp_path: Path) -> None:
    ours = catalogue(
        [0, 30, 60, -60], [0, 0, 0, 60], [2.0, 12.0, 3.0, 9.0], ["1C_1P", "1C_1P", "2C_2P", "1C_2P"]
    )
    # One a bit off, one two arcsec west, one at 6 arcsec; one beside the second; one outside; one far away.
    theirs = other(
        [1.0, 28.0, 60, 33.0, -60, 900],
        [0, 0, 6.0, 0, -60, 0],
        [1.0, 10.0, 3.0, 1.0, 5.0, 5.0],
        ["FRI", "FRII", "FRII", "FRI", "FRII", "FRI"],
    )
    metrics, matches = compared(ours, theirs)
    assert json.loads(json.dumps(metrics, allow_nan=False)) == metrics
    assert matches["source_id"].tolist() == ["J0000", "J0001"]
    assert matches["other_row"].tolist() == [2, 3]
    np.testing.assert_allclose(matches["east"], [-1.0, 2.0], atol=1e-4)
    np.testing.assert_allclose(matches["separation"], [1.0, 2.0], atol=1e-4)
    np.testing.assert_allclose(matches["centroid_north"], [0.5, 0.5], atol=1e-3)
    counts = metrics["counts"]
    assert (counts["n_matched"], counts["n_catalogue_unmatched"], counts["n_other_in_area"]) == (2, 2, 5)
    # The third lies within 5 arcsec of the box around its neighbour, and so does the one beside the second.
    assert (counts["n_other_unmatched"], counts["n_other_unmatched_inside_a_source"]) == (3, 2)
    assert metrics["offsets"] == {
        "n": 2,
        "east_median": pytest.approx(0.5, abs=1e-4),
        "east_scatter": pytest.approx(1.4826 * 1.5, abs=1e-3),
        "north_median": pytest.approx(0.0, abs=1e-3),
        "north_scatter": pytest.approx(0.0, abs=1e-3),
    }
    assert metrics["flux"]["all"]["median_ratio"] == pytest.approx(1.6)  # of 2.0 and 1.2
    by_flux = {one["low_mjy"]: one["median_ratio"] for one in metrics["flux"]["bins"] if one["n"]}
    assert by_flux == {1.0: pytest.approx(2.0), 10.0: pytest.approx(1.2)}
    assert metrics["classes"] == {
        "1C_1P": {"FRI": 1, "FRII": 1, "unmatched": 0},
        "1C_2P": {"FRI": 0, "FRII": 0, "unmatched": 1},
        "2C_2P": {"FRI": 0, "FRII": 0, "unmatched": 1},
        "unmatched": {"FRI": 1, "FRII": 2, "unmatched": 0},
    }
    write_table(tmp_path / "matches.parquet", matches, MATCHES)
    plot_comparison(tmp_path / "plot.png", metrics, matches, "other.csv")
    assert (tmp_path / "plot.png").read_bytes()[:4] == b"\x89PNG"


def test_each_entry_is_matched_once_with_its_nearest() -> None:
    ours, theirs = catalogue([0, 3], [0, 0]), other([1, 2.2, 60], [0, 0, 0])
    pairs = nearest_pairs(ours, theirs, 5.0)
    assert list(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)) == [(1, 1), (0, 0)]
    far = nearest_pairs(ours, theirs, 0.7)
    assert far.first.tolist() == []


def test_the_number_of_chance_matches_follows_from_the_density() -> None:
    rng = np.random.default_rng(5)
    ours, theirs = (make(*rng.uniform(-2000, 2000, (2, n))) for make, n in ((catalogue, 800), (other, 3000)))
    metrics, matches = compared(ours, theirs, PLAIN)
    # Nearest of 3000 on 4000 x 4000 arcsec within 10: 800 (1 - exp(-pi 100 / 5333)), most of them mutual.
    expected = 800 * (1 - np.exp(-np.pi * 100 * 3000 / 4000**2))
    assert metrics["chance"]["n_matched"] == pytest.approx(expected, rel=0.25)
    assert metrics["chance"]["share_of_matches"] == pytest.approx(1.0, abs=0.4)  # all of it is chance
    assert metrics["chance"]["shift_arcsec"] == 120.0 and len(matches) > 10


def test_true_counterparts_exceed_the_chance_matches() -> None:
    rng = np.random.default_rng(6)
    east, north = rng.uniform(-1500, 1500, (2, 300))
    ours = catalogue(east, north, rng.lognormal(2, 1, 300))
    shifted = other(east - 0.3 + rng.normal(0, 0.4, 300), north + rng.normal(0, 0.4, 300), 0)
    shifted["flux"] = ours["integrated_flux"] * rng.lognormal(0.2, 0.1, 300)
    metrics, _ = compared(ours, shifted)
    assert metrics["counts"]["n_matched"] == 300
    assert metrics["chance"]["share_of_matches"] < 0.02
    assert metrics["offsets"]["east_median"] == pytest.approx(0.3, abs=0.1)
    assert metrics["offsets"]["east_scatter"] == pytest.approx(0.4, abs=0.1)
    assert metrics["flux"]["all"]["median_ratio"] == pytest.approx(np.exp(-0.2), abs=0.03)
    assert metrics["flux"]["all"]["scatter"] == pytest.approx(0.1, abs=0.03)
    assert metrics["classes"] is None  # the other table has no classes


@pytest.mark.parametrize("n_ours", [0, 2])
@pytest.mark.parametrize("n_theirs", [0, 2])
def test_empty_catalogues_are_normal(n_ours: int, n_theirs: int, tmp_path: Path) -> None:
    apart = np.array([0.0, 30.0])
    ours, theirs = catalogue(apart[:n_ours], apart[:n_ours]), other(apart[:n_theirs], apart[:n_theirs])
    metrics, matches = compared(ours, theirs)
    assert len(matches) == min(n_ours, n_theirs)
    json.dumps(metrics, allow_nan=False)
    write_table(tmp_path / "matches.parquet", matches, MATCHES)
    plot_comparison(tmp_path / "plot.png", metrics, matches, "other.csv")
    assert (tmp_path / "plot.png").exists()


def test_a_wrong_flux_unit_gives_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        compared(catalogue([0], [0], 10.0), other([0], [0], 0.010))
    assert "set evaluation.compare_with.flux_unit" in caplog.text
