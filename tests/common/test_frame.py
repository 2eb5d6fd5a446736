"""The frame of a subject: round trips, orientation, and agreement with astropy's WCS."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from claran_core.common.frame import SCALES, Frame, flip_rows
from claran_core.common.sky import unit_vectors
from claran_core.survey.regular import astropy_wcs

ANY_RA = st.floats(0, 360, exclude_max=True)
ANY_DEC = st.floats(-90, 90)
IN_FRAME = st.floats(0, 132)


@given(ra=ANY_RA, dec=ANY_DEC, x=IN_FRAME, y=IN_FRAME)
def test_round_trip_anywhere_on_the_sphere(ra: float, dec: float, x: float, y: float) -> None:
    frame = Frame()
    sky = frame.frame_to_sky(ra, dec, x, y)
    np.testing.assert_allclose(frame.sky_to_frame(ra, dec, *sky), (x, y), atol=1e-6)


@given(ra=ANY_RA, dec=st.floats(-89.9, 89.9), x=IN_FRAME, y=IN_FRAME)
def test_closed_form_equals_astropy_wcs(ra: float, dec: float, x: float, y: float) -> None:
    frame = Frame()
    expected = astropy_wcs(frame.wcs(ra, dec)).wcs_pix2world(x - 0.5, frame.size_px - y - 0.5, 0)
    got = frame.frame_to_sky(ra, dec, x, y)
    assert abs((got[0] - expected[0] + 180) % 360 - 180) * np.cos(np.deg2rad(dec)) < 1e-9
    assert got[1] == pytest.approx(float(expected[1]), abs=1e-9)


def test_north_is_up_and_east_is_left() -> None:
    frame = Frame()
    x, y = frame.sky_to_frame(150.0, 20.0, np.array([150.0, 150.01]), np.array([20.01, 20.0]))
    assert x[0] == pytest.approx(66) and y[0] < 66
    assert x[1] < 66 and y[1] == pytest.approx(66, abs=0.01)


def test_width_of_a_pixel_is_the_pixel_scale() -> None:
    frame = Frame(size_px=10, pixel_scale_arcsec=2.0)
    _, y = frame.sky_to_frame(0.0, 0.0, 0.0, 2.0 / 3600)
    assert y == pytest.approx(4.0)
    assert frame.width_arcsec == 20.0


@given(ra=ANY_RA, dec=ANY_DEC, x=IN_FRAME, y=IN_FRAME, scale=st.sampled_from(SCALES))
def test_positions_of_many_scales_are_those_of_their_frames(
    ra: float, dec: float, x: float, y: float, scale: int
) -> None:
    frame = Frame()
    own = frame.at_scale(scale)
    assert own.size_px == frame.size_px and own.width_arcsec == scale * frame.width_arcsec
    scales = np.array([1, scale])
    sky = frame.frame_to_sky(ra, dec, x, y, scales)
    assert (sky[0][1], sky[1][1]) == own.frame_to_sky(ra, dec, x, y)
    found = frame.sky_to_frame(ra, dec, *sky, scales)
    np.testing.assert_allclose(found, [[x, x], [y, y]], atol=1e-6)


def test_far_side_of_the_sky_gives_nan() -> None:
    x, y = Frame().sky_to_frame(0.0, 0.0, np.array([180.0]), np.array([0.0]))
    assert np.isnan(x[0]) and np.isnan(y[0])


def test_first_row_of_a_fits_array_is_in_the_south() -> None:
    frame = Frame(size_px=4)
    x, y = frame.pixel_centres(np.array([0, 3]), np.array([0, 3]))
    assert x.tolist() == [0.5, 3.5] and y.tolist() == [3.5, 0.5]
    image = np.arange(16).reshape(4, 4)
    assert flip_rows(image)[0].tolist() == [12, 13, 14, 15]


def test_vectors_have_the_frame_positions_of_their_sky_positions() -> None:
    frame = Frame()
    x, y = np.array([66.0, 0.0, 130.0, -20.0]), np.array([66.0, 10.0, 1.0, 140.0])
    ra, dec = frame.frame_to_sky(359.99, 40.0, x, y)
    found = frame.vectors_to_frame(359.99, 40.0, 3.0 * unit_vectors(ra, dec))
    np.testing.assert_allclose(found, [x, y], atol=1e-8)
    away = frame.vectors_to_frame(359.99, 40.0, unit_vectors(np.array([180.0]), np.array([-40.0])))
    assert np.isnan(away).all()
