"""Noise of the simulated sky: unit variance, the specified autocorrelation, no trace of blocks."""

from pathlib import Path

import numpy as np
import pytest

from claran_core.simulation.baselines import smoothed_rms
from claran_core.simulation.geometry import TileGrid, TileWindow
from claran_core.simulation.noise import (
    BLOCK_PX,
    FIRST_BLOCK_PX,
    NoiseLayer,
    correlated_noise,
    first_noise,
    kernels,
    surroundings,
    white_noise,
)
from claran_core.simulation.radio import SMOOTHNESS_MEAN
from claran_core.simulation.random_streams import Stream

TILE = TileGrid(nside=128, pixel_scale_arcsec=1.8, size_px=2000).tile(7)


def autocorrelation(image: np.ndarray, lag_x: int, lag_y: int) -> float:
    ny, nx = image.shape
    return float((image[lag_y:, lag_x:] * image[: ny - lag_y, : nx - lag_x]).mean() / (image**2).mean())


def test_kernel_gives_unit_variance_and_the_autocorrelation() -> None:
    weights = kernels(8.0)  # sigma of the kernel: 8 / 2.355 / sqrt(2) = 2.40 px, hence nodes every second
    assert weights.shape == (2, 11)
    assert (weights**2).sum(axis=1) == pytest.approx([1.0, 1.0], abs=1e-3)
    # Two nodes on is four pixels on, half of the FWHM.
    half = (weights[0, 2:] * weights[0, :-2]).sum()
    assert half == pytest.approx(0.5, abs=0.01)


def test_white_noise_is_white_and_independent_between_blocks_layers_and_tiles() -> None:
    window = TileWindow(-100, 30, 300, 200)
    noise = white_noise(1, Stream.RADIO_NOISE, 7, 0, window)
    assert noise.shape == window.shape
    assert noise.mean() == pytest.approx(0, abs=0.02) and noise.std() == pytest.approx(1, abs=0.02)
    for lag_x, lag_y in ((1, 0), (0, 1), (BLOCK_PX, 0), (0, BLOCK_PX)):
        assert abs(autocorrelation(noise, lag_x, lag_y)) < 0.02
    for other in (
        (2, Stream.RADIO_NOISE, 7, 0),
        (1, Stream.INFRARED_NOISE, 7, 0),
        (1, Stream.RADIO_NOISE, 8, 0),
    ):
        assert abs((noise * white_noise(*other, window)).mean()) < 0.02
    assert abs((noise * white_noise(1, Stream.RADIO_NOISE, 7, 1, window)).mean()) < 0.02


@pytest.mark.parametrize(
    "window", [TileWindow(-70, -3, 20, 90), TileWindow(0, 0, 1, 1), TileWindow(63, 64, 2, 130)]
)
def test_noise_does_not_depend_on_the_window(window: TileWindow) -> None:
    wide = TileWindow(-200, -200, 500, 500)
    rows = slice(window.y0 + 200, window.y0 + 200 + window.ny)
    columns = slice(window.x0 + 200, window.x0 + 200 + window.nx)
    white = white_noise(3, Stream.RADIO_NOISE, 7, 0, wide)
    np.testing.assert_array_equal(white_noise(3, Stream.RADIO_NOISE, 7, 0, window), white[rows, columns])
    for part, whole in zip(first_noise(3, TILE, window), first_noise(3, TILE, wide), strict=True):
        np.testing.assert_array_equal(part, whole[rows, columns])


def test_one_layer_is_gaussian_correlated_and_wider_in_x() -> None:
    layers = (NoiseLayer(1.0, 18.0, 7.2),)  # 10 and 4 px
    noise = correlated_noise(1, Stream.RADIO_NOISE, TILE, layers, TileWindow(0, 0, 700, 700))
    assert noise.std() == pytest.approx(1, abs=0.05)
    assert autocorrelation(noise, 5, 0) == pytest.approx(0.5, abs=0.05)
    assert autocorrelation(noise, 0, 2) == pytest.approx(0.5, abs=0.05)


GRID = TileGrid(nside=128, pixel_scale_arcsec=1.8, size_px=2000)


@pytest.fixture(scope="module")
def radio_noise() -> np.ndarray:
    """Noise and smooth part of sixty tiles, ``(2, 60, 256, 256)``: each has baselines of its own."""
    planes = [first_noise(2, GRID.tile(tile), TileWindow(0, 0, 256, 256))[:2] for tile in range(60)]
    return np.stack([np.stack(kind) for kind in zip(*planes, strict=True)])


def mean_autocorrelation(images: np.ndarray, lag_x: int, lag_y: int) -> float:
    return float(np.mean([autocorrelation(image, lag_x, lag_y) for image in images]))


def test_radio_noise_matches_first(radio_noise: np.ndarray) -> None:
    # Lags of 1, 2, 3 and 5 pixels on source-free FIRST images, along RA and along Dec, and diagonally.
    assert radio_noise[0].std() == pytest.approx(1, abs=0.03)
    noise = radio_noise[0] + SMOOTHNESS_MEAN * radio_noise[1]
    lags = (1, 2, 3, 5)
    along_x = [mean_autocorrelation(noise, lag, 0) for lag in lags]
    along_y = [mean_autocorrelation(noise, 0, lag) for lag in lags]
    diagonal = [mean_autocorrelation(noise, lag, lag) for lag in lags]
    assert along_x == pytest.approx([0.734, 0.332, 0.202, 0.229], abs=0.05)
    assert along_y == pytest.approx([0.768, 0.386, 0.217, 0.109], abs=0.05)
    assert diagonal == pytest.approx([0.58, 0.24, 0.184, 0.097], abs=0.05)
    assert (noise**4).mean() / (noise**2).mean() ** 2 == pytest.approx(3.0, abs=0.1)  # Gaussian


@pytest.mark.data
def test_radio_noise_matches_the_measured_autocorrelation(shared_data: Path, radio_noise: np.ndarray) -> None:
    real = np.load(shared_data / "first_noise_acf.npy")
    centre = real.shape[0] // 2
    # Stripes included: 20 pixels along the three arms, and between them.
    lags = range(0, 21, 4)
    noise = radio_noise[0] + SMOOTHNESS_MEAN * radio_noise[1]
    ours = [[mean_autocorrelation(noise, x, y) for x in lags] for y in lags]
    expected = real[centre : centre + 21 : 4, centre : centre + 21 : 4]
    assert np.abs(np.array(ours) - expected).max() < 0.07


def test_tiles_differ_in_their_baselines(radio_noise: np.ndarray) -> None:
    of_tile = [autocorrelation(image, 5, 0) for image in radio_noise[0]]
    assert 0.03 < np.std(of_tile) < 0.15  # 0.09 on real cut-outs, sources' surroundings included


def test_radio_noise_has_no_power_beyond_the_longest_baselines(radio_noise: np.ndarray) -> None:
    window = np.outer(np.hanning(256), np.hanning(256))
    power = np.mean([np.abs(np.fft.fft2(image * window)) ** 2 for image in radio_noise[0]], axis=0)
    frequency = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.fftfreq(256))
    assert power[frequency > 0.5].mean() < 1e-4 * power[frequency < 0.1].mean()


def test_radio_noise_shows_no_blocks(radio_noise: np.ndarray) -> None:
    step = np.abs(np.diff(radio_noise[0], axis=2)).mean(axis=(0, 1))
    at_borders = step[FIRST_BLOCK_PX - 1 :: FIRST_BLOCK_PX]
    assert at_borders.mean() == pytest.approx(step.mean(), rel=0.03)


@pytest.mark.parametrize("amount", [-0.4, 0.5, 1.5])
def test_smooth_part_makes_noise_smoother_with_the_predicted_rms(
    radio_noise: np.ndarray, amount: float
) -> None:
    noise, smooth = radio_noise
    changed = noise + amount * smooth
    assert changed.std() == pytest.approx(float(smoothed_rms(np.array(amount))), rel=0.07)
    smoother = mean_autocorrelation(changed, 2, 0) - mean_autocorrelation(noise, 2, 0)
    assert smoother * amount > 0.03 * abs(amount)


def test_negative_bowl_is_round_flat_and_finite() -> None:
    shape = surroundings()
    middle = shape.shape[0] // 2
    assert shape[middle, middle + 50] == pytest.approx(1.0) == pytest.approx(shape[middle - 50, middle])
    assert shape[middle, middle + 95] < 0  # a faint ring of the opposite sign
    assert np.abs(shape[0]).max() == 0
