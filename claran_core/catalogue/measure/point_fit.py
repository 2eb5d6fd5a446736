"""Fit point sources to an image, all together, by least squares.

The point-spread function is a sum of circular Gaussians.  The image of a point is therefore, for each
Gaussian, the product of a profile down and a profile along the image.  A fit needs the model only at the few
pixels near each point.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from claran_core.common.compiled import compiled
from claran_core.common.constants import FWHM_PER_SIGMA

__all__ = ["FIT_RADIUS", "Optics", "Points", "fit_points", "nearest_pixels", "render"]

# Radius of the pixels in a fit, in units of the beam's FWHM.
FIT_RADIUS = 0.8

# Largest move of a point per step (px), and from where it starts (units of the FWHM).
LONGEST_STEP_PX, LONGEST_MOVE = 0.5, 0.5

# Fraction of each step that is taken, since neighbours move at the same time; regularisation for points with
# few pixels.
DAMPING, RIDGE = 0.8, 1e-3

# Fraction of a point's height below which its Gaussians are left out.
NEGLIGIBLE = 1e-10


@dataclass(frozen=True)
class Points:
    """Point sources.

    Attributes
    ----------
    table : (n, 3) float64 array
        Position ``x y`` (px) and height of each.
    """

    table: np.ndarray

    def __len__(self) -> int:
        return len(self.table)

    @property
    def x(self) -> np.ndarray:
        """Positions along the image, px; ``(n,)``."""
        return self.table[:, 0]

    @property
    def y(self) -> np.ndarray:
        """Positions down the image, px; ``(n,)``."""
        return self.table[:, 1]

    @property
    def height(self) -> np.ndarray:
        """Heights in the image's unit; ``(n,)``."""
        return self.table[:, 2]

    def take(self, which: np.ndarray) -> "Points":
        """Return some of the points."""
        return Points(self.table[which])

    def join(self, other: "Points") -> "Points":
        """Return these points, then others."""
        return Points(np.concatenate([self.table, other.table]))


@dataclass(frozen=True)
class Optics:
    """Point-spread function in pixels.

    Attributes
    ----------
    height, sigma : (k,) float64 arrays
        Height and standard deviation of its Gaussians.
    fwhm : float
        FWHM of the beam.
    """

    height: np.ndarray
    sigma: np.ndarray
    fwhm: float

    @cached_property
    def counts(self) -> float:
        """Total counts of a source of height 1."""
        return float(2 * np.pi * self.height @ self.sigma**2)

    @cached_property
    def parts(self) -> np.ndarray:
        """Height, standard deviation, radius where it becomes negligible, inverse variance; ``(k, 4)``."""
        reach = self.sigma * np.sqrt(2 * np.log(np.maximum(self.height / NEGLIGIBLE, 1.0)))
        return np.stack([self.height, self.sigma, reach, 1 / self.sigma**2], axis=1)

    @classmethod
    def of(cls, parts: tuple[tuple[float, float], ...], beam_arcsec: float, scale_arcsec: float) -> "Optics":
        """Return the optics of Gaussians of given height and FWHM (arcsec) for pixels of some width."""
        height, fwhm = np.array(parts, np.float64).T
        return cls(height, fwhm / FWHM_PER_SIGMA / scale_arcsec, beam_arcsec / scale_arcsec)


def render(points: Points, shape: tuple[int, int], optics: Optics) -> np.ndarray:
    """Return the image ``(ny, nx)`` of points."""
    down = _profiles(points.y, optics.parts, optics.height, shape[0], 0)
    along = _profiles(points.x, optics.parts, np.ones(len(optics.height)), shape[1], 0)
    return (down * np.repeat(points.height, len(optics.height))) @ along.T


def nearest_pixels(points: Points, shape: tuple[int, int]) -> np.ndarray:
    """Return the column and row (n, 2) of the pixel of an image that is nearest to each point."""
    return np.clip(np.rint(points.table[:, :2]).astype(np.int64), 0, [shape[1] - 1, shape[0] - 1])


def fit_points(points: Points, image: np.ndarray, finite: np.ndarray, optics: Optics, steps: int) -> Points:
    """Fit positions and heights of all points of an image.

    Steps are short, because the problem is linear only near the solution, and neighbours move at the same
    time.

    Parameters
    ----------
    points : Points
        Where the fit starts.
    image : (ny, nx) float64 array
        The image without its background.
    finite : (ny, nx) bool array
        Its valid pixels.
    optics : Optics
        The point-spread function.
    steps : int
        Number of least-squares steps.
    """
    return Points(
        _fitted(
            points.table,
            nearest_pixels(points, (image.shape[0], image.shape[1])),
            image,
            finite,
            _fit_pixels(optics.fwhm),
            optics.parts,
            steps,
            LONGEST_MOVE * optics.fwhm,
        )
    )


def _fit_pixels(fwhm: float) -> np.ndarray:
    """Return which pixels around that of a point are in its fit; a square bool array."""
    reach = max(1, int(FIT_RADIUS * fwhm))
    offset = np.arange(-reach, reach + 1)
    return np.hypot(offset[:, None], offset) <= max(1.5, FIT_RADIUS * fwhm)


@compiled
def _profiles(
    places: np.ndarray, parts: np.ndarray, height: np.ndarray, size: int, margin: int
) -> np.ndarray:
    """Return the profile of each Gaussian of each point along an axis.

    Parameters
    ----------
    places : (n,) array
        Positions of the points along the axis.
    parts : (k, 4) array
        `Optics.parts`.
    height : (k,) array
        Height of the profile of each Gaussian.
    size, margin : int
        Length of the axis, and number of pixels to add at both ends.

    Returns
    -------
    (size + 2 margin, n k) array
        Pixels of one window are contiguous.
    """
    profiles = np.zeros((size + 2 * margin, places.size * len(parts)))
    change = np.exp(-parts[:, 3])
    for i in range(places.size):
        place = places[i] + margin
        for k in range(len(parts)):
            first = max(0, int(np.ceil(place - parts[k, 2])))
            last = min(len(profiles), int(np.floor(place + parts[k, 2])) + 1)
            if first < last:
                middle = min(max(int(np.rint(place)), first), last - 1)
                away = middle - place
                value = height[k] * np.exp(-0.5 * away**2 * parts[k, 3])
                up, down = np.exp(-(away + 0.5) * parts[k, 3]), np.exp((away - 0.5) * parts[k, 3])
                line = profiles[:, i * len(parts) + k]
                _fill_gaussian(line, middle, last, 1, value, up, change[k])
                _fill_gaussian(line, middle, first - 1, -1, value, down, change[k])
    return profiles


@compiled
def _fill_gaussian(
    line: np.ndarray, start: int, stop: int, step: int, value: float, ratio: float, change: float
) -> None:
    """Write a Gaussian into a line from one pixel to another, each value from the one before.

    The ratio of a value to the one before it itself changes by a constant factor.
    """
    for pixel in range(start, stop, step):
        line[pixel] = value
        value *= ratio
        ratio *= change


@compiled
def _fitted(
    points: np.ndarray,
    pixels: np.ndarray,
    image: np.ndarray,
    finite: np.ndarray,
    mask: np.ndarray,
    parts: np.ndarray,
    steps: int,
    longest_move: float,
) -> np.ndarray:
    """Return the points after so many least-squares steps; `mask` marks the pixels around `pixels` to fit."""
    size = len(mask)
    n_parts = len(parts)
    margin = size // 2
    start, points = points, points.copy()
    for _ in range(steps):
        down = _profiles(points[:, 1], parts, np.ones(n_parts), image.shape[0], margin)
        along = _profiles(points[:, 0], parts, parts[:, 0].copy(), image.shape[1], margin)
        scaled = down * np.repeat(points[:, 2], n_parts)
        moved = points.copy()
        for i in range(len(points)):
            # With the margin, a window starts at the pixel in its middle.
            column, row = pixels[i]
            model = scaled[row : row + size] @ along[column : column + size].T
            own = slice(i * n_parts, (i + 1) * n_parts)
            equations = _normal_equations(
                model,
                row - margin,
                column - margin,
                points[i],
                image,
                finite,
                mask,
                parts,
                down[row : row + size, own],
                along[column : column + size, own],
            )
            _take_step(moved[i], start[i], _solved(equations), longest_move)
        points = moved
    return points


@compiled
def _normal_equations(
    model: np.ndarray,
    top: int,
    left: int,
    point: np.ndarray,
    image: np.ndarray,
    finite: np.ndarray,
    mask: np.ndarray,
    parts: np.ndarray,
    down: np.ndarray,
    along: np.ndarray,
) -> np.ndarray:
    """Return the least-squares equations (3, 4) of the step of one point: matrix and right side.

    The unknowns are the changes of height, and of ``x`` and ``y`` times the height.
    """
    a, b, c, d, e, f = RIDGE, 0.0, 0.0, RIDGE, 0.0, RIDGE
    one, two, three = 0.0, 0.0, 0.0
    ny, nx = finite.shape
    for i in range(len(mask)):
        for j in range(len(mask)):
            row, column = top + i, left + j
            inside = 0 <= row < ny and 0 <= column < nx
            if not (mask[i, j] and inside and finite[row, column]):
                continue
            value, curvature = 0.0, 0.0
            for k in range(len(parts)):
                part = down[i, k] * along[j, k]
                value += part
                curvature += part * parts[k, 3]
            x, y = (column - point[0]) * curvature, (row - point[1]) * curvature
            rest = image[row, column] - model[i, j]
            a, b, c = a + value * value, b + value * x, c + value * y
            d, e, f = d + x * x, e + x * y, f + y * y
            one, two, three = one + value * rest, two + x * rest, three + y * rest
    return np.array([[a, b, c, one], [b, d, e, two], [c, e, f, three]])


@compiled
def _solved(equations: np.ndarray) -> np.ndarray:
    """Return the solution of three equations (3, 4) with a symmetric positive matrix (Cholesky)."""
    a = np.sqrt(equations[0, 0])
    b, c = equations[1, 0] / a, equations[2, 0] / a
    d = np.sqrt(equations[1, 1] - b * b)
    e = (equations[2, 1] - b * c) / d
    f = np.sqrt(equations[2, 2] - c * c - e * e)
    one = equations[0, 3] / a
    two = (equations[1, 3] - b * one) / d
    z = (equations[2, 3] - c * one - e * two) / f / f
    y = (two - e * z) / d
    return np.array([(one - b * y - c * z) / a, y, z])


@compiled
def _take_step(point: np.ndarray, start: np.ndarray, change: np.ndarray, longest_move: float) -> None:
    """Change the height of a point and move it, not too far."""
    point[2] = max(point[2] + DAMPING * change[0], 0.0)
    for axis in range(2):
        by = DAMPING * change[axis + 1] / max(point[2], 1e-9)
        place = point[axis] + min(max(by, -LONGEST_STEP_PX), LONGEST_STEP_PX)
        point[axis] = start[axis] + min(max(place - start[axis], -longest_move), longest_move)
