"""A cut-out: a window of a survey image around a subject, or the reason why there is no image."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from astropy.wcs import WCS

from claran_core.common.constants import ARCSEC_PER_DEG
from claran_core.common.flags import Flag

__all__ = ["Band", "Cutout", "NoImage", "Provenance"]

Band = Literal["radio", "infrared"]


@dataclass(frozen=True)
class Provenance:
    """Where and when a cut-out came from an archive; values of several responses are joined by blanks.

    Attributes
    ----------
    service : str
        Name of the service.
    url : str
        Address of the request; form fields are appended as a query string.
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
class Cutout:
    """A window of a survey image, in the pixels of that image.

    Attributes
    ----------
    data : (ny, nx) float32 array
        Pixels in the survey's unit, FITS order (row 0 is FITS row 1); NaN marks missing data.
    wcs : astropy.wcs.WCS
        Two-dimensional celestial WCS of `data`.
    origin : str
        Origin of the pixels, for the ledger: a file name, a URL, ``"simulated"``.
    flags : Flag
        Known problems of the image (suspect unit, coarse pixels).
    provenance : Provenance, optional
        Provenance, for an image from an archive.
    """

    data: np.ndarray
    wcs: WCS
    origin: str
    flags: Flag = Flag(0)
    provenance: Provenance | None = None

    @property
    def pixel_scale_arcsec(self) -> float:
        """Width of a pixel in arcsec: the square root of its area at the reference position."""
        return float(np.sqrt(np.abs(np.linalg.det(self.wcs.pixel_scale_matrix))) * ARCSEC_PER_DEG)


@dataclass(frozen=True)
class NoImage:
    """The reason why there is no cut-out: outside the survey, or a failure to obtain it."""

    status: Literal["no_coverage", "failed"]
    reason: str
    provenance: Provenance | None = None
