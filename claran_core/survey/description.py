"""Surveys as the settings describe them: those that ship, changed ones, and surveys of the user's own."""

import difflib
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from claran_core.common.cutout import Band
from claran_core.survey.identity import MAX_FREQUENCY_RATIO, MAX_WAVELENGTH_RATIO, RENAMED_BEAM_RATIO
from claran_core.survey.surveys import SURVEYS, Survey
from claran_core.survey.units import unit_factor

__all__ = ["MIN_BEAM_PX", "described_survey", "survey_names"]

# What a description of a survey that does not ship must say.
REQUIRED = {
    "radio": ("beam_arcsec", "pixel_scale_arcsec", "rms"),
    "infrared": ("beam_arcsec", "pixel_scale_arcsec", "rms", "magnitude_zero_point"),
}
UNITS = {"radio": "Jy/beam", "infrared": "DN"}
REFERENCE = "described in the settings"

# The contour rule and the measurements need this many pixels along the narrow axis of the beam.
MIN_BEAM_PX = 2.0
# A name that ships with a description that differs by more is another survey, whose rows need another name.
MAX_RATIOS = {
    "beam_arcsec": RENAMED_BEAM_RATIO,
    "frequency_hz": MAX_FREQUENCY_RATIO,
    "wavelength_m": MAX_WAVELENGTH_RATIO,
}
# The weights of a correlation of noise are 1 together, within this.
WEIGHT_TOLERANCE = 0.01


def survey_names(band: Band) -> tuple[str, ...]:
    """Return the names of the surveys of a band that ship."""
    return tuple(name for name, survey in SURVEYS.items() if survey.band == band)


def described_survey(name: str, band: Band, description: Mapping[str, Any]) -> Survey:
    """Return the survey of a name and a description.

    Parameters
    ----------
    name : str
        Name of a survey that ships, or a new name.
    band : {"radio", "infrared"}
        Its band.
    description : mapping
        Fields of the survey, each within the bounds of the settings: those that differ from the survey that
        ships, or all of `REQUIRED`.  ``beam_arcsec`` is one number, or major axis, minor axis and position
        angle (deg); ``rms`` is in ``unit``; ``noise_correlation`` is pairs of weight and FWHM, or
        ``"measure"``.

    Returns
    -------
    Survey

    Raises
    ------
    ValueError
        In one line that starts with the field.
    """
    names = survey_names(band)
    if name in names:
        known = SURVEYS[name]
        survey = _changed(known, description)
        _check_same(known, survey, description)
    else:
        survey = _changed(_new_survey(name, band, names, description), description)
    if not description:
        return survey
    if survey.beam.minor_arcsec < MIN_BEAM_PX * survey.pixel_scale_arcsec * (1 - 1e-9):
        raise ValueError(
            f"description.beam_arcsec: a beam of {survey.beam.minor_arcsec:g} arcsec is narrower than "
            f"{MIN_BEAM_PX:g} pixels of {survey.pixel_scale_arcsec:g} arcsec; such images are undersampled"
        )
    return survey


def _new_survey(name: str, band: Band, names: tuple[str, ...], description: Mapping[str, Any]) -> Survey:
    """Return a survey of the user's own, with the least that it must say."""
    if not description or name in SURVEYS:
        close = difflib.get_close_matches(name.upper(), names, n=1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        raise ValueError(
            f"name is {name!r}; write one of: {', '.join(names)}, or describe the survey in the key "
            f"description beside it{hint}"
        )
    missing = [field for field in REQUIRED[band] if field not in description]
    if missing:
        raise ValueError(
            f"description lacks {', '.join(missing)}; {name} does not ship ({', '.join(names)} do), so its "
            "description must say them"
        )
    # `_changed` sets its beam.
    return Survey(
        name, band, UNITS[band], description["pixel_scale_arcsec"], 1.0, description["rms"], REFERENCE
    )


def _changed(survey: Survey, description: Mapping[str, Any]) -> Survey:
    changes = {
        key: value
        for key, value in description.items()
        if key not in ("beam_arcsec", "unit", "rms", "noise_correlation")
    }
    changed = replace(survey, **changes)
    if "beam_arcsec" in description:
        changed = _with_beam(changed, description["beam_arcsec"])
    if "noise_correlation" in description:
        changed = _with_correlation(changed, description["noise_correlation"])
    return _with_unit(changed, description)


def _with_beam(survey: Survey, beam: float | tuple[float, float, float]) -> Survey:
    """Return a survey with another beam; the correlation of its noise becomes as much wider."""
    major, minor, angle = (beam, beam, 0.0) if isinstance(beam, float) else beam
    if minor > major:
        raise ValueError(
            f"description.beam_arcsec is [{major:g}, {minor:g}, {angle:g}]; write the major axis first"
        )
    mean = math.sqrt(major * minor)
    wider = mean / survey.beam_arcsec
    return replace(
        survey,
        beam_arcsec=mean,
        beam_axis_ratio=major / minor,
        beam_angle_deg=angle,
        noise_correlation=tuple((weight, wider * fwhm) for weight, fwhm in survey.noise_correlation),
    )


def _with_correlation(survey: Survey, given: Any) -> Survey:
    if given == "measure":
        return replace(survey, noise_correlation=(), measures_noise=True)
    total = sum(weight for weight, _ in given)
    if abs(total - 1) > WEIGHT_TOLERANCE:
        raise ValueError(
            f"description.noise_correlation: its weights are {total:g} together; the correlation of a pixel "
            "with itself is 1"
        )
    parts = tuple((weight / total, fwhm) for weight, fwhm in given)
    return replace(survey, noise_correlation=parts, measures_noise=False)


def _with_unit(survey: Survey, description: Mapping[str, Any]) -> Survey:
    """Return a survey with the unit of its images; the noise of the description is in that unit."""
    unit = description.get("unit", "")
    if survey.band == "infrared":  # its zero point belongs to whatever it counts
        return replace(survey, unit=unit or survey.unit, rms=description.get("rms", survey.rms))
    factor = unit_factor(unit, survey)
    if factor is None:
        raise ValueError(
            f"description.unit is {unit!r}, which cannot be converted to {survey.unit}; write Jy/beam, "
            "mJy/beam or the like (a temperature needs frequency_hz)"
        )
    rms = factor * description["rms"] if "rms" in description else survey.rms
    return replace(survey, image_unit=unit, rms=rms)


def _check_same(known: Survey, changed: Survey, description: Mapping[str, Any]) -> None:
    """Raise if a description contradicts the survey that its name stands for."""
    for field, most in MAX_RATIOS.items():
        usual, value = getattr(known, field), getattr(changed, field)
        if field in description and usual and not 1 / most <= value / usual <= most:
            raise ValueError(
                f"description.{field}: {value:g} is far from {usual:g}, that of {known.name}; "
                "give the survey a name of its own"
            )
    if known.filter and changed.filter != known.filter:
        raise ValueError(
            f"description.filter is {changed.filter!r}, but {known.name} is {known.filter}; "
            "give the survey a name of its own"
        )
