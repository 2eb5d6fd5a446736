"""Correlated noise that any window shows the same way.

White noise is drawn in blocks of tile pixels, each from its own stream.  Noise of W1 is smoothed in space
with short kernels.  Noise of FIRST has the stripes of the VLA's three arms, which no short kernel has: it
is made in fixed blocks by Fourier transforms of one size, since transforms of different sizes differ in
the last bits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
from scipy import fft
from scipy.ndimage import correlate1d

from claran_core.common.constants import FWHM_PER_SIGMA
from claran_core.simulation.baselines import KERNEL_RADIUS_PX, TRANSFORM_PX, transfer
from claran_core.simulation.geometry import Tile, TileWindow
from claran_core.simulation.random_streams import Purpose, grid_normals

__all__ = [
    "INFRARED_NOISE",
    "NoiseLayer",
    "correlated_noise",
    "first_noise",
    "surroundings",
    "white_noise",
]

BLOCK_PX = 32

# FIRST noise is made in blocks that a transform gives whole: what kernels reach from the rim is cut off.
FIRST_BLOCK_PX = TRANSFORM_PX - 2 * KERNEL_RADIUS_PX

# Gaussian kernels end at this many sigma, where they have fallen to 2e-3 of their peak.
KERNEL_SIGMA = 3.5

# Surroundings of an extended source, where the missing short baselines are felt: background around 159 real
# sources relative to its depth, at distances in arcsec (benchmarks/sky/radio_sky.py).
SURROUNDINGS_ARCSEC = (0.0, 30.0, 60.0, 125.0, 155.0, 165.0, 185.0, 205.0)
SURROUNDINGS = (1.3, 1.3, 1.0, 1.0, 0.0, -0.6, -0.6, 0.0)
SURROUNDINGS_PX = 114


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


# W1: what is left of the sources too faint to be drawn one by one, hence smoothed by the point-spread
# function, and of the wings of bright ones.
INFRARED_NOISE = (NoiseLayer(0.5, 8.8, 8.8), NoiseLayer(0.5, 40.0, 40.0))


@lru_cache(maxsize=1024)
def _white_block(
    seed: int, purpose: Purpose, tile: int, layer: int, block_x: int, block_y: int
) -> np.ndarray:
    return grid_normals((BLOCK_PX, BLOCK_PX), seed, purpose, tile, layer, x=block_x, y=block_y)


def _put_together(window: TileWindow, size_px: int, block: Callable[[int, int], np.ndarray]) -> np.ndarray:
    """TileWindow of a plane, ``(..., ny, nx)``, made of the square blocks that it shares a pixel with.

    `block` makes the one in a column and row of blocks, ``(..., size_px, size_px)``.
    """
    columns = range(window.x0 // size_px, (window.x0 + window.nx - 1) // size_px + 1)
    rows = range(window.y0 // size_px, (window.y0 + window.ny - 1) // size_px + 1)
    whole = np.concatenate(
        [np.concatenate([block(column, row) for column in columns], axis=-1) for row in rows], axis=-2
    )
    left, bottom = window.x0 - columns[0] * size_px, window.y0 - rows[0] * size_px
    return whole[..., bottom : bottom + window.ny, left : left + window.nx]


def white_noise(seed: int, purpose: Purpose, tile: int, layer: int, window: TileWindow) -> np.ndarray:
    """White noise of unit variance in a window of a tile.

    Returns
    -------
    (ny, nx) float64 array
        The same values at the same tile pixels, whatever the window.
    """
    return _put_together(window, BLOCK_PX, partial(_white_block, seed, purpose, tile, layer))


@lru_cache(maxsize=16)
def kernels(fwhm_px: float) -> np.ndarray:
    """Kernels that spread white noise from nodes to the pixels between, for a Gaussian autocorrelation.

    Nodes one sigma apart show in the variance by a ripple of 2e-4, and are far fewer than pixels.  The
    autocorrelation of a Gaussian is wider than it by sqrt(2): `fwhm_px` is that of the autocorrelation.

    Returns
    -------
    (spacing, 2 r + 1) float64 array
        Weights of the nodes around, for a pixel 0, 1 ... after a node.  The mean variance is 1.
    """
    sigma = fwhm_px / FWHM_PER_SIGMA / np.sqrt(2)
    spacing = max(1, round(sigma))
    radius = int(np.ceil(KERNEL_SIGMA * sigma / spacing))
    distance = np.arange(spacing)[:, None] - spacing * np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 * (distance / sigma) ** 2)
    return weights / np.sqrt((weights**2).sum() / spacing)


def _spread(nodes: np.ndarray, weights: np.ndarray, axis: int) -> np.ndarray:
    """Values at all pixels along an axis, without those of the outermost nodes, which lack neighbours."""
    radius = weights.shape[1] // 2
    inner = [slice(None)] * 2
    inner[axis] = slice(radius, nodes.shape[axis] - radius)
    parts = [correlate1d(nodes, row, axis=axis)[tuple(inner)] for row in weights]
    shape = list(parts[0].shape)
    shape[axis] *= len(weights)
    return np.stack(parts, axis=axis + 1).reshape(shape)


def _nodes(start: int, size: int, spacing: int) -> tuple[int, int]:
    """First node, and number of nodes, whose pixels cover a range of pixels."""
    first = start // spacing
    return first, (start + size - 1) // spacing - first + 1


def correlated_noise(
    seed: int, purpose: Purpose, tile: Tile, layers: tuple[NoiseLayer, ...], window: TileWindow
) -> np.ndarray:
    """Noise of unit variance with the autocorrelation of `layers`, in a window of a tile.

    Returns
    -------
    (ny, nx) float64 array
        FITS order; the same bits at the same tile pixels, whatever the window.
    """
    noise = np.zeros(window.shape)
    for number, layer in enumerate(layers):
        along_x = kernels(layer.fwhm_x_arcsec / tile.grid.pixel_scale_arcsec)
        along_y = kernels(layer.fwhm_y_arcsec / tile.grid.pixel_scale_arcsec)
        x0, nx = _nodes(window.x0, window.nx, len(along_x))
        y0, ny = _nodes(window.y0, window.ny, len(along_y))
        wide = TileWindow(x0, y0, nx, ny).grown(along_x.shape[1] // 2, along_y.shape[1] // 2)
        white = white_noise(seed, purpose, tile.index, number, wide)
        fine = _spread(_spread(white, along_x, axis=1), along_y, axis=0)
        left, bottom = window.x0 - x0 * len(along_x), window.y0 - y0 * len(along_y)
        shown = fine[bottom : bottom + window.ny, left : left + window.nx]
        noise += np.sqrt(layer.variance) * shown
    return noise


def first_noise(seed: int, tile: Tile, window: TileWindow) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Noise of FIRST in a window of a tile of 1.8" pixels, its smooth part, and white noise.

    A tile's noise comes from one set of baselines, FIRST's on average.  It has no power beyond the longest;
    white noise stands for what is there all the same.  Adding more or less of the smooth part makes noise
    that is smoother or sharper on large scales, as places differ; `smoothed_rms` says what that does to its
    level.

    Returns
    -------
    noise, smooth, white : (ny, nx) float32 arrays
        The first and the last have unit variance.  FITS order; the same bits at the same tile pixels,
        whatever the window.
    """
    noise, smooth, white = _put_together(window, FIRST_BLOCK_PX, partial(_first_block, seed, tile.index))
    return noise, smooth, white


@lru_cache(maxsize=128)
def _first_block(seed: int, tile: int, block_x: int, block_y: int) -> np.ndarray:
    inner = TileWindow(block_x * FIRST_BLOCK_PX, block_y * FIRST_BLOCK_PX, FIRST_BLOCK_PX, FIRST_BLOCK_PX)
    outer = inner.grown(KERNEL_RADIUS_PX, KERNEL_RADIUS_PX)
    # Single precision: twice as fast, and a millionth of the noise is not missed.
    white = white_noise(seed, Purpose.RADIO_NOISE, tile, 0, outer).astype(np.float32)
    cut = slice(KERNEL_RADIUS_PX, KERNEL_RADIUS_PX + FIRST_BLOCK_PX)
    # Rows that are cut off are not transformed back.
    rows = fft.ifft(fft.rfft2(white) * transfer(seed, tile), axis=1)[:, cut]
    return np.stack([*fft.irfft(rows, TRANSFORM_PX)[..., cut], white[cut, cut]])


@lru_cache(maxsize=1)
def surroundings() -> np.ndarray:
    """Pattern of `SURROUNDINGS` on pixels of 1.8"; ``(229, 229)``."""
    distance = 1.8 * np.hypot(*np.indices((2 * SURROUNDINGS_PX + 1,) * 2) - SURROUNDINGS_PX)
    return np.interp(distance, SURROUNDINGS_ARCSEC, SURROUNDINGS)
