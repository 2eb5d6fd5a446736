"""Flux densities, errors, extents and flags of Gaussians with known parameters."""

import numpy as np
import pytest
from scipy import ndimage

from claran_core.catalogue.measure.component_pixels import largest_extent
from claran_core.catalogue.measure.radio import RadioImage, RadioMeasurement, measure
from claran_core.components.contour_rule import COMPONENT_SIGMA, Components, find_components
from claran_core.survey.surveys import SURVEYS

SURVEY = SURVEYS["FIRST"]
SCALE = SURVEY.pixel_scale_arcsec
SIGMA = 1.5e-4  # Jy/beam
BEAM_PX = SURVEY.beam_arcsec / SCALE
TO_SIGMA = 1 / np.sqrt(8 * np.log(2))


def gaussian(shape: tuple[int, int], x: float, y: float, peak: float, fwhm_px: float = BEAM_PX) -> np.ndarray:
    """Return the image of a circular Gaussian."""
    rows, columns = np.indices(shape)
    return peak * np.exp(-0.5 * ((columns - x) ** 2 + (rows - y) ** 2) / (fwhm_px * TO_SIGMA) ** 2)


def noise(shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    """Return noise of SIGMA, as smooth as the beam."""
    white = np.random.default_rng(seed).standard_normal(shape)
    plane = ndimage.gaussian_filter(white, BEAM_PX * TO_SIGMA, mode="wrap")
    return SIGMA * plane / plane.std()


def image_of(pixels: np.ndarray, sigma: float = SIGMA) -> tuple[RadioImage, Components]:
    """Return an image and its components."""
    found = find_components(pixels, sigma)
    image = RadioImage.of(pixels, found.labels, COMPONENT_SIGMA * sigma, SCALE, SURVEY)
    return image, found


def measure_all(pixels: np.ndarray) -> RadioMeasurement:
    """Measure all components of an image as one source."""
    image, found = image_of(pixels)
    return measure(image, list(range(len(found))), found.brightest)


@pytest.mark.parametrize("fwhm", [1.0, 2.0, 4.0])
@pytest.mark.parametrize(("x", "y"), [(50.0, 50.0), (50.5, 49.7)])
def test_a_gaussian_has_its_flux_density_and_peak(fwhm: float, x: float, y: float) -> None:
    pixels = gaussian((101, 101), x, y, 100 * SIGMA, fwhm * BEAM_PX) + noise((101, 101))
    result = measure_all(pixels)
    assert result.peak_flux == pytest.approx(1e3 * 100 * SIGMA, rel=0.04)
    assert result.integrated_flux == pytest.approx(1e3 * 100 * SIGMA * fwhm**2, rel=0.04)
    np.testing.assert_allclose(result.centroid, [x, y], atol=0.2)
    assert not (result.is_blended or result.is_suspect)


def test_components_share_the_flux_density_of_their_source() -> None:
    pixels = gaussian((101, 101), 35, 50, 60 * SIGMA) + gaussian((101, 101), 65, 50, 30 * SIGMA)
    result = measure_all(pixels + noise((101, 101)))
    np.testing.assert_allclose(result.component_flux, 1e3 * SIGMA * np.array([60, 30]), rtol=0.1)
    assert result.component_flux.sum() == pytest.approx(result.integrated_flux)
    np.testing.assert_allclose(result.component_peak_flux, 1e3 * SIGMA * np.array([60, 30]), rtol=0.1)
    np.testing.assert_allclose(result.centroid, [45, 50], atol=0.7)
    extent, angle = largest_extent(SCALE * result.outline * [-1, 1])  # east to the left, north up
    assert extent == pytest.approx(SCALE * (30 + 2 * 2.3), abs=4.0) and angle == pytest.approx(90, abs=6)


def test_emission_of_other_sources_is_excluded_and_flagged() -> None:
    alone = gaussian((101, 101), 45, 50, 60 * SIGMA)
    near = alone + gaussian((101, 101), 54, 50, 60 * SIGMA)
    image, found = image_of(near + noise((101, 101)))
    assert len(found) == 2
    own = int(np.argmin(found.brightest[:, 0]))
    result = measure(image, [own], found.brightest[[own]])
    assert result.is_blended
    assert result.integrated_flux == pytest.approx(1e3 * 60 * SIGMA, rel=0.06)
    far = alone + gaussian((101, 101), 80, 50, 60 * SIGMA)
    image, found = image_of(far + noise((101, 101)))
    own = int(np.argmin(found.brightest[:, 0]))
    assert not measure(image, [own], found.brightest[[own]]).is_blended


def test_errors_equal_the_scatter_of_the_sum_over_noise() -> None:
    pixels = gaussian((101, 101), 50, 50, 40 * SIGMA, 2 * BEAM_PX)
    error = measure_all(pixels + noise((101, 101))).integrated_flux_err
    image, found = image_of(pixels)
    reach = ndimage.distance_transform_edt(found.labels == 0) <= BEAM_PX
    # FIRST's noise: a narrow part and a wide one, as SURVEYS says.
    sums = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        plane = np.zeros((128, 128))
        for weight, fwhm in SURVEY.noise_correlation:
            part = ndimage.gaussian_filter(
                rng.standard_normal(plane.shape), fwhm / SCALE * TO_SIGMA / np.sqrt(2), mode="wrap"
            )
            plane += np.sqrt(weight) * part / part.std()
        sums.append((SIGMA * plane)[:101, :101][reach].sum())
    per_beam = 1e3 / (np.pi / (4 * np.log(2)) * BEAM_PX**2)
    assert error == pytest.approx(np.std(sums) * per_beam, rel=0.15)


def test_noise_is_measured_away_from_components() -> None:
    bright = gaussian((101, 101), 50, 50, 400 * SIGMA, 7 * BEAM_PX)  # fills a seventh of the image
    image, _ = image_of(bright + noise((101, 101)))
    assert image.rms == pytest.approx(SIGMA, rel=0.25)


def test_faint_sources_beside_a_bright_one_or_a_hole_may_be_sidelobes() -> None:
    faint = gaussian((101, 101), 20, 50, 8 * SIGMA) + noise((101, 101))
    for other, suspect in ((gaussian((101, 101), 80, 50, 2000 * SIGMA), True), (0.0, False)):
        image, found = image_of(faint + other)
        own = int(np.argmin(found.brightest[:, 0]))
        assert measure(image, [own], found.brightest[[own]]).is_suspect is suspect
    hole = faint - gaussian((101, 101), 60, 20, 12 * SIGMA)
    assert measure_all(hole).is_suspect
