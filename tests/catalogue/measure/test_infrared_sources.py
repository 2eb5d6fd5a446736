"""Point sources injected into noise are recovered, without false detections."""

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from scipy import ndimage

from claran_core.catalogue.measure import infrared_sources
from claran_core.catalogue.measure.infrared_sources import (
    DETECTION_SNR,
    POINT_SPREAD,
    InfraredSources,
    find_infrared_sources,
)
from claran_core.common.cutout import Cutout
from claran_core.common.errors import InputError
from claran_core.common.frame import Frame
from claran_core.simulation import infrared
from claran_core.survey.fits_image import quiet_astropy
from claran_core.survey.regular import regular_image
from claran_core.survey.surveys import SURVEYS

W1 = SURVEYS["WISE_W1"]
SCALE = W1.pixel_scale_arcsec
SIZE_PX = 132
SHAPE = (SIZE_PX, SIZE_PX)
BACKGROUND = 4.1
RMS = 0.1


def star(x: float, y: float, magnitude: float, shape: tuple[int, int] = SHAPE) -> np.ndarray:
    """Return the image of a point source of W1."""
    rows, columns = np.indices(shape)
    square = ((columns - x) ** 2 + (rows - y) ** 2) * SCALE**2
    parts = [height * np.exp(-4 * np.log(2) * square / fwhm**2) for height, fwhm in POINT_SPREAD["WISE_W1"]]
    volume = sum(height * np.pi * fwhm**2 / (4 * np.log(2)) for height, fwhm in POINT_SPREAD["WISE_W1"])
    return 10 ** (0.4 * (W1.magnitude_zero_point - magnitude)) * np.sum(parts, axis=0) * SCALE**2 / volume


def noise(seed: int, rms: float = RMS, shape: tuple[int, int] = SHAPE) -> np.ndarray:
    """Return a background with noise as smooth as that of W1 images."""
    plane = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(shape), 1.5, mode="wrap")
    return BACKGROUND + rms * plane / plane.std()


def cutout(image: np.ndarray, ra_deg: float = 150.0, dec_deg: float = 20.0) -> Cutout:
    """Return an image as the cut-out of a subject."""
    frame = Frame(size_px=image.shape[0], pixel_scale_arcsec=SCALE)
    return Cutout(image.astype(np.float32), frame.wcs(ra_deg, dec_deg), "test")


def find(image: np.ndarray) -> tuple[InfraredSources, np.ndarray]:
    """Return the sources of an image, and their pixel positions ``x y``."""
    window = cutout(image)
    sources = find_infrared_sources(window, W1)
    return sources, np.stack(window.wcs.sky_to_pixels(sources.ra, sources.dec), axis=1)


def at(positions: np.ndarray, x: float, y: float, reach_px: float = 1.5) -> int:
    """Return the index of the only source near a position."""
    near = np.flatnonzero(np.hypot(*(positions - [x, y]).T) < reach_px)
    assert len(near) == 1, (x, y, positions)
    return int(near[0])


def test_point_spread_function_is_that_of_the_simulated_sky() -> None:
    np.testing.assert_allclose(POINT_SPREAD["WISE_W1"], infrared.PSF)


@pytest.mark.parametrize(("magnitude", "bias"), [(13.0, 0.005), (15.0, 0.02), (16.0, 0.04)])
def test_stars_are_found_where_they_are_with_their_magnitude(magnitude: float, bias: float) -> None:
    rng, off, moved, errors = np.random.default_rng(1), [], [], []
    for seed in range(6):
        places = np.add.outer([18, 66, 114], rng.uniform(-6, 6, (3, 2)))  # far from each other
        grid = [
            (x, y) for row in range(3) for x, y in [(places[row, k, 0], places[k, row, 1]) for k in range(3)]
        ]
        sources, found = find(noise(seed) + sum(star(x, y, magnitude) for x, y in grid))
        assert len(sources) == len(grid)
        for x, y in grid:
            index = at(found, x, y)
            off.append(sources.magnitude[index] - magnitude)
            moved.append(found[index] - [x, y])
            errors.append(sources.magnitude_err[index])
    assert abs(np.mean(off)) < bias
    assert np.std(off) < 1.5 * np.median(errors)
    assert np.abs(np.mean(moved, axis=0)).max() * SCALE < 0.15
    if magnitude > 14:  # the error of brighter ones is that of the point-spread function, which is exact here
        assert np.std(off) > 0.4 * np.median(errors)


def test_sources_are_listed_brightest_first_and_above_the_limit() -> None:
    image = noise(3) + star(30, 30, 15.0) + star(90, 40, 13.0) + star(60, 100, 14.0)
    sources, _ = find(image)
    assert (np.diff(sources.magnitude) > 0).all()
    assert (sources.snr >= DETECTION_SNR).all()
    np.testing.assert_allclose(sources.magnitude, [13, 14, 15], atol=0.1)


def test_noise_alone_has_hardly_any_source() -> None:
    assert sum(len(find(noise(seed))[0]) for seed in range(10)) <= 1


@pytest.mark.parametrize("value", [np.nan, 0.0, 4.1])
def test_a_blank_or_constant_image_has_no_source(value: float) -> None:
    sources, _ = find(np.full((SIZE_PX, SIZE_PX), value))
    assert len(sources) == 0
    assert sources.ra.dtype == sources.magnitude.dtype == np.float64


def test_missing_pixels_hide_sources_and_leave_others_unchanged() -> None:
    image = noise(4) + star(30, 66, 13.0) + star(100, 66, 13.0) + star(70, 30, 15.0)
    whole, _ = find(image)
    image[:, 85:] = np.nan
    sources, found = find(image)
    assert len(sources) == len(whole) - 1
    assert (found[:, 0] < 85).all()
    for x, y, magnitude in ((30, 66, 13.0), (70, 30, 15.0)):
        assert sources.magnitude[at(found, x, y)] == pytest.approx(magnitude, abs=0.1)


def test_a_ragged_border_makes_no_source() -> None:
    for seed in range(4):
        image = noise(seed)
        image[np.add.outer(np.arange(SIZE_PX), np.arange(SIZE_PX)) < 100] = np.nan
        image[:3] = np.nan
        assert len(find(image)[0]) <= 1


def test_a_star_beside_missing_pixels_keeps_its_magnitude() -> None:
    image = noise(5) + star(60, 60, 13.0)
    image[:, 62:] = np.nan
    sources, found = find(image)
    assert len(sources) == 1
    assert sources.magnitude[at(found, 60, 60)] == pytest.approx(13.0, abs=0.05)


@pytest.mark.parametrize(
    ("apart_fwhm", "fainter"), [(1.5, 0.0), (1.5, 1.0), (1.5, 2.5), (1.0, 0.0), (1.0, 0.75)]
)
@pytest.mark.parametrize("angle", [0.0, 0.6])
def test_blends_are_split(apart_fwhm: float, fainter: float, angle: float) -> None:
    apart = apart_fwhm * W1.beam_arcsec / SCALE
    x, y = 66 + apart * np.cos(angle), 66 + apart * np.sin(angle)
    sources, found = find(noise(6, 0.05) + star(66, 66, 13.0) + star(x, y, 13.0 + fainter))
    assert len(sources) == 2
    assert sources.magnitude[at(found, 66, 66)] == pytest.approx(13.0, abs=0.05)
    assert sources.magnitude[at(found, x, y)] == pytest.approx(13.0 + fainter, abs=0.12)


def test_halo_and_spikes_of_a_bright_star_are_not_sources() -> None:
    image = noise(7) + star(66, 66, 7.5)
    rows, columns = np.indices(image.shape)
    east, north = (columns - 66) * SCALE, (rows - 66) * SCALE
    peak = image.max()
    for turn in (0.3, 0.3 + np.pi / 2):
        along, across = east * np.cos(turn) + north * np.sin(turn), north * np.cos(turn) - east * np.sin(turn)
        spike = (along / infrared.SPIKE_LENGTH_ARCSEC) ** 2 + (across / infrared.SPIKE_WIDTH_ARCSEC) ** 2
        image += infrared.SPIKE_HEIGHT * peak * np.exp(-4 * np.log(2) * spike)
    sources, found = find(image + star(20, 110, 14.0))
    assert len(sources) == 2
    assert sources.magnitude[0] == pytest.approx(7.5, abs=0.05)
    assert sources.magnitude[at(found, 20, 110)] == pytest.approx(14.0, abs=0.15)


def test_a_sloping_background_makes_no_source_and_shifts_no_magnitude() -> None:
    slope = np.add.outer(0.02 * np.arange(SIZE_PX), 0.01 * np.arange(SIZE_PX))
    sources, found = find(noise(8) + slope + star(40, 90, 15.0))
    assert len(sources) == 1
    assert sources.magnitude[at(found, 40, 90)] == pytest.approx(15.0, abs=0.1)


@pytest.mark.parametrize("ra_deg", [0.0, 359.999, 0.0005])
def test_right_ascensions_are_below_360_on_both_sides_of_0(ra_deg: float) -> None:
    image = noise(9) + star(30, 66, 13.0) + star(100, 66, 13.0)
    window = cutout(image, ra_deg=ra_deg)
    sources = find_infrared_sources(window, W1)
    assert len(sources) == 2
    assert ((sources.ra >= 0) & (sources.ra < 360)).all()
    east, west = window.wcs.pixels_to_sky(np.array([30.0, 100.0]), np.array([66.0, 66.0]))[0]
    np.testing.assert_allclose(np.sort(sources.ra), np.sort([east, west]), atol=0.1 / 3600)


def test_a_galaxy_is_one_source_fainter_than_its_total() -> None:
    galaxy = ndimage.gaussian_filter(star(66, 66, 12.0), 2.5)
    sources, found = find(noise(10) + galaxy)
    assert len(sources) == 1
    assert 12.2 < sources.magnitude[at(found, 66, 66)] < 12.9


@pytest.mark.parametrize("shape", [(132, 40), (9, 9), (1, 40), (300, 280)])
def test_images_of_any_shape_are_searched(shape: tuple[int, int]) -> None:
    image = noise(11, shape=shape)
    x, y = shape[1] // 2, shape[0] // 2
    image = image + star(x, y, 12.0, shape)
    window = Cutout(image.astype(np.float32), cutout(np.zeros((9, 9))).wcs, "test")
    found = find_infrared_sources(window, W1)
    if min(shape) > 20:
        assert len(found) == 1


@pytest.mark.parametrize("name", ["WISE_W1", "UNWISE_W1"])
def test_position_errors_follow_the_beam_of_the_survey(name: str) -> None:
    survey = SURVEYS[name]
    sources = find_infrared_sources(cutout(noise(12) + star(66, 66, 14.0)), survey)
    assert len(sources) >= 1
    np.testing.assert_allclose(sources.position_err * sources.snr, 0.4 * survey.beam_arcsec)


def test_a_survey_without_zero_point_is_refused() -> None:
    with pytest.raises(InputError, match="FIRST: no magnitude zero point"):
        find_infrared_sources(cutout(noise(0)), SURVEYS["FIRST"])


@pytest.mark.data
def test_real_images_hold_as_many_sources_as_wise_sees(shared_data: Path) -> None:
    density = []
    for path in sorted((shared_data / "pairs/infrared").glob("*.fits")):
        with quiet_astropy(), fits.open(path) as hdus:
            image = regular_image(hdus[0].data.astype(np.float32), WCS(hdus[0].header).celestial)
        window = Cutout(*image, path.name)
        area = window.data.size * SCALE**2 / 180**2
        density.append(len(find_infrared_sources(window, W1)) / area)
    # 12.4 sources in 3' x 3' exceed 5 times the confusion noise; fitting all together goes deeper.
    assert 8 < min(density) and max(density) < 40


def test_peaks_are_maxima_with_enough_valid_pixels_around_them() -> None:
    image, finite = np.zeros((20, 30)), np.ones((20, 30), bool)
    image[5, 7], image[0, 29], image[12, 3], image[12, 4] = 5.0, 4.0, 3.0, 2.0
    finite[15:], image[17, 20] = False, 9.0
    finite[17, 20] = True
    arguments = (image, finite, 1.0, 2, 0.3)
    found = infrared_sources._maxima(*arguments)
    np.testing.assert_array_equal(found, [[29, 0], [7, 5], [3, 12]])
    written = infrared_sources._maxima.py_func(*arguments)  # type: ignore[attr-defined]
    np.testing.assert_array_equal(found, written)
