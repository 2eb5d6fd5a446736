"""Units of image pixels: conversion from the spelling in files, and a check against the noise."""

import re

import numpy as np
from astropy import units as u

from claran_core.common.constants import GAUSSIAN_AREA
from claran_core.common.cutout import Beam
from claran_core.common.noise import noise_sigma, regular_sample
from claran_core.survey.surveys import Survey

__all__ = ["check_background", "noise_fits", "unit_factor", "unit_problem"]

# ``JY/BEAM`` and its variants, which astropy does not parse.  MJY is mJy written by a program that uses
# capitals only, never a megajansky.  astropy shows each byte of a header outside ASCII as ``?``: before Jy,
# the one of a micro sign in Latin-1, or the two in UTF-8.
JANSKY_PER_BEAM = re.compile(
    r"(?P<prefix>milli|micro|\?{1,2}|[mu\u00b5\u03bcn]?)(jy|jansky)\s*(/|\.|\*|\s|per)\s*(beam|bm)(\^?-1)?",
    re.I,
)
PREFIXES = {
    "": 1.0,
    "m": 1e-3,
    "milli": 1e-3,
    "u": 1e-6,
    "\u00b5": 1e-6,
    "\u03bc": 1e-6,
    "?": 1e-6,
    "??": 1e-6,
    "micro": 1e-6,
    "n": 1e-9,
}
# Words that programs write where they know no unit.
NO_UNIT = {"unknown", "none", "undefined", "n/a"}
COUNTS = {"dn", "adu", "count", "counts", "ct"}

# The noise within one survey varies by a factor of a few, also around 3C sources (2 for 3C 192); a wrong unit
# usually changes it by a factor of a thousand.
MAX_NOISE_RATIO = 30.0
# The noise of fewer pixels does not constrain the unit.
SAMPLED_PX = 128  # least number of pixels along the longer side of the sample of an image
MIN_NOISE_PIXELS = 100
# Interferometers do not measure the mean brightness of the sky, so the median of an image is near zero.
MAX_BACKGROUND_SIGMA = 5.0


def unit_factor(unit: str, survey: Survey, beam: Beam | None = None) -> float | None:
    """Return the factor that converts pixels in `unit` to the survey's unit.

    Parameters
    ----------
    unit : str
        Unit that the file states; empty: that of the survey's images.
    survey : Survey
        The survey; its frequency converts a brightness temperature.
    beam : Beam, optional
        Beam of the image, for a surface brightness; default: the survey's.

    Returns
    -------
    float or None
        1 if neither gives a unit; None if the unit cannot be converted.
    """
    text = _stated(unit) or _stated(survey.image_unit)
    if not text or text == survey.unit:
        return 1.0
    if survey.unit == "DN":
        return 1.0 if text.lower() in COUNTS else None
    spelled = JANSKY_PER_BEAM.fullmatch(text)
    if spelled and survey.band == "radio":
        return PREFIXES[spelled["prefix"].lower()]
    try:
        stated = u.Unit(text)
        if not isinstance(stated, u.UnitBase):  # a logarithm, which no factor converts
            return None
        if stated.is_equivalent(survey.unit):
            return float(stated.to(survey.unit))
    except (ValueError, TypeError):  # one of them is no unit that astropy knows
        return 1.0 if text.lower() == survey.unit.lower() else None
    return _per_beam(stated, survey, beam or survey.beam) if survey.band == "radio" else None


def _per_beam(unit: u.UnitBase, survey: Survey, beam: Beam) -> float | None:
    """Return a brightness (temperature, or flux density per solid angle) in Jy/beam; None for other units."""
    known = []
    if survey.frequency_hz is not None:
        known = u.brightness_temperature(survey.frequency_hz * u.Hz)
    if not unit.is_equivalent(u.Jy / u.sr, known):
        return None
    area = GAUSSIAN_AREA * beam.major_arcsec * beam.minor_arcsec * u.arcsec**2
    return float(unit.to(u.Jy / u.sr, equivalencies=known) * area.to_value(u.sr))


def unit_problem(unit: str, survey: Survey) -> str:
    """Return why an image in this unit (BUNIT) cannot show a survey; empty if it can, or states none.

    Infrared images have units of many spellings; only one of a radio image is refused.
    """
    text = _stated(unit)
    if not text or unit_factor(text, survey) is not None:
        return ""
    if survey.band == "infrared" and not JANSKY_PER_BEAM.fullmatch(text) and not _is_brightness(text):
        return ""
    lacking = ""
    if survey.band == "radio" and survey.frequency_hz is None and _is_brightness(text):
        lacking = "; a temperature needs survey.radio.description.frequency_hz"
    return f"BUNIT = {text!r} cannot be converted to {survey.unit}, the unit of {survey.name}{lacking}"


def _stated(unit: str) -> str:
    """Return a unit without blanks and parentheses around it; empty where a word says that it is unknown."""
    text = unit.strip()
    if text.startswith("(") and text.endswith(")") and text.count("(") == 1:
        text = text[1:-1].strip()
    return "" if text.lower() in NO_UNIT else text


def _is_brightness(text: str) -> bool:
    """Return whether a unit is one of radio images: a temperature, or a flux density per solid angle."""
    try:
        unit = u.Unit(text)
    except (ValueError, TypeError):
        return False
    return any(unit.is_equivalent(known) for known in (u.Jy / u.beam, u.K))


def check_background(data: np.ndarray, survey: Survey) -> None:
    """Refuse a radio image with a background, on which all contours would be wrong.

    Emission that fills an image varies within it, and so makes the measured noise as large as itself.

    Raises
    ------
    ValueError
        If 99 % of the pixels are on one side of zero, and farther from it than `MAX_BACKGROUND_SIGMA`.
    """
    data = regular_sample(data, SAMPLED_PX)
    least = 0.01 * data.size  # missing pixels count on neither side
    if survey.band != "radio" or min(np.count_nonzero(data < 0), np.count_nonzero(data > 0)) > least:
        return
    sigma = noise_sigma(data)
    if not sigma > 0:
        return
    low, median, high = np.nanpercentile(data, [1, 50, 99])
    if max(low, -high) > MAX_BACKGROUND_SIGMA * sigma:
        raise ValueError(
            f"its median pixel is {median:.3g} {survey.unit}, {abs(median) / sigma:.0f} times the noise; "
            "subtract the background"
        )


def noise_fits(data: np.ndarray, survey: Survey) -> bool:
    """Return whether the noise of a cut-out (in the survey's unit) is consistent with the survey's.

    Too few pixels, or constant ones, count as consistent.  A regular sample of a wide image is enough.
    """
    data = regular_sample(data, SAMPLED_PX)
    if np.count_nonzero(np.isfinite(data)) < MIN_NOISE_PIXELS:
        return True
    sigma = noise_sigma(data)
    return sigma == 0 or 1 / MAX_NOISE_RATIO <= sigma / survey.rms <= MAX_NOISE_RATIO
