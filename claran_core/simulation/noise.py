"""Correlated noise that does not depend on the window.

White noise is drawn in blocks of tile pixels, each from its own stream.  Noise of W1 is smoothed with short
kernels in the image plane.  Noise of FIRST has the stripes of the VLA's three arms, which short kernels
cannot reproduce.  It is computed in fixed blocks by Fourier transforms of one size, because transforms of
different sizes differ in the last bits.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import fft

from claran_core.common.compiled import compiled
from claran_core.common.constants import FWHM_PER_SIGMA
from claran_core.simulation.baselines import KERNEL_RADIUS_PX, TRANSFORM_PX, transfer
from claran_core.simulation.geometry import Tile, TileWindow
from claran_core.simulation.random_streams import Stream, plane_normals

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


def white_noise(seed: int, stream: Stream, tile: int, layer: int, window: TileWindow) -> np.ndarray:
    """Return white noise of unit variance in a window of a tile.

    Returns
    -------
    (ny, nx) float64 array
        A tile pixel has the same value in all windows.
    """
    place = window.x0, window.y0
    return plane_normals(window.shape, seed, stream, tile, layer, x0=place[0], y0=place[1], block_px=BLOCK_PX)


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
        left, bottom = window.x0 - x0 * len(along_x), window.y0 - y0 * len(along_y)
        _add_layer(noise, white, along_x, along_y, left, bottom, np.sqrt(layer.variance))
    return noise


@compiled
def _add_layer(
    noise: np.ndarray,
    nodes: np.ndarray,
    along_x: np.ndarray,
    along_y: np.ndarray,
    left: int,
    bottom: int,
    height: float,
) -> None:
    """Add one layer of noise to a window, interpolated from nodes along x and then along y.

    Parameters
    ----------
    noise : (ny, nx) float64 array
        The window.
    nodes : (my, mx) float64 array
        White noise at the nodes, with those beyond the window that the kernels need.
    along_x, along_y : (spacing, 2 r + 1) float64 arrays
        Kernels (`kernels`).
    left, bottom : int
        Pixels from the first inner node to the first pixel of the window.
    height : float
        Standard deviation of the layer.
    """
    ny, nx = noise.shape
    rows = np.empty((len(nodes), nx))
    spacing = len(along_x)
    for j in range(len(nodes)):
        for i in range(nx):
            node, weights = (left + i) // spacing, along_x[(left + i) % spacing]
            total = 0.0
            for k in range(len(weights)):
                total += weights[k] * nodes[j, node + k]
            rows[j, i] = total
    spacing = len(along_y)
    for j in range(ny):
        node, weights = (bottom + j) // spacing, height * along_y[(bottom + j) % spacing]
        for k in range(len(weights)):
            for i in range(nx):
                noise[j, i] += weights[k] * rows[node + k, i]


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
    size = FIRST_BLOCK_PX
    blocks = {
        (seed, tile.index, column, row): TileWindow(column * size, row * size, size, size)
        for row in range(window.y0 // size, (window.y0 + window.ny - 1) // size + 1)
        for column in range(window.x0 // size, (window.x0 + window.nx - 1) // size + 1)
    }
    known = {name: _RECENT[name] for name in blocks if name in _RECENT}
    known |= _first_blocks(seed, tile.index, {name: blocks[name] for name in blocks if name not in known})
    _keep(known)
    planes = np.empty((3, *window.shape), np.float32)
    for name, block in blocks.items():
        own, part = window.overlap(block)
        planes[:, *own] = known[name][:, *part]
    return planes[0], planes[1], planes[2]


# Seed, tile, column and row of a block of FIRST noise.
BlockName = tuple[int, int, int, int]

# The blocks computed last, which neighbouring windows need too.
MAX_RECENT = 128
_RECENT: dict[BlockName, np.ndarray] = {}


def _keep(blocks: dict[BlockName, np.ndarray]) -> None:
    """Keep blocks for later windows."""
    _RECENT.update(blocks)
    for name in list(_RECENT)[: max(len(_RECENT) - MAX_RECENT, 0)]:
        _RECENT.pop(name, None)


def _first_blocks(seed: int, tile: int, blocks: dict[BlockName, TileWindow]) -> dict[BlockName, np.ndarray]:
    """Return blocks of FIRST noise as `first_noise`, ``(3, FIRST_BLOCK_PX, FIRST_BLOCK_PX)`` each.

    White noise around all of them is drawn at once, because neighbouring blocks share it.
    """
    if not blocks:
        return {}
    around = TileWindow.around(list(blocks.values())).grown(KERNEL_RADIUS_PX, KERNEL_RADIUS_PX)
    # Single precision is twice as fast, with an error of a millionth of the noise.
    white = white_noise(seed, Stream.RADIO_NOISE, tile, 0, around).astype(np.float32)
    both = transfer(seed, tile)
    found = {}
    for name, block in blocks.items():
        outer = block.grown(KERNEL_RADIUS_PX, KERNEL_RADIUS_PX)
        found[name] = _first_block(white[around.overlap(outer)[0]], both)
    return found


def _first_block(white: np.ndarray, both: np.ndarray) -> np.ndarray:
    """Return a block of FIRST noise from white noise on the plane of the transforms."""
    cut = slice(KERNEL_RADIUS_PX, KERNEL_RADIUS_PX + FIRST_BLOCK_PX)
    # Rows outside the block are not transformed back.
    rows = fft.ifft(fft.rfft2(white) * both, axis=1, overwrite_x=True)[:, cut]
    block = np.empty((3, FIRST_BLOCK_PX, FIRST_BLOCK_PX), np.float32)
    block[:2], block[2] = fft.irfft(rows, TRANSFORM_PX)[..., cut], white[cut, cut]
    return block


@lru_cache(maxsize=1)
def surroundings() -> np.ndarray:
    """Return the pattern of `SURROUNDINGS` on pixels of 1.8"; ``(229, 229)``."""
    distance = 1.8 * np.hypot(*np.indices((2 * SURROUNDINGS_PX + 1,) * 2) - SURROUNDINGS_PX)
    return np.interp(distance, SURROUNDINGS_ARCSEC, SURROUNDINGS)
