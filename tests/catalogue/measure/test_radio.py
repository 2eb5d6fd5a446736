"""Flux densities, errors, extents and flags of Gaussians with known parameters."""

import numpy as np
import pytest
from radio_gaussians import BEAM_PX, SCALE, SIGMA, gaussian, image_of, noise

from claran_core.catalogue.measure.component_pixels import largest_extent
from claran_core.catalogue.measure.radio import RadioMeasurement, measure
from claran_core.catalogue.measure.radio_image import RadioImage
from claran_core.components.contour_rule import Components


def measure_one(image: RadioImage, found: Components, own: int) -> RadioMeasurement:
    """Measure one component as a source."""
    return measure(image, [own], found.brightest[[own]], n_peaks=int(found.n_peaks[own]))


def measure_all(pixels: np.ndarray) -> RadioMeasurement:
    """Measure all components of an image as one source."""
    image, found = image_of(pixels)
    return measure(image, list(range(len(found))), found.brightest, n_peaks=int(found.n_peaks.sum()))


@pytest.mark.parametrize("fwhm", [1.0, 2.0, 4.0])
@pytest.mark.parametrize(("x", "y"), [(50.0, 50.0), (50.5, 49.7)])
def test_a_gaussian_has_its_flux_density_and_peak(fwhm: float, x: float, y: float) -> None:
    pixels = gaussian((101, 101), x, y, 100 * SIGMA, fwhm * BEAM_PX) + noise((101, 101))
    result = measure_all(pixels)
    assert result.peak_flux == pytest.approx(1e3 * 100 * SIGMA, rel=0.04)
    assert result.integrated_flux == pytest.approx(1e3 * 100 * SIGMA * fwhm**2, rel=0.04)
    np.testing.assert_allclose(result.centroid.point, [x, y], atol=0.2)
    assert not (result.is_blended or result.is_suspect)
    assert result.is_unresolved is (fwhm == 1)


def test_components_share_the_flux_density_of_their_source() -> None:
    pixels = gaussian((101, 101), 35, 50, 60 * SIGMA) + gaussian((101, 101), 65, 50, 30 * SIGMA)
    result = measure_all(pixels + noise((101, 101)))
    np.testing.assert_allclose(result.component_flux, 1e3 * SIGMA * np.array([60, 30]), rtol=0.1)
    assert result.component_flux.sum() == pytest.approx(result.integrated_flux)
    np.testing.assert_allclose(result.component_peak_flux, 1e3 * SIGMA * np.array([60, 30]), rtol=0.1)
    np.testing.assert_allclose(result.centroid.point, [45, 50], atol=0.7)
    extent, angle = largest_extent(SCALE * result.outline * [-1, 1])  # east to the left, north up
    assert extent == pytest.approx(SCALE * (30 + 2 * 2.3), abs=4.0) and angle == pytest.approx(90, abs=6)


def test_emission_of_other_sources_is_excluded_and_flagged() -> None:
    alone = gaussian((101, 101), 45, 50, 60 * SIGMA)
    near = alone + gaussian((101, 101), 54, 50, 60 * SIGMA)
    image, found = image_of(near + noise((101, 101)))
    assert len(found) == 2
    own = int(np.argmin(found.brightest[:, 0]))
    result = measure_one(image, found, own)
    assert result.is_blended
    assert result.integrated_flux == pytest.approx(1e3 * 60 * SIGMA, rel=0.06)
    far = alone + gaussian((101, 101), 80, 50, 60 * SIGMA)
    image, found = image_of(far + noise((101, 101)))
    own = int(np.argmin(found.brightest[:, 0]))
    assert not measure_one(image, found, own).is_blended


def test_faint_sources_beside_a_bright_one_or_a_hole_may_be_sidelobes() -> None:
    faint = gaussian((101, 101), 20, 50, 8 * SIGMA) + noise((101, 101))
    for other, suspect in ((gaussian((101, 101), 80, 50, 2000 * SIGMA), True), (0.0, False)):
        image, found = image_of(faint + other)
        own = int(np.argmin(found.brightest[:, 0]))
        assert measure_one(image, found, own).is_suspect is suspect
    hole = faint - gaussian((101, 101), 60, 20, 12 * SIGMA)
    assert measure_all(hole).is_suspect
