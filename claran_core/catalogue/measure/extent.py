"""Errors of the largest angular size and of its position angle, from the noise of an image.

Noise moves a point of a contour outwards by its value over the slope of the image there, at most by one beam.
Which two points are farthest apart changes with it, and so does the angle.  The standard errors are therefore
those of `REPEATS` repetitions: each moves all points by one realisation of noise with the correlation of that
of the image, and finds the largest distance again.  The realisations are sums of plane waves, the same for
all sources, so that the errors depend on the source alone.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from claran_core.catalogue.measure.radio_image import RadioImage
from claran_core.common.compiled import compiled

__all__ = ["UNKNOWN_ANGLE_DEG", "Edge", "edge_errors", "extent_errors"]

# Repetitions, waves of a realisation of noise, and their seed.
REPEATS, WAVES, SEED = 20, 24, 11

# Largest error of a point, beams.
LARGEST_ERROR_BEAMS = 1.0

# Pairs of points that are shorter than the longest one by more than so many errors are never the longest.
FARTHEST_SIGMA = 4.0

# Standard deviation of an angle that is not known at all.
UNKNOWN_ANGLE_DEG = 90 / np.sqrt(3)


@dataclass(frozen=True)
class Edge:
    """Points of the edge of a source.

    Attributes
    ----------
    vectors : (n, 3) float64 array
        Directions of the points.
    errors : (n,) float64 array
        How far noise of one sigma moves them outwards, arcsec.
    """

    vectors: np.ndarray
    errors: np.ndarray

    def __len__(self) -> int:
        return len(self.vectors)

    def take(self, which: np.ndarray) -> "Edge":
        """Return some of the points."""
        return Edge(self.vectors[which], self.errors[which])

    @classmethod
    def join(cls, *edges: "Edge") -> "Edge":
        """Return the points of several edges."""
        return cls(
            np.concatenate([edge.vectors for edge in edges]), np.concatenate([edge.errors for edge in edges])
        )


def edge_errors(image: RadioImage, points: np.ndarray) -> np.ndarray:
    """Return how far noise of one sigma moves points ``x y`` (n, 2) of contours of an image, px; ``(n,)``."""
    slope = _slopes(image.pixels, np.ascontiguousarray(points, np.float64))
    return image.rms / np.maximum(slope, image.rms / (LARGEST_ERROR_BEAMS * image.beam_px))


def extent_errors(image: RadioImage, points: np.ndarray, errors: np.ndarray) -> tuple[float, float]:
    """Return the standard errors of the largest extent of a source and of its position angle.

    Parameters
    ----------
    image : RadioImage
        The image, whose noise counts.
    points : (n, 2) float64 array
        Points of the edge: offsets to east and north, arcsec.
    errors : (n,) float64 array
        Errors of the points, arcsec.

    Returns
    -------
    extent_err : float
        In arcsec.
    angle_err : float
        In deg, at most `UNKNOWN_ANGLE_DEG`.
    """
    kept = _candidates(points, errors, FARTHEST_SIGMA)
    points, errors = points[kept], errors[kept]
    weight, sigma_px = image.noise_correlation
    waves, phases = _waves(tuple(weight.tolist()), tuple((sigma_px * image.pixel_scale_arcsec).tolist()))
    noise = np.cos((points @ waves.T)[:, :, None] + phases).sum(axis=1) * np.sqrt(2 / WAVES)
    lengths, turns = _repeated(points, errors, np.ascontiguousarray(noise.T))
    # Points are about one pixel apart.
    spacing = image.pixel_scale_arcsec / np.sqrt(6) / max(float(lengths.mean()), image.pixel_scale_arcsec)
    agreement = max(float(np.cos(2 * turns).mean()), 1e-9)
    angle = np.hypot(np.sqrt(-2 * np.log(agreement)) / 2, spacing)
    return float(lengths.std(ddof=1)), float(min(np.rad2deg(angle), UNKNOWN_ANGLE_DEG))


@lru_cache(maxsize=16)
def _waves(weights: tuple[float, ...], sigma: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return wave vectors (`WAVES`, 2) and phases (`WAVES`, `REPEATS`) of noise of a correlation.

    Waves with normally distributed vectors of deviation ``1 / sigma`` have the correlation of a Gaussian of
    standard deviation sigma (Bochner's theorem).
    """
    rng = np.random.default_rng(SEED)
    shares = np.cumsum(weights) / np.sum(weights)
    part = np.searchsorted(shares[:-1], (np.arange(WAVES) + 0.5) / WAVES)
    waves = rng.standard_normal((WAVES, 2)) / np.array(sigma)[part][:, None]
    return waves, rng.uniform(0, 2 * np.pi, (WAVES, REPEATS))


@compiled
def _slopes(pixels: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the slope of an image at positions ``x y``, per px, from places one pixel away; ``(n,)``."""
    found = np.empty(len(points))
    for i in range(len(points)):
        x, y = points[i, 0], points[i, 1]
        along = (_value(pixels, x + 1, y) - _value(pixels, x - 1, y)) / 2
        up = (_value(pixels, x, y + 1) - _value(pixels, x, y - 1)) / 2
        found[i] = np.hypot(along, up)
    return found


@compiled
def _value(pixels: np.ndarray, x: float, y: float) -> float:
    """Return the value of an image at a position, between pixels; missing pixels count as 0."""
    column, row = int(np.floor(x)), int(np.floor(y))
    total = 0.0
    for j in range(2):
        for i in range(2):
            inside = 0 <= column + i < pixels.shape[1] and 0 <= row + j < pixels.shape[0]
            if inside and np.isfinite(pixels[row + j, column + i]):
                share = (1 - abs(x - column - i)) * (1 - abs(y - row - j))
                total += share * pixels[row + j, column + i]
    return total


@compiled
def _candidates(points: np.ndarray, errors: np.ndarray, sigma: float) -> np.ndarray:
    """Return which points may be one of the two that are farthest apart; ``(n,)`` bool."""
    longest = 0.0
    reach = np.zeros(len(points))
    for i in range(len(points)):
        for j in range(len(points)):
            length = np.hypot(points[i, 0] - points[j, 0], points[i, 1] - points[j, 1])
            longest = max(longest, length)
            reach[i] = max(reach[i], length + sigma * (errors[i] + errors[j]))
    return reach >= longest


@compiled
def _repeated(points: np.ndarray, errors: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest distance in each realisation of noise, and its angle to that without noise.

    Parameters
    ----------
    points : (n, 2) float64 array
        Offsets of the points.
    errors : (n,) float64 array
        How far noise of one sigma moves them outwards.
    noise : (r, n) float64 array
        Noise at the points, sigma.

    Returns
    -------
    lengths, turns : (r,) float64 arrays
        Turns are in rad.
    """
    lengths, turns = np.empty(len(noise)), np.empty(len(noise))
    start = 0.0
    for k in range(-1, len(noise)):
        longest, east, north = -1.0, 0.0, 1.0
        for i in range(len(points)):
            for j in range(i):
                across, up = points[i, 0] - points[j, 0], points[i, 1] - points[j, 1]
                length = np.hypot(across, up)
                if k >= 0:
                    length += errors[i] * noise[k, i] + errors[j] * noise[k, j]
                if length > longest:
                    longest, east, north = length, across, up
        angle = np.arctan2(east, north)
        if k < 0:
            start = angle
        else:
            lengths[k], turns[k] = longest, angle - start
    return lengths, turns
