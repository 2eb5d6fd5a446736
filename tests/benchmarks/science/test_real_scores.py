"""Scores of catalogues of real images: whole galaxies, catalogue rows, labels, accounting, crowds."""

from typing import Any

import numpy as np
import pandas as pd

from benchmarks.science.real_runs import near_centres
from benchmarks.science.real_scores import (
    accounting,
    crowd_score,
    first_rows,
    label_rows,
    large_fields,
    lines_of_first_rows,
    lines_of_large_fields,
    lines_of_published_rows,
    published_rows,
    suspicious_artefacts,
    unaccounted,
)
from claran_core.common.frame import Frame

ARCSEC = 1 / 3600


def row(ra: float = 10.0, dec: float = 0.0, size: float = 20.0, **more: Any) -> dict[str, Any]:
    """Return a row of a catalogue: a square box around a position."""
    values = {"tight_ra": ra, "tight_dec": dec, "tight_width": size, "tight_height": size}
    values |= {"largest_angular_size": size, "morphology": "1C_1P", "component_ra": [ra]}
    return values | {"component_dec": [dec], "centroid_ra": ra, "centroid_dec": dec} | more


def galaxy(catalogue: list[dict[str, Any]], size: float = 100.0) -> pd.Series:
    fields = pd.DataFrame({"file": ["a"], "ra": [10.0], "dec": [0.0], "largest_angular_size_arcsec": [size]})
    return large_fields(fields, pd.DataFrame(catalogue)).iloc[0]


def test_a_galaxy_is_whole_in_one_row_of_its_size() -> None:
    assert galaxy([row(size=100.0)])["whole"]
    assert galaxy([row(size=184.0)])["whole"] and not galaxy([row(size=186.0)])["whole"]
    assert galaxy([row(size=75.0)])["whole"] and not galaxy([row(size=74.0)])["whole"]


def test_two_rows_over_a_host_or_none_are_not_whole() -> None:
    two = galaxy([row(size=100.0), row(size=20.0)])
    assert not two["whole"] and two["rows_over_host"] == 2 and two["extent"] == 100
    apart = galaxy([row(ra=10 + 50 * ARCSEC, size=100.0 - 13)])
    assert not apart["whole"] and apart["rows_over_host"] == 0 and apart["rows_inside"] == 1
    far = galaxy([row(ra=10 + 61 * ARCSEC, size=20.0)])
    assert far["rows_inside"] == 0
    margin = galaxy([row(ra=10 + 15 * ARCSEC, size=20.0)])
    assert margin["rows_over_host"] == 1


def test_large_fields_are_counted_by_size() -> None:
    found = pd.DataFrame(
        {
            "size": [50.0, 100.0, 100.0],
            "whole": [True, False, True],
            "rows_over_host": [1, 2, 1],
            "rows_inside": [1, 2, 1],
        }
    )
    assert lines_of_large_fields(found)[1:] == [
        "0-60 | 1 | 1.000 | 1.000 | 0 | 1.00",
        "60-120 | 2 | 0.500 | 1.000 | 1 | 1.50",
    ]


def test_rows_of_first_near_the_middle_are_inside_boxes_or_not() -> None:
    first = pd.DataFrame(
        {
            "ra": [10.0, 10 + 30 * ARCSEC, 10.0, 10 + 120 * ARCSEC],
            "dec": [0.0, 0.0, 20 * ARCSEC, 0.0],
            "p_sidelobe": [0.01, 0.01, 0.5, 0.01],
            "peak_flux": [30.0, 1.5, 9.0, 9.0],
            "rms": [0.15] * 4,
        }
    )
    fields = pd.DataFrame({"file": ["a"], "ra": [10.0], "dec": [0.0]})
    found = first_rows(first, fields, pd.DataFrame([row()]))
    assert found["inside"].tolist() == [True, False]  # the third is a sidelobe, the fourth too far away
    assert lines_of_first_rows(found)[1:] == ["10-20 | 1 | 0.000", "200-inf | 1 | 1.000"]


def test_published_rows_are_found_shared_and_split() -> None:
    """At 0 arcsec one to one; at 100 and 120 two in one row; at 200 one in two rows; at 300 none."""
    places = [0.0, 100.0, 120.0, 200.0, 300.0]
    published = pd.DataFrame(
        {
            "Source_Name": list("abcde"),
            "RA": [10 + place * ARCSEC for place in places],
            "DEC": 0.0,
            "E_RA": 0.1,
            "E_DEC": 0.1,
            "Maj": [6.0, 6.0, 6.0, 25.0, 6.0],
            "Peak_flux": [20.0, 11.0, 9.0, 12.0, 5.0],
            "Isl_rms": 1.0,
            "Total_flux": [20.0, 10.0, 10.0, 10.0, 5.0],
        }
    )
    catalogue = pd.DataFrame(
        [
            row(10 + 0.3 * ARCSEC, source_id="A", integrated_flux=21.0),
            row(10 + 110 * ARCSEC, size=40.0, source_id="B", integrated_flux=20.0),
            row(10 + 195 * ARCSEC, size=8.0, source_id="C", integrated_flux=6.0),
            row(10 + 212 * ARCSEC, size=8.0, source_id="D", integrated_flux=4.0),
            row(10 + 400 * ARCSEC, source_id="E", integrated_flux=4.0),
        ]
    )
    found = published_rows(published, catalogue)
    assert found["source_id"].tolist() == ["A", "B", "B", "C", ""]
    assert found["sharing"].tolist() == [1, 2, 2, 1, 0] and found["pieces"].tolist() == [0, 0, 0, 1, 0]
    np.testing.assert_allclose(found["ratio"], [1.05, 2.0, 2.0, 0.6, np.nan])
    np.testing.assert_allclose(found["offset"], [0.3, 10.0, 10.0, 5.0, np.nan], rtol=1e-6)
    lines = lines_of_published_rows(found, len(catalogue))
    assert lines[1:3] == [">= 0 | 5 | 4 | 1 | 1.050 +- 0.000", ">= 10 | 3 | 3 | 1 | 1.050 +- 0.000"]
    assert "median offset 0.30 arcsec, largest 0.30; within 0.5 arcsec or three errors 1 of 1" in lines[3]
    assert (
        "share a row: 2 in 1 rows; split into several rows: 1; our rows without a published one: 2 of 5"
        in (lines[4])
    )


def test_a_label_needs_a_row_of_its_class_over_all_its_components() -> None:
    label = {"file": "a", "catalog_id": 1, "num_cpnts": 2, "num_peaks": 2}
    label |= {"component_ra": [10 - 20 * ARCSEC, 10 + 20 * ARCSEC], "component_dec": [0.0, 0.0]}
    labels = pd.DataFrame([label])

    def found(size: float, morphology: str) -> bool:
        rows = pd.DataFrame([row(size=size, morphology=morphology)])
        return bool(label_rows(labels, rows)["found"].item())

    assert found(40.0, "2C_2P")
    assert not found(20.0, "2C_2P") and not found(40.0, "2C_3P")


def components() -> pd.DataFrame:
    """Four bright components of one view, and rows that do not count."""
    n = 8
    table = pd.DataFrame({"component_id": range(n), "subject_id": "s", "scale": 1, "level": 1.0})
    table["ra"], table["dec"] = 10 + 60 * ARCSEC * np.arange(n), 0.0
    table["snr"], table["at_edge"] = 20.0, False
    table.loc[4, "snr"], table.loc[5, "at_edge"] = 9.0, True
    table.loc[6, "scale"], table.loc[7, "level"] = 2, 0.5
    return pd.concat([table, table.iloc[:2]])  # two of them in two views


def test_bright_components_are_in_a_row_or_have_another_outcome() -> None:
    table = components()
    catalogue = pd.DataFrame([row(), row(ra=10 + 59 * ARCSEC)])
    outcomes = pd.DataFrame(
        {"ra": table["ra"].iloc[1:3], "dec": 0.0, "outcome": ["source", "artefact"], "snr": 20.0}
    )
    found = unaccounted(table, catalogue, outcomes, 5.4)
    assert found["where"].tolist() == ["row", "row", "artefact", "neither"]
    assert accounting(found)[1] == "in neither table: 1"
    without = unaccounted(table, catalogue, None, 5.4)
    assert without["where"].tolist() == ["row", "row", "neither", "neither"]


def test_artefacts_on_sources_of_first_are_suspicious() -> None:
    outcomes = pd.DataFrame({"outcome": ["artefact", "noise", "source", "below_limit"]})
    outcomes["ra"], outcomes["dec"] = [10.0, 10.1, 10.2, 10.3], 0.0
    first = pd.DataFrame({"ra": [10 + 2 * ARCSEC, 10.1], "dec": 0.0, "p_sidelobe": [0.01, 0.3]})
    found = suspicious_artefacts(outcomes, first)
    assert found["in_first"].tolist() == [True, False]


def test_isolated_points_need_a_row_with_their_place_and_flux() -> None:
    truth = pd.DataFrame({"subject_id": "s", "dec": 0.0, "flux_mjy": 10.0}, index=range(5))
    truth["ra"] = 10 + ARCSEC * np.array([0.0, 40.0, 80.0, 120.0, 130.0])  # the last two are a pair
    catalogue = pd.DataFrame(
        [
            row(integrated_flux=10.5),
            row(ra=10 + 40 * ARCSEC, integrated_flux=12.0),
            row(ra=10 + 81 * ARCSEC, size=90.0, integrated_flux=10.0),
        ]
    )
    found = crowd_score(truth, catalogue)
    assert found["found"].tolist() == [True, False, True]
    assert found["shared"].tolist() == [False, False, True]


def test_subjects_around_the_middles_of_fields() -> None:
    targets = pd.DataFrame({"ra": 10 + ARCSEC * np.array([100.0, 160.0, 160.0, 200.0]), "dec": 0.0})
    targets["scale"] = [1, 1, 2, 2]
    centres = pd.DataFrame({"ra": [10.0], "dec": [0.0]})
    kept = near_centres(targets, centres, 150.0, Frame())
    assert kept.index.tolist() == [0, 2]
    assert near_centres(targets.drop(columns="scale"), centres, 150.0, Frame()).index.tolist() == [0]
