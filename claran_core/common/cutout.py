"""A cut-out: the window of a survey image around a subject, or the reason why there is none."""

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
    """How an answer of an archive came: of several, each joined by a blank.

    Attributes
    ----------
    service : str
        Name of the service.
    url : str
        What was asked; fields of a form are appended as if they were part of the address.
    sha256 : str
        Of the bytes that came, hexadecimal.
    fetched_at : str
        When, ISO 8601, UTC.
    """

    service: str
    url: str
    sha256: str
    fetched_at: str


@dataclass(frozen=True)
class Cutout:
    """A window of a survey image in its own pixels.

    Attributes
    ----------
    data : (ny, nx) float32 array
        Pixels in the survey's unit, FITS order (row 0 is FITS row 1); NaN where there is no data.
    wcs : astropy.wcs.WCS
        Two-dimensional celestial WCS of `data`.
    origin : str
        Where the pixels come from, for the ledger: a file name, a URL, ``"simulated"``.
    flags : Flag
        What is known to be odd about it (suspect unit, coarse pixels).
    provenance : Provenance, optional
        How it came, if from an archive.
    """

    data: np.ndarray
    wcs: WCS
    origin: str
    flags: Flag = Flag(0)
    provenance: Provenance | None = None

    @property
    def pixel_scale_arcsec(self) -> float:
        """Width of a pixel: the square root of its area at the reference position."""
        return float(np.sqrt(np.abs(np.linalg.det(self.wcs.pixel_scale_matrix))) * ARCSEC_PER_DEG)


@dataclass(frozen=True)
class NoImage:
    """Why there is no cut-out: outside the survey, or it should be there but could not be had."""

    status: Literal["no_coverage", "failed"]
    reason: str
    provenance: Provenance | None = None
