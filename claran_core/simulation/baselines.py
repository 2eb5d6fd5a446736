"""Effects of the VLA's baselines on FIRST's images: noise kernels and the sidelobes of the beam.

The autocorrelation of the noise of equally weighted visibilities is the beam.  Short observations sample the
uv plane in clumps along three arms, with a slightly different rotation and scale each.  Tiles share a number
of such sets of baselines and differ in the sharpness of their noise.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy import fft
from scipy.ndimage import gaussian_filter

from claran_core.common.compiled import compiled
from claran_core.simulation.random_streams import Stream, generator

__all__ = [
    "FIRST_KERNEL",
    "KERNEL_RADIUS_PX",
    "TRANSFORM_PX",
    "noise_kernel",
    "sidelobe_pattern",
    "smoothed_rms",
    "transfer",
]

# Radius of a kernel (115 arcsec, the visible length of the beam's arms), and width of the Fourier transforms.
KERNEL_RADIUS_PX = 64
TRANSFORM_PX = 4 * KERNEL_RADIUS_PX

# Number of sets of baselines, and scatter of their rotation and scale, from the scatter of the power spectra
# of 151 cut-outs.
N_SETS, SETS_SEED = 48, 1993
TURN_DEG, STRETCH = 2.5, 0.04

# Clumps: relative height by length of the baseline (cycles per pixel), the radius of the kernel that they
# affect, and their enhancement in rows near its centre, because the range of hour angles is small.
CLUMPS_AT, CLUMPINESS = (0.024, 0.06, 0.1, 0.2), (0.26, 0.49, 0.78, 0.81)
CLUMP_REACH_PX, RIDGE_PX, RIDGE = 45, 6, 1.7

# Beyond the longest baselines the power is below this fraction of its maximum.
COVERED_ABOVE = 3e-4

# Additional smoothing of a tile's noise relative to the average kernel (variance, px^2; negative values
# sharpen): mean, scatter and limits, from the small-scale power of 151 cut-outs.
BLUR_PX2, BLUR_SCATTER_PX2, BLUR_LIMITS_PX2 = 0.016, 0.11, (-0.2, 0.4)

# Smoothing (sigma) of the part of the noise whose amount varies within a field.
SMOOTH_PX = 3.0

# Radius of the residual sidelobes around a source, and of the main lobe that they exclude.
SIDELOBES_PX = 84
MAIN_LOBE_PX = 4.0
HALO_PX = (10.0, 16.0)

# Stripes of the VLA's arms: directions on the image (from the x axis), width, and height by distance from the
# source; beyond 20 px as measured around 151 real subjects.
STRIPE_ANGLES_DEG = (0.0, 61.5, 118.5)
STRIPE_SIGMA_PX = 1.7
STRIPES_FROM_PX = (18.0, 30.0)
STRIPE_PX = (0.0, 20.0, 33.0, 48.0, 65.0, 84.0)
STRIPE_HEIGHT = (0.10, 0.10, 0.08, 0.045, 0.025, 0.0)


def _read_kernel() -> np.ndarray:
    """Read the kernel of FIRST's noise (benchmarks/sky/first_noise.py), ``(129, 129)``; the file has half."""
    half = np.loadtxt(Path(__file__).with_name("first_noise_kernel.csv"), delimiter=",")
    kernel = np.concatenate([half, half[-2::-1, ::-1]])
    return kernel / np.sqrt((kernel**2).sum())


FIRST_KERNEL = _read_kernel()


@lru_cache(maxsize=32)
def transfer(seed: int, tile: int) -> np.ndarray:
    """Return the transforms (`rfft2`, single precision) that give white noise FIRST's correlation in a tile.

    They are real, because kernels are symmetric under a rotation by 180 degrees.

    Returns
    -------
    (2, TRANSFORM_PX, TRANSFORM_PX / 2 + 1) float32 array
        Transform of the kernel, for noise of unit variance, and of its smooth part.
    """
    rng = generator(seed, Stream.RADIO_BASELINES, tile)
    both = _transfer_of_set(int(rng.integers(N_SETS)))
    blur = np.clip(rng.normal(BLUR_PX2, BLUR_SCATTER_PX2), *BLUR_LIMITS_PX2)
    both = both * np.exp(np.float32(-2 * np.pi**2 * blur) * _squares())
    # Every column except the first and the last represents two.
    power = 2 * np.einsum("ij,ij->j", both[0], both[0], dtype=float)
    variance = (power.sum() - (power[0] + power[-1]) / 2) / TRANSFORM_PX**2
    both *= np.float32(1 / np.sqrt(variance))
    return both


@lru_cache(maxsize=N_SETS)
def _transfer_of_set(number: int) -> np.ndarray:
    kernel = noise_kernel(number)
    return fft.rfft2(np.stack([_centred(kernel), _centred(_smoothed(kernel))])).real.astype(np.float32)


def noise_kernel(number: int) -> np.ndarray:
    """Return the kernel of one set of baselines, ``(129, 129)``: FIRST's, rotated, scaled and clumpy.

    A short observation samples the uv plane in clumps; the average over many observations is smooth.
    """
    rng = np.random.default_rng([SETS_SEED, number])
    power = _stretched(_first_power(), rng)[:, : TRANSFORM_PX // 2 + 1]
    covered = power > COVERED_ABOVE * power.max()
    amplitude = np.sqrt(power) * (1 + _clumpiness() * _clumps(rng))
    fade = np.clip(4 * (1 - _distances() / KERNEL_RADIUS_PX), 0, 1)
    for _ in range(4):  # restrict to the baselines and to the radius in turn
        kernel = _cropped(fft.irfft2(amplitude * covered, s=(TRANSFORM_PX,) * 2)) * fade
        amplitude = fft.rfft2(_centred(kernel)).real
    return kernel / np.sqrt((kernel**2).sum())


@lru_cache(maxsize=1)
def _first_power() -> np.ndarray:
    """Return the power spectrum of FIRST's noise, with the mean in the middle."""
    return fft.fftshift(np.abs(fft.fft2(_centred(FIRST_KERNEL))) ** 2)


def _stretched(power: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the power spectrum of baselines under a slightly different projection."""
    turn, scales = np.deg2rad(rng.normal(0, TURN_DEG)), rng.normal(1, STRETCH, 2)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) * scales
    turned = _resampled(power, matrix)
    turned = 0.5 * (turned + np.roll(turned[::-1, ::-1], (1, 1), (0, 1)))  # noise is real
    return np.clip(fft.ifftshift(turned), 0, None)


@compiled
def _resampled(plane: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Return a square plane under a linear map ``(2, 2)`` about its middle, by bilinear interpolation."""
    size = len(plane)
    middle, found = size // 2, np.zeros(plane.shape)
    for j in range(size):
        for i in range(size):
            y = matrix[0, 0] * (j - middle) + matrix[0, 1] * (i - middle) + middle
            x = matrix[1, 0] * (j - middle) + matrix[1, 1] * (i - middle) + middle
            if 0 <= y <= size - 1 and 0 <= x <= size - 1:
                row, column = min(int(y), size - 2), min(int(x), size - 2)
                up, right = y - row, x - column
                low = plane[row, column] * (1 - right) + plane[row, column + 1] * right
                high = plane[row + 1, column] * (1 - right) + plane[row + 1, column + 1] * right
                found[j, i] = low * (1 - up) + high * up
    return found


def _clumps(rng: np.random.Generator) -> np.ndarray:
    """Return a real, even random field of unit variance over half the uv plane, as fine as kernels allow."""
    distance = _distances()
    row = np.arange(distance.shape[0])[:, None] - KERNEL_RADIUS_PX
    weights = rng.standard_normal(distance.shape) * np.where(np.abs(row) < RIDGE_PX, RIDGE, 1.0)
    weights = np.where((distance > 0) & (distance < CLUMP_REACH_PX), weights + weights[::-1, ::-1], 0)
    clumps = fft.rfft2(_centred(weights)).real
    return clumps / clumps.std()


@lru_cache(maxsize=1)
def _lengths() -> np.ndarray:
    """Return the length of baselines, cycles per pixel, on half the plane of the transforms; float32."""
    return np.hypot(fft.fftfreq(TRANSFORM_PX)[:, None], fft.rfftfreq(TRANSFORM_PX)).astype(np.float32)


@lru_cache(maxsize=1)
def _squares() -> np.ndarray:
    return _lengths() ** 2


@lru_cache(maxsize=1)
def _clumpiness() -> np.ndarray:
    """Return the relative height of clumps on half the plane of the transforms."""
    return np.interp(_lengths(), CLUMPS_AT, CLUMPINESS)


@lru_cache(maxsize=1)
def _distances() -> np.ndarray:
    """Return the distance from the centre of a kernel, px."""
    return np.hypot(*np.indices(FIRST_KERNEL.shape) - KERNEL_RADIUS_PX)


# Rows and columns of a kernel on the plane of the transforms, with its centre at the first pixel.
AROUND_FIRST = np.ix_(*(np.arange(-KERNEL_RADIUS_PX, KERNEL_RADIUS_PX + 1),) * 2)


def _centred(kernel: np.ndarray) -> np.ndarray:
    """Return a kernel on the plane of the transforms, with its centre at the first pixel."""
    plane = np.zeros((TRANSFORM_PX, TRANSFORM_PX))
    plane[AROUND_FIRST] = kernel
    return plane


def _cropped(plane: np.ndarray) -> np.ndarray:
    """Invert `_centred`."""
    return plane[AROUND_FIRST]


def _smoothed(kernel: np.ndarray) -> np.ndarray:
    return gaussian_filter(kernel, SMOOTH_PX, mode="constant")


@lru_cache(maxsize=1)
def _smooth_variance() -> tuple[float, float]:
    """Return the covariance of average noise with its smooth part, and the variance of that part."""
    smooth = _smoothed(FIRST_KERNEL)
    return (FIRST_KERNEL * smooth).sum(), (smooth**2).sum()


def smoothed_rms(amount: np.ndarray) -> np.ndarray:
    """Return the rms of noise plus `amount` times its smooth part, per pixel, for average baselines."""
    shared, own = _smooth_variance()
    return np.sqrt(1 + 2 * amount * shared + amount**2 * own)


@lru_cache(maxsize=1)
def sidelobe_pattern() -> np.ndarray:
    """Return the sidelobes of FIRST's beam per unit of peak, without the main lobe; ``(169, 169)``.

    Deconvolution leaves a fraction of this pattern around a source.  At large distances the stripes of the
    three arms continue as straight lines with the measured heights.  The mean over each ring is subtracted
    there, because `claran_core.simulation.noise.surroundings` has the measured effect on the background.
    """
    width = 2 * SIDELOBES_PX + 1
    size = 2 * FIRST_KERNEL.shape[0] - 1
    beam = fft.irfft2(np.square(np.abs(fft.rfft2(FIRST_KERNEL, (size, size)))), (size, size))
    beam = np.roll(beam, (size // 2, size // 2), (0, 1))
    margin = (beam.shape[0] - width) // 2
    beam = beam[margin:-margin, margin:-margin]
    y, x = np.indices(beam.shape) - SIDELOBES_PX
    lag = np.hypot(x, y)
    far = np.clip((lag - STRIPES_FROM_PX[0]) / (STRIPES_FROM_PX[1] - STRIPES_FROM_PX[0]), 0, 1)
    beam = (1 - far) * beam + far * _stripes(x, y)
    ring = np.rint(lag).astype(int)
    mean = (np.bincount(ring.ravel(), beam.ravel()) / np.bincount(ring.ravel()))[ring]
    beam -= mean * np.clip((lag - HALO_PX[0]) / (HALO_PX[1] - HALO_PX[0]), 0, 1)
    return beam * np.clip((lag - MAIN_LOBE_PX) / MAIN_LOBE_PX, 0, 1) * (lag <= SIDELOBES_PX)


def _stripes(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the stripes of the three arms at offsets (px), per unit of peak."""
    stripes = np.zeros(x.shape)
    for angle in np.deg2rad(STRIPE_ANGLES_DEG):
        across = x * np.sin(angle) - y * np.cos(angle)
        stripes += np.exp(-0.5 * (across / STRIPE_SIGMA_PX) ** 2)
    return stripes * np.interp(np.hypot(x, y), STRIPE_PX, STRIPE_HEIGHT)
