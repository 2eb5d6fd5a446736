"""Noise of the simulated sky: unit variance, the autocorrelation asked for, no trace of blocks."""

import numpy as np
import pytest

from claran_core.survey.simulated.geometry import TileGrid, Window
from claran_core.survey.simulated.noise import (
    BLOCK_PX,
    RADIO_NOISE,
    NoiseLayer,
    correlated_noise,
    kernel,
    white_noise,
)
from claran_core.survey.simulated.streams import Purpose

TILE = TileGrid(nside=128, pixel_scale_arcsec=1.8, size_px=2000).tile(7)


def autocorrelation(image: np.ndarray, lag_x: int, lag_y: int) -> float:
    ny, nx = image.shape
    return float((image[lag_y:, lag_x:] * image[: ny - lag_y, : nx - lag_x]).mean() / (image**2).mean())


def test_kernel_gives_unit_variance_and_the_autocorrelation() -> None:
    weights = kernel(8.0)
    assert (weights**2).sum() == pytest.approx(1.0)
    half = np.correlate(weights, weights, "full")[weights.size - 1 + 4]  # lag of half the FWHM
    assert half == pytest.approx(0.5, abs=0.01)


def test_white_noise_is_white_and_unlike_in_each_block_layer_and_tile() -> None:
    window = Window(-100, 30, 300, 200)
    noise = white_noise(1, Purpose.RADIO_NOISE, 7, 0, window)
    assert noise.shape == window.shape
    assert noise.mean() == pytest.approx(0, abs=0.02) and noise.std() == pytest.approx(1, abs=0.02)
    for lag_x, lag_y in ((1, 0), (0, 1), (BLOCK_PX, 0), (0, BLOCK_PX)):
        assert abs(autocorrelation(noise, lag_x, lag_y)) < 0.02
    for other in (
        (2, Purpose.RADIO_NOISE, 7, 0),
        (1, Purpose.INFRARED_NOISE, 7, 0),
        (1, Purpose.RADIO_NOISE, 8, 0),
    ):
        assert abs((noise * white_noise(*other, window)).mean()) < 0.02
    assert abs((noise * white_noise(1, Purpose.RADIO_NOISE, 7, 1, window)).mean()) < 0.02


@pytest.mark.parametrize("window", [Window(-70, -3, 20, 90), Window(0, 0, 1, 1), Window(63, 64, 2, 130)])
def test_white_noise_does_not_depend_on_the_window(window: Window) -> None:
    wide = white_noise(3, Purpose.RADIO_NOISE, 7, 0, Window(-200, -200, 500, 500))
    part = wide[window.y0 + 200 : window.y0 + 200 + window.ny, window.x0 + 200 : window.x0 + 200 + window.nx]
    np.testing.assert_array_equal(white_noise(3, Purpose.RADIO_NOISE, 7, 0, window), part)


def test_one_layer_is_gaussian_correlated_and_wider_in_x() -> None:
    layers = (NoiseLayer(1.0, 18.0, 7.2),)  # 10 and 4 px
    noise = correlated_noise(1, Purpose.RADIO_NOISE, TILE, layers, Window(0, 0, 700, 700))
    assert noise.std() == pytest.approx(1, abs=0.05)
    assert autocorrelation(noise, 5, 0) == pytest.approx(0.5, abs=0.05)
    assert autocorrelation(noise, 0, 2) == pytest.approx(0.5, abs=0.05)


def test_radio_noise_matches_first() -> None:
    # Lags of 1, 2, 3 and 5 pixels on source-free FIRST images, along RA and along Dec.
    noise = correlated_noise(2, Purpose.RADIO_NOISE, TILE, RADIO_NOISE, Window(0, 0, 900, 900))
    assert noise.std() == pytest.approx(1, abs=0.05)
    along_ra = [autocorrelation(noise, lag, 0) for lag in (1, 2, 3, 5)]
    along_dec = [autocorrelation(noise, 0, lag) for lag in (1, 2, 3, 5)]
    assert along_ra == pytest.approx([0.734, 0.332, 0.202, 0.229], abs=0.07)
    assert along_dec == pytest.approx([0.768, 0.386, 0.217, 0.109], abs=0.04)


@pytest.mark.data
def test_radio_noise_matches_the_measured_autocorrelation(shared_data) -> None:
    real = np.load(shared_data / "first_noise_acf.npy")
    noise = correlated_noise(3, Purpose.RADIO_NOISE, TILE, RADIO_NOISE, Window(0, 0, 900, 900))
    centre = real.shape[0] // 2
    # Two elliptical Gaussians have no diagonal stripes (sidelobes along the arms of the array): up to 0.11.
    ours = [[autocorrelation(noise, x, y) for x in range(8)] for y in range(8)]
    assert np.abs(np.array(ours) - real[centre : centre + 8, centre : centre + 8]).max() < 0.13
