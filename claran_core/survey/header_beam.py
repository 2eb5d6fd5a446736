"""The beam that the header of a radio image states."""

import re
from collections.abc import Iterable

import numpy as np
from astropy import units as u
from astropy.io import fits

from claran_core.common.constants import ARCSEC_PER_DEG
from claran_core.common.cutout import Beam
from claran_core.survey.header_values import has_value, value_of
from claran_core.survey.identity import FLAGGED_BEAM_RATIO
from claran_core.survey.surveys import Survey

__all__ = ["beam_of", "is_far_from_survey"]

# ``AIPS   CLEAN BMAJ=  1.5000E-03 BMIN=  1.5000E-03 BPA=   0.00``
_NUMBER = r"\s*=\s*([-+]?[\d.]+(?:[EeDd][-+]?\d+)?)"
AIPS_CLEAN = re.compile(rf"BMAJ{_NUMBER}\s*BMIN{_NUMBER}\s*BPA{_NUMBER}")
BEAM_COLUMNS = ("BMAJ", "BMIN", "BPA")

# No image has so many pixels along its beam: a larger ratio is a beam in another unit than deg.
MAX_BEAM_PX = 200.0


def beam_of(
    header: fits.Header, pixel_scale_arcsec: float, hdus: Iterable[fits.hdu.base._BaseHDU] = ()
) -> Beam | None:
    """Return the beam that an image states: in BMAJ, BMIN and BPA, a table of beams, or HISTORY of AIPS.

    Parameters
    ----------
    header : Header
        Header of the image.
    pixel_scale_arcsec : float
        Width of a pixel.
    hdus : iterable of HDUs, optional
        The file, which may contain a table of the beam of each channel, as CASA writes it; the first row
        counts, because an image has one plane.

    Returns
    -------
    Beam or None
        None without a stated beam; 0 and what is not a number do not state one.

    Raises
    ------
    ValueError
        If the beam is impossible; card and value are named.
    """
    stated = [value_of(header, key) if has_value(header, key) else None for key in BEAM_COLUMNS]
    axes = _numbers(*stated) or _of_table(hdus) or _of_history(header)
    if axes is None:
        return None
    major, minor, angle = axes
    if max(major, minor) * ARCSEC_PER_DEG > MAX_BEAM_PX * pixel_scale_arcsec:
        raise ValueError(
            f"BMAJ = {major:g}, BMIN = {minor:g} deg is a beam of more than {MAX_BEAM_PX:g} pixels"
        )
    return Beam(major * ARCSEC_PER_DEG, minor * ARCSEC_PER_DEG, angle)


def is_far_from_survey(beam: Beam | None, survey: Survey) -> bool:
    """Return whether an axis of a stated beam differs from the survey's by more than `FLAGGED_BEAM_RATIO`."""
    if beam is None:
        return False
    usual = survey.beam
    ratios = np.array([beam.major_arcsec / usual.major_arcsec, beam.minor_arcsec / usual.minor_arcsec])
    return bool(ratios.max() > FLAGGED_BEAM_RATIO or ratios.min() < 1 / FLAGGED_BEAM_RATIO)


def _numbers(major: object, minor: object, angle: object) -> tuple[float, float, float] | None:
    """Return the axes of a beam (deg), a circular one where BMIN is missing; None without a positive one."""
    minor, angle = major if minor is None else minor, 0.0 if angle is None else angle
    if not all(isinstance(value, int | float) for value in (major, minor, angle)):
        return None
    axes = np.array([major, minor, angle], float)
    if not np.isfinite(axes).all() or axes[:2].min() <= 0:
        return None
    return float(axes[0]), float(axes[1]), float(axes[2])


def _of_table(hdus: Iterable[fits.hdu.base._BaseHDU]) -> tuple[float, float, float] | None:
    for hdu in hdus:
        if not isinstance(hdu, fits.BinTableHDU) or hdu.name != "BEAMS" or not len(hdu.data):
            continue
        columns = {column.name: column.unit or "deg" for column in hdu.columns}
        if not columns.keys() >= set(BEAM_COLUMNS):
            continue
        row = [float(hdu.data[name][0]) * u.Unit(columns[name]) for name in BEAM_COLUMNS]
        return _numbers(*(float(value.to_value("deg")) for value in row))
    return None


def _of_history(header: fits.Header) -> tuple[float, float, float] | None:
    """Return the beam of the last image that AIPS has cleaned, by its cards of HISTORY."""
    found = None
    for text in header.get("HISTORY", []):
        cleaned = AIPS_CLEAN.search(text)
        if cleaned:
            found = _numbers(*(float(value.upper().replace("D", "E")) for value in cleaned.groups()))
    return found
