"""The noise of an image."""

import numpy as np
import pytest

from claran_core.common.noise import noise_sigma


def test_gaussian_noise_with_a_source_and_blanks() -> None:
    image = np.random.default_rng(1).normal(3.0, 0.5, (200, 200))
    image[:20] = np.nan
    image[100:105, 100:105] = 1e4
    assert noise_sigma(image) == pytest.approx(0.5, rel=0.02)


def test_value_by_hand() -> None:
    assert noise_sigma(np.array([1.0, 2.0, 4.0, 7.0, 100.0])) == pytest.approx(1.4826 * 3.0)


def test_zero_padding_does_not_hide_the_noise() -> None:
    image = np.zeros((100, 100))
    image[:30] = np.random.default_rng(2).normal(0, 0.2, (30, 100))
    assert noise_sigma(image) == pytest.approx(0.2, rel=0.05)


def test_blank_images() -> None:
    assert np.isnan(noise_sigma(np.full((4, 4), np.nan)))
    assert noise_sigma(np.full((4, 4), 7.0)) == 0.0
    one = np.zeros((9, 9))
    one[4, 4] = 1.0
    assert noise_sigma(one) == 0.0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1, 2, 7, 8, 1001, 4096])
def test_the_noise_is_the_median_absolute_deviation(size: int, dtype: type) -> None:
    image = np.random.default_rng(size).normal(1.0, 2.0, size).astype(dtype)
    values = image.astype(np.float64)
    expected = 1.4826 * np.median(np.abs(values - np.median(values)))
    assert noise_sigma(image) == expected
    assert np.array_equal(image, values)  # the image keeps its order
