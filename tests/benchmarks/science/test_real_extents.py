"""The emission that limits how many real galaxies can be found whole: its extent, and what does not count."""

import numpy as np
import pytest

from benchmarks.science.real_extents import extent_arcsec

PIXEL = 1.8


def image() -> np.ndarray:
    """Return noise of 1 with three Gaussian sources of 40 sigma on a row, 40 and 30 px apart."""
    pixels = np.random.default_rng(3).normal(0, 1, (120, 120))
    y, x = np.indices(pixels.shape)
    for column in (20, 60, 90):
        pixels += 40 * np.exp(-((x - column) ** 2 + (y - 60) ** 2) / (2 * 2.0**2))
    return pixels


def test_the_extent_is_that_of_the_emission_inside() -> None:
    pixels, everywhere = image(), np.ones((120, 120), bool)
    # A Gaussian of 40 sigma and a dispersion of 2 px falls to 5.3 sigma at 4 px; pixels inside count.
    assert extent_arcsec(pixels, everywhere, PIXEL, 5.3, 1) == pytest.approx((70 + 7) * PIXEL, abs=3)
    left = everywhere.copy()
    left[:, 75:] = False
    assert extent_arcsec(pixels, left, PIXEL, 5.3, 1) == pytest.approx((40 + 7) * PIXEL, abs=3)


def test_noise_and_missing_pixels_have_no_extent() -> None:
    pixels = np.random.default_rng(4).normal(0, 1, (120, 120))
    pixels[:, :30] = np.nan
    everywhere = np.ones((120, 120), bool)
    assert extent_arcsec(pixels, everywhere, PIXEL, 5.3, 1) == 0
    assert extent_arcsec(pixels, everywhere, PIXEL, 5.3, 4) == 0
