"""The linear geometry of cut-outs."""

import numpy as np
import pytest
from astropy.wcs import WCS

from claran_core.common.linear_wcs import LinearWCS, Projection, local_axes, sky_of_vectors
from claran_core.common.sky import unit_vectors

TURN = np.deg2rad(7.0)
MATRIX = tuple(
    (np.array([[-np.cos(TURN), -np.sin(TURN)], [-np.sin(TURN), np.cos(TURN)]]) * [1.8, 1.5] / 3600).ravel()
)


def made(projection: Projection, ra: float = 359.99, dec: float = 51.2) -> LinearWCS:
    return LinearWCS(projection, ra, dec, 511.5, -300.0, MATRIX)


def as_astropy(wcs: LinearWCS) -> WCS:
    other = WCS(naxis=2)
    other.wcs.ctype = [f"RA---{wcs.projection}", f"DEC--{wcs.projection}"]
    other.wcs.crval = [wcs.ra_deg, wcs.dec_deg]
    other.wcs.crpix = [wcs.x + 1, wcs.y + 1]
    other.wcs.cd = np.array(wcs.matrix).reshape(2, 2)
    return other


@pytest.mark.parametrize("projection", ["TAN", "SIN"])
@pytest.mark.parametrize("dec", [-90.0, -30.0, 0.0, 51.2, 89.999])
def test_positions_are_those_of_wcslib(projection: Projection, dec: float) -> None:
    wcs = made(projection, dec=dec)
    x, y = np.random.default_rng(1).uniform(-2000, 3000, (2, 50))
    expected = as_astropy(wcs).all_pix2world(x, y, 0)
    found = wcs.pixels_to_sky(x, y)
    apart = np.linalg.norm(unit_vectors(*found) - unit_vectors(*expected), axis=-1)
    assert apart.max() < 1e-14 * 100
    back = wcs.sky_to_pixels(*found)
    assert np.allclose(back, [x, y], rtol=0, atol=1e-7)


def test_positions_behind_the_projection_are_nan() -> None:
    tan, sin = made("TAN"), made("SIN")
    for wcs in (tan, sin):
        assert np.isnan(wcs.sky_to_pixels(wcs.ra_deg + 180.0, -wcs.dec_deg)).all()
    assert np.isnan(sin.pixels_to_sky(1e6, 0.0)).all()
    assert np.isfinite(tan.pixels_to_sky(1e6, 0.0)).all()


def test_windows_of_an_image_give_the_same_bits() -> None:
    wcs = made("SIN")
    x, y = np.random.default_rng(2).integers(0, 1000, (2, 1000))
    whole = np.array(wcs.pixels_to_sky(x, y))
    part = wcs.window(123, -77)
    assert np.array_equal(whole, part.pixels_to_sky(x - 123, y + 77))
    assert np.array_equal(whole[:, 5], part.pixels_to_sky(x[5] - 123, y[5] + 77))


@pytest.mark.parametrize("projection", ["TAN", "SIN"])
def test_matrix_from_another_plane_leads_to_the_same_pixels(projection: Projection) -> None:
    wcs = made(projection)
    axes = local_axes(0.3, 51.0)
    east, north = np.random.default_rng(3).uniform(-0.01, 0.01, (2, 20))
    plane = np.stack([east, north, np.ones(20)])
    dx, dy, towards = wcs.plane_to_pixels(axes) @ plane
    length = towards if projection == "TAN" else np.linalg.norm(plane, axis=0)
    x, y = wcs.vectors_to_pixels(plane.T @ axes)
    assert np.allclose([wcs.x + dx / length, wcs.y + dy / length], [x, y], rtol=0, atol=1e-8)


def test_pixel_scale_is_the_root_of_the_area() -> None:
    assert made("TAN").pixel_scale_arcsec == pytest.approx(np.sqrt(1.8 * 1.5))


def test_axes_are_orthonormal_and_give_the_position_back() -> None:
    axes = local_axes(123.0, -45.0)
    assert np.allclose(axes @ axes.T, np.eye(3))
    assert np.allclose(sky_of_vectors(axes[2]), [123.0, -45.0])


@pytest.mark.parametrize("projection", ["TAN", "SIN"])
def test_pixels_on_the_sky_far_from_the_reference(projection: Projection) -> None:
    scale, away = 1e-3, 40.0
    wcs = LinearWCS(projection, 70.0, 10.0, 0.0, 0.0, (-scale, 0.0, 0.0, scale))
    x, y = wcs.sky_to_pixels(70.0, 10.0 + away)
    # By hand: a step along the meridian by the derivative of tan or sin, across it by that of the circle.
    cos = np.cos(np.deg2rad(away))
    east, north = (cos, cos**2) if projection == "TAN" else (1.0, 1 / cos)
    expected = scale * 3600 * np.array([[-east, 0.0], [0.0, north]])
    np.testing.assert_allclose(wcs.sky_matrix(float(x), float(y)), expected, atol=1e-6)


@pytest.mark.parametrize("projection", ["TAN", "SIN"])
def test_pixels_on_the_sky_are_those_of_small_steps(projection: Projection) -> None:
    wcs = LinearWCS(projection, 358.0, -62.0, 40.0, 900.0, (-4e-3, 1e-3, 2e-3, 5e-3))
    x, y = 2500.0, -1700.0
    step = np.array([0.01, -0.01, 0.0, 0.0])
    ra, dec = wcs.pixels_to_sky(x + step, y + step[::-1])
    axes = local_axes(*map(float, wcs.pixels_to_sky(x, y)))
    east, north, _ = axes @ unit_vectors(ra, dec).T
    steps = np.array([[axis[0] - axis[1], axis[3] - axis[2]] for axis in (east, north)]) / 0.02
    np.testing.assert_allclose(wcs.sky_matrix(x, y), np.rad2deg(steps) * 3600, rtol=1e-6)


def test_pixels_beyond_the_sphere_have_no_size() -> None:
    wcs = LinearWCS("SIN", 70.0, 10.0, 0.0, 0.0, (-1.0, 0.0, 0.0, 1.0))
    assert np.isnan(wcs.sky_matrix(100.0, 0.0)).any()
