"""Emission as a sum of elliptical Gaussians, evaluated on the pixels of a tile.

Each Gaussian is evaluated on a box of tile pixels that depends only on the Gaussian, and then cropped to the
window.  A pixel therefore gets the same bits in every window.  Positions are computed with vectors.
"""

import math
from dataclasses import dataclass

import numpy as np

from claran_core.common.compiled import compiled
from claran_core.common.constants import ARCSEC_PER_DEG, FWHM_PER_SIGMA
from claran_core.simulation.geometry import Tile, TileWindow

__all__ = ["Gaussians", "PixelGaussians", "boxes_touch"]

# Radius at which a Gaussian is cut off, in units of its sigma: 1.3e-6 of its peak.
CUT_SIGMA = 5.2

# Within its box, a Gaussian is not evaluated where it is below this fraction of its peak.
NEGLIGIBLE = 1e-14

RAD_PER_ARCSEC = math.radians(1 / ARCSEC_PER_DEG)


@dataclass(frozen=True)
class Gaussians:
    """Gaussians on the sky, convolved with the beam of the survey.

    Attributes
    ----------
    rows : (n, 8) float64 array
        RA and Dec (deg, ICRS) of the source of the Gaussian; east and north offset (arcsec) of the Gaussian
        from there in the tangent plane; peak, in the survey's unit; FWHM of major and minor axis (arcsec,
        beam included); position angle of the major axis (deg), from north through east.
    """

    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def peak(self) -> np.ndarray:
        """Height in the survey's unit; (n,)."""
        return self.rows[:, 4]

    @property
    def major_arcsec(self) -> np.ndarray:
        """FWHM of the major axis, beam included; (n,)."""
        return self.rows[:, 5]

    @property
    def minor_arcsec(self) -> np.ndarray:
        """FWHM of the minor axis, beam included; (n,)."""
        return self.rows[:, 6]

    def take(self, which: np.ndarray) -> "Gaussians":
        """Return some of the Gaussians, by index or mask."""
        return Gaussians(self.rows[which])

    def reach_arcsec(self, faintest: float = 0.0) -> np.ndarray:
        """Return the largest distance from the source's position at which each Gaussian has emission."""
        offset = np.hypot(self.rows[:, 2], self.rows[:, 3])
        cut = np.array([_cut_sigma(peak, faintest) for peak in self.peak.tolist()])
        return offset + cut / FWHM_PER_SIGMA * self.major_arcsec

    def place(self, tile: Tile, faintest: float = 0.0) -> "PixelGaussians":
        """Return the same Gaussians in pixels of a tile, cut off where they fall to `faintest`.

        `faintest` is in the survey's unit; 0 cuts them off at `CUT_SIGMA`.  Angles are converted by mapping a
        second point one arcsec along the major axis, which is correct anywhere on the tile and at the poles.
        """
        middle = (tile.grid.size_px - 1) / 2
        return PixelGaussians(_placed(self.rows, faintest, tile.axes, tile.grid.pixel_scale_arcsec, middle))


@dataclass(frozen=True)
class PixelGaussians:
    """Gaussians on a tile: ``peak * exp(-(xx dx^2 + 2 xy dx dy + yy dy^2) / 2)`` in boxes around them.

    Attributes
    ----------
    rows : (n, 7) float64 array
        Position x, y and peak; xx, yy and xy; half of the box's width without its middle pixel, px.
    """

    rows: np.ndarray

    @classmethod
    def of_axes(
        cls,
        x: np.ndarray,
        y: np.ndarray,
        peak: np.ndarray,
        major_px: np.ndarray,
        minor_px: np.ndarray,
        turn: np.ndarray,
        cut_sigma: np.ndarray | float = CUT_SIGMA,
    ) -> "PixelGaussians":
        """Make Gaussians from the sigmas of their axes (px) and the major axis' angle from x to y (rad)."""
        rows = np.empty((len(x), 7))
        cos, sin = np.cos(turn), np.sin(turn)
        rows[:, 0], rows[:, 1], rows[:, 2] = x, y, peak
        rows[:, 3] = (cos / major_px) ** 2 + (sin / minor_px) ** 2
        rows[:, 4] = (sin / major_px) ** 2 + (cos / minor_px) ** 2
        rows[:, 5] = sin * cos * (major_px**-2 - minor_px**-2)
        rows[:, 6] = np.ceil(cut_sigma * major_px)
        return cls(rows)

    def box(self) -> TileWindow:
        """Return the smallest window that contains the boxes of all Gaussians, of which there is one."""
        middle, half = np.rint(self.rows[:, :2]), self.rows[:, 6:]
        (x0, y0), (x1, y1) = (middle - half).min(axis=0), (middle + half).max(axis=0)
        return TileWindow(int(x0), int(y0), int(x1 - x0) + 1, int(y1 - y0) + 1)

    def touching(self, window: TileWindow) -> np.ndarray:
        """Return the indices of the Gaussians whose boxes overlap the window."""
        return np.flatnonzero(boxes_touch(self.rows, window))

    def take(self, which: np.ndarray | slice) -> "PixelGaussians":
        """Return some of the Gaussians, by index, mask or slice."""
        return PixelGaussians(self.rows[which])

    def add_to(self, image: np.ndarray, window: TileWindow) -> None:
        """Add the Gaussians to the float64 ``(ny, nx)`` image of a window, in order."""
        _add(image, self.rows, window.x0, window.y0)


@compiled
def _cut_sigma(peak: float, faintest: float) -> float:
    """Return the radius at which a Gaussian falls to `faintest`, at most `CUT_SIGMA`, in sigma."""
    if faintest == 0.0:
        return CUT_SIGMA
    return min(CUT_SIGMA, math.sqrt(2 * math.log(max(peak / faintest, 1.0))))


@compiled
def _placed(
    rows: np.ndarray, faintest: float, axes: np.ndarray, pixel_arcsec: float, middle: float
) -> np.ndarray:
    """Return the rows of `PixelGaussians` of Gaussians on the sky.

    Parameters
    ----------
    rows : (n, 8) float64 array
        Those of `Gaussians`.
    faintest : float
        Height at which each is cut off.
    axes : (3, 3) float64 array
        Unit vectors to the east, to the north and outwards at the tile's tangent point.
    pixel_arcsec, middle : float
        Width of a pixel, and pixel of the tangent point in x and y.
    """
    placed = np.empty((len(rows), 7))
    to_px = 1 / (RAD_PER_ARCSEC * pixel_arcsec)
    to_sigma_px = 1 / (FWHM_PER_SIGMA * pixel_arcsec)
    outwards, ahead, at, beyond = np.empty(3), np.empty(3), np.empty(3), np.empty(3)
    for k in range(len(rows)):
        ra, dec = math.radians(rows[k, 0]), math.radians(rows[k, 1])
        cos_ra, sin_ra, cos_dec, sin_dec = math.cos(ra), math.sin(ra), math.cos(dec), math.sin(dec)
        east, north = RAD_PER_ARCSEC * rows[k, 2], RAD_PER_ARCSEC * rows[k, 3]
        angle = math.radians(rows[k, 7])
        # The position, and a point one arcsec along the major axis, on the plane that touches the sky there.
        for axis in range(3):
            if axis == 0:
                of_east, of_north, outwards[0] = -sin_ra, -sin_dec * cos_ra, cos_dec * cos_ra
            elif axis == 1:
                of_east, of_north, outwards[1] = cos_ra, -sin_dec * sin_ra, cos_dec * sin_ra
            else:
                of_east, of_north, outwards[2] = 0.0, cos_dec, sin_dec
            along = math.sin(angle) * of_east + math.cos(angle) * of_north
            outwards[axis] += east * of_east + north * of_north
            ahead[axis] = outwards[axis] + RAD_PER_ARCSEC * along
        for axis in range(3):
            one = axes[axis]
            at[axis] = one[0] * outwards[0] + one[1] * outwards[1] + one[2] * outwards[2]
            beyond[axis] = one[0] * ahead[0] + one[1] * ahead[1] + one[2] * ahead[2]
        x, y = middle - to_px * at[0] / at[2], middle + to_px * at[1] / at[2]
        major, minor = to_sigma_px * rows[k, 5], to_sigma_px * rows[k, 6]
        cos, sin = 1.0, 0.0
        if major != minor:
            dx, dy = middle - to_px * beyond[0] / beyond[2] - x, middle + to_px * beyond[1] / beyond[2] - y
            length = math.hypot(dx, dy)
            cos, sin = dx / length, dy / length
        placed[k, 0], placed[k, 1], placed[k, 2] = x, y, rows[k, 4]
        placed[k, 3] = (cos / major) ** 2 + (sin / minor) ** 2
        placed[k, 4] = (sin / major) ** 2 + (cos / minor) ** 2
        placed[k, 5] = sin * cos * (1 / major**2 - 1 / minor**2)
        placed[k, 6] = math.ceil(_cut_sigma(rows[k, 4], faintest) * major)
    return placed


def boxes_touch(boxes: np.ndarray, window: TileWindow) -> np.ndarray:
    """Return whether boxes of tile pixels overlap a window; ``(n,)`` bool.

    The columns of `boxes` are the position x and y, any others, and half of the width without the middle
    pixel; float64.
    """
    return _touch(boxes, window.x0, window.y0, window.nx, window.ny)


@compiled
def _touch(boxes: np.ndarray, x0: int, y0: int, nx: int, ny: int) -> np.ndarray:
    touch = np.empty(len(boxes), np.bool_)
    for k in range(len(boxes)):
        column, row, half = np.rint(boxes[k, 0]) - x0, np.rint(boxes[k, 1]) - y0, boxes[k, -1]
        touch[k] = column + half >= 0 and column - half < nx and row + half >= 0 and row - half < ny
    return touch


@compiled
def _add(image: np.ndarray, rows: np.ndarray, x0: int, y0: int) -> None:
    """Add Gaussians to the image of a window that starts at pixel ``x0, y0``.

    Each row of a Gaussian is a Gaussian of x, evaluated from its maximum outwards: the ratio of neighbouring
    values changes by a constant factor.
    """
    ny, nx = image.shape
    for k in range(len(rows)):
        x, y, peak, xx, yy, xy = rows[k, 0], rows[k, 1], rows[k, 2], rows[k, 3], rows[k, 4], rows[k, 5]
        column, row, half = int(np.rint(x)), int(np.rint(y)), int(rows[k, 6])
        first, last = max(column - half - x0, 0), min(column + half - x0, nx - 1)
        if first > last:
            continue
        of_row, fall = -0.5 * (yy - xy * xy / xx), math.exp(-xx)
        for j in range(max(row - half, y0), min(row + half, y0 + ny - 1) + 1):
            dy = j - y
            top = x - column - xy * dy / xx
            nearest = min(max(int(np.rint(top)), -half), half)
            dx = nearest - top
            value = math.exp(of_row * dy * dy - 0.5 * xx * dx * dx)
            ratio, back = math.exp(-xx * (dx + 0.5)), math.exp(xx * (dx - 0.5))
            start = column + nearest - x0
            _add_side(image[j - y0], first, last, start, 1, peak, value, ratio, fall)
            _add_side(image[j - y0], first, last, start - 1, -1, peak, value * back, back * fall, fall)


@compiled
def _add_side(
    line: np.ndarray,
    first: int,
    last: int,
    start: int,
    step: int,
    peak: float,
    value: float,
    ratio: float,
    fall: float,
) -> None:
    """Add one side of a Gaussian to the pixels `first` to `last` of a row, until it is negligible.

    `start` is the pixel next to its maximum; `step` is 1 for the right side and -1 for the left one.  `value`
    is that of this pixel over the peak, `ratio` that of the next one over it, `fall` how the ratio changes.
    """
    i, end = start, last + 1 if step > 0 else first - 1
    while value >= NEGLIGIBLE and (end - i) * step > 0:
        if first <= i <= last:
            line[i] += peak * value
        value, ratio, i = value * ratio, ratio * fall, i + step
