"""Correlated noise that any window shows the same way.

White noise is drawn in blocks of tile pixels, each from its own stream, and smoothed in space with short
kernels.  Fourier transforms are avoided on purpose: transforms of different sizes differ in the last bits.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import correlate1d

from claran_core.survey.simulated.gaussians import FWHM_PER_SIGMA
from claran_core.survey.simulated.geometry import Tile, Window
from claran_core.survey.simulated.streams import Purpose, generator

__all__ = ["INFRARED_NOISE", "RADIO_NOISE", "NoiseLayer", "correlated_noise", "white_noise"]

BLOCK_PX = 64

# Blocks are counted from here, because the words of a stream's name must not be negative.
FIRST_BLOCK = 1 << 20

# Kernels end at this many sigma, where they have fallen to 2e-3 of their peak.
KERNEL_SIGMA = 3.5


@dataclass(frozen=True)
class NoiseLayer:
    """One part of a survey's noise, with a Gaussian autocorrelation.

    Attributes
    ----------
    variance : float
        Share of the whole noise's variance.
    fwhm_x_arcsec, fwhm_y_arcsec : float
        FWHM of the autocorrelation along the tile's rows (RA) and columns (Dec).
    """

    variance: float
    fwhm_x_arcsec: float
    fwhm_y_arcsec: float


# FIRST: two-Gaussian model of 6,639 source-free tiles, whose broad part is wider in RA.
RADIO_NOISE = (NoiseLayer(0.795, 4.75, 5.0), NoiseLayer(0.205, 36.0, 20.0))

# W1: what is left of the sources too faint to be drawn one by one, hence smoothed by the point-spread
# function, and of the wings of bright ones.
INFRARED_NOISE = (NoiseLayer(0.65, 11.0, 11.0), NoiseLayer(0.35, 34.0, 34.0))


def white_noise(seed: int, purpose: Purpose, tile: int, layer: int, window: Window) -> np.ndarray:
    """White noise of unit variance in a window of a tile.

    Returns
    -------
    (ny, nx) float64 array
        The same values at the same tile pixels, whatever the window.
    """
    image = np.empty(window.shape)
    for block_y in range(window.y0 // BLOCK_PX, (window.y0 + window.ny - 1) // BLOCK_PX + 1):
        for block_x in range(window.x0 // BLOCK_PX, (window.x0 + window.nx - 1) // BLOCK_PX + 1):
            rng = generator(seed, purpose, tile, layer, FIRST_BLOCK + block_y, FIRST_BLOCK + block_x)
            block = rng.standard_normal((BLOCK_PX, BLOCK_PX))
            left, bottom = block_x * BLOCK_PX - window.x0, block_y * BLOCK_PX - window.y0
            x0, x1 = max(left, 0), min(left + BLOCK_PX, window.nx)
            y0, y1 = max(bottom, 0), min(bottom + BLOCK_PX, window.ny)
            image[y0:y1, x0:x1] = block[y0 - bottom : y1 - bottom, x0 - left : x1 - left]
    return image


def kernel(fwhm_px: float) -> np.ndarray:
    """One-dimensional kernel that gives white noise unit variance and a Gaussian autocorrelation.

    The autocorrelation of a Gaussian is wider than it by sqrt(2): `fwhm_px` is that of the autocorrelation.
    """
    sigma = fwhm_px / FWHM_PER_SIGMA / np.sqrt(2)
    radius = int(np.ceil(KERNEL_SIGMA * sigma))
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return weights / np.sqrt((weights**2).sum())


def correlated_noise(
    seed: int, purpose: Purpose, tile: Tile, layers: tuple[NoiseLayer, ...], window: Window
) -> np.ndarray:
    """Noise of unit variance with the autocorrelation of `layers`, in a window of a tile.

    Returns
    -------
    (ny, nx) float64 array
        FITS order; the same bits at the same tile pixels, whatever the window.
    """
    noise = np.zeros(window.shape)
    for number, layer in enumerate(layers):
        along_x = kernel(layer.fwhm_x_arcsec / tile.grid.pixel_scale_arcsec)
        along_y = kernel(layer.fwhm_y_arcsec / tile.grid.pixel_scale_arcsec)
        wide = window.grown(along_x.size // 2, along_y.size // 2)
        white = white_noise(seed, purpose, tile.index, number, wide)
        smooth = correlate1d(correlate1d(white, along_x, axis=1), along_y, axis=0)
        inner = (
            slice(along_y.size // 2, -(along_y.size // 2)),
            slice(along_x.size // 2, -(along_x.size // 2)),
        )
        noise += np.sqrt(layer.variance) * smooth[inner]
    return noise
