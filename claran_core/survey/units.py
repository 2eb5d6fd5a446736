"""Units of image pixels: conversion from the spelling in files, and a check against the noise."""

import re

import numpy as np
from astropy import units as u

from claran_core.common.constants import GAUSSIAN_AREA
from claran_core.common.cutout import Beam
from claran_core.common.noise import noise_sigma, regular_sample
from claran_core.survey.surveys import Survey

__all__ = ["check_background", "check_stated", "noise_fits", "unit_factor", "unit_problem"]

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
# An image that states no unit may be one of mJy, and of three times the usual noise, but not one of this much
# more noise: of uJy, or no image of brightness at all, such as a spectral index.
MAX_UNSTATED_RATIO = 3000.0
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
        lacking = f"; a temperature needs survey.{survey.role}.description.frequency_hz"
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


def check_stated(unit: str, data: np.ndarray, survey: Survey) -> None:
    """Refuse a radio image that states no unit and whose noise is beyond that of any usual one.

    Parameters
    ----------
    unit : str
        Unit that the file states.
    data : (ny, nx) array
        Pixels, in the unit that is assumed.
    survey : Survey
        The survey.

    Raises
    ------
    ValueError
        If neither the file nor the description of the survey gives a unit, and the noise is more than
        `MAX_UNSTATED_RATIO` times that of the survey.
    """
    if survey.band != "radio" or _stated(unit) or _stated(survey.image_unit):
        return
    sigma = _noise(data)
    if sigma is not None and sigma > MAX_UNSTATED_RATIO * survey.rms:
        raise ValueError(
            f"it states no unit (BUNIT), and its noise of {sigma:.3g} is {sigma / survey.rms:.0f} times that "
            f"of {survey.name} in {survey.unit}; write survey.{survey.role}.description.unit, or leave it "
            "out if it shows something else, such as a spectral index"
        )


def noise_fits(data: np.ndarray, survey: Survey) -> bool:
    """Return whether the noise of a cut-out (in the survey's unit) is consistent with the survey's.

    Too few pixels, or constant ones, count as consistent.
    """
    sigma = _noise(data)
    return not sigma or 1 / MAX_NOISE_RATIO <= sigma / survey.rms <= MAX_NOISE_RATIO


def _noise(data: np.ndarray) -> float | None:
    """Return the noise of a regular sample of an image; None if too few of its pixels have data."""
    data = regular_sample(data, SAMPLED_PX)
    enough = np.count_nonzero(np.isfinite(data)) >= MIN_NOISE_PIXELS
    return noise_sigma(data) if enough else None
