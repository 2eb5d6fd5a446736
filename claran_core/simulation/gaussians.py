"""Emission as a sum of elliptical Gaussians, evaluated on the pixels of a tile.

Each Gaussian is evaluated on a box of tile pixels that depends only on the Gaussian, and then cropped to the
window.  A pixel therefore gets the same bits in every window.
"""

from dataclasses import dataclass, fields

import numpy as np

from claran_core.common.constants import FWHM_PER_SIGMA
from claran_core.common.sky import offset_to_sky
from claran_core.simulation.geometry import Tile, TileWindow

__all__ = ["Gaussians", "PixelGaussians"]


# Radius at which a Gaussian is cut off, in units of its sigma: 1.3e-6 of its peak.
CUT_SIGMA = 5.2


@dataclass(frozen=True)
class Gaussians:
    """Gaussians on the sky, convolved with the beam of the survey; all fields are (n,) float arrays.

    Attributes
    ----------
    ra_deg, dec_deg : array
        Position of the source of the Gaussian, deg, ICRS.
    east_arcsec, north_arcsec : array
        Offset of the Gaussian from that position, in the tangent plane there.
    peak : array
        Height in the survey's unit.
    major_arcsec, minor_arcsec : array
        FWHM, beam included.
    angle_deg : array
        Position angle of the major axis, from north through east.
    """

    ra_deg: np.ndarray
    dec_deg: np.ndarray
    east_arcsec: np.ndarray
    north_arcsec: np.ndarray
    peak: np.ndarray
    major_arcsec: np.ndarray
    minor_arcsec: np.ndarray
    angle_deg: np.ndarray

    def __len__(self) -> int:
        return self.peak.size

    @staticmethod
    def join(parts: "list[Gaussians]") -> "Gaussians":
        """Return all Gaussians of several lists, in order."""
        empty = [np.empty(0)]
        return Gaussians(
            *(np.concatenate([getattr(part, f.name) for part in parts] or empty) for f in fields(Gaussians))
        )

    def take(self, which: np.ndarray) -> "Gaussians":
        """Return some of the Gaussians, by index or mask."""
        return Gaussians(*(getattr(self, f.name)[which] for f in fields(Gaussians)))

    def cut_sigma(self, faintest: float = 0.0) -> np.ndarray:
        """Return the radius at which each Gaussian falls to `faintest`, in units of its sigma.

        `faintest` is in the survey's unit.  The radius is at most `CUT_SIGMA`, which is also that of 0.
        """
        if faintest == 0:
            return np.full(len(self), CUT_SIGMA)
        return np.minimum(CUT_SIGMA, np.sqrt(2 * np.log(np.maximum(self.peak / faintest, 1.0))))

    def reach_arcsec(self, faintest: float = 0.0) -> np.ndarray:
        """Return the largest distance from the source's position at which each Gaussian has emission."""
        offset = np.hypot(self.east_arcsec, self.north_arcsec)
        return offset + self.cut_sigma(faintest) / FWHM_PER_SIGMA * self.major_arcsec

    def place(self, tile: Tile, faintest: float = 0.0) -> "PixelGaussians":
        """Return the same Gaussians in pixels of a tile, cut off where they fall to `faintest`.

        Angles are converted by mapping a second point one arcsec along the major axis, which is correct
        anywhere on the tile and at the poles.
        """
        east, north = self.east_arcsec, self.north_arcsec
        sky = self.ra_deg, self.dec_deg
        if east.any() or north.any():
            sky = offset_to_sky(*sky, east, north)
        x, y = tile.sky_to_pixel(*sky)
        # Circular Gaussians need no angle; most infrared sources are circular.
        turn, k = np.zeros(len(self)), np.flatnonzero(self.major_arcsec != self.minor_arcsec)
        angle = np.deg2rad(self.angle_deg[k])
        ahead = east[k] + np.sin(angle), north[k] + np.cos(angle)
        x_ahead, y_ahead = tile.sky_to_pixel(*offset_to_sky(self.ra_deg[k], self.dec_deg[k], *ahead))
        turn[k] = np.arctan2(y_ahead - y[k], x_ahead - x[k])
        to_sigma_px = 1 / (FWHM_PER_SIGMA * tile.grid.pixel_scale_arcsec)
        major, minor = self.major_arcsec * to_sigma_px, self.minor_arcsec * to_sigma_px
        return PixelGaussians.of_axes(x, y, self.peak, major, minor, turn, self.cut_sigma(faintest))


@dataclass(frozen=True)
class PixelGaussians:
    """Gaussians on a tile: ``peak * exp(-(xx dx^2 + 2 xy dx dy + yy dy^2) / 2)`` within `half_px`."""

    x: np.ndarray
    y: np.ndarray
    peak: np.ndarray
    xx: np.ndarray
    yy: np.ndarray
    xy: np.ndarray
    half_px: np.ndarray

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
        cos, sin = np.cos(turn), np.sin(turn)
        return cls(
            x=x,
            y=y,
            peak=peak,
            xx=(cos / major_px) ** 2 + (sin / minor_px) ** 2,
            yy=(sin / major_px) ** 2 + (cos / minor_px) ** 2,
            xy=sin * cos * (major_px**-2 - minor_px**-2),
            half_px=np.ceil(cut_sigma * major_px).astype(int),
        )

    def touching(self, window: TileWindow) -> np.ndarray:
        """Return the indices of the Gaussians whose boxes overlap the window."""
        column, row = np.rint(self.x) - window.x0, np.rint(self.y) - window.y0
        near = (column + self.half_px >= 0) & (column - self.half_px < window.nx)
        near &= (row + self.half_px >= 0) & (row - self.half_px < window.ny)
        return np.flatnonzero(near)

    def add_to(self, image: np.ndarray, window: TileWindow, which: np.ndarray) -> None:
        """Add the Gaussians `which` to the float64 ``(ny, nx)`` image of a window, in order.

        Terms that depend only on columns or rows are computed for all Gaussians at once.  A circular Gaussian
        is the product of a row and a column.
        """
        half, xx, yy, xy = (values[which] for values in (self.half_px, self.xx, self.yy, self.xy))
        column, row = np.rint(self.x[which]), np.rint(self.y[which])
        steps = np.arange(-half.max(initial=0), half.max(initial=0) + 1.0)
        dx = steps + (column - self.x[which])[:, None]
        dy = steps + (row - self.y[which])[:, None]
        of_x, of_y = -0.5 * xx[:, None] * dx * dx, -0.5 * yy[:, None] * dy
        of_both, circle = -xy[:, None] * dx, xy == 0
        of_x[circle] = np.exp(of_x[circle])
        of_y[circle] = self.peak[which][circle, None] * np.exp(of_y[circle] * dy[circle])
        column, row = column.astype(int) - window.x0, row.astype(int) - window.y0
        x0, x1 = _cropped(column, half, window.nx)
        y0, y1 = _cropped(row, half, window.ny)
        first_x, first_y = steps.size // 2 - column, steps.size // 2 - row
        places = np.stack([circle, x0, x1, x0 + first_x, x1 + first_x, y0, y1, y0 + first_y, y1 + first_y])
        for k, (peak, place) in enumerate(zip(self.peak[which].tolist(), places.T.tolist(), strict=True)):
            is_circle, x0, x1, from_x, to_x, y0, y1, from_y, to_y = place
            if is_circle:
                values = of_y[k, from_y:to_y, None] * of_x[k, from_x:to_x]
            else:
                values = of_both[k, from_x:to_x] + of_y[k, from_y:to_y, None]
                values *= dy[k, from_y:to_y, None]
                values += of_x[k, from_x:to_x]
                np.exp(values, out=values)
                values *= peak
            image[y0:y1, x0:x1] += values


def _cropped(middle: np.ndarray, half: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the range of pixels ``0 .. size - 1`` within `half` of `middle`: first and last + 1; (n,)."""
    first = np.maximum(middle - half, 0)
    return first, np.maximum(np.minimum(middle + half + 1, size), first)
