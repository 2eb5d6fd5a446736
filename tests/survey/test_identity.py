"""What images say about their survey: nothing where it fits or is not said."""

from dataclasses import replace
from typing import Any

import pytest
from astropy.io import fits

from claran_core.survey.fits_image import quiet_astropy
from claran_core.survey.identity import Identity, differs, pixel_contradiction
from claran_core.survey.surveys import SURVEYS


def contradictions(survey: str, cards: dict[str, Any]) -> list[str]:
    header = fits.Header()
    header.update(cards)
    return list(Identity.of(header).contradictions(SURVEYS[survey]))


@pytest.mark.parametrize("name", SURVEYS)
def test_a_header_that_says_nothing_fits_every_survey(name: str) -> None:
    assert contradictions(name, {"BUNIT": "Jy/beam", "OBJECT": "Stripe 9"}) == []
    assert Identity.of(fits.Header()) == Identity()


def test_all_that_contradicts_is_told() -> None:
    cards = {"CTYPE3": "freq", "CRVAL3": 2.99e9, "CUNIT3": "Hz", "RESTFRQ": 3.01e9, "SURVEY": "VLASS2.1"}
    assert contradictions("FIRST", cards) == [
        "a frequency of 2.99e+09 Hz, but FIRST has 1.4e+09",
        "a frequency of 3.01e+09 Hz, but FIRST has 1.4e+09",
    ]
    assert contradictions("VLASS", cards) == []
    cards = {"BAND": " w2", "WAVELEN": 4.6028, "MAGZP": 19.6}
    assert contradictions("WISE_W1", cards) == [
        "a wavelength of 4.6e-06 m, but WISE_W1 has 3.35e-06",
        "an image of band 2, but WISE_W1 is W1",
        "a zero point of 19.6 mag, but WISE_W1 has 20.5",
    ]
    assert contradictions("FIRST", cards) == []  # says nothing about a radio survey
    assert contradictions("NVSS", {"SURVEY": "FIRST"}) == ["an image of FIRST, not of NVSS"]


def test_a_zero_point_of_0_is_one() -> None:
    survey = replace(SURVEYS["WISE_W1"], magnitude_zero_point=0.0)
    assert list(Identity(zero_point=20.5).contradictions(survey)) == [
        "a zero point of 20.5 mag, but WISE_W1 has 0"
    ]


@pytest.mark.parametrize("value", ["NaN", "unknown", "-1.0", "0.0", "T"])
def test_values_that_are_no_numbers_say_nothing(value: str) -> None:
    cards = [f"{name:<8}= {value:>20}" for name in ("CRVAL3", "RESTFRQ", "WAVELEN", "MAGZP", "BAND")]
    header = fits.Header.fromstring("".join(card.ljust(80) for card in ["CTYPE3  = 'FREQ'", *cards]))
    with quiet_astropy():
        said = Identity.of(header)
    assert said.frequencies_hz == () and said.wavelength_m == 0 and said.filter == ""
    assert value == "-1.0" or said == Identity()


def test_widths_of_pixels() -> None:
    assert pixel_contradiction(1.8, SURVEYS["FIRST"]) == pixel_contradiction(1.9, SURVEYS["FIRST"]) == ""
    assert pixel_contradiction(15.0, SURVEYS["FIRST"]) == "pixels of 15 arcsec, but FIRST has 1.8"
    assert [differs(found, 2.0, 1.5) for found in (0.0, -4.0, 1.0, 1.4, 2.9, 3.1)] == [
        *(False, False, True),
        *(False, False, True),
    ]
