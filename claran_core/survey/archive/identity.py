"""Check that an answer shows the survey that was asked for: band, flux scale, beam and pixels.

A service, or a changed name at a service, may give another survey or band.  Its image looks alike, and its
flux densities are wrong.  Cards that a header does not have are not required.
"""

import math
import re
from collections.abc import Iterator

from astropy.io import fits

from claran_core.common.constants import ARCSEC_PER_DEG
from claran_core.survey.archive.outcomes import Fault
from claran_core.survey.archive.services import Service
from claran_core.survey.surveys import SURVEYS, Survey

__all__ = ["check_header", "check_pixel_scale"]

# The beams of one survey differ little (FIRST: 5.4 arcsec, 6.8 in its far south); those of two surveys do
# more.
MAX_BEAM_RATIO = 1.5
# Services give the survey's own pixels, or the pixels that were asked for.
MAX_PIXEL_RATIO = 1.1
# FIRST's images are at 1.365 and 1.435 GHz, WISE's bands a factor 1.37 apart.
MAX_FREQUENCY_RATIO = 1.1
MAX_WAVELENGTH_RATIO = 1.15
MAX_ZERO_POINT_DIFFERENCE_MAG = 0.05
METRES_PER_MICRON = 1e-6
# Lower frequencies fill a card whose value is unknown.
MIN_FREQUENCY_HZ = 1e6
# What hips2fits says about its source.
HIPS = re.compile(r"From HiPS (\S+)")


def check_header(header: fits.Header, survey: Survey, service: Service) -> None:
    """Check what a header says about its survey.

    Raises
    ------
    Fault
        If its beam, frequency, wavelength, band, zero point, survey or HiPS is another.
    """
    for name in ("BMAJ", "BMIN"):
        beam_arcsec = _number(header, name) * ARCSEC_PER_DEG
        if beam_arcsec > 0:
            _check(beam_arcsec, survey.beam_arcsec, MAX_BEAM_RATIO, "a beam of {:.1f} arcsec", survey)
    if survey.frequency_hz is not None:
        for frequency_hz in _frequencies_hz(header):
            if frequency_hz >= MIN_FREQUENCY_HZ:
                _check(
                    frequency_hz, survey.frequency_hz, MAX_FREQUENCY_RATIO, "a frequency of {:.4g} Hz", survey
                )
    if survey.wavelength_m is not None:
        wavelength_m = _number(header, "WAVELEN") * METRES_PER_MICRON
        if wavelength_m > 0:
            _check(
                wavelength_m, survey.wavelength_m, MAX_WAVELENGTH_RATIO, "a wavelength of {:.3g} m", survey
            )
    _check_filter(header, survey)
    _check_zero_point(header, survey)
    _check_names(header, survey, service)


def check_pixel_scale(pixel_scale_arcsec: float, survey: Survey) -> None:
    """Check the width of a pixel.

    Raises
    ------
    Fault
        If it is not that of the survey.
    """
    _check(pixel_scale_arcsec, survey.pixel_scale_arcsec, MAX_PIXEL_RATIO, "pixels of {:.3g} arcsec", survey)


def _check(found: float, expected: float, max_ratio: float, what: str, survey: Survey) -> None:
    if not 1 / max_ratio <= found / expected <= max_ratio:
        raise Fault(f"{what.format(found)}, but {survey.name} has {expected:g}")


def _number(header: fits.Header, name: str) -> float:
    """Return the value of a card; 0 if it is absent or not a finite number."""
    value = header.get(name)
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if is_number else 0.0


def _frequencies_hz(header: fits.Header) -> Iterator[float]:
    """Yield the frequencies that a header states in Hz: of a frequency axis, and of its cards."""
    for axis in range(1, 6):
        in_hz = str(header.get(f"CUNIT{axis}", "Hz")).strip().lower() in ("hz", "")
        if str(header.get(f"CTYPE{axis}", "")).startswith("FREQ") and in_hz:
            yield _number(header, f"CRVAL{axis}")
    for name in ("RESTFRQ", "RESTFREQ"):
        yield _number(header, name)


def _check_filter(header: fits.Header, survey: Survey) -> None:
    """Check the number of the WISE band, as ``1`` or ``W1``."""
    stated = str(header.get("BAND", "")).strip().upper().removeprefix("W")
    if survey.filter and stated.isdecimal() and stated != survey.filter.removeprefix("W"):
        raise Fault(f"an image of band {stated}, but {survey.name} is {survey.filter}")


def _check_zero_point(header: fits.Header, survey: Survey) -> None:
    stated, expected = _number(header, "MAGZP"), survey.magnitude_zero_point
    if expected is not None and stated and abs(stated - expected) > MAX_ZERO_POINT_DIFFERENCE_MAG:
        raise Fault(f"a zero point of {stated:g} mag, but {survey.name} has {expected:g}")


def _check_names(header: fits.Header, survey: Survey, service: Service) -> None:
    words = set(re.split(r"[^A-Z0-9]+", str(header.get("SURVEY", "")).upper()))
    named = sorted(words & {name.split("_")[0] for name in SURVEYS})
    if named and survey.name.split("_")[0] not in named:
        raise Fault(f"an image of {named[0]}, not of {survey.name}")
    if service.protocol == "hips2fits":
        shown = HIPS.search("\n".join(map(str, header.get("HISTORY", []))))
        if shown and shown[1].upper() != service.dataset.upper():
            raise Fault(f"an image from the HiPS {ascii(shown[1])}, not from {service.dataset}")
