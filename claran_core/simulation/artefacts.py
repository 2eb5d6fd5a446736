"""Artefacts around bright sources: rays, rings and dark blobs that calibration and deconvolution leave.

Errors of antenna gains multiply the visibilities of a bright source.  Its image shows their transform: rays
through the source, most of them along the VLA's three arms, of constant height out to several arcminutes and
modulated along their length.  Patterns are a fixed set; a source has one of them, possibly mirrored, times
its peak and a gain of its own.  Around extended sources, negative blobs lie between the arms.  The figures
reproduce the islands that surround bright sources in FIRST (benchmarks/sky/artefacts.py).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import fft
from scipy.ndimage import gaussian_filter1d

from claran_core.common.compiled import compiled
from claran_core.simulation.baselines import FIRST_KERNEL, STRIPE_ANGLES_DEG
from claran_core.simulation.random_streams import Stream, generator
from claran_core.simulation.recipes import SNR_UNIT_JY

__all__ = [
    "ARTEFACTS_ABOVE_JY",
    "ARTEFACTS_PX",
    "Artefacts",
    "artefact_pattern",
    "dark_blob",
    "drawn_artefacts",
]

# Weaker sources have only the residual sidelobes of `claran_core.simulation.baselines`.
ARTEFACTS_ABOVE_JY = 100 * SNR_UNIT_JY

# Number of patterns, their seed, their radius (302 arcsec), where they fade out, and the inner radius.
N_PATTERNS, PATTERNS_SEED = 16, 1997
ARTEFACTS_PX, FADE_PX, CORE_PX = 168, 60, (6.0, 20.0)

# Rays of a pattern: number along the arms and between them, scatter of the former around the arms, and of the
# arms around their directions on the meridian; the second value is that of observations at other hour angles.
ARM_RAYS, OTHER_RAYS = 20, 50
RAY_SCATTER_DEG = 2.5
TURN_DEG, ANY_HOUR_ANGLE = 5.0, 0.3
RAY_SIGMA_PX = (1.3, 2.2)

# Length over which the height of a ray varies (sigma, px; log-uniform), and tail of its heights (degrees of
# freedom of Student's t, which the height of a spot has too).
KNOT_PX, RAY_TAIL = (2.5, 25.0), 3.0

# Spots: number along the arms and elsewhere, scatter around the arms, width (sigma) and height relative to
# the rays.
ARM_SPOTS, OTHER_SPOTS, SPOT_SCATTER_DEG, SPOT_SIGMA_PX, SPOT_HEIGHT = 30, 30, 8.0, (1.3, 2.2), 1.5

# Rings within a minute of arc: wavelength, decay, and height relative to the rays.
RING_PX, RING_DECAY_PX, RING_HEIGHT = (4.5, 7.5), 14.0, 0.8

# Texture between the rays, like noise, relative to their typical height.
TEXTURE = 0.3

# Gain, the height of typical rays over the peak of the source: median at a peak of `GAIN_AT_JY`, scatter of
# the natural logarithm, and power of the peak with which it falls: bright sources calibrate themselves.
GAIN, GAIN_AT_JY, GAIN_SCATTER, GAIN_POWER = 1.7e-4, 1000 * SNR_UNIT_JY, 0.7, -0.4

# Dark blobs around extended sources: pairs on opposite sides, depth over the peak (median for an extent of
# `BLOB_EXTENT_ARCSEC`, proportional to the extent; scatter of the natural logarithm), and width (sigma).
BLOB_PAIRS, BLOB_DEPTH, BLOB_SCATTER, BLOB_EXTENT_ARCSEC = 2, 1.2e-3, 1.0, 40.0
BLOB_SIGMA_PX, BLOB_PX = 6.0, 20

# Distance of blobs from the host: half of the extent times a factor, plus an offset, arcsec.
BLOB_AT, BLOB_BEYOND_ARCSEC = (0.6, 1.2), 20.0


@dataclass(frozen=True)
class Artefacts:
    """Artefacts of the sources of a cell.

    Attributes
    ----------
    gain : (n,) float64 array
        Height of typical rays over the peak of the source.
    pattern : (n,) int64 array
        Number of the pattern; those from `N_PATTERNS` on are mirrored (`artefact_pattern`).
    blobs : (n, 2 * BLOB_PAIRS, 3) float64 array
        Offset east and north (arcsec) and height over the peak, negative, of dark blobs.
    """

    gain: np.ndarray
    pattern: np.ndarray
    blobs: np.ndarray

    def stronger(self, factor: float) -> "Artefacts":
        """Return artefacts of a height that is `factor` times as large."""
        return Artefacts(self.gain * factor, self.pattern, self.blobs * (1.0, 1.0, factor))

    @property
    def blob_reach_arcsec(self) -> np.ndarray:
        """Largest distance of the centres of blobs from the host; ``(n,)``."""
        return np.hypot(self.blobs[..., 0], self.blobs[..., 1]).max(axis=1)


def drawn_artefacts(seed: int, cell: int, peak_jy: np.ndarray, extent_arcsec: np.ndarray) -> Artefacts:
    """Draw the artefacts of the sources of a cell.

    Parameters
    ----------
    seed, cell : int
        Seed of the sky and number of the cell.
    peak_jy : (n,) float64 array
        Brightest pixels of the sources, Jy/beam; below `ARTEFACTS_ABOVE_JY` the gain is that of this peak.
    extent_arcsec : (n,) float64 array
        Extents of the sources; 0 for compact ones, which have no blobs.
    """
    rng, n = generator(seed, Stream.RADIO_ARTEFACTS, cell), len(extent_arcsec)
    gain = GAIN * np.exp(GAIN_SCATTER * rng.standard_normal(n))
    gain *= (np.maximum(peak_jy, ARTEFACTS_ABOVE_JY) / GAIN_AT_JY) ** GAIN_POWER
    pattern = rng.integers(4 * N_PATTERNS, size=n)
    depth = BLOB_DEPTH * np.exp(BLOB_SCATTER * rng.standard_normal((n, 1))) * rng.random((n, BLOB_PAIRS))
    depth *= extent_arcsec[:, None] / BLOB_EXTENT_ARCSEC
    at = 0.5 * extent_arcsec[:, None] * rng.uniform(*BLOB_AT, (n, BLOB_PAIRS)) + BLOB_BEYOND_ARCSEC
    angle = rng.uniform(0, np.pi, (n, BLOB_PAIRS))
    one = np.stack([at * np.sin(angle), at * np.cos(angle), -depth], axis=-1)
    return Artefacts(gain, pattern, np.concatenate([one, one * (-1, -1, 1)], axis=1))


@lru_cache(maxsize=1)
def dark_blob() -> np.ndarray:
    """Return a blob of height 1, ``(2 BLOB_PX + 1,) * 2``."""
    distance = np.hypot(*np.indices((2 * BLOB_PX + 1,) * 2) - BLOB_PX)
    return np.exp(-0.5 * (distance / BLOB_SIGMA_PX) ** 2)


def artefact_pattern(number: int) -> np.ndarray:
    """Return one of the patterns, ``(2 ARTEFACTS_PX + 1,) * 2``; typical rays have the height 1.

    There are `N_PATTERNS`, each in four orientations.
    """
    mirrored, number = divmod(number, N_PATTERNS)
    return _pattern(number)[:: -1 if mirrored & 1 else 1, :: -1 if mirrored & 2 else 1]


@lru_cache(maxsize=N_PATTERNS)
def _pattern(number: int) -> np.ndarray:
    rng = np.random.default_rng([PATTERNS_SEED, number])
    lag = _lag()
    shift = tuple(rng.integers(len(lag), size=2).tolist())
    pattern = TEXTURE * np.roll(_texture(), shift, (0, 1)) + _rings(rng, lag)
    turn = rng.uniform(0, 180) if rng.random() < ANY_HOUR_ANGLE else rng.normal(0, TURN_DEG)
    angles = _angles(rng, turn, ARM_RAYS, OTHER_RAYS, RAY_SCATTER_DEG)
    heights = np.stack([_along_ray(rng) for _ in angles])
    _add_rays(pattern, angles, heights, rng.uniform(*RAY_SIGMA_PX, len(angles)))
    _add_spots(pattern, _spots(rng, _angles(rng, turn, ARM_SPOTS, OTHER_SPOTS, SPOT_SCATTER_DEG)))
    inner = np.clip((lag - CORE_PX[0]) / (CORE_PX[1] - CORE_PX[0]), 0, 1)
    return (pattern * inner * np.clip((ARTEFACTS_PX - lag) / FADE_PX, 0, 1)).astype(np.float32)


def _angles(
    rng: np.random.Generator, turn_deg: float, n_arms: int, n_others: int, scatter_deg: float
) -> np.ndarray:
    """Draw directions from the x axis, radians: first those around the turned arms, then any others."""
    of_arms = rng.choice(STRIPE_ANGLES_DEG, n_arms) + turn_deg + rng.normal(0, scatter_deg, n_arms)
    return np.deg2rad(np.append(of_arms, rng.uniform(0, 180, n_others)))


def _along_ray(rng: np.random.Generator) -> np.ndarray:
    """Draw the height of a ray at distances of 0, 1 ... px, first on one side and then on the other.

    Errors of amplitudes make both sides equal, errors of phases opposite.
    """
    smooth = gaussian_filter1d(rng.standard_normal(ARTEFACTS_PX + 2), np.exp(rng.uniform(*np.log(KNOT_PX))))
    side = smooth / smooth.std() * rng.standard_t(RAY_TAIL)
    return np.stack([side, rng.choice([-1.0, 1.0]) * side])


def _spots(rng: np.random.Generator, angles: np.ndarray) -> np.ndarray:
    """Draw spots of either sign, denser near the source: offsets ``x y``, height, sigma (px); ``(n, 4)``."""
    n, distance = len(angles), ARTEFACTS_PX * rng.uniform(-1, 1, len(angles))
    height = SPOT_HEIGHT * rng.standard_t(RAY_TAIL, n)
    sigma = rng.uniform(*SPOT_SIGMA_PX, n)
    return np.stack([distance * np.cos(angles), distance * np.sin(angles), height, sigma], axis=1)


def _rings(rng: np.random.Generator, lag: np.ndarray) -> np.ndarray:
    """Draw rings around the source, at distances `lag` (px)."""
    wave = np.cos(2 * np.pi * (lag / rng.uniform(*RING_PX) + rng.random()))
    return RING_HEIGHT * rng.standard_normal() * wave * np.exp(-lag / RING_DECAY_PX)


@lru_cache(maxsize=1)
def _lag() -> np.ndarray:
    """Return the distance from the middle of a pattern, px."""
    return np.hypot(*np.indices((2 * ARTEFACTS_PX + 1,) * 2) - ARTEFACTS_PX)


@lru_cache(maxsize=1)
def _texture() -> np.ndarray:
    """Return periodic noise of unit variance with FIRST's average correlation, of the size of a pattern."""
    shape = _lag().shape
    kernel = np.zeros(shape)
    kernel[: len(FIRST_KERNEL), : len(FIRST_KERNEL)] = FIRST_KERNEL
    white = np.random.default_rng(PATTERNS_SEED).standard_normal(shape)
    return fft.irfft2(fft.rfft2(white) * fft.rfft2(kernel), shape)


@compiled
def _add_spots(pattern: np.ndarray, spots: np.ndarray) -> None:
    """Add round Gaussians to a pattern; `spots` as of `_spots`."""
    middle, size = len(pattern) // 2, len(pattern)
    for k in range(len(spots)):
        x, y, height, sigma = spots[k]
        reach = 4 * sigma
        for j in range(max(int(middle + y - reach), 0), min(int(middle + y + reach) + 2, size)):
            for i in range(max(int(middle + x - reach), 0), min(int(middle + x + reach) + 2, size)):
                squares = (i - middle - x) ** 2 + (j - middle - y) ** 2
                pattern[j, i] += height * np.exp(-0.5 * squares / sigma**2)


@compiled
def _add_rays(pattern: np.ndarray, angles: np.ndarray, heights: np.ndarray, sigmas: np.ndarray) -> None:
    """Add rays through the middle of a pattern.

    Parameters
    ----------
    pattern : (2 r + 1, 2 r + 1) float64 array
    angles : (n,) float64 array
        Directions from the x axis, radians.
    heights : (n, 2, r + 2) float64 array
        Heights at whole distances, in the direction of the ray and opposite to it.
    sigmas : (n,) float64 array
        Widths of the rays.  Across a ray the profile has a mean of zero, as its baselines have a length.
    """
    middle = len(pattern) // 2
    for k in range(len(angles)):
        sine, cosine = np.sin(angles[k]), np.cos(angles[k])
        for j in range(len(pattern)):
            y = j - middle
            # Pixels of the row within the width of the ray; all of them if it is along the row.
            centre = y * cosine / (sine + 1e-9)
            reach = 4 * sigmas[k] / (abs(sine) + 1e-9) + 1
            first, last = max(centre - reach, -middle), min(centre + reach, middle)
            for i in range(int(first) + middle, int(last) + middle + 1):
                x = i - middle
                across = (x * sine - y * cosine) / sigmas[k]
                along = x * cosine + y * sine
                distance = abs(along)
                if abs(across) < 4 and distance < middle + 1:
                    side, inner = int(along < 0), int(distance)
                    rest = distance - inner
                    height = heights[k, side, inner] * (1 - rest) + heights[k, side, inner + 1] * rest
                    pattern[j, i] += height * (1 - across**2) * np.exp(-0.5 * across**2)
