"""From settings to sources."""

import pytest
from sky_images import write_image

from claran_core.config import SurveyOptions
from claran_core.errors import ConfigError
from claran_core.survey.directory import DirectorySource
from claran_core.survey.open import open_source
from claran_core.survey.simulated import SimulatedSource


def test_no_source():
    assert open_source(SurveyOptions("WISE_W1", "none"), seed=1) is None


def test_the_simulated_sky_has_the_seed():
    source = open_source(SurveyOptions("FIRST", "simulated"), seed=7)
    assert isinstance(source, SimulatedSource)
    assert source.seed == 7 and source.survey.name == "FIRST"


def test_relative_folders_start_in_the_working_directory(tmp_path):
    write_image(tmp_path / "images" / "a.fits")
    options = SurveyOptions("FIRST", "directory", path="images", pattern="a*")
    source = open_source(options, seed=1, working_directory=tmp_path)
    assert isinstance(source, DirectorySource) and source.path == tmp_path / "images"
    with pytest.raises(ConfigError, match=r"matches 'b\*'"):
        open_source(SurveyOptions("FIRST", "directory", "images", "b*"), seed=1, working_directory=tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (SurveyOptions("FIRST", "archive"), r"survey\.radio\.source 'archive' does not exist yet"),
        (SurveyOptions("VLASS", "directory"), "survey 'VLASS' is not described; write one of: FIRST"),
        (SurveyOptions("FIRST", "directory"), r"survey\.radio\.path is empty"),
    ],
)
def test_what_cannot_be_opened_is_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        open_source(options, seed=1)
