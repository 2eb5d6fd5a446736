"""Units of image pixels: conversion from the spelling in files, and a check against the noise."""

import re

import numpy as np
from astropy import units as u

from claran_core.common.noise import noise_sigma
from claran_core.survey.surveys import Survey

__all__ = ["noise_fits", "unit_factor"]

# ``JY/BEAM`` and its variants, which astropy does not parse.  MJY is mJy written by a program that uses
# capitals only, never a megajansky.
JANSKY_PER_BEAM = re.compile(
    r"(?P<prefix>milli|micro|[mu\u00b5\u03bcn]?)jy\s*(/|\.|\*|\s)\s*(beam|bm)(\^?-1)?", re.I
)
PREFIXES = {
    "": 1.0,
    "m": 1e-3,
    "milli": 1e-3,
    "u": 1e-6,
    "\u00b5": 1e-6,
    "\u03bc": 1e-6,
    "micro": 1e-6,
    "n": 1e-9,
}
COUNTS = {"dn", "adu", "count", "counts", "ct"}

# The noise within one survey varies by a factor of a few, also around 3C sources (2 for 3C 192); a wrong unit
# usually changes it by a factor of a thousand.
MAX_NOISE_RATIO = 30.0
# The noise of fewer pixels does not constrain the unit.
SAMPLED_PX = 128  # least number of pixels along the longer side of a sampled image
MIN_NOISE_PIXELS = 100


def unit_factor(unit: str, survey: Survey) -> float | None:
    """Return the factor that converts pixels in `unit` to the survey's unit.

    Returns
    -------
    float or None
        1 if the file gives no unit; None if the unit cannot be converted.
    """
    text = unit.strip()
    if not text or text.lower() == survey.unit.lower():
        return 1.0
    if survey.unit == "DN":
        return 1.0 if text.lower() in COUNTS else None
    spelled = JANSKY_PER_BEAM.fullmatch(text)
    if spelled:
        return PREFIXES[spelled["prefix"].lower()]
    try:
        return float(u.Unit(text).to(survey.unit))
    except (ValueError, TypeError):  # not a unit, or not a compatible one
        return None


def noise_fits(data: np.ndarray, survey: Survey) -> bool:
    """Return whether the noise of a cut-out (in the survey's unit) is consistent with the survey's.

    Too few pixels, or constant ones, count as consistent.  A regular sample of a wide image is enough.
    """
    step = max(1, max(data.shape) // SAMPLED_PX)
    data = data[::step, ::step]
    if np.count_nonzero(np.isfinite(data)) < MIN_NOISE_PIXELS:
        return True
    sigma = noise_sigma(data)
    return sigma == 0 or 1 / MAX_NOISE_RATIO <= sigma / survey.rms <= MAX_NOISE_RATIO
