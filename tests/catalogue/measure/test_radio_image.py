"""Noise of an image, and the error of the sum over a source."""

import numpy as np
import pytest
from radio_gaussians import BEAM_PX, SIGMA, gaussian, image_of, noise
from scipy import ndimage
from smoothed_views import first_noise

from claran_core.catalogue.measure.component_pixels import pixels_of
from claran_core.catalogue.measure.radio_image import sum_components


def test_errors_equal_the_scatter_of_the_sum_over_noise() -> None:
    pixels = gaussian((101, 101), 50, 50, 40 * SIGMA, 2 * BEAM_PX)
    image, _ = image_of(pixels + noise((101, 101)))
    numbers = np.arange(1, image.labels.max() + 1)
    error = sum_components(image, numbers, pixels_of(image.labels, numbers)).error
    _, found = image_of(pixels)
    reach = ndimage.distance_transform_edt(found.labels == 0) <= BEAM_PX
    sums = [first_noise(128, seed)[:101, :101][reach].sum() for seed in range(300)]
    per_beam = 1e3 / (np.pi / (4 * np.log(2)) * BEAM_PX**2)
    assert error == pytest.approx(np.std(sums) * per_beam, rel=0.15)


def test_noise_is_measured_away_from_components() -> None:
    bright = gaussian((101, 101), 50, 50, 400 * SIGMA, 7 * BEAM_PX)  # fills a seventh of the image
    image, _ = image_of(bright + noise((101, 101)))
    assert image.rms == pytest.approx(SIGMA, rel=0.25)
