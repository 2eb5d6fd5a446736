"""What an image says it shows, compared with a survey: frequency, band, flux scale, pixels and name.

The image of another survey or band looks alike, and its flux densities are wrong.  Cards that a header does
not have are not required.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from astropy.io import fits

from claran_core.survey.header_values import finite_number, value_of
from claran_core.survey.surveys import SURVEYS, Survey

__all__ = [
    "FLAGGED_BEAM_RATIO",
    "FOREIGN_BEAM_RATIO",
    "MAX_FREQUENCY_RATIO",
    "MAX_WAVELENGTH_RATIO",
    "RENAMED_BEAM_RATIO",
    "Identity",
    "contradiction",
    "differs",
    "pixel_contradiction",
]

# The beams of one survey differ little (FIRST: 5.4 arcsec, 6.8 in its far south), those of two surveys more.
# An image of the user with an axis of its beam beyond the first ratio is flagged; an answer of an archive
# beyond the second is refused; a description beyond the third may not have the name of a survey that ships.
FLAGGED_BEAM_RATIO = 1.3
FOREIGN_BEAM_RATIO = 1.5
RENAMED_BEAM_RATIO = 2.0
# Images of a survey have its own pixels, or about as wide ones.
MAX_PIXEL_RATIO = 1.1
# FIRST's images are at 1.365 and 1.435 GHz, WISE's bands a factor 1.37 apart.
MAX_FREQUENCY_RATIO = 1.1
MAX_WAVELENGTH_RATIO = 1.15
MAX_ZERO_POINT_DIFFERENCE_MAG = 0.05
METRES_PER_MICRON = 1e-6
# Lower frequencies fill a card whose value is unknown.
MIN_FREQUENCY_HZ = 1e6
MAX_AXES = 5


@dataclass(frozen=True)
class Identity:
    """What a header says about the survey of its image; nothing where a card is absent or not understood.

    Attributes
    ----------
    frequencies_hz : tuple of float
        Frequencies of a frequency axis and of the cards of the rest frequency.
    wavelength_m : float
        Wavelength of an infrared image; 0 without one.
    filter : str
        Number of the WISE band; empty without one.
    zero_point : float
        Magnitude of one count; 0 without one.
    surveys : tuple of str
        First words of the names of known surveys in the card SURVEY.
    """

    frequencies_hz: tuple[float, ...] = ()
    wavelength_m: float = 0.0
    filter: str = ""
    zero_point: float = 0.0
    surveys: tuple[str, ...] = ()

    @classmethod
    def of(cls, header: fits.Header) -> "Identity":
        """Read what a header says."""
        band = _text(header, "BAND").removeprefix("W")
        words = set(re.split(r"[^A-Z0-9]+", _text(header, "SURVEY")))
        return cls(
            frequencies_hz=tuple(hz for hz in _frequencies_hz(header) if hz >= MIN_FREQUENCY_HZ),
            wavelength_m=max(finite_number(header, "WAVELEN") or 0.0, 0.0) * METRES_PER_MICRON,
            filter=band if band.isdecimal() else "",
            zero_point=finite_number(header, "MAGZP") or 0.0,
            surveys=tuple(sorted(words & {name.split("_")[0] for name in SURVEYS})),
        )

    def contradictions(self, survey: Survey) -> Iterator[str]:
        """Yield what is not as in a survey, such as "a frequency of 3e+09 Hz, but FIRST has 1.4e+09"."""
        yield from self._other_wavelengths(survey)
        if survey.filter and self.filter and self.filter != survey.filter.removeprefix("W"):
            yield f"an image of band {self.filter}, but {survey.name} is {survey.filter}"
        zero_point = survey.magnitude_zero_point
        if zero_point is not None and self.zero_point:
            if abs(self.zero_point - zero_point) > MAX_ZERO_POINT_DIFFERENCE_MAG:
                yield contradiction(f"a zero point of {self.zero_point:g} mag", survey, zero_point)
        # Settings may describe a survey by any name.
        if self.surveys and survey.name in SURVEYS and survey.name.split("_")[0] not in self.surveys:
            yield f"an image of {self.surveys[0]}, not of {survey.name}"

    def _other_wavelengths(self, survey: Survey) -> Iterator[str]:
        frequency_hz, wavelength_m = survey.frequency_hz, survey.wavelength_m
        for stated_hz in self.frequencies_hz:
            if frequency_hz and differs(stated_hz, frequency_hz, MAX_FREQUENCY_RATIO):
                yield contradiction(f"a frequency of {stated_hz:.4g} Hz", survey, frequency_hz)
        if wavelength_m and differs(self.wavelength_m, wavelength_m, MAX_WAVELENGTH_RATIO):
            yield contradiction(f"a wavelength of {self.wavelength_m:.3g} m", survey, wavelength_m)


def pixel_contradiction(pixel_scale_arcsec: float, survey: Survey) -> str:
    """Return what is not as in a survey about the width of a pixel; empty if it is that of the survey."""
    if not differs(pixel_scale_arcsec, survey.pixel_scale_arcsec, MAX_PIXEL_RATIO):
        return ""
    return contradiction(f"pixels of {pixel_scale_arcsec:.3g} arcsec", survey, survey.pixel_scale_arcsec)


def differs(found: float, expected: float, max_ratio: float) -> bool:
    """Return whether a quantity is stated (positive), and not the expected one."""
    return found > 0 and not 1 / max_ratio <= found / expected <= max_ratio


def contradiction(what: str, survey: Survey, expected: float) -> str:
    """Return the words for a quantity of an image that a survey has another value of."""
    return f"{what}, but {survey.name} has {expected:g}"


def _frequencies_hz(header: fits.Header) -> Iterator[float]:
    """Yield the frequencies that a header states in Hz: of a frequency axis, and of its cards."""
    for axis in range(1, MAX_AXES + 1):
        if _text(header, f"CTYPE{axis}").startswith("FREQ") and _text(header, f"CUNIT{axis}") in ("HZ", ""):
            yield finite_number(header, f"CRVAL{axis}") or 0.0
    for name in ("RESTFRQ", "RESTFREQ"):
        yield finite_number(header, name) or 0.0


def _text(header: fits.Header, key: str) -> str:
    """Return the value of a card in capitals, without blanks around it; empty without one."""
    value = value_of(header, key) if key in header else None
    return "" if value is None else str(value).strip().upper()
