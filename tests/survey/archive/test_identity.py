"""What headers say about their survey: accepted where it fits or is not said, refused where it does not."""

from typing import Any

import pytest
from astropy.io import fits

from claran_core.survey.archive.identity import check_header, check_pixel_scale
from claran_core.survey.archive.outcomes import Fault
from claran_core.survey.archive.services import SERVICES
from claran_core.survey.surveys import SURVEYS

ALLWISE = {"BAND": 1, "WAVELEN": 3.368, "MAGZP": 20.5, "TELESCOP": "WISE"}
FREQUENCY = {"CTYPE3": "FREQ", "CRVAL3": 1.4351e9}


def check(survey: str, cards: dict[str, Any], service: str = "", history: str = "") -> None:
    header = fits.Header()
    header.update(cards)
    if history:
        header["HISTORY"] = history
    name = service or {"FIRST": "first", "WISE_W1": "irsa"}.get(survey, "first")
    check_header(header, SURVEYS[survey], SERVICES[name])


@pytest.mark.parametrize(
    ("survey", "cards"),
    [
        ("FIRST", {}),
        ("FIRST", FREQUENCY | {"BMAJ": 1.7778e-3, "BMIN": 1.5e-3}),
        ("FIRST", {"CTYPE3": "FREQ", "CRVAL3": 1.365, "CUNIT3": "GHz"}),
        ("FIRST", {"CTYPE3": "VELO", "CRVAL3": 1.0, "RESTFRQ": 1.4e9}),
        ("FIRST", {"SURVEY": "VLA FIRST (1.4 GHz)", "BAND": "L", "BMAJ": -1.0}),
        ("VLASS", {"CTYPE4": "FREQ", "CRVAL4": 2.987e9, "BMAJ": 7e-4, "BMIN": 6e-4}),
        ("VLASS", {"SURVEY": "VLASS, beside FIRST"}),
        ("WISE_W1", {}),
        ("WISE_W1", ALLWISE),
        ("WISE_W1", {"BAND": "W1", "SURVEY": "WISE 3.4"}),
        ("UNWISE_W1", {"BAND": 1, "MAGZP": 22.5}),
    ],
)
def test_images_of_the_survey_pass(survey: str, cards: dict[str, Any]) -> None:
    check(survey, cards)


@pytest.mark.parametrize(
    ("survey", "cards", "message"),
    [
        ("WISE_W1", ALLWISE | {"BAND": 2}, "an image of band 2, but WISE_W1 is W1"),
        ("WISE_W1", {"BAND": "W2"}, "an image of band 2"),
        ("WISE_W1", {"WAVELEN": 4.618}, r"a wavelength of 4.62e-06 m, but WISE_W1 has 3.35e-06"),
        ("WISE_W1", {"MAGZP": 19.5}, "a zero point of 19.5 mag, but WISE_W1 has 20.5"),
        ("UNWISE_W1", ALLWISE, "a zero point of 20.5 mag, but UNWISE_W1 has 22.5"),
        ("FIRST", {"CTYPE3": "FREQ", "CRVAL3": 2.987e9}, r"2.987e\+09 Hz, but FIRST has 1.4e\+09"),
        ("FIRST", {"CTYPE4": "FREQ-LSR", "CRVAL4": 1.4e8}, "a frequency of 1.4e"),
        ("FIRST", {"RESTFRQ": 2.998e9}, "a frequency of 2.998e"),
        ("FIRST", {"BMAJ": 0.0125, "BMIN": 0.0125}, "a beam of 45.0 arcsec, but FIRST has 5.4"),
        ("FIRST", {"BMAJ": 1.5e-3, "BMIN": 7e-4}, "a beam of 2.5 arcsec"),
        ("FIRST", {"SURVEY": "VLASS Epoch 1"}, "an image of VLASS, not of FIRST"),
    ],
)
def test_images_of_another_survey_or_band_are_faults(
    survey: str, cards: dict[str, Any], message: str
) -> None:
    with pytest.raises(Fault, match=message):
        check(survey, cards)


def test_hips2fits_names_the_hips() -> None:
    asked = SERVICES["hips2fits"].dataset
    check("WISE_W1", {}, "hips2fits", f"From HiPS {asked} (AllWISE W1)")
    with pytest.raises(Fault, match=f"from the HiPS 'CDS/P/allWISE/W2', not from {asked}"):
        check("WISE_W1", {}, "hips2fits", "From HiPS CDS/P/allWISE/W2 (AllWISE W2)")
    # Another service may use another name for the same pixels.
    check("WISE_W1", {}, "irsa", "From HiPS CDS/P/allWISE/W2")


@pytest.mark.parametrize("name", SURVEYS)
def test_pixels_of_the_survey_pass_and_others_do_not(name: str) -> None:
    survey = SURVEYS[name]
    for ratio in (0.95, 1.0, 1.05):
        check_pixel_scale(ratio * survey.pixel_scale_arcsec, survey)
    for ratio in (0.5, 1.2, 8.3):
        with pytest.raises(Fault, match=f"pixels of .* arcsec, but {name} has"):
            check_pixel_scale(ratio * survey.pixel_scale_arcsec, survey)


@pytest.mark.parametrize("value", [0.0, 1.0, True, "unknown"])
def test_values_that_fill_a_card_say_nothing(value: object) -> None:
    check("FIRST", {"CTYPE3": "FREQ", "CRVAL3": value, "RESTFRQ": value, "BMAJ": 0.0})
    check("WISE_W1", {"WAVELEN": 0.0, "MAGZP": 0.0, "BAND": "unknown"})
