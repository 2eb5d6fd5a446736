"""Surveys as the settings describe them."""

import math
from typing import Any

import pytest

from claran_core.common.cutout import Beam
from claran_core.survey.description import described_survey, survey_names
from claran_core.survey.surveys import SURVEYS, Survey

# What a made-up survey must say.
OWN: dict[str, Any] = {"beam_arcsec": 12.0, "pixel_scale_arcsec": 3.0, "rms": 4e-5}

# Solid angle of its beam, pi / (4 ln 2) times its square.
BEAM_SR = 1.13309 * (12 / 206264.8) ** 2


@pytest.mark.parametrize("name", SURVEYS)
def test_a_name_that_ships_needs_no_description(name: str) -> None:
    assert described_survey(name, SURVEYS[name].band, {}) is not None
    assert described_survey(name, SURVEYS[name].band, {}) == SURVEYS[name]


def test_a_survey_of_the_users_own() -> None:
    survey = described_survey("MINE", "radio", OWN | {"beam_arcsec": (16.0, 9.0, 30.0), "frequency_hz": 6e8})
    assert (survey.name, survey.band, survey.unit, survey.frequency_hz) == ("MINE", "radio", "Jy/beam", 6e8)
    assert survey.beam_arcsec == pytest.approx(12.0) and survey.beam_axis_ratio == pytest.approx(16 / 9)
    assert vars(survey.beam) == pytest.approx(vars(Beam(16.0, 9.0, 30.0)))


def test_a_description_changes_a_survey_that_ships() -> None:
    first = SURVEYS["FIRST"]
    survey = described_survey("FIRST", "radio", {"beam_arcsec": (6.75, 5.4, 10.0), "rms": 2e-4})
    assert (survey.frequency_hz, survey.pixel_scale_arcsec, survey.rms) == (1.4e9, 1.8, 2e-4)
    # The noise becomes as much smoother as the beam is wider, in its mean.
    wider = math.sqrt(6.75 / 5.4)
    for (weight, fwhm), (usual_weight, usual) in zip(
        survey.noise_correlation, first.noise_correlation, strict=True
    ):
        assert weight == usual_weight and fwhm == pytest.approx(wider * usual)


@pytest.mark.parametrize(
    ("unit", "frequency_hz", "rms", "jy_per_beam"),
    [
        ("uJy/beam", None, 40.0, 4e-5),
        ("Jy/beam", None, 4e-5, 4e-5),
        # 2 k nu^2 / c^2 in Jy/sr per K.
        ("K", 1.4e9, 2.0, 2.0 * 2 * 1.380649e-23 * (1.4e9 / 299792458) ** 2 * 1e26 * BEAM_SR),
        ("MJy/sr", None, 0.1, 0.1e6 * BEAM_SR),
    ],
)
def test_the_noise_is_in_the_unit_of_the_images(
    unit: str, frequency_hz: float | None, rms: float, jy_per_beam: float
) -> None:
    survey = described_survey("MINE", "radio", OWN | {"unit": unit, "rms": rms, "frequency_hz": frequency_hz})
    assert survey.rms == pytest.approx(jy_per_beam, rel=1e-4)
    assert (survey.unit, survey.image_unit) == ("Jy/beam", unit)


def test_the_unit_of_an_infrared_survey_belongs_to_its_zero_point() -> None:
    own = OWN | {"unit": "nanomaggy", "magnitude_zero_point": 22.5, "filter": "z"}
    survey = described_survey("LS_Z", "infrared", own)
    assert (survey.unit, survey.rms, survey.magnitude_zero_point) == ("nanomaggy", 4e-5, 22.5)


def test_the_correlation_of_noise() -> None:
    parts = ((0.3, 10.0), (0.7, 20.0))
    assert described_survey("MINE", "radio", OWN | {"noise_correlation": parts}).noise_correlation == parts
    measured = described_survey("FIRST", "radio", {"noise_correlation": "measure"})
    assert measured.measures_noise and measured.noise_correlation == ()


@pytest.mark.parametrize(
    ("name", "description", "refusal"),
    [
        ("MINE", {}, "name is 'MINE'; write one of: FIRST, NVSS"),
        ("vlass", {}, "(did you mean 'VLASS'?)"),
        ("WISE_W1", OWN, "name is 'WISE_W1'; write one of: FIRST, NVSS"),
        ("MINE", {"rms": 1e-4, "pixel_scale_arcsec": 2.0}, "lacks beam_arcsec; MINE does not ship"),
        ("MINE", OWN | {"pixel_scale_arcsec": 7.0}, "a beam of 12 arcsec is narrower than 2 pixels of 7"),
        ("MINE", OWN | {"beam_arcsec": (20.0, 5.0, 0.0)}, "a beam of 5 arcsec is narrower"),
        ("MINE", OWN | {"beam_arcsec": (9.0, 12.0, 0.0)}, "[9, 12, 0]; write the major axis first"),
        ("MINE", OWN | {"unit": "K"}, "description.unit is 'K', which cannot be converted to Jy/beam"),
        ("MINE", OWN | {"unit": "Jy/pixel"}, "description.unit is 'Jy/pixel', which cannot"),
        ("MINE", OWN | {"noise_correlation": ((0.5, 10.0),)}, "its weights are 0.5 together"),
        ("FIRST", {"frequency_hz": 3e9}, "frequency_hz: 3e+09 is far from 1.4e+09, that of"),
        ("FIRST", {"beam_arcsec": 12.0}, "description.beam_arcsec: 12 is far from 5.4"),
        ("FIRST", {"pixel_scale_arcsec": 3.0}, "a beam of 5.4 arcsec is narrower than 2 pixels of 3 arcsec"),
    ],
)  # fmt: skip
def test_what_is_refused(name: str, description: dict[str, Any], refusal: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the message is compared
        described_survey(name, "radio", description)
    assert refusal in str(caught.value) and "\n" not in str(caught.value)


def test_infrared_surveys_need_a_zero_point_and_keep_their_filter() -> None:
    with pytest.raises(ValueError, match="description lacks magnitude_zero_point"):
        described_survey("MINE", "infrared", OWN)
    with pytest.raises(ValueError, match="description.filter is 'W2', but WISE_W1 is W1"):
        described_survey("WISE_W1", "infrared", {"filter": "W2"})


@pytest.mark.parametrize("name", [*SURVEYS, "MINE"])
def test_plain_values_give_the_same_survey(name: str) -> None:
    changes: dict[str, Any] = {"beam_arcsec": (14.0, 8.0, -20.0), "noise_correlation": ((1.0, 9.0),)}
    survey = SURVEYS[name] if name in SURVEYS else described_survey(name, "radio", OWN | changes)
    assert Survey.from_dict(survey.as_dict()) == survey


def test_each_name_is_of_one_band() -> None:
    assert {*survey_names("radio"), *survey_names("infrared")} == set(SURVEYS)
    assert not set(survey_names("radio")) & set(survey_names("infrared"))


def test_the_error_of_positions_is_the_survey_s_unless_described() -> None:
    described = described_survey("FIRST", "radio", {"astrometric_error_arcsec": 0.2})
    assert described.astrometric_error_arcsec == 0.2
    assert described_survey("FIRST", "radio", {}).astrometric_error_arcsec == 0.05
    assert described_survey("MINE", "radio", OWN).astrometric_error_arcsec == 0.0
