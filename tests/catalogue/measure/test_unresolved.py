"""Which sources are unresolved, and the flux densities of these and of others."""

import numpy as np
import pytest
from radio_gaussians import BEAM_PX, SIGMA, gaussian, image_of
from smoothed_views import first_noise

from claran_core.catalogue.measure.component_pixels import pixels_of
from claran_core.catalogue.measure.radio_image import JY_TO_MJY, ApertureSum, sum_components
from claran_core.catalogue.measure.unresolved import FluxDensity, best_flux_density

SHAPE = (128, 128)
MJY = SIGMA * JY_TO_MJY
PLACES = [(32.0, 32.0), (95.4, 32.3), (32.5, 95.5), (95.0, 95.7)]


def measured(pixels: np.ndarray, x: float, y: float) -> tuple[FluxDensity, ApertureSum]:
    """Return the best flux density of the component at a position, and its sum."""
    image, found = image_of(pixels)
    own = found.at(x, y)
    assert own is not None
    places = pixels_of(image.labels, np.array([own + 1]))
    summed = sum_components(image, np.array([own + 1]), places)
    return best_flux_density(image, summed, places, int(found.n_peaks[own])), summed


@pytest.mark.parametrize("snr", [10.0, 20.0, 200.0])
def test_point_sources_are_unresolved_and_their_errors_are_right(snr: float) -> None:
    found = []
    for seed in range(80):
        for x, y in PLACES:
            found.append(measured(first_noise(128, seed) + gaussian(SHAPE, x, y, snr * SIGMA), x, y)[0])
    assert np.mean([one.is_unresolved for one in found]) > 0.97
    pulls = np.array([(one.flux - snr * MJY) / one.error for one in found])
    assert abs(pulls.mean()) < 0.15
    assert np.diff(np.percentile(pulls, [15.87, 84.13]))[0] / 2 == pytest.approx(1.0, abs=0.12)
    assert np.median([one.error for one in found]) == pytest.approx(MJY, rel=0.1)


@pytest.mark.parametrize("beams", [1.5, 2.0, 2.5, 3.0])
def test_neighbours_do_not_change_the_flux_density(beams: float) -> None:
    errors = []
    for seed in range(40):
        for x, y in PLACES:
            pixels = first_noise(128, seed) + gaussian(SHAPE, x, y, 9 * SIGMA)
            pixels += gaussian(SHAPE, x + beams * BEAM_PX, y, 9 * SIGMA)
            image, found = image_of(pixels)
            if found.at(x, y) == found.at(x + beams * BEAM_PX, y):
                continue  # one component: one source
            one, _ = measured(pixels, x, y)
            errors.append((one.flux - 9 * MJY) / one.error)
    assert len(errors) > 40
    assert abs(np.median(errors)) < 0.4
    assert np.std(errors) < 1.3


def test_a_bright_neighbour_does_not_make_a_point_source_resolved() -> None:
    found = []
    for seed in range(30):
        pixels = first_noise(128, seed) + gaussian(SHAPE, 60, 60, 15 * SIGMA)
        pixels += gaussian(SHAPE, 60 + 2.6 * BEAM_PX, 60, 1000 * SIGMA)
        found.append(measured(pixels, 60, 60)[0])
    assert np.mean([one.is_unresolved for one in found]) > 0.9
    assert np.mean([one.flux for one in found]) == pytest.approx(15 * MJY, rel=0.04)


@pytest.mark.parametrize("fwhm", [1.5, 2.5])
def test_an_extended_source_keeps_its_sum(fwhm: float) -> None:
    for seed in range(5):
        pixels = first_noise(128, seed) + gaussian(SHAPE, 60, 60, 40 * SIGMA, fwhm * BEAM_PX)
        one, summed = measured(pixels, 60, 60)
        assert one == FluxDensity.of_sum(summed) and not one.is_unresolved


def test_a_source_of_two_peaks_keeps_its_sum() -> None:
    pixels = gaussian(SHAPE, 60, 60, 40 * SIGMA) + gaussian(SHAPE, 60 + 1.5 * BEAM_PX, 60, 40 * SIGMA)
    one, summed = measured(pixels + first_noise(128, 1), 60, 60)
    assert one == FluxDensity.of_sum(summed)


def test_the_flux_density_grows_without_jumps_with_the_size() -> None:
    noise, sizes = first_noise(128, 3), np.linspace(1.0, 1.5, 201)
    found = [measured(noise + gaussian(SHAPE, 60, 60, 30 * SIGMA, size * BEAM_PX), 60, 60) for size in sizes]
    kinds = [one.is_unresolved for one, _ in found]
    assert kinds[0] and not kinds[-1] and sorted(kinds, reverse=True) == kinds
    flux, error = np.array([(one.flux, summed.error) for one, summed in found]).T
    steps = np.diff(flux) / error[1:]
    # Where the sum takes over, the flux density changes by 2.3 errors within a few hundredths of a beam.
    assert steps.max() < 0.6 and steps.min() > -0.2
    part = [one for one, summed in found if one != FluxDensity.of_sum(summed) and not one.is_unresolved]
    assert len(part) > 2


def test_missing_pixels_and_the_border_of_the_data() -> None:
    pixels = first_noise(128, 2) + gaussian(SHAPE, 60, 60, 50 * SIGMA)
    whole, _ = measured(pixels, 60, 60)
    pixels[62:, :] = np.nan
    cut, summed = measured(pixels, 60, 60)
    assert cut.is_unresolved and cut.flux == pytest.approx(whole.flux, abs=cut.error)
    assert summed.flux < 0.9 * whole.flux
    pixels[60:, :] = np.nan
    lost, summed = measured(pixels, 60, 58)
    assert lost == FluxDensity.of_sum(summed)
