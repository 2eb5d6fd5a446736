"""Linear systems of images: exact where possible, else fitted or resampled, compared with astropy's."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from sky_images import FRAME, image_header, positions, sky_pixels

from claran_core.common.cutout import Cutout
from claran_core.common.linear_wcs import LinearWCS
from claran_core.common.reprojection import reproject
from claran_core.common.sky import unit_vectors
from claran_core.survey.celestial import pixels_to_sky
from claran_core.survey.fits_image import quiet_astropy
from claran_core.survey.regular import astropy_wcs, exact_linear_wcs, regular_image

SHAPE = 60, 70
SIP = {"A_ORDER": 2, "B_ORDER": 2, "A_2_0": 1e-4, "B_0_2": 1e-4}


def system(projection: str = "TAN", ra_deg: float = 30.0, dec_deg: float = 40.0, **cards: float | str) -> WCS:
    with quiet_astropy():
        wcs = WCS(image_header(ra_deg, dec_deg, size_px=60, projection=projection, **cards))
    return wcs


def offset_arcsec(wcs: WCS, linear: LinearWCS, x: np.ndarray, y: np.ndarray) -> float:
    """Largest distance between the positions of two systems."""
    one, two = unit_vectors(*pixels_to_sky(wcs, x, y)), unit_vectors(*linear.pixels_to_sky(x, y))
    return float(np.rad2deg(np.linalg.norm(one - two, axis=-1)).max() * 3600)


@pytest.mark.parametrize("projection", ["TAN", "SIN"])
@pytest.mark.parametrize("dec_deg", [-89.9, -40.0, 0.0, 75.0, 90.0])
@pytest.mark.parametrize(
    "cards",
    [
        {"RADESYS": "ICRS"},
        {"RADESYS": "FK5"},
        {"RADESYS": "FK5", "EQUINOX": 1975.0},
        {"RADESYS": "ICRS", "CROTA2": 30.0},
        {"RADESYS": "ICRS", "LONPOLE": 120.0},
        {"RADESYS": "FK5", "EQUINOX": 1975.0, "LONPOLE": 10.0, "CROTA2": 30.0},
        {"PV2_1": 0.0, "PV1_2": 90.0, "PV1_3": 170.0},
    ],
    ids=["ICRS", "FK5", "1975", "turned", "other pole", "other pole 1975", "parameters without a meaning"],
)
def test_rotations_of_icrs_are_exact(projection: str, dec_deg: float, cards: dict[str, float | str]) -> None:
    wcs = system(projection, 30.0, dec_deg, **cards)
    linear = exact_linear_wcs(wcs)
    assert linear is not None and linear.projection == projection
    x, y = np.random.default_rng(1).uniform(-3000, 3000, (2, 50))
    assert offset_arcsec(wcs, linear, x, y) < 1e-6


def test_galactic_images_are_exact() -> None:
    header = image_header(120.0, 35.0)
    header["CTYPE1"], header["CTYPE2"], header["CROTA2"] = "GLON-TAN", "GLAT-TAN", 12.0
    with quiet_astropy():
        wcs = WCS(header)
    linear = exact_linear_wcs(wcs)
    assert linear is not None and abs(linear.ra_deg - 120.0) > 10
    x, y = np.random.default_rng(1).uniform(-3000, 3000, (2, 50))
    assert offset_arcsec(wcs, linear, x, y) < 1e-6


@pytest.mark.parametrize(
    ("projection", "cards"),
    [
        ("NCP", {}),
        ("CAR", {}),
        ("ZEA", {}),
        ("TAN-SIP", SIP),
        ("SIN", {"PV2_1": 0.1, "PV2_2": 0.2}),
        ("TPV", {"PV1_0": 0.0, "PV1_1": 1.0, "PV1_4": 0.01, "PV2_0": 0.0, "PV2_1": 1.0}),
        ("TAN", {"RADESYS": "FK4", "EQUINOX": 1950.0}),
    ],
)
def test_other_systems_are_not_linear(projection: str, cards: dict[str, float | str]) -> None:
    assert exact_linear_wcs(system(projection, **cards)) is None


@pytest.mark.parametrize(
    ("projection", "cards"),
    [
        ("ZEA", {}),
        ("SIN", {"PV2_1": 0.01, "PV2_2": 0.02}),
        ("TAN", {"RADESYS": "FK4", "EQUINOX": 1950.0}),
    ],
)
def test_pixels_of_a_good_fit_are_kept(projection: str, cards: dict[str, float | str]) -> None:
    wcs = system(projection, **cards)
    # 0.7 degree from the reference position.
    x0, y0 = 1000, -1000
    data = np.zeros(SHAPE, np.float32)
    kept, linear = regular_image(data, wcs, x0=x0, y0=y0)
    assert kept is data
    y, x = (axis.ravel() for axis in np.indices(SHAPE))
    assert offset_arcsec(wcs, linear.window(-x0, -y0), x + x0, y + y0) < 1.8e-3 * np.sqrt(2)


@pytest.mark.parametrize("dec_deg", [10.0, 75.0])
@pytest.mark.parametrize(
    ("projection", "cards"),
    [
        ("TAN-SIP", SIP),
        ("NCP", {}),
        # The pixels of this projection are much narrower on the sky than high, far from its equator.
        ("CAR", {"CRVAL2": 0.0}),
        ("MER", {"CRVAL2": 0.0}),
        ("TAN-SIP", SIP | {"RADESYS": "FK4", "EQUINOX": 1950.0}),
    ],
)
def test_other_pixels_are_resampled(projection: str, dec_deg: float, cards: dict[str, float | str]) -> None:
    header = image_header(30.0, dec_deg, size_px=400, projection=projection)
    header.update(cards)
    with quiet_astropy():
        wcs = WCS(header)
        middle = wcs.all_world2pix(30.0, dec_deg, 0)
    if "CRVAL2" in cards:  # the subject in the middle of the image
        header["CRPIX1"], header["CRPIX2"] = 200.5 - (middle[0] - 199.5), 200.5 - (middle[1] - 199.5)
        with quiet_astropy():
            wcs = WCS(header)
    ra, dec = (float(value) for value in pixels_to_sky(wcs, 199.5, 199.5))
    data = sky_pixels(header, (400, 400), ra, dec)
    data[:, :3] = np.nan
    x0, y0 = (50, 50) if "CRVAL2" in cards else (160, 160)
    window = data[y0 : 400 - y0, x0 : 400 - x0]
    resampled, linear = regular_image(window, wcs, x0=x0, y0=y0)
    image = reproject(Cutout(resampled, linear, "made"), FRAME, ra, dec)
    np.testing.assert_allclose(image, positions(), atol=0.5)
    vectors = unit_vectors(
        *pixels_to_sky(wcs, np.array([199.0, 200.0, 199.0]), np.array([199.0, 199.0, 200.0]))
    )
    area = np.linalg.norm(np.cross(vectors[1] - vectors[0], vectors[2] - vectors[0]))
    assert linear.pixel_scale_arcsec == pytest.approx(np.rad2deg(np.sqrt(area)) * 3600, rel=0.01)


def test_missing_pixels_stay_missing() -> None:
    header = image_header(30.0, 10.0, size_px=60, projection="TAN-SIP", **SIP)
    with quiet_astropy():
        wcs = WCS(header)
    data = sky_pixels(header, (60, 60), 30.0, 10.0)
    data[20:30, 5:15] = np.nan
    resampled, linear = regular_image(data, wcs)
    assert resampled.dtype == np.float32 and np.isnan(resampled[21:29, 6:14]).all()
    assert 100 <= np.isnan(resampled).sum() <= 160 + 4 * 60


def test_a_window_around_the_pole_of_a_cylindrical_map() -> None:
    """All right ascensions are in the window, so that no plane fits its columns."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---CAR", "DEC--CAR"]
    wcs.wcs.crval, wcs.wcs.cdelt, wcs.wcs.crpix = [0.0, 0.0], [-0.5, 0.5], [360.5, 0.5]
    rows, columns = np.indices((12, 720))
    ra, dec = pixels_to_sky(wcs, columns.ravel(), rows.ravel() + 169)
    data = (90 - dec).reshape(12, 720).astype(np.float32)
    resampled, linear = regular_image(data, wcs, y0=169)
    assert linear.dec_deg > 89 and np.isfinite(resampled).any()
    ny, nx = resampled.shape
    assert max(ny, nx) < 40
    _, dec = linear.pixels_to_sky(*np.indices(resampled.shape)[::-1])
    inside = np.isfinite(resampled)
    np.testing.assert_allclose(resampled[inside], 90 - dec[inside], atol=0.3)


def test_a_window_off_the_sky_is_refused() -> None:
    with pytest.raises(ValueError, match="no part of the window lies on the sky"):
        regular_image(np.zeros((5, 5), np.float32), system("AIT"), x0=10**6)


@pytest.mark.parametrize("projection", ["TAN", "SIN"])
@pytest.mark.parametrize("matrix", [(-5e-4, 0.0, 0.0, 5e-4), (-4e-4, 1e-4, 2e-4, 5e-4)])
def test_astropy_agrees(projection: str, matrix: tuple[float, float, float, float]) -> None:
    linear = LinearWCS("TAN" if projection == "TAN" else "SIN", 359.9, -72.3, 17.25, -300.0, matrix)
    converted = astropy_wcs(linear)
    x, y = np.random.default_rng(1).uniform(-300, 300, (2, 50))
    assert offset_arcsec(converted, linear, x, y) < 1e-7
    assert exact_linear_wcs(converted) == linear
    assert isinstance(converted.to_header(), fits.Header)
