"""Positions and their errors: scatter over noise, unseen emission, and means on the sky."""

import numpy as np
import pytest
from radio_gaussians import BEAM_PX, SIGMA, gaussian, image_of
from smoothed_views import SIGMA as NOISE_SIGMA
from smoothed_views import first_noise

from claran_core.catalogue.measure.place import Place, SkyPlace, mean_on_sky
from claran_core.catalogue.measure.radio import measure

SHAPE = (81, 81)


def noise(seed: int = 0) -> np.ndarray:
    """Return noise with the correlation of FIRST's."""
    return first_noise(SHAPE[0], seed) * (SIGMA / NOISE_SIGMA)


def placed(pixels: np.ndarray, own: int | None = None) -> tuple[Place, Place | None]:
    """Return centroid and fitted peak of the source of all components, or of one."""
    image, found = image_of(pixels)
    members = list(range(len(found))) if own is None else [own]
    result = measure(image, members, found.brightest[members], n_peaks=int(found.n_peaks[members].sum()))
    return result.centroid, result.fitted


def pull_width(offsets: list[np.ndarray], places: list[Place]) -> float:
    """Return the rms of offsets over their errors, both axes together."""
    pulls = [off / np.sqrt(np.diag(place.covariance)) for off, place in zip(offsets, places, strict=True)]
    return float(np.sqrt(np.mean(np.square(pulls))))


@pytest.mark.parametrize(("snr", "beams"), [(12, 1.0), (40, 1.0), (12, 1.8), (40, 1.8)])
def test_errors_are_the_scatter_over_noise(snr: float, beams: float) -> None:
    centroids, peaks, true = [], [], []
    for seed in range(60):
        at = np.array([40.0, 40.0]) + np.random.default_rng(seed).uniform(-0.5, 0.5, 2)
        pixels = noise(seed) + gaussian(SHAPE, *at, snr * SIGMA, beams * BEAM_PX)
        centre, peak = placed(pixels)
        assert peak is not None
        centroids.append(centre)
        peaks.append(peak)
        true.append(at)
    for places in (centroids, peaks):
        offsets = [place.point - at for place, at in zip(places, true, strict=True)]
        assert 0.8 < pull_width(offsets, places) < 1.2


def test_the_centroid_of_a_double_is_that_of_its_flux_densities() -> None:
    # Of the fainter lobe, half of the flux density is below its contour, of the brighter one a sixth.
    pixels = gaussian(SHAPE, 28, 40, 10 * SIGMA) + gaussian(SHAPE, 52, 40, 30 * SIGMA)
    offsets, places = [], []
    for seed in range(30):
        place, fitted = placed(pixels + noise(seed))
        assert fitted is None
        offsets.append(place.point - [46.0, 40.0])
        places.append(place)
    assert np.mean(offsets, axis=0) == pytest.approx([0, 0], abs=0.25)
    assert 0.7 < pull_width(offsets, places) < 1.3
    # The shares of the lobes are uncertain, so the error is largest along the axis.
    along, across = np.sqrt(np.diag(places[0].covariance))
    assert along > 3 * across


def test_emission_that_fades_to_one_side_adds_to_the_error() -> None:
    even = gaussian(SHAPE, 40, 40, 100 * SIGMA) + 1e-3 * noise()
    tail = sum(gaussian(SHAPE, 40 + 3 * k, 40, 40 * SIGMA * 0.6**k, 1.5 * BEAM_PX) for k in range(1, 9))
    (plain, _), (tailed, _) = (placed(pixels) for pixels in (even, even + tail))
    assert tailed.covariance[0, 0] > 9 * plain.covariance[0, 0]
    assert tailed.covariance[1, 1] < 3 * plain.covariance[1, 1]


def test_mean_on_sky_has_the_errors_of_places_and_of_flux_densities() -> None:
    arcsec = np.deg2rad(1 / 3600)
    places = [SkyPlace(np.array([1.0, east * arcsec, 0.0]), np.diag([0.04, 0.09])) for east in (0.0, 30.0)]
    mean = mean_on_sky(places, np.array([2.0, 1.0]), np.array([0.2, 0.1]))
    columns = mean.columns("c_", floor_arcsec=0.5)
    assert columns["c_ra"] * 3600 == pytest.approx(10.0) and columns["c_dec"] == pytest.approx(0.0)
    # Both places: 0.04 (4/9 + 1/9); the arms of -10 and 20 arcsec times 0.2/3 and 0.1/3.
    variance = 0.04 * 5 / 9 + (10 * 0.2 / 3) ** 2 + (20 * 0.1 / 3) ** 2
    assert columns["c_ra_err"] == pytest.approx(np.sqrt(variance + 0.25))
    assert columns["c_dec_err"] == pytest.approx(np.sqrt(0.09 * 5 / 9 + 0.25))
