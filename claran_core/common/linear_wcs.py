"""The geometry of a cut-out: a linear celestial world coordinate system in ICRS.

Only two projections occur, gnomonic (TAN) and orthographic (SIN), in which radio and infrared surveys publish
their images.  The formulae are those of Calabretta & Greisen 2002, sections 5.1.3 and 5.1.5, written with
unit vectors, so that no trigonometric function is computed per pixel.  Other systems are converted in the
cut-outs stage (`claran_core.survey.regular`).
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from claran_core.common.compiled import compiled
from claran_core.common.constants import ARCSEC_PER_DEG
from claran_core.common.sky import FloatOrArray, unit_vectors

__all__ = ["LinearWCS", "Projection", "local_axes", "sky_of_vectors"]

Projection = Literal["TAN", "SIN"]


@dataclass(frozen=True)
class LinearWCS:
    """World coordinate system of an image whose pixels are linear in the plane of projection.

    Positions in the image are 0-based FITS array positions ``x y`` with pixel centres at whole numbers.

    Attributes
    ----------
    projection : {"TAN", "SIN"}
        Projection onto the plane that touches the sky at the reference position.
    ra_deg, dec_deg : float
        Reference position, ICRS.
    x, y : float
        Pixel of the reference position.
    matrix : tuple of float
        ``CD1_1, CD1_2, CD2_1, CD2_2``: east and north offsets in the plane, deg per pixel.
    """

    projection: Projection
    ra_deg: float
    dec_deg: float
    x: float
    y: float
    matrix: tuple[float, float, float, float]

    @property
    def pixel_scale_arcsec(self) -> float:
        """Width of a pixel in arcsec: the square root of its area at the reference position."""
        a, b, c, d = self.matrix
        return float(np.sqrt(abs(a * d - b * c)) * ARCSEC_PER_DEG)

    @cached_property
    def axes(self) -> np.ndarray:
        """Unit vectors to the east, to the north and to the reference position itself; ``(3, 3)``."""
        return local_axes(self.ra_deg, self.dec_deg)

    @cached_property
    def _per_pixel(self) -> np.ndarray:
        """The matrix in rad per pixel; ``(2, 2)``."""
        return np.deg2rad(np.array(self.matrix, float).reshape(2, 2))

    @cached_property
    def _to_pixels(self) -> np.ndarray:
        """Inverse of the matrix, px per rad; ``(2, 2)``."""
        (a, b), (c, d) = self._per_pixel
        return np.array([[d, -b], [-c, a]]) / (a * d - b * c)

    def sky_matrix(self, x: float, y: float) -> np.ndarray:
        """Return the matrix ``(2, 2)`` from pixels ``x y`` to arcsec east and north, at a place in the image.

        Far from the reference position, pixels are smaller (SIN) or larger (TAN) on the sky, and stretched.
        It is the derivative of the projection; NaN for positions that are not on the sphere (SIN).
        """
        matrix = _derivative(self.axes, self._per_pixel, x - self.x, y - self.y, self.projection == "TAN")
        return np.rad2deg(matrix) * ARCSEC_PER_DEG

    def window(self, x0: int, y0: int) -> "LinearWCS":
        """Return the system of the part of the image that starts at pixel ``x0 y0``."""
        return replace(self, x=self.x - x0, y=self.y - y0)

    def binned(self, x0: int, y0: int, width: int) -> "LinearWCS":
        """Return the system of blocks of `width` x `width` pixels, the first of which starts at ``x0 y0``."""
        middle = (width - 1) / 2
        matrix = tuple(width * value for value in self.matrix)
        x, y = (self.x - x0 - middle) / width, (self.y - y0 - middle) / width
        return replace(self, x=x, y=y, matrix=(matrix[0], matrix[1], matrix[2], matrix[3]))

    def divided(self, width: int) -> "LinearWCS":
        """Return the system of the pixels of blocks of `width` x `width`; the inverse of `binned`."""
        middle = (width - 1) / 2
        matrix = tuple(value / width for value in self.matrix)
        x, y = width * self.x + middle, width * self.y + middle
        return replace(self, x=x, y=y, matrix=(matrix[0], matrix[1], matrix[2], matrix[3]))

    def pixels_to_vectors(self, x: FloatOrArray, y: FloatOrArray) -> np.ndarray:
        """Return vectors ``(..., 3)`` towards positions in the image, of unit length for SIN only.

        NaN for positions that are not on the sphere (SIN).
        """
        dx, dy = np.asarray(x, float) - self.x, np.asarray(y, float) - self.y
        (a, b), (c, d) = self._per_pixel
        east, north = a * dx + b * dy, c * dx + d * dy
        if self.projection == "TAN":
            towards = np.ones_like(east)
        else:
            square = 1 - east**2 - north**2
            towards = np.sqrt(np.where(square >= 0, square, np.nan))
        # Not a matrix product, whose last bits depend on the number of positions.
        one, two, three = self.axes
        return east[..., None] * one + north[..., None] * two + towards[..., None] * three

    def vectors_to_pixels(self, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return positions ``x, y`` in the image of vectors ``(..., 3)`` of any length.

        NaN for directions 90 degrees or more from the reference position.
        """
        local = np.asarray(vectors, float) @ self.axes.T
        length = local[..., 2] if self.projection == "TAN" else np.sqrt((local**2).sum(axis=-1))
        scale = np.where(local[..., 2] > 0, length, np.nan)
        east, north = local[..., 0] / scale, local[..., 1] / scale
        (a, b), (c, d) = self._to_pixels
        return self.x + a * east + b * north, self.y + c * east + d * north

    def plane_to_pixels(self, axes: np.ndarray) -> np.ndarray:
        """Return the matrix ``(3, 3)`` from another tangent plane to pixels.

        It leads from ``east north 1`` in the plane with unit vectors `axes` (`local_axes`) to offsets ``x y``
        from the reference pixel and the distance along the axis of projection, all three still to be divided:
        by that distance for TAN, and by the length of ``east north 1`` for SIN.
        """
        matrix = self.axes @ axes.T
        matrix[:2] = self._to_pixels @ matrix[:2]
        return matrix

    def pixels_to_sky(self, x: FloatOrArray, y: FloatOrArray) -> tuple[np.ndarray, np.ndarray]:
        """Return the sky positions (RA in [0, 360), Dec; deg, ICRS) of positions in the image.

        The result depends on the distance from the reference pixel alone, so it has the same bits in every
        window of an image.
        """
        return sky_of_vectors(self.pixels_to_vectors(x, y))

    def sky_to_pixels(self, ra_deg: FloatOrArray, dec_deg: FloatOrArray) -> tuple[np.ndarray, np.ndarray]:
        """Return the positions ``x, y`` in the image of sky positions (deg, ICRS).

        NaN for positions 90 degrees or more from the reference position.
        """
        return self.vectors_to_pixels(unit_vectors(ra_deg, dec_deg))


@compiled
def _derivative(
    axes: np.ndarray, per_pixel: np.ndarray, dx: float, dy: float, is_tangential: bool
) -> np.ndarray:
    """Return the matrix (2, 2) from pixels ``x y`` to rad east and north, at a place in an image.

    Parameters
    ----------
    axes : (3, 3) array
        `LinearWCS.axes`.
    per_pixel : (2, 2) array
        Offsets to the east and north in the plane of projection, rad per pixel.
    dx, dy : float
        The place, from the reference pixel.
    is_tangential : bool
        Whether the projection is TAN rather than SIN.
    """
    plane = per_pixel[:, 0] * dx + per_pixel[:, 1] * dy
    square = plane[0] ** 2 + plane[1] ** 2
    towards = 1.0 if is_tangential else np.sqrt(1.0 - square)
    length = np.sqrt(square + towards**2)
    place = (plane[0] * axes[0] + plane[1] * axes[1] + towards * axes[2]) / length
    flat = np.hypot(place[0], place[1])
    cos_ra, sin_ra = (place[0] / flat, place[1] / flat) if flat > 0 else (1.0, 0.0)
    towards_east = np.array([-sin_ra, cos_ra, 0.0])
    towards_north = np.array([-place[2] * cos_ra, -place[2] * sin_ra, flat])
    matrix = np.empty((2, 2))
    for row, direction in enumerate((towards_east, towards_north)):
        outwards = (direction * axes[2]).sum()
        along = np.empty(2)
        for k in range(2):
            along[k] = (direction * axes[k]).sum()
            # The derivative of a vector of length 1 (SIN) has a part along the axis of projection; that of a
            # vector of another length (TAN) is divided by it.
            along[k] = along[k] / length if is_tangential else along[k] - outwards * plane[k] / towards
        for column in range(2):
            matrix[row, column] = along[0] * per_pixel[0, column] + along[1] * per_pixel[1, column]
    return matrix


def local_axes(ra_deg: float, dec_deg: float) -> np.ndarray:
    """Return the unit vectors to the east, to the north and outwards at a position, as rows; ``(3, 3)``."""
    ra, dec = math.radians(ra_deg), math.radians(dec_deg)
    sin_ra, cos_ra, sin_dec, cos_dec = math.sin(ra), math.cos(ra), math.sin(dec), math.cos(dec)
    return np.array(
        [
            [-sin_ra, cos_ra, 0.0],
            [-sin_dec * cos_ra, -sin_dec * sin_ra, cos_dec],
            [cos_dec * cos_ra, cos_dec * sin_ra, sin_dec],
        ]
    )


def sky_of_vectors(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions (RA in [0, 360), Dec; deg) of vectors ``(..., 3)`` of any length."""
    x, y, z = np.moveaxis(np.asarray(vectors, float), -1, 0)
    return np.rad2deg(np.arctan2(y, x)) % 360.0, np.rad2deg(np.arctan2(z, np.hypot(x, y)))
