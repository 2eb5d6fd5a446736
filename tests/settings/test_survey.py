"""The settings of surveys: names, descriptions, the second radio survey, services of archives."""

from typing import Any

import pytest
from own_survey import OWN_SURVEY

from claran_core.common.errors import ConfigError
from claran_core.settings.config import load_config
from claran_core.settings.survey import SurveysOptions
from claran_core.survey.archive.services import PROTOCOLS, SERVICES
from claran_core.survey.surveys import SURVEYS


@pytest.mark.parametrize("name", SURVEYS)
def test_every_survey_is_accepted_in_its_band(name: str) -> None:
    band = SURVEYS[name].band
    radio: dict[str, Any] = {"source": "directory", "path": "images"}
    infrared: dict[str, Any] = {"source": "none"}
    sections = {"radio": radio, "infrared": infrared}
    sections[band] |= {"name": name, "source": "directory", "path": "images"}
    survey = load_config({"survey": sections}).survey
    assert getattr(survey, band).name == name


def test_a_survey_may_be_described() -> None:
    radio = {"name": "MINE", "description": OWN_SURVEY, "source": "directory", "path": "images"}
    survey = load_config({"survey": {"radio": radio, "infrared": {"source": "none"}}}).survey
    assert survey.radio.changed(path="elsewhere").survey == survey.radio.survey
    assert (survey.radio.survey.name, survey.radio.survey.beam_axis_ratio) == ("MINE", pytest.approx(1.6))
    assert SurveysOptions.model_validate(survey.as_dict()) == survey


@pytest.mark.parametrize("name", SURVEYS)
def test_a_survey_of_the_other_band_is_refused(name: str) -> None:
    other = {"radio": "infrared", "infrared": "radio"}[SURVEYS[name].band]
    allowed = ", ".join(key for key, survey in SURVEYS.items() if survey.band == other)
    with pytest.raises(ConfigError) as caught:
        load_config({"survey": {other: {"name": name}}})
    assert str(caught.value).startswith(f"config: survey.{other}.name is {name!r}; write one of: {allowed}")


@pytest.mark.parametrize("name", SURVEYS)
def test_every_survey_can_be_simulated(name: str) -> None:
    survey = load_config({"survey": {SURVEYS[name].band: {"name": name}}}).survey
    assert getattr(survey, SURVEYS[name].band).source == "simulated"


def test_only_a_survey_with_a_frequency_can_be_simulated() -> None:
    radio = {"name": "MINE", "description": OWN_SURVEY}
    with pytest.raises(ConfigError, match=r"source is 'simulated', which needs the frequency of MINE; write"):
        load_config({"survey": {"radio": radio}})
    described = OWN_SURVEY | {"frequency_hz": 1e9}
    load_config({"survey": {"radio": {"name": "MINE", "description": described}}})


def test_a_second_radio_survey() -> None:
    assert load_config().survey.second_radio.source == "none"
    survey = load_config({"survey": {"second_radio": {"name": "LOTSS", "source": "simulated"}}}).survey
    assert survey.second_radio.survey == SURVEYS["LOTSS"]
    assert (survey.second_radio.survey.role, survey.second_radio.survey.band) == ("second_radio", "radio")
    assert SurveysOptions.model_validate(survey.as_dict()) == survey


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ({"name": "FIRST"}, "second_radio.name is 'FIRST', as radio.name; give another survey"),
        ({"name": "LOTSS", "source": "directory", "path": "x"}, "the two would show different skies"),
        (
            {"name": "MINE", "description": OWN_SURVEY, "source": "directory", "path": "x"},
            "need the frequency of MINE; write second_radio.description.frequency_hz",
        ),
        ({"name": "VLAS"}, "survey.second_radio.name is 'VLAS'; write one of: FIRST, NVSS, VLASS"),
    ],
)
def test_second_radio_surveys_that_are_refused(second: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config({"survey": {"second_radio": {"source": "simulated", **second}}})
    assert expected in str(caught.value) and "\n" not in str(caught.value)


def test_the_frequency_of_the_first_survey_is_needed_too() -> None:
    radio = {"name": "MINE", "description": OWN_SURVEY, "source": "directory", "path": "x"}
    second = {"name": "LOTSS", "source": "directory", "path": "y"}
    with pytest.raises(ConfigError, match=r"frequency of MINE; write radio\.description\.frequency_hz"):
        load_config({"survey": {"radio": radio, "infrared": {"source": "none"}, "second_radio": second}})


@pytest.mark.parametrize("name", SURVEYS)
def test_every_survey_may_have_a_service(name: str) -> None:
    mine = {"survey": name, "protocol": "hips2fits", "url": "https://example.org", "dataset": "x"}
    radio: dict[str, Any] = {"source": "archive"}
    sections = {"radio": radio, "infrared": {"source": "none"}}
    sections[SURVEYS[name].band] = {"name": name, "source": "archive"}
    archive = {"order": {name: ["mine"]}, "services": {"mine": mine}}
    assert load_config({"survey": {**sections, "archive": archive}}).survey.archive.order[name] == ("mine",)


def test_every_shipped_service_can_be_changed() -> None:
    for service in SERVICES.values():
        changes = {"services": {service.name: {"protocol": service.protocol, "survey": service.survey}}}
        load_config({"survey": {"archive": changes}})
    with pytest.raises(ConfigError, match=f"write one of: {', '.join(PROTOCOLS)}"):
        load_config({"survey": {"archive": {"services": {"first": {"protocol": "sia"}}}}})
