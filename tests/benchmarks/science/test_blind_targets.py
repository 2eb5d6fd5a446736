"""Subjects of blind surveys: an area, and places around chosen sources, at all scales."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.science.blind_targets import (
    AROUND_ARCSEC,
    DOUBLE_ARCSEC,
    area_targets,
    around,
    double_places,
)
from claran_core.common.frame import SCALES, Frame
from claran_core.common.sky import sky_to_offset
from claran_core.simulation.geometry import sky_to_cell
from claran_core.simulation.rare_sources import RADIO_NSIDE, large_sources

SEED = 20181031


def views_of(targets: pd.DataFrame, ra: float, dec: float, margin_arcsec: float) -> set[int]:
    """Return the scales of the subjects that show a place with this margin."""
    east, north = sky_to_offset(ra, dec, targets["ra"].to_numpy(), targets["dec"].to_numpy())
    reach = np.maximum(np.abs(east), np.abs(north)) + margin_arcsec
    shown = reach <= targets["scale"].to_numpy() * Frame().width_arcsec / 2
    return set(targets["scale"].to_numpy()[shown].tolist())


def test_an_area_is_covered_at_every_scale() -> None:
    targets = area_targets(0.5, SCALES, Frame(), (180.0, -65.0))
    counts = targets["scale"].value_counts()
    assert counts.index.tolist() == list(SCALES) and set(targets["split"]) == {"none"}
    assert 2 < counts[1] / counts[2] < 4.5
    for dec in (-65.3, -65.0, -64.7):
        assert views_of(targets, 180.0, dec, 44.0) == set(SCALES)


def test_doubles_have_the_size_and_lie_in_subjects_of_every_scale() -> None:
    places = double_places(3, SEED)
    targets = around(places, SCALES, Frame())
    assert targets["subject_id"].is_unique
    smallest, largest = DOUBLE_ARCSEC
    for ra, dec in places.tolist():
        near = large_sources(SEED, int(sky_to_cell(ra, dec, RADIO_NSIDE)))
        (source,) = [one for one in near if (one.ra_deg, one.dec_deg) == (ra, dec)]
        assert smallest <= source.extent_arcsec <= largest
        assert source.build().source_type in ("large_double", "large_triple")
        assert views_of(targets, ra, dec, 44.0) == set(SCALES)
        edge = dec + AROUND_ARCSEC / 3600
        assert views_of(targets, ra, edge, 44.0) == set(SCALES)
    assert np.array_equal(double_places(2, SEED), places[:2])


@pytest.mark.parametrize("scales", [(1,), (1, 2)])
def test_only_the_scales_asked_for(scales: tuple[int, ...]) -> None:
    targets = around(np.array([[10.0, 5.0], [10.0, 5.01]]), scales, Frame())
    assert set(targets["scale"]) == set(scales)
