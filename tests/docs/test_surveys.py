"""The pages about surveys promise what the settings accept, for each survey."""

import re

import pytest
import yaml
from document_blocks import examples_of

from claran_core.cli.tile import LARGEST_ARCSEC
from claran_core.common.paths import REPOSITORY
from claran_core.model.weights_choice import given_weights
from claran_core.settings.config import load_config
from claran_core.survey.description import survey_names
from claran_core.survey.surveys import SURVEYS

DOCS = REPOSITORY / "docs"
PAGE = (DOCS / "surveys.md").read_text(encoding="utf-8")
SHIPPED = PAGE.split("## Surveys that ship")[1].split("\n## ")[0]
ROWS = {
    row[1]: [cell.strip() for cell in row[0].split("|")[2:-1]]
    for row in re.finditer(r"^\| \[?`([A-Z0-9_]+)`.*\d \|$", SHIPPED, re.MULTILINE)
}
PAGES = dict(re.findall(r"^\| \[`([A-Z_]+)`\]\((surveys/[a-z]+\.md)\)", SHIPPED, re.MULTILINE))


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


def test_each_radio_survey_has_a_page() -> None:
    assert list(PAGES) == list(survey_names("radio"))
    assert {f"surveys/{page.name}" for page in (DOCS / "surveys").glob("*")} == set(PAGES.values())


@pytest.mark.parametrize("name", PAGES)
def test_settings_and_command_of_a_page_are_those_of_its_survey(name: str) -> None:
    settings, command = examples_of(DOCS / PAGES[name])
    config = load_config(yaml.safe_load(settings.text))
    assert (settings.language, config.survey.radio.survey) == ("yaml", SURVEYS[name])
    *_, scale, _, largest = ROWS[name]
    assert config.fusion.pixel_scale_arcsec == float(scale)
    # The command tiles the folder of the settings; without `--largest` it is that of FIRST.
    words = command.text.split()
    options = dict(zip(words[2:-1:2], words[3:-1:2], strict=True))
    assert words[:2] == ["claran", "tile"] and options["--images"] == config.survey.radio.path
    assert float(options.get("--largest", LARGEST_ARCSEC)) == float(largest)
    assert given_weights(config)[0].keys() == set(config.fusion.methods)


@pytest.mark.parametrize("name", survey_names("infrared"))
def test_infrared_surveys_are_as_the_page_says(name: str) -> None:
    infrared = {"name": name, "source": "directory", "path": "images"}
    radio = {"source": "directory", "path": "images"}
    survey = load_config({"survey": {"radio": radio, "infrared": infrared}}).survey.infrared.survey
    said = [survey.beam_arcsec, survey.pixel_scale_arcsec, survey.magnitude_zero_point]
    assert said == list(map(float, ROWS[name]))


@pytest.mark.parametrize("name", survey_names("radio"))
def test_the_error_of_positions_is_as_the_page_says(name: str) -> None:
    (row,) = re.findall(rf"^\| `{name}` \| ([0-9.]+) \| .*\d{{4}}", PAGE, re.MULTILINE)
    assert float(row) == SURVEYS[name].astrometric_error_arcsec > 0
