"""The frame of a subject, and all conversions between frame arrays, FITS arrays and the sky.

A subject is a square image in tangent-plane (TAN) projection, north up, east to the left, centred on its
target.  Arrays of the frame are ``(ny, nx)`` with row 0 in the north, as in a PNG; FITS arrays have row 0
in the south.  Positions in the frame are continuous: pixel i covers ``[i, i + 1)``, so the centre of pixel 0
is at 0.5 and a box over all pixels of the default frame is 0 0 132 132.

A subject may be seen at a coarser scale: its frame has the same number of larger pixels.
"""

from dataclasses import dataclass, replace

import numpy as np

from claran_core.common.constants import ARCSEC_PER_DEG
from claran_core.common.linear_wcs import LinearWCS, local_axes
from claran_core.common.sky import FloatOrArray, sky_to_tangent_plane, tangent_plane_to_sky

__all__ = ["SCALES", "Frame", "flip_rows"]

# Scales of the views of the sky: the pixel of a view in units of the finest view's.
SCALES = (1, 2, 4, 8)


def flip_rows(image: np.ndarray) -> np.ndarray:
    """Convert a FITS array ``(ny, nx, ...)`` (row 0 south) to a frame array (row 0 north), or back."""
    return image[::-1]


@dataclass(frozen=True)
class Frame:
    """Geometry of the subjects of a run.

    Attributes
    ----------
    size_px : int
        Width and height in pixels (132 in the paper, section 3.4).
    pixel_scale_arcsec : float
        Width of a pixel in arcsec (1.375 in the paper).
    """

    size_px: int = 132
    pixel_scale_arcsec: float = 1.375

    @property
    def width_arcsec(self) -> float:
        """Width of the whole frame in arcsec."""
        return self.size_px * self.pixel_scale_arcsec

    def at_scale(self, scale: int) -> "Frame":
        """Return the frame of the same number of pixels, each `scale` times as wide."""
        return replace(self, pixel_scale_arcsec=scale * self.pixel_scale_arcsec)

    def wcs(self, ra_deg: float, dec_deg: float) -> LinearWCS:
        """Return the geometry of the subject at (`ra_deg`, `dec_deg`, ICRS) as a FITS array (row 0 south)."""
        middle, scale_deg = (self.size_px - 1) / 2, self.pixel_scale_arcsec / ARCSEC_PER_DEG
        return LinearWCS("TAN", ra_deg, dec_deg, middle, middle, (-scale_deg, 0.0, 0.0, scale_deg))

    def sky_to_frame(
        self,
        ra_deg: FloatOrArray,
        dec_deg: FloatOrArray,
        sky_ra_deg: FloatOrArray,
        sky_dec_deg: FloatOrArray,
        scale: FloatOrArray = 1,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the frame positions ``x, y`` of sky positions; the subject is at (`ra_deg`, `dec_deg`).

        Positions 90 degrees or more from the centre have no projection and give NaN.  With `scale`, the
        positions are those in the frame `at_scale`; all arguments broadcast.
        """
        east, north = sky_to_tangent_plane(ra_deg, dec_deg, sky_ra_deg, sky_dec_deg)
        per_px = np.deg2rad(self.pixel_scale_arcsec / ARCSEC_PER_DEG) * scale
        return self.size_px / 2 - east / per_px, self.size_px / 2 - north / per_px

    def frame_to_sky(
        self,
        ra_deg: FloatOrArray,
        dec_deg: FloatOrArray,
        x: FloatOrArray,
        y: FloatOrArray,
        scale: FloatOrArray = 1,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the sky positions (RA in [0, 360), Dec; deg, ICRS) of frame positions.

        The inverse of `sky_to_frame`.  The arguments broadcast, so one call can convert many subjects, each
        at its own `scale`.
        """
        per_px = np.deg2rad(self.pixel_scale_arcsec / ARCSEC_PER_DEG) * scale
        east = (self.size_px / 2 - np.asarray(x, float)) * per_px
        north = (self.size_px / 2 - np.asarray(y, float)) * per_px
        return tangent_plane_to_sky(ra_deg, dec_deg, east, north)

    def vectors_to_frame(
        self, ra_deg: float, dec_deg: float, vectors: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the frame positions ``x, y`` of vectors ``(..., 3)``; NaN as by `sky_to_frame`."""
        local = np.asarray(vectors, float) @ local_axes(ra_deg, dec_deg).T
        per_px = np.deg2rad(self.pixel_scale_arcsec / ARCSEC_PER_DEG)
        towards = per_px * np.where(local[..., 2] > 0, local[..., 2], np.nan)
        return self.size_px / 2 - local[..., 0] / towards, self.size_px / 2 - local[..., 1] / towards

    def pixel_centres(self, fits_rows: np.ndarray, fits_columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the frame positions ``x, y`` of 0-based rows and columns of a FITS array of the frame."""
        return np.asarray(fits_columns) + 0.5, self.size_px - (np.asarray(fits_rows) + 0.5)
