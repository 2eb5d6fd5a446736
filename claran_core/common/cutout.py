"""A cut-out: a window of a survey image around a subject, or the reason why there is no image."""

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, get_args

import numpy as np

from claran_core.common.flags import Flag
from claran_core.common.linear_wcs import LinearWCS

__all__ = ["ROLES", "Band", "Beam", "BrightPixels", "Cutout", "NoImage", "Provenance", "Role"]

Band = Literal["radio", "infrared"]
# What a survey is used for in a run: its entry of the settings' section `survey`, and column `band` of the
# ledger.  In the order of the ledger.
Role = Literal["radio", "second_radio", "infrared"]
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True)
class Provenance:
    """Where and when a cut-out came from an archive; values of several responses are joined by blanks.

    Attributes
    ----------
    service : str
        Name of the service.
    url : str
        Address that answered, after redirects; form fields are appended as a query string.
    sha256 : str
        SHA-256 of the bytes received, hexadecimal.
    fetched_at : str
        Time of the response, ISO 8601, UTC.
    """

    service: str
    url: str
    sha256: str
    fetched_at: str


@dataclass(frozen=True)
class Beam:
    """Gaussian beam of an image, as its header states it (BMAJ, BMIN, BPA).

    Attributes
    ----------
    major_arcsec, minor_arcsec : float
        FWHM along the axes, arcsec.
    angle_deg : float
        Position angle of the major axis, deg, from north to east.
    """

    major_arcsec: float
    minor_arcsec: float
    angle_deg: float

    @property
    def fwhm_arcsec(self) -> float:
        """Geometric mean of the FWHM along both axes, arcsec."""
        return math.sqrt(self.major_arcsec * self.minor_arcsec)


@dataclass(frozen=True)
class BrightPixels:
    """The native pixels of a coarse radio cut-out that stand out of the noise, and their neighbours.

    Attributes
    ----------
    scale : int
        Native pixels along the side of a coarse pixel.
    sigma : float
        Noise of the native pixels, 1.4826 x MAD.
    index : (n,) int32 array
        Places in the array ``(scale * ny, scale * nx)`` of native pixels, row by row, in ascending order.
    values : (n,) float32 array
        Pixels in the survey's unit.
    """

    scale: int
    sigma: float
    index: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class Cutout:
    """A window of a survey image, in the pixels of that image or, for a coarse view, in blocks of them.

    Attributes
    ----------
    data : (ny, nx) float32 array
        Pixels in the survey's unit, FITS order (row 0 is FITS row 1); NaN marks missing data.
    wcs : LinearWCS
        World coordinate system of `data`.
    origin : str
        Origin of the pixels, for the ledger: a file name, a URL, ``"simulated"``.
    flags : Flag
        Known problems of the image (suspect unit, coarse pixels).
    provenance : Provenance, optional
        Provenance, for an image from an archive.
    unit : str
        Unit that the file states, as it spells it; empty if it states none.
    beam : Beam, optional
        Beam that the file states; that of the smoothed image for a coarse view.
    bright : BrightPixels, optional
        Bright native pixels of a coarse view of a radio image.
    """

    data: np.ndarray
    wcs: LinearWCS
    origin: str
    flags: Flag = Flag(0)
    provenance: Provenance | None = None
    unit: str = ""
    beam: Beam | None = None
    bright: BrightPixels | None = None

    @property
    def native(self) -> "Cutout | None":
        """The native pixels of a coarse view, 0 where they are not stored; None for other cut-outs.

        NaN where the coarse pixel has no data.
        """
        if self.bright is None:
            return None
        scale = self.bright.scale
        # Plain copies of rows and columns: much faster than `numpy.kron`.
        gaps = np.where(np.isnan(self.data), np.float32(np.nan), np.float32(0))
        data = gaps.repeat(scale, axis=0).repeat(scale, axis=1)
        has_data = ~np.isnan(data.ravel()[self.bright.index])
        data.ravel()[self.bright.index[has_data]] = self.bright.values[has_data]
        wide, beam = self.beam, None
        if wide is not None:
            beam = Beam(wide.major_arcsec / scale, wide.minor_arcsec / scale, wide.angle_deg)
        return replace(self, data=data, wcs=self.wcs.divided(scale), beam=beam, bright=None)

    @property
    def native_sigma(self) -> float | None:
        """Noise of the native pixels of a coarse view; None for other cut-outs."""
        return None if self.bright is None else self.bright.sigma

    @cached_property
    def sky_matrix(self) -> np.ndarray:
        """Matrix ``(2, 2)`` from pixels ``x y`` to arcsec east and north, in the middle of the cut-out."""
        ny, nx = self.data.shape
        return self.wcs.sky_matrix((nx - 1) / 2, (ny - 1) / 2)

    @property
    def pixel_scale_arcsec(self) -> float:
        """Width of a pixel in arcsec: the square root of its area in the middle of the cut-out."""
        (a, b), (c, d) = self.sky_matrix.tolist()
        return math.sqrt(abs(a * d - b * c))


@dataclass(frozen=True)
class NoImage:
    """The reason why there is no cut-out: outside the survey, or a failure to obtain it."""

    status: Literal["no_coverage", "failed"]
    reason: str
    provenance: Provenance | None = None
