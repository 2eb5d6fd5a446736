"""Pixels without data, however a file marks them, and single absurd pixels."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, maximum_filter

from claran_core.common.noise import noise_sigma
from claran_core.survey import blanks
from claran_core.survey.blanks import MIN_CONSTANT_PX, mask_missing


def noise(shape: tuple[int, int] = (90, 70), *, seed: int = 3) -> np.ndarray:
    """Noise of unit variance, as smooth as a beam of three pixels."""
    smooth = gaussian_filter(np.random.default_rng(seed).normal(size=shape), 1.3)
    return (smooth / smooth.std()).astype(np.float32)


@pytest.mark.parametrize("fill", [0.0, -0.0, 1e20, -3e38, np.inf, -np.inf, np.nan, -99.0, -32768.0])
def test_an_area_without_data_is_masked_and_the_noise_is_that_of_the_rest(fill: float) -> None:
    data = noise()
    expected = noise_sigma(data)
    is_blank = np.zeros(data.shape, bool)
    is_blank[:40] = True
    is_blank[60:70, 20:60] = True
    data[is_blank] = fill
    assert mask_missing(data) == 0
    np.testing.assert_array_equal(np.isnan(data), is_blank)
    assert noise_sigma(data) == pytest.approx(expected, rel=0.1)


def test_scattered_zeros_are_data() -> None:
    data = noise()
    data[::2, ::2] = 0.0
    expected = data.copy()
    mask_missing(data)
    np.testing.assert_array_equal(data, expected)


def test_zeros_of_coarse_steps_are_data() -> None:
    data = np.round(noise((200, 200)) * 2) / 2
    assert (data == 0).sum() > 40 * MIN_CONSTANT_PX
    mask_missing(data)
    assert np.isfinite(data).all()


@pytest.mark.parametrize("value", [4e4, -4e4, 9e19])
@pytest.mark.parametrize("place", [(30, 30), (0, 0), (89, 12)])
def test_one_absurd_pixel_is_masked_and_counted(value: float, place: tuple[int, int]) -> None:
    data = noise()
    data[place] = value
    assert mask_missing(data) == 1
    assert np.isnan(data[place]) and np.isnan(data).sum() == 1


@pytest.mark.parametrize("fwhm_px", [1.5, 2.2, 3.0])
@pytest.mark.parametrize("peak", [50.0, 1e5])
def test_a_bright_point_source_stays(fwhm_px: float, peak: float) -> None:
    data = noise()
    y, x = np.indices(data.shape)
    data += (peak * 0.5 ** (4 * ((x - 30.2) ** 2 + (y - 40.4) ** 2) / fwhm_px**2)).astype(np.float32)
    assert mask_missing(data) == 0 and np.isfinite(data).all()


def test_images_without_data_or_noise() -> None:
    for fill in (np.nan, 0.0, 7.0):
        data = np.full((20, 20), fill, np.float32)
        assert mask_missing(data) == 0 and np.isnan(data).all()


def test_the_compiled_loops_do_what_they_say() -> None:
    data = noise((12, 9))
    data[2, 3], data[5, 5], data[7, 7] = 1e4, 2e20, 0.0
    plain = data.copy()
    found = blanks._mask_huge(data, 1e20)
    assert found == blanks._mask_huge.py_func(plain, 1e20)  # type: ignore[attr-defined]
    assert found == (np.nanmin(data), 1, 1)
    np.testing.assert_array_equal(data, plain)
    places = np.argwhere(np.isfinite(data))
    for isolated in (blanks._are_isolated, blanks._are_isolated.py_func):  # type: ignore[attr-defined]
        assert [2, 3] in places[isolated(data, places, 100.0)].tolist()


@pytest.mark.parametrize("ratio", [2.0, 30.0])
def test_isolated_pixels_are_those_of_a_filter(ratio: float) -> None:
    rng = np.random.default_rng(6)
    data = rng.standard_cauchy((40, 50)).astype(np.float32)
    data[rng.random(data.shape) < 0.3] = np.nan
    data[rng.random(data.shape) < 0.1] = 0.0
    size = np.where(np.isfinite(data), np.abs(data), -1.0)
    others = np.ones((3, 3))
    others[1, 1] = 0
    nearest = maximum_filter(size, footprint=others, mode="constant", cval=-1.0)
    expected = np.argwhere((nearest >= 0) & (size > ratio * nearest) & np.isfinite(data))
    assert len(expected) > 3
    np.testing.assert_array_equal(blanks._isolated(data, ratio), expected)
