"""Coarse cut-outs: flux, peaks, positions and beams, borders, and the bright native pixels."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from claran_core.common.constants import FWHM_PER_SIGMA
from claran_core.common.cutout import Beam, Cutout
from claran_core.common.linear_wcs import LinearWCS
from claran_core.common.noise import noise_sigma
from claran_core.cutouts.coarse import BRIGHT_SIGMA, _block_sums, _near_bright, coarse_cutout
from claran_core.simulation.provider import SimulatedProvider
from claran_core.survey.surveys import SURVEYS

FIRST, WISE = SURVEYS["FIRST"], SURVEYS["WISE_W1"]
PIXEL_DEG = 1.8 / 3600
# A beam of 5.4 arcsec in pixels of 1.8 arcsec: variance, px^2.
BEAM_PX2 = (3 / FWHM_PER_SIGMA) ** 2
SCALES = [2, 4, 8]


def cutout_of(data: np.ndarray, x: float = 40.0, y: float = 30.0, beam: Beam | None = None) -> Cutout:
    """Return an image with the reference position at a pixel."""
    wcs = LinearWCS("TAN", 150.0, 20.0, x, y, (-PIXEL_DEG, 0.0, 0.0, PIXEL_DEG))
    return Cutout(data.astype(np.float32), wcs, "made", beam=beam)


def gaussian(size_px: int, x: float, y: float, covariance: np.ndarray, peak: float = 1.0) -> np.ndarray:
    """Return a Gaussian source, axes of the covariance ``x y``, px^2."""
    rows, columns = np.indices((size_px, size_px))
    offsets = np.stack([columns - x, rows - y], axis=-1)
    square = np.einsum("...i,ij,...j", offsets, np.linalg.inv(covariance), offsets)
    return peak * np.exp(-square / 2)


def at_pixel(cutout: Cutout, coarse: Cutout, x: float, y: float) -> tuple[float, float]:
    """Return where a pixel of a cut-out is in its coarse version."""
    place = coarse.wcs.sky_to_pixels(*cutout.wcs.pixels_to_sky(x, y))
    return float(place[0]), float(place[1])


def moments(image: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Return sum, centroid ``x y`` and covariance of an image; NaN counts as zero."""
    image = np.nan_to_num(image.astype(float))
    rows, columns = np.indices(image.shape)
    total, places = image.sum(), np.stack([columns, rows]).reshape(2, -1)
    centre = (places * image.ravel()).sum(axis=1) / total
    offsets = places - centre[:, None]
    return float(total), centre, (image.ravel() * offsets) @ offsets.T / total


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.31, -0.77), (2.9, 1.4)])
def test_point_source_keeps_peak_flux_density_and_position(scale: int, shift: tuple[float, float]) -> None:
    size_px = 60 * scale
    x, y = size_px / 2 + shift[0], size_px / 2 + shift[1]
    native = cutout_of(gaussian(size_px, x, y, BEAM_PX2 * np.eye(2)))
    coarse = coarse_cutout(native, scale, FIRST)
    there = at_pixel(native, coarse, x, y)
    expected = gaussian(max(coarse.data.shape), *there, BEAM_PX2 * np.eye(2))
    shown = np.isfinite(coarse.data)
    expected = expected[: shown.shape[0], : shown.shape[1]]
    # The beam has the same area in coarse pixels, so sums are flux densities.
    np.testing.assert_allclose(coarse.data[shown], expected[shown], atol=0.002)
    total, centre, covariance = moments(coarse.data)
    assert total == pytest.approx(2 * np.pi * BEAM_PX2, rel=1e-3)
    np.testing.assert_allclose(scale * centre, scale * np.array(there), atol=0.01)
    np.testing.assert_allclose(covariance, BEAM_PX2 * np.eye(2), atol=0.01)
    assert coarse.beam == Beam(scale * 5.4, scale * 5.4, 0.0)


@pytest.mark.parametrize("scale", [2, 4])
def test_double_of_five_arcmin_keeps_its_flux_density(scale: int) -> None:
    """The lobes are wider than the beam and 300 arcsec apart; a core and noise are between them."""
    size_px = 264
    lobes = [gaussian(size_px, 132 + side * 83.3, 132.0, np.diag([30.0, 12.0]), 0.02) for side in (-1, 1)]
    noise = gaussian_filter(np.random.default_rng(1).normal(0, 6e-4, (size_px, size_px)), 1.27)
    image = sum(lobes) + gaussian(size_px, 130.2, 133.4, BEAM_PX2 * np.eye(2), 0.05)
    native = cutout_of(image + noise)
    coarse = coarse_cutout(native, scale, FIRST)
    assert np.nansum(coarse.data) == pytest.approx(native.data.sum(), rel=0.01)
    for side, lobe in zip((-1, 1), lobes, strict=True):
        x, y = at_pixel(native, coarse, 132 + side * 83.3, 132.0)
        half = 45 // scale
        around = coarse.data[round(y) - half : round(y) + half + 1, round(x) - half : round(x) + half + 1]
        assert around.sum() == pytest.approx(lobe.sum(), rel=0.03)  # with the noise of the area
    x, y = at_pixel(native, coarse, 130.2, 133.4)
    assert coarse.data[round(y), round(x)] == pytest.approx(0.05, rel=0.1)  # off the middle of a pixel


@pytest.mark.parametrize("scale", SCALES)
def test_smoothing_is_that_of_a_plain_filter(scale: int) -> None:
    image = gaussian_filter(np.random.default_rng(2).normal(0, 1, (16 * scale, 16 * scale)), 1.27)
    sigma = np.sqrt((scale**2 - 1) * (BEAM_PX2 - 1 / 12))
    smooth = gaussian_filter(np.pad(image, 100), sigma, truncate=6)[100:-100, 100:-100]
    expected = smooth.reshape(16, scale, 16, scale).sum(axis=(1, 3))
    coarse = coarse_cutout(cutout_of(image, x=16.0, y=32.0), scale, FIRST)
    np.testing.assert_allclose(coarse.data, expected, atol=0.02 * expected.std())


def test_elliptical_beam_is_widened_along_its_axes() -> None:
    """A beam of 9 x 5.4 arcsec, 30 deg from north to east: x decreases to the east."""
    angle = np.deg2rad(30)
    major, minor = np.array([-np.sin(angle), np.cos(angle)]), np.array([np.cos(angle), np.sin(angle)])
    widths = np.array([9.0, 5.4]) / 1.8 / FWHM_PER_SIGMA
    covariance = widths[0] ** 2 * np.outer(major, major) + widths[1] ** 2 * np.outer(minor, minor)
    native = cutout_of(gaussian(240, 120.4, 119.1, covariance), beam=Beam(9.0, 5.4, 30.0))
    coarse = coarse_cutout(native, 4, FIRST)
    np.testing.assert_allclose(moments(coarse.data)[2], covariance, atol=0.01)
    assert coarse.beam == Beam(36.0, 21.6, 30.0)


def test_infrared_sources_keep_their_peak_above_the_background() -> None:
    variance = (8.36 / 1.375 / FWHM_PER_SIGMA) ** 2
    matrix = (-1.375 / 3600, 0.0, 0.0, 1.375 / 3600)
    data = 50 + gaussian(400, 199.5, 199.5, variance * np.eye(2), 20.0).astype(np.float32)
    data[:, :40] = np.nan
    coarse = coarse_cutout(Cutout(data, LinearWCS("TAN", 1.0, 2.0, 0.0, 0.0, matrix), "made"), 4, WISE)
    x, y = 49, 49  # between four pixels
    near = 50 + 20 * np.exp(-0.25 / variance)
    np.testing.assert_allclose(coarse.data[y : y + 2, x : x + 2], near, rtol=0.005)
    np.testing.assert_allclose(coarse.data[:, 12:15], 50, atol=0.05)  # the border is not dark
    assert coarse.native is None and coarse.native_sigma is None


@pytest.mark.parametrize("scale", SCALES)
def test_pixels_without_data(scale: int) -> None:
    data = np.ones((40 * scale, 40 * scale))
    data[:, : scale * 5 + scale // 2] = np.nan  # half of a column of blocks
    data[: scale * 3 - 1] = np.nan  # all but a row of pixels of a row of blocks: half of it at scale 2
    data[20 * scale, 20 * scale] = np.nan
    coarse = coarse_cutout(cutout_of(data, x=0.0, y=0.0), scale, FIRST)
    missing = np.isnan(coarse.data)
    assert missing[:, :5].all() and not missing[3:, 5:].any()
    assert missing[:2].all() and missing[2, 5:].all() == (scale > 2)
    # What is missing counts as zero, and emission does not leak around the border.
    assert coarse.data[30, 30] == pytest.approx(scale**2, rel=1e-4)
    assert 0 < coarse.data[30, 5] < 0.75 * scale**2


@pytest.mark.parametrize("scale", SCALES)
def test_views_of_one_image_have_the_same_coarse_pixels(scale: int) -> None:
    rng = np.random.default_rng(3)
    image = gaussian_filter(rng.normal(0, 1, (64 * scale, 64 * scale)), 1.3)
    whole = cutout_of(image, x=-1234.5, y=777.25)
    x0, y0 = 13, 22
    window = replace(whole, data=whole.data[y0:, x0:], wcs=whole.wcs.window(x0, y0))
    one, two = (coarse_cutout(view, scale, FIRST) for view in (whole, window))
    dx, dy = one.wcs.x - two.wcs.x, one.wcs.y - two.wcs.y
    assert dx == int(dx) and dy == int(dy)
    inner = np.s_[20 + int(dy) : 50 + int(dy), 20 + int(dx) : 50 + int(dx)], np.s_[20:50, 20:50]
    np.testing.assert_allclose(one.data[inner[0]], two.data[inner[1]], atol=1e-4)
    at = one.wcs.pixels_to_sky(30 + dx, 30 + dy)
    assert at == two.wcs.pixels_to_sky(30, 30)


@pytest.mark.parametrize("scale", SCALES)
def test_bright_native_pixels_are_kept(scale: int) -> None:
    rng = np.random.default_rng(4)
    image = (
        rng.normal(0, 1, (41 * scale, 37 * scale))
        + gaussian(41 * scale, 60, 50, 4 * np.eye(2), 40)[:, : 37 * scale]
    )
    image[: 2 * scale] = np.nan
    cutout = cutout_of(image, x=13.0, y=11.0)
    coarse = coarse_cutout(cutout, scale, FIRST)
    native = coarse.native
    assert native is not None and native.bright is None
    assert native.beam == Beam(5.4, 5.4, 0.0)
    sigma = coarse.native_sigma
    assert sigma == noise_sigma(cutout.data[::scale, ::scale]) and sigma == pytest.approx(1, abs=0.1)
    ys, xs = np.nonzero(cutout.data > BRIGHT_SIGMA * sigma)
    kept = np.zeros(cutout.data.shape, bool)
    for dy, dx in ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0)):
        inside = (ys + dy >= 0) & (ys + dy < len(kept)) & (xs + dx >= 0) & (xs + dx < kept.shape[1])
        kept[ys[inside] + dy, xs[inside] + dx] = True
    x0, y0 = (int(native.wcs.x - cutout.wcs.x), int(native.wcs.y - cutout.wcs.y))
    here = native.data[y0 : y0 + len(kept), x0 : x0 + kept.shape[1]]
    seen = kept & np.isfinite(here)  # stored ones in a coarse pixel without data are left out
    np.testing.assert_array_equal(here[seen], cutout.data[seen])
    assert seen.sum() > 0.9 * kept.sum()
    unknown = ~kept & np.isfinite(cutout.data)
    assert (np.nan_to_num(here[unknown]) == 0).all()
    assert np.isnan(here[: 2 * scale - 1][~kept[: 2 * scale - 1]]).all()
    assert native.wcs == cutout.wcs.window(-x0, -y0)


def test_noise_of_the_simulated_sky_grows_less_than_the_beam() -> None:
    sky = SimulatedProvider(FIRST, seed=1)
    view = sky.cutout("s", 150.0, 20.0, 363.0)
    assert isinstance(view, Cutout)
    coarse = coarse_cutout(view, 2, FIRST)
    # Correlated noise is averaged over four times the area, and a beam has four times the area.
    assert 1 < noise_sigma(coarse.data) / noise_sigma(view.data) < 4


def test_compiled_functions_give_the_results_of_the_written_ones() -> None:
    data = np.random.default_rng(5).normal(0, 1, (11, 14)).astype(np.float32)
    data[3, 4:7] = np.nan
    arguments = data, (-2, -1), (3, 4), 4, 2, np.float32(0.5)
    for fast, plain in zip(_block_sums(*arguments), _block_sums.py_func(*arguments), strict=True):  # type: ignore[attr-defined]
        np.testing.assert_allclose(fast, plain, rtol=1e-6)
    sums, counts = _block_sums(*arguments)
    assert counts.sum() == np.isfinite(data).sum()
    assert sums.sum() == pytest.approx(np.nansum(data - 0.5), rel=1e-5)
    near, plain_near = _near_bright(data, 1.0), _near_bright.py_func(data, 1.0)  # type: ignore[attr-defined]
    np.testing.assert_array_equal(np.array(near), np.array(plain_near))
