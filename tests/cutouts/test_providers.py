"""From settings to sources."""

import pytest
from sky_images import write_image

from claran_core.common.errors import ConfigError, InputError
from claran_core.cutouts.providers import open_provider
from claran_core.settings.config import SimulatedOptions, SurveyOptions
from claran_core.simulation.provider import SimulatedProvider
from claran_core.survey.directory.provider import DirectoryProvider


def test_no_source():
    assert open_provider(SurveyOptions("WISE_W1", "none"), seed=1) is None


def test_the_simulated_sky_has_the_seed():
    source = open_provider(SurveyOptions("FIRST", "simulated"), seed=7)
    assert isinstance(source, SimulatedProvider)
    assert source.seed == 7 and source.survey.name == "FIRST"


def test_relative_folders_start_in_the_working_directory(tmp_path):
    write_image(tmp_path / "images" / "a.fits")
    options = SurveyOptions("FIRST", "directory", path="images", pattern="a*")
    source = open_provider(options, seed=1, working_directory=tmp_path)
    assert isinstance(source, DirectoryProvider) and source.path == tmp_path / "images"
    with pytest.raises(ConfigError, match=r"matches 'b\*'"):
        open_provider(SurveyOptions("FIRST", "directory", "images", "b*"), seed=1, working_directory=tmp_path)


LABELS = (
    "catalog_id,first_id,num_cpnts,num_peaks,cpnts_ras,cpnts_decs,ang_extent,cl,training\n"
    "77,FIRSTJ100000.0+200000,1,1,150.0,20.0,17.0,0.8,1\n"
)


def test_the_simulated_sky_holds_the_sources_of_a_label_table(tmp_path):
    (tmp_path / "labels.csv").write_text(LABELS)
    options = {"seed": 7, "simulated": SimulatedOptions("labels.csv"), "working_directory": tmp_path}
    radio = open_provider(SurveyOptions("FIRST", "simulated"), **options)
    infrared = open_provider(SurveyOptions("WISE_W1", "simulated"), **options)
    assert "77" in [source.source_id for source in radio.truth(150.0, 20.0, 181.5)]
    # One table in memory, and one sky, for both bands.
    assert infrared.population is radio.population


def test_label_tables_that_cannot_be_used_are_refused_in_one_line(tmp_path):
    simulated = SurveyOptions("FIRST", "simulated")
    with pytest.raises(ConfigError, match=r"label_table: no file .*absent\.csv") as caught:
        open_provider(simulated, seed=7, simulated=SimulatedOptions("absent.csv"), working_directory=tmp_path)
    assert "\n" not in str(caught.value)
    (tmp_path / "targets.csv").write_text("ra,dec\n1.0,2.0\n")
    with pytest.raises(InputError, match=r"targets\.csv: not an RGZ label table"):
        open_provider(
            simulated, seed=7, simulated=SimulatedOptions("targets.csv"), working_directory=tmp_path
        )
    # Without a simulated sky nobody asks for it.
    assert open_provider(SurveyOptions("X", "none"), seed=7, simulated=SimulatedOptions("absent.csv")) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (SurveyOptions("FIRST", "elsewhere"), "write one of: simulated, directory, archive, none"),
        (
            SurveyOptions("EMU", "simulated"),
            "survey.radio: the simulated sky has no EMU, only FIRST and WISE_W1",
        ),
        (SurveyOptions("VLSSR", "directory"), "survey 'VLSSR' is not described; write one of: FIRST"),
        (SurveyOptions("FIRST", "directory"), r"survey\.radio\.path is empty"),
    ],
)
def test_what_cannot_be_opened_is_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        open_provider(options, seed=1)
