"""The page about surveys promises what the settings accept, for each survey."""

import re

import pytest

from claran_core.common.paths import REPOSITORY
from claran_core.settings.config import load_config
from claran_core.survey.description import survey_names
from claran_core.survey.surveys import SURVEYS

PAGE = (REPOSITORY / "docs" / "surveys.md").read_text(encoding="utf-8")
SHIPPED = PAGE.split("## Surveys that ship")[1].split("\n## ")[0]
ROWS = {
    row[1]: [cell.strip() for cell in row[0].split("|")[2:-1]]
    for row in re.finditer(r"^\| `([A-Z0-9_]+)`.*\|$", SHIPPED, re.MULTILINE)
}


def test_the_page_has_every_survey() -> None:
    assert list(ROWS) == [*survey_names("radio"), *survey_names("infrared")] == list(SURVEYS)


@pytest.mark.parametrize("name", survey_names("radio"))
def test_radio_surveys_are_as_the_page_says(name: str) -> None:
    beam, pixel, noise, frequency, scale, width, largest = ROWS[name]
    radio = {"name": name, "source": "directory", "path": "images"}
    fusion = {"pixel_scale_arcsec": float(scale)}
    config = load_config({"survey": {"radio": radio, "infrared": {"source": "none"}}, "fusion": fusion})
    survey = config.survey.radio.survey
    assert survey == SURVEYS[name]
    assert (survey.beam_arcsec, survey.pixel_scale_arcsec) == (float(beam), float(pixel))
    assert 1e6 * survey.rms == pytest.approx(float(noise.removesuffix(" uJy/beam")))
    assert survey.frequency_hz == pytest.approx(1e9 * float(frequency.removesuffix(" GHz")))
    # As many pixels per beam, and beams per subject, as FIRST.
    assert survey.beam_arcsec / float(scale) == pytest.approx(5.4 / 1.375, rel=2e-3)
    arcmin = config.fusion.frame.width_arcsec / 60
    assert float(width.removesuffix(" arcmin")) == pytest.approx(arcmin, abs=0.06)
    assert float(largest) == pytest.approx(90 * survey.beam_arcsec / 5.4, rel=0.02)


@pytest.mark.parametrize("name", survey_names("infrared"))
def test_infrared_surveys_are_as_the_page_says(name: str) -> None:
    infrared = {"name": name, "source": "directory", "path": "images"}
    radio = {"source": "directory", "path": "images"}
    survey = load_config({"survey": {"radio": radio, "infrared": infrared}}).survey.infrared.survey
    said = [survey.beam_arcsec, survey.pixel_scale_arcsec, survey.magnitude_zero_point]
    assert said == list(map(float, ROWS[name]))
