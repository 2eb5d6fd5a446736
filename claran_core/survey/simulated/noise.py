"""Correlated noise that any window shows the same way, and the pattern of residual sidelobes.

White noise is drawn in blocks of tile pixels, each from its own stream.  Noise of W1 is smoothed in space
with short kernels.  Noise of FIRST has the stripes of the VLA's three arms, which no short kernel has: it
is made in fixed blocks by Fourier transforms of one size, since transforms of different sizes differ in
the last bits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from scipy import fft
from scipy.ndimage import affine_transform, correlate1d, gaussian_filter
from scipy.signal import convolve2d

from claran_core.survey.base import FWHM_PER_SIGMA
from claran_core.survey.simulated.geometry import Tile, Window
from claran_core.survey.simulated.streams import Purpose, generator, grid_normals

__all__ = [
    "FIRST_KERNEL",
    "INFRARED_NOISE",
    "KERNEL_RADIUS_PX",
    "NoiseLayer",
    "correlated_noise",
    "first_noise",
    "sidelobe_pattern",
    "smoothed_rms",
    "surroundings",
    "white_noise",
]

BLOCK_PX = 32

# Gaussian kernels end at this many sigma, where they have fallen to 2e-3 of their peak.
KERNEL_SIGMA = 3.5

# FIRST noise is made in blocks of two by two white ones, from these and one more on every side.
FIRST_BLOCK_PX = 2 * BLOCK_PX
KERNEL_RADIUS_PX = BLOCK_PX
TRANSFORM_PX = FIRST_BLOCK_PX + 2 * KERNEL_RADIUS_PX

# Sets of baselines that tiles have, and how they differ: clumps (relative, reach of the kernel they may
# take), turn, stretch; as the power spectra of 151 cut-outs differ from their mean.
N_KERNELS, KERNELS_SEED = 48, 1993
CLUMPINESS, CLUMP_REACH_PX = 0.55, 30
TURN_DEG, STRETCH = 2.5, 0.04

# Beyond the longest baselines the power has fallen below this part of its maximum.
COVERED_ABOVE = 3e-4

# Smoothing (sigma) that gives the part of the noise by which fields differ.
SMOOTH_PX = 3.0

# Surroundings of an extended source, where the missing short baselines are felt: background around 159 real
# sources relative to its depth, at distances in arcsec (benchmarks/radio_sky.py).
SURROUNDINGS_ARCSEC = (0.0, 30.0, 60.0, 125.0, 155.0, 165.0, 185.0, 205.0)
SURROUNDINGS = (1.3, 1.3, 1.0, 1.0, 0.0, -0.6, -0.6, 0.0)
SURROUNDINGS_PX = 114

# Residual sidelobes are drawn this far from a source, and begin outside the main lobe.
SIDELOBES_PX = 84
MAIN_LOBE_PX = 4.0
HALO_PX = (10.0, 16.0)

# Stripes of the VLA's arms: directions on the image (from the x axis), width, and height at distances from
# the source, from 20 px on as measured along them around 151 real subjects.
STRIPE_ANGLES_DEG = (0.0, 61.5, 118.5)
STRIPE_SIGMA_PX = 1.7
STRIPES_FROM_PX = (18.0, 30.0)
STRIPE_PX = (0.0, 20.0, 33.0, 48.0, 65.0, 84.0)
STRIPE_HEIGHT = (0.10, 0.10, 0.08, 0.045, 0.025, 0.0)


def _read_kernel() -> np.ndarray:
    """Kernel of FIRST's noise (benchmarks/first_noise.py), ``(65, 65)``; half of it is in the file."""
    half = np.loadtxt(Path(__file__).with_name("first_noise_kernel.csv"), delimiter=",")
    kernel = np.concatenate([half, half[-2::-1, ::-1]])
    return kernel / np.sqrt((kernel**2).sum())


FIRST_KERNEL = _read_kernel()


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


def _put_together(window: Window, size_px: int, block: Callable[[int, int], np.ndarray]) -> np.ndarray:
    """Window of a plane, ``(..., ny, nx)``, made of the square blocks that it shares a pixel with.

    `block` makes the one in a column and row of blocks, ``(..., size_px, size_px)``.
    """
    columns = range(window.x0 // size_px, (window.x0 + window.nx - 1) // size_px + 1)
    rows = range(window.y0 // size_px, (window.y0 + window.ny - 1) // size_px + 1)
    whole = np.concatenate(
        [np.concatenate([block(column, row) for column in columns], axis=-1) for row in rows], axis=-2
    )
    left, bottom = window.x0 - columns[0] * size_px, window.y0 - rows[0] * size_px
    return whole[..., bottom : bottom + window.ny, left : left + window.nx]


def white_noise(seed: int, purpose: Purpose, tile: int, layer: int, window: Window) -> np.ndarray:
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
        along_x = kernels(layer.fwhm_x_arcsec / tile.grid.pixel_scale_arcsec)
        along_y = kernels(layer.fwhm_y_arcsec / tile.grid.pixel_scale_arcsec)
        x0, nx = _nodes(window.x0, window.nx, len(along_x))
        y0, ny = _nodes(window.y0, window.ny, len(along_y))
        wide = Window(x0, y0, nx, ny).grown(along_x.shape[1] // 2, along_y.shape[1] // 2)
        white = white_noise(seed, purpose, tile.index, number, wide)
        fine = _spread(_spread(white, along_x, axis=1), along_y, axis=0)
        left, bottom = window.x0 - x0 * len(along_x), window.y0 - y0 * len(along_y)
        shown = fine[bottom : bottom + window.ny, left : left + window.nx]
        noise += np.sqrt(layer.variance) * shown
    return noise


def first_noise(seed: int, tile: Tile, window: Window) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Noise of FIRST in a window of a tile of 1.8" pixels, its smooth part, and white noise.

    A tile's noise comes from one set of baselines (`_kernel`), FIRST's on average.  It has no power beyond
    the longest; white noise stands for what resampling leaves there.  Adding more or less of the smooth
    part makes noise that is smoother or sharper, as fields differ; `smoothed_rms` says what that does to
    the noise level.

    Returns
    -------
    noise, smooth, white : (ny, nx) float32 arrays
        The first and the last have unit variance.  FITS order; the same bits at the same tile pixels,
        whatever the window.
    """
    noise, smooth, white = _put_together(window, FIRST_BLOCK_PX, partial(_first_block, seed, tile.index))
    return noise, smooth, white


@lru_cache(maxsize=512)
def _first_block(seed: int, tile: int, block_x: int, block_y: int) -> np.ndarray:
    inner = Window(block_x * FIRST_BLOCK_PX, block_y * FIRST_BLOCK_PX, FIRST_BLOCK_PX, FIRST_BLOCK_PX)
    outer = inner.grown(KERNEL_RADIUS_PX, KERNEL_RADIUS_PX)
    # Single precision: twice as fast, and a millionth of the noise is not missed.
    white = white_noise(seed, Purpose.RADIO_NOISE, tile, 0, outer).astype(np.float32)
    cut = slice(KERNEL_RADIUS_PX, KERNEL_RADIUS_PX + FIRST_BLOCK_PX)
    # Rows that are cut off are not transformed back.
    rows = fft.ifft(fft.rfft2(white) * _response(_kernel_of(seed, tile)), axis=1)[:, cut]
    return np.stack([*fft.irfft(rows, TRANSFORM_PX)[..., cut], white[cut, cut]])


@lru_cache(maxsize=64)
def _kernel_of(seed: int, tile: int) -> int:
    """Number of the set of baselines that a tile has."""
    return int(generator(seed, Purpose.RADIO_BASELINES, tile).integers(N_KERNELS))


@lru_cache(maxsize=N_KERNELS)
def _kernel(number: int) -> np.ndarray:
    """Kernel of one set of baselines, ``(65, 65)``: FIRST's, turned and stretched a little, and clumpy.

    A short observation fills the plane of baselines in clumps; the average over many is smooth.
    """
    rng = np.random.default_rng([KERNELS_SEED, number])
    power = _stretched(np.abs(fft.fft2(_centred(FIRST_KERNEL))) ** 2, rng)
    # Short baselines lie closer together.
    length = np.hypot(fft.fftfreq(TRANSFORM_PX)[:, None], fft.fftfreq(TRANSFORM_PX))
    amplitude = np.sqrt(power) * (1 + CLUMPINESS * np.clip(length / 0.06, 0.4, 1) * _clumps(rng))
    covered = power > COVERED_ABOVE * power.max()
    distance = np.hypot(*np.indices(FIRST_KERNEL.shape) - KERNEL_RADIUS_PX)
    fade = np.clip(4 * (1 - distance / KERNEL_RADIUS_PX), 0, 1)
    for _ in range(4):  # within the baselines and within the radius, in turn
        kernel = _cropped(fft.ifft2(amplitude * covered).real) * fade
        amplitude = fft.fft2(_centred(kernel)).real
    return kernel / np.sqrt((kernel**2).sum())


def _stretched(power: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Power spectrum of baselines seen from a slightly different direction."""
    turn, scales = np.deg2rad(rng.normal(0, TURN_DEG)), rng.normal(1, STRETCH, 2)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) * scales
    middle = np.full(2, power.shape[0] // 2)
    shifted = fft.fftshift(power)
    turned = affine_transform(shifted, matrix, middle - matrix @ middle, order=1)
    turned = 0.5 * (turned + np.roll(turned[::-1, ::-1], (1, 1), (0, 1)))  # noise is real
    return np.clip(fft.ifftshift(turned), 0, None)


def _clumps(rng: np.random.Generator) -> np.ndarray:
    """Real, even random field of unit variance over the plane of baselines, as fine as kernels allow."""
    width = 2 * KERNEL_RADIUS_PX + 1
    weights = rng.standard_normal((width, width))
    distance = np.hypot(*np.indices(weights.shape) - KERNEL_RADIUS_PX)
    weights = np.where((distance > 0) & (distance < CLUMP_REACH_PX), weights + weights[::-1, ::-1], 0)
    clumps = fft.fft2(_centred(weights)).real
    return clumps / clumps.std()


def _centred(kernel: np.ndarray) -> np.ndarray:
    """A kernel on the plane of the transforms, its middle at the first pixel."""
    plane = np.zeros((TRANSFORM_PX, TRANSFORM_PX))
    plane[: kernel.shape[0], : kernel.shape[1]] = kernel
    return np.roll(plane, (-KERNEL_RADIUS_PX, -KERNEL_RADIUS_PX), (0, 1))


def _cropped(plane: np.ndarray) -> np.ndarray:
    """The inverse of `_centred`."""
    width = 2 * KERNEL_RADIUS_PX + 1
    return np.roll(plane, (KERNEL_RADIUS_PX, KERNEL_RADIUS_PX), (0, 1))[:width, :width]


def _smoothed(kernel: np.ndarray) -> np.ndarray:
    return gaussian_filter(kernel, SMOOTH_PX, mode="constant")


@lru_cache(maxsize=N_KERNELS)
def _response(number: int) -> np.ndarray:
    kernel = _kernel(number)
    planes = np.stack([_centred(kernel), _centred(_smoothed(kernel))])
    return fft.rfft2(planes.astype(np.float32))


@lru_cache(maxsize=1)
def _smooth_variance() -> tuple[float, float]:
    """Covariance of the noise of average baselines with its smooth part, and variance of that part."""
    smooth = _smoothed(FIRST_KERNEL)
    return (FIRST_KERNEL * smooth).sum(), (smooth**2).sum()


def smoothed_rms(amount: np.ndarray) -> np.ndarray:
    """Noise level of ``noise + amount * smooth`` (`first_noise`) of average baselines, by pixel."""
    shared, own = _smooth_variance()
    return np.sqrt(1 + 2 * amount * shared + amount**2 * own)


@lru_cache(maxsize=1)
def sidelobe_pattern() -> np.ndarray:
    """Sidelobes of FIRST's beam per unit of peak, without the main lobe; ``(169, 169)``.

    Noise of equally weighted visibilities has the beam as its autocorrelation, stripes and all.  What
    deconvolution leaves around a source is a part of it.  Beyond the noise kernel's reach the stripes of the
    three arms go on as straight lines.  The mean over each ring farther out is taken off: what it does to
    the background is in `surroundings`, as measured.
    """
    width = 2 * SIDELOBES_PX + 1
    beam = convolve2d(FIRST_KERNEL, FIRST_KERNEL[::-1, ::-1])
    beam = np.pad(beam, (width - beam.shape[0]) // 2)
    y, x = np.indices(beam.shape) - SIDELOBES_PX
    lag = np.hypot(x, y)
    far = np.clip((lag - STRIPES_FROM_PX[0]) / (STRIPES_FROM_PX[1] - STRIPES_FROM_PX[0]), 0, 1)
    beam = (1 - far) * beam + far * _stripes(x, y)
    ring = np.rint(lag).astype(int)
    mean = (np.bincount(ring.ravel(), beam.ravel()) / np.bincount(ring.ravel()))[ring]
    beam -= mean * np.clip((lag - HALO_PX[0]) / (HALO_PX[1] - HALO_PX[0]), 0, 1)
    return beam * np.clip((lag - MAIN_LOBE_PX) / MAIN_LOBE_PX, 0, 1) * (lag <= SIDELOBES_PX)


def _stripes(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Stripes of the three arms at offsets (px), per unit of peak."""
    stripes = np.zeros(x.shape)
    for angle in np.deg2rad(STRIPE_ANGLES_DEG):
        across = x * np.sin(angle) - y * np.cos(angle)
        stripes += np.exp(-0.5 * (across / STRIPE_SIGMA_PX) ** 2)
    return stripes * np.interp(np.hypot(x, y), STRIPE_PX, STRIPE_HEIGHT)


@lru_cache(maxsize=1)
def surroundings() -> np.ndarray:
    """Pattern of `SURROUNDINGS` on pixels of 1.8"; ``(229, 229)``."""
    distance = 1.8 * np.hypot(*np.indices((2 * SURROUNDINGS_PX + 1,) * 2) - SURROUNDINGS_PX)
    return np.interp(distance, SURROUNDINGS_ARCSEC, SURROUNDINGS)
