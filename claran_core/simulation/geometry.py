"""Geometry of the simulated surveys: tiles on fixed pixel grids, windows of tiles, and HEALPix cells.

Like real surveys, the simulated ones consist of fixed images.  A tile is the tangent plane at the centre of
a HEALPix cell and serves all positions in that cell.  Pixels have absolute integer coordinates on their
tile, and a window is a range of them.  Conversions use `claran_core.common.frame`; tile pixels are FITS
pixels (row 0 south, 0-based, whole numbers at centres).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from claran_core.common.constants import ARCSEC_PER_DEG
from claran_core.common.frame import Frame
from claran_core.common.healpix import nested_cells, nested_vectors
from claran_core.common.linear_wcs import LinearWCS, local_axes, sky_of_vectors
from claran_core.common.sky import FloatOrArray, offset_to_sky, unit_vectors

__all__ = [
    "Tile",
    "TileGrid",
    "TileWindow",
    "cell_area_deg2",
    "cell_positions",
    "cells_around",
    "cells_near",
    "disc_around",
    "sky_to_cell",
    "sky_to_cells",
    "subcells",
]

# Native pixels beyond the requested square, which a cubic spline needs to interpolate at its border.
MARGIN_PX = 2

# East and north offsets of the corners, side centres and centre of a square, in half widths.
SQUARE = np.stack(np.meshgrid([1.0, 0.0, -1.0], [1.0, 0.0, -1.0])).reshape(2, -1)


def sky_to_cells(ra_deg: FloatOrArray, dec_deg: FloatOrArray, nside: int) -> np.ndarray:
    """Return the nested HEALPix cells that contain positions (deg, ICRS)."""
    vectors = unit_vectors(ra_deg, dec_deg)
    return nested_cells(vectors.reshape(-1, 3), nside).reshape(vectors.shape[:-1])


def sky_to_cell(ra_deg: FloatOrArray, dec_deg: FloatOrArray, nside: int) -> int:
    """Return the nested HEALPix cell that contains one position (deg, ICRS)."""
    return int(sky_to_cells(ra_deg, dec_deg, nside))


def cells_near(ra_deg: float, dec_deg: float, radius_arcsec: float, nside: int) -> tuple[int, ...]:
    """Return the nested HEALPix cells that overlap a disc, in ascending order.

    A few cells just outside the disc may be included.  The cone search of astropy_healpix misses cells of
    which only a corner is in the disc.
    """
    lon, lat = offset_to_sky(ra_deg, dec_deg, *_net(radius_arcsec, nside))
    return tuple(sorted(set(sky_to_cells(lon, lat, nside).tolist())))


@lru_cache(maxsize=256)
def _net(radius_arcsec: float, nside: int) -> np.ndarray:
    """Return offsets (arcsec) of points, at least one of them in every cell that overlaps a disc; ``(2, n)``.

    The points lie on a slightly larger circle, which finds cells with only a corner in the disc, and on a
    mesh inside it that is finer than a cell.
    """
    cell_arcsec = math.sqrt(cell_area_deg2(nside)) * ARCSEC_PER_DEG
    beyond = max(min(radius_arcsec, cell_arcsec) / 16, 1.0)
    reach = radius_arcsec + beyond
    turn = np.linspace(0, 2 * np.pi, int(np.ceil(4 * np.pi * reach / beyond)))
    mesh = cell_arcsec / 4
    along = np.arange(-np.ceil(reach / mesh), np.ceil(reach / mesh) + 1) * mesh
    within = np.stack(np.meshgrid(along, along)).reshape(2, -1)
    within = within[:, np.hypot(*within) <= reach]
    return np.concatenate([reach * np.stack([np.sin(turn), np.cos(turn)]), within], axis=1)


def cell_area_deg2(nside: int) -> float:
    """Return the area of a HEALPix cell in square degrees."""
    return math.degrees(math.degrees(4 * math.pi / (12 * nside * nside)))


def cell_positions(
    cell: int, nside: int, across: FloatOrArray, along: FloatOrArray
) -> tuple[np.ndarray, np.ndarray]:
    """Return sky positions (deg) at fractions 0..1 `across` and `along` a cell (equal-area)."""
    places = np.broadcast_arrays(np.asarray(across, float), np.asarray(along, float))
    vectors = nested_vectors(cell, nside, *(np.ascontiguousarray(place).reshape(-1) for place in places))
    ra, dec = sky_of_vectors(vectors)
    return ra.reshape(places[0].shape), dec.reshape(places[0].shape)


def subcells(cell: int, nside: int, finer_nside: int) -> np.ndarray:
    """Return the nested HEALPix cells of a finer resolution inside a cell."""
    children = (finer_nside // nside) ** 2
    return np.arange(cell * children, (cell + 1) * children)


@dataclass(frozen=True)
class TileGrid:
    """The division of the sky into the images of a survey.

    Attributes
    ----------
    nside : int
        HEALPix resolution: one tile per cell.
    pixel_scale_arcsec : float
        Width of a pixel.
    size_px : int
        Width of a tile's plane: pixel 0 is half this width east and south of the tangent point.
    overlap_arcsec : float
        Distance by which a tile extends beyond its cell.
    """

    nside: int
    pixel_scale_arcsec: float
    size_px: int
    overlap_arcsec: float = 0.0

    def tile_at(self, ra_deg: float, dec_deg: float) -> "Tile":
        """Return the tile of images centred on a position (deg, ICRS)."""
        return self.tile(sky_to_cell(ra_deg, dec_deg, self.nside))

    def tile(self, index: int) -> "Tile":
        """Return the tile of a HEALPix cell."""
        ra_deg, dec_deg = cell_positions(index, self.nside, 0.5, 0.5)
        return Tile(self, index, float(ra_deg), float(dec_deg))


@dataclass(frozen=True)
class TileWindow:
    """A range of absolute tile pixels: columns ``x0 .. x0 + nx - 1``, rows ``y0 .. y0 + ny - 1``."""

    x0: int
    y0: int
    nx: int
    ny: int

    @property
    def shape(self) -> tuple[int, int]:
        """Shape ``(ny, nx)`` of the window's array."""
        return self.ny, self.nx

    def grown(self, margin_x: int, margin_y: int) -> "TileWindow":
        """Return the window with `margin_x` more columns and `margin_y` more rows on either side."""
        return TileWindow(
            self.x0 - margin_x, self.y0 - margin_y, self.nx + 2 * margin_x, self.ny + 2 * margin_y
        )

    @staticmethod
    def around(windows: Sequence["TileWindow"]) -> "TileWindow":
        """Return the smallest window that contains all of several windows, of which there is one."""
        x0, y0 = min(one.x0 for one in windows), min(one.y0 for one in windows)
        x1, y1 = max(one.x0 + one.nx for one in windows), max(one.y0 + one.ny for one in windows)
        return TileWindow(x0, y0, x1 - x0, y1 - y0)

    def within(self, other: "TileWindow") -> "TileWindow":
        """Return the pixels that both windows have in common; they overlap."""
        x0, y0 = max(self.x0, other.x0), max(self.y0, other.y0)
        x1, y1 = min(self.x0 + self.nx, other.x0 + other.nx), min(self.y0 + self.ny, other.y0 + other.ny)
        return TileWindow(x0, y0, x1 - x0, y1 - y0)

    def overlap(self, other: "TileWindow") -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """Return the rows and columns of the common pixels in this window's array and in the other's."""
        x0, y0 = max(self.x0, other.x0), max(self.y0, other.y0)
        x1 = max(x0, min(self.x0 + self.nx, other.x0 + other.nx))
        y1 = max(y0, min(self.y0 + self.ny, other.y0 + other.ny))
        own, others = (
            (slice(y0 - one.y0, y1 - one.y0), slice(x0 - one.x0, x1 - one.x0)) for one in (self, other)
        )
        return own, others


@dataclass(frozen=True)
class Tile:
    """One image of a survey: the tangent plane at (`ra_deg`, `dec_deg`).

    Attributes
    ----------
    grid : TileGrid
        Grid of the survey.
    index : int
        HEALPix cell.
    ra_deg, dec_deg : float
        Tangent point, deg, ICRS; the centre of the tile.
    """

    grid: TileGrid
    index: int
    ra_deg: float
    dec_deg: float

    @property
    def _frame(self) -> Frame:
        return Frame(self.grid.size_px, self.grid.pixel_scale_arcsec)

    @cached_property
    def axes(self) -> np.ndarray:
        """Unit vectors to the east, to the north and outwards at the tangent point; ``(3, 3)``."""
        return local_axes(self.ra_deg, self.dec_deg)

    @property
    def limits(self) -> TileWindow:
        """Pixels of the tile: the box around its cell, extended by the overlap."""
        return _limits(self)

    def sky_to_pixel(self, ra_deg: FloatOrArray, dec_deg: FloatOrArray) -> tuple[np.ndarray, np.ndarray]:
        """Return the tile pixels ``x, y`` of sky positions (deg, ICRS)."""
        x, y = self._frame.sky_to_frame(self.ra_deg, self.dec_deg, ra_deg, dec_deg)
        return x - 0.5, self.grid.size_px - 0.5 - y

    def pixel_to_sky(self, x: float, y: float) -> tuple[float, float]:
        """Return the sky position (deg, ICRS) of a tile pixel."""
        ra, dec = self._frame.frame_to_sky(self.ra_deg, self.dec_deg, x + 0.5, self.grid.size_px - 0.5 - y)
        return float(ra), float(dec)

    def window(self, ra_deg: float, dec_deg: float, width_arcsec: float) -> TileWindow:
        """Return the smallest window that covers a north-up square around a position, with a margin.

        Away from the centre of the tile its north differs from that of the square, so the window is the
        bounding box of a rotated square.
        """
        east, north = 0.5 * width_arcsec * SQUARE
        x, y = self.sky_to_pixel(*offset_to_sky(ra_deg, dec_deg, east, north))
        x0, y0 = math.floor(x.min()) - MARGIN_PX, math.floor(y.min()) - MARGIN_PX
        x1, y1 = math.ceil(x.max()) + MARGIN_PX, math.ceil(y.max()) + MARGIN_PX
        return TileWindow(x0, y0, x1 - x0 + 1, y1 - y0 + 1)

    def wcs(self, window: TileWindow) -> LinearWCS:
        """Return the celestial system of a window's array."""
        return self._frame.wcs(self.ra_deg, self.dec_deg).window(window.x0, window.y0)


def disc_around(tile: Tile, window: TileWindow) -> tuple[float, float, float]:
    """Return RA and Dec of the centre (deg, ICRS) and the radius (arcsec) of the disc around a window."""
    ra_deg, dec_deg = tile.pixel_to_sky(window.x0 + (window.nx - 1) / 2, window.y0 + (window.ny - 1) / 2)
    return ra_deg, dec_deg, 0.5 * float(np.hypot(*window.shape)) * tile.grid.pixel_scale_arcsec


def cells_around(tile: Tile, window: TileWindow, reach_arcsec: float, nside: int) -> tuple[int, ...]:
    """Return the nested HEALPix cells whose sources may reach a window, in ascending order.

    Sources are added in this order, which is the same for all windows of a tile.
    """
    ra_deg, dec_deg, radius = disc_around(tile, window)
    return cells_near(ra_deg, dec_deg, radius + reach_arcsec, nside)


@lru_cache(maxsize=1024)
def _limits(tile: Tile) -> TileWindow:
    up = np.linspace(0.0, 1.0, 9)
    low, high = np.zeros(up.size), np.ones(up.size)
    across, along = np.concatenate([up, up, low, high]), np.concatenate([low, high, up, up])
    x, y = tile.sky_to_pixel(*cell_positions(tile.index, tile.grid.nside, across, along))
    overlap = tile.grid.overlap_arcsec / tile.grid.pixel_scale_arcsec
    x0, y0 = int(np.floor(x.min() - overlap)), int(np.floor(y.min() - overlap))
    x1, y1 = int(np.ceil(x.max() + overlap)), int(np.ceil(y.max() + overlap))
    return TileWindow(x0, y0, x1 - x0 + 1, y1 - y0 + 1)
