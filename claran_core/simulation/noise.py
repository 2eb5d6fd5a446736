"""Correlated noise that does not depend on the window.

White noise is drawn in blocks of tile pixels, each from its own stream.  Noise of W1 is smoothed with short
kernels in the image plane.  Noise of FIRST has the stripes of the VLA's three arms, which short kernels
cannot reproduce.  It is computed in fixed blocks by Fourier transforms of one size, because transforms of
different sizes differ in the last bits.
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
from claran_core.simulation.random_streams import Stream, grid_normals

__all__ = [
    "INFRARED_NOISE",
    "NoiseLayer",
    "correlated_noise",
    "first_noise",
    "surroundings",
    "white_noise",
]

BLOCK_PX = 32

# Block of FIRST noise: the transform without the borders that the kernel affects.
FIRST_BLOCK_PX = TRANSFORM_PX - 2 * KERNEL_RADIUS_PX

# Radius of Gaussian kernels in sigma, at 2e-3 of their peak.
KERNEL_SIGMA = 3.5

# Negative bowl around an extended source, caused by missing short baselines: background around 159 real
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
        Share of the total variance.
    fwhm_x_arcsec, fwhm_y_arcsec : float
        FWHM of the autocorrelation along the tile's rows (RA) and columns (Dec).
    """

    variance: float
    fwhm_x_arcsec: float
    fwhm_y_arcsec: float


# W1: sources too faint to be drawn individually, smoothed by the point-spread function, and the wings of
# bright sources.
INFRARED_NOISE = (NoiseLayer(0.5, 8.8, 8.8), NoiseLayer(0.5, 40.0, 40.0))


@lru_cache(maxsize=1024)
def _white_block(seed: int, stream: Stream, tile: int, layer: int, block_x: int, block_y: int) -> np.ndarray:
    return grid_normals((BLOCK_PX, BLOCK_PX), seed, stream, tile, layer, x=block_x, y=block_y)


def _put_together(window: TileWindow, size_px: int, block: Callable[[int, int], np.ndarray]) -> np.ndarray:
    """Return a window of a plane, ``(..., ny, nx)``, assembled from square blocks.

    `block` returns the block in a column and row of blocks, ``(..., size_px, size_px)``.
    """
    columns = range(window.x0 // size_px, (window.x0 + window.nx - 1) // size_px + 1)
    rows = range(window.y0 // size_px, (window.y0 + window.ny - 1) // size_px + 1)
    whole = np.concatenate(
        [np.concatenate([block(column, row) for column in columns], axis=-1) for row in rows], axis=-2
    )
    left, bottom = window.x0 - columns[0] * size_px, window.y0 - rows[0] * size_px
    return whole[..., bottom : bottom + window.ny, left : left + window.nx]


def white_noise(seed: int, stream: Stream, tile: int, layer: int, window: TileWindow) -> np.ndarray:
    """Return white noise of unit variance in a window of a tile.

    Returns
    -------
    (ny, nx) float64 array
        A tile pixel has the same value in all windows.
    """
    return _put_together(window, BLOCK_PX, partial(_white_block, seed, stream, tile, layer))


@lru_cache(maxsize=16)
def kernels(fwhm_px: float) -> np.ndarray:
    """Return kernels that interpolate white noise at nodes to pixels, for a Gaussian autocorrelation.

    Nodes one sigma apart are far fewer than pixels, and their variance has a ripple of only 2e-4.
    `fwhm_px` is the FWHM of the autocorrelation, which is sqrt(2) times that of the kernel.

    Returns
    -------
    (spacing, 2 r + 1) float64 array
        Weights of the surrounding nodes, for the pixels 0, 1 ... after a node.  The mean variance is 1.
    """
    sigma = fwhm_px / FWHM_PER_SIGMA / np.sqrt(2)
    spacing = max(1, round(sigma))
    radius = int(np.ceil(KERNEL_SIGMA * sigma / spacing))
    distance = np.arange(spacing)[:, None] - spacing * np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 * (distance / sigma) ** 2)
    return weights / np.sqrt((weights**2).sum() / spacing)


def _spread(nodes: np.ndarray, weights: np.ndarray, axis: int) -> np.ndarray:
    """Interpolate nodes to pixels along an axis, without the outermost nodes, which lack neighbours."""
    radius = weights.shape[1] // 2
    inner = [slice(None)] * 2
    inner[axis] = slice(radius, nodes.shape[axis] - radius)
    parts = [correlate1d(nodes, row, axis=axis)[tuple(inner)] for row in weights]
    shape = list(parts[0].shape)
    shape[axis] *= len(weights)
    return np.stack(parts, axis=axis + 1).reshape(shape)


def _nodes(start: int, size: int, spacing: int) -> tuple[int, int]:
    """Return the first node and the number of nodes whose pixels cover a range of pixels."""
    first = start // spacing
    return first, (start + size - 1) // spacing - first + 1


def correlated_noise(
    seed: int, stream: Stream, tile: Tile, layers: tuple[NoiseLayer, ...], window: TileWindow
) -> np.ndarray:
    """Return noise of unit variance with the autocorrelation of `layers`, in a window of a tile.

    Returns
    -------
    (ny, nx) float64 array
        FITS order; a tile pixel has the same bits in all windows.
    """
    noise = np.zeros(window.shape)
    for number, layer in enumerate(layers):
        along_x = kernels(layer.fwhm_x_arcsec / tile.grid.pixel_scale_arcsec)
        along_y = kernels(layer.fwhm_y_arcsec / tile.grid.pixel_scale_arcsec)
        x0, nx = _nodes(window.x0, window.nx, len(along_x))
        y0, ny = _nodes(window.y0, window.ny, len(along_y))
        wide = TileWindow(x0, y0, nx, ny).grown(along_x.shape[1] // 2, along_y.shape[1] // 2)
        white = white_noise(seed, stream, tile.index, number, wide)
        fine = _spread(_spread(white, along_x, axis=1), along_y, axis=0)
        left, bottom = window.x0 - x0 * len(along_x), window.y0 - y0 * len(along_y)
        shown = fine[bottom : bottom + window.ny, left : left + window.nx]
        noise += np.sqrt(layer.variance) * shown
    return noise


def first_noise(seed: int, tile: Tile, window: TileWindow) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the noise of FIRST in a window of a tile of 1.8" pixels, its smooth part, and white noise.

    The noise of a tile comes from one set of baselines, on average those of FIRST.  It has no power beyond
    the longest baseline; white noise represents the measured power there.  Adding more or less of the smooth
    part makes the noise smoother or sharper on large scales, which varies on the sky; `smoothed_rms` gives
    the effect on its level.

    Returns
    -------
    noise, smooth, white : (ny, nx) float32 arrays
        The first and the last have unit variance.  FITS order; a tile pixel has the same bits in all
        windows.
    """
    noise, smooth, white = _put_together(window, FIRST_BLOCK_PX, partial(_first_block, seed, tile.index))
    return noise, smooth, white


@lru_cache(maxsize=128)
def _first_block(seed: int, tile: int, block_x: int, block_y: int) -> np.ndarray:
    inner = TileWindow(block_x * FIRST_BLOCK_PX, block_y * FIRST_BLOCK_PX, FIRST_BLOCK_PX, FIRST_BLOCK_PX)
    outer = inner.grown(KERNEL_RADIUS_PX, KERNEL_RADIUS_PX)
    # Single precision is twice as fast, with an error of a millionth of the noise.
    white = white_noise(seed, Stream.RADIO_NOISE, tile, 0, outer).astype(np.float32)
    cut = slice(KERNEL_RADIUS_PX, KERNEL_RADIUS_PX + FIRST_BLOCK_PX)
    # Rows outside the block are not transformed back.
    rows = fft.ifft(fft.rfft2(white) * transfer(seed, tile), axis=1)[:, cut]
    return np.stack([*fft.irfft(rows, TRANSFORM_PX)[..., cut], white[cut, cut]])


@lru_cache(maxsize=1)
def surroundings() -> np.ndarray:
    """Return the pattern of `SURROUNDINGS` on pixels of 1.8"; ``(229, 229)``."""
    distance = 1.8 * np.hypot(*np.indices((2 * SURROUNDINGS_PX + 1,) * 2) - SURROUNDINGS_PX)
    return np.interp(distance, SURROUNDINGS_ARCSEC, SURROUNDINGS)
