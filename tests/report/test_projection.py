"""Projections keep areas and agree with positions worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from claran_core.report.projection import HALF_HEIGHT, HALF_WIDTH, Projection, centre_of, hammer, lambert

RA = st.floats(1, 359)
DEC = st.floats(-88, 88)


def area_ratio(project: Projection, ra: float, dec: float) -> float:
    """Return the area in the plane over the area on the sky of a small square, both in square degrees."""
    step = 1e-3
    x, y = project(np.array([ra, ra + step, ra]), np.array([dec, dec, dec + step]))
    plane = (x[1] - x[0]) * (y[2] - y[0]) - (x[2] - x[0]) * (y[1] - y[0])
    return float(abs(plane) / (step**2 * np.cos(np.deg2rad(dec))))


@given(RA, DEC)
def test_hammer_keeps_areas(ra: float, dec: float) -> None:
    assert area_ratio(hammer, ra, dec) == pytest.approx(1, abs=2e-3)


@given(st.floats(-60, 60), st.floats(-40, 80))
def test_lambert_keeps_areas(offset: float, dec: float) -> None:
    assert area_ratio(lambert(100.0, 20.0), 100.0 + offset, dec) == pytest.approx(1, abs=2e-3)


def test_hammer_at_the_edges_of_the_sky() -> None:
    x, y = hammer(np.array([180.0, 0.0, 359.999999, 0.0, 270.0]), np.array([0.0, 0.0, 0.0, 90.0, 0.0]))
    np.testing.assert_allclose(x[:4], [0, HALF_WIDTH, -HALF_WIDTH, 0], atol=1e-5)
    np.testing.assert_allclose(y[:4], [0, 0, 0, HALF_HEIGHT], atol=1e-5)
    assert x[4] < 0  # right ascension grows to the left


def test_lambert_is_flat_at_its_centre_and_nan_on_the_far_side() -> None:
    project = lambert(10.0, 0.0)
    x, y = project(np.array([11.0, 10.0, 190.0]), np.array([0.0, 1.0, 0.0]))
    np.testing.assert_allclose([x[0], y[1]], [-1, 1], rtol=1e-4)
    assert np.isnan(x[2])


def test_the_mean_of_positions_across_ra_zero() -> None:
    ra, dec, farthest = centre_of(np.array([359.0, 1.0]), np.array([0.0, 0.0]))
    assert min(ra, 360 - ra) == pytest.approx(0, abs=1e-9)
    assert (dec, farthest) == (pytest.approx(0, abs=1e-9), pytest.approx(1))


def test_positions_all_over_the_sky_have_no_mean() -> None:
    assert centre_of(np.array([0.0, 180.0]), np.array([0.0, 0.0]))[2] == 180
