"""From settings to image providers."""

from pathlib import Path
from typing import Any

import pytest
from sky_images import write_image

from claran_core.common.errors import ConfigError, InputError
from claran_core.cutouts.providers import open_provider
from claran_core.settings.config import load_config
from claran_core.settings.survey import InfraredSurveyOptions, RadioSurveyOptions, SurveyOptions
from claran_core.simulation.provider import SimulatedProvider
from claran_core.survey.directory.provider import DirectoryProvider
from claran_core.survey.surveys import SURVEYS

SURVEY = load_config().survey


def of_folder(path: str, pattern: str, name: str = "FIRST") -> SurveyOptions:
    """Return the settings of a survey on disk."""
    kind = {"radio": RadioSurveyOptions, "infrared": InfraredSurveyOptions}[SURVEYS[name].band]
    return kind(name=name, description={}, source="directory", path=path, pattern=pattern)


def test_without_infrared_there_is_no_provider() -> None:
    assert open_provider(SURVEY.infrared.changed(source="none"), seed=1) is None


def test_the_simulated_sky_has_the_seed() -> None:
    provider = open_provider(SURVEY.radio, seed=7)
    assert isinstance(provider, SimulatedProvider)
    assert provider.seed == 7 and provider.survey.name == "FIRST"


@pytest.mark.parametrize("name", SURVEYS)
def test_relative_folders_start_in_the_working_directory(name: str, tmp_path: Path) -> None:
    write_image(tmp_path / "images" / "a.fits", BUNIT=SURVEYS[name].unit)
    provider = open_provider(of_folder("images", "a*", name), seed=1, working_directory=tmp_path)
    assert isinstance(provider, DirectoryProvider) and provider.path == tmp_path / "images"
    assert provider.survey.name == name
    with pytest.raises(ConfigError, match=r"matches 'b\*'"):
        open_provider(of_folder("images", "b*", name), seed=1, working_directory=tmp_path)


LABELS = (
    "catalog_id,first_id,num_cpnts,num_peaks,cpnts_ras,cpnts_decs,ang_extent,cl,training\n"
    "77,FIRSTJ100000.0+200000,1,1,150.0,20.0,17.0,0.8,1\n"
)


def test_the_simulated_sky_holds_the_sources_of_a_label_table(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text(LABELS)
    options: dict[str, Any] = {"seed": 7, "simulated": SURVEY.simulated.changed(label_table="labels.csv")}
    radio = open_provider(SURVEY.radio, working_directory=tmp_path, **options)
    infrared = open_provider(SURVEY.infrared, working_directory=tmp_path, **options)
    assert isinstance(radio, SimulatedProvider) and isinstance(infrared, SimulatedProvider)
    assert "77" in [source.source_id for source in radio.truth(150.0, 20.0, 181.5)]
    # One table in memory, and one sky, for both bands.
    assert infrared.population is radio.population


def test_label_tables_that_cannot_be_used_are_refused_in_one_line(tmp_path: Path) -> None:
    absent = SURVEY.simulated.changed(label_table="absent.csv")
    with pytest.raises(ConfigError, match=r"label_table: no file .*absent\.csv") as caught:
        open_provider(SURVEY.radio, seed=7, simulated=absent, working_directory=tmp_path)
    assert "\n" not in str(caught.value)
    (tmp_path / "targets.csv").write_text("ra,dec\n1.0,2.0\n")
    targets = SURVEY.simulated.changed(label_table="targets.csv")
    with pytest.raises(InputError, match=r"targets\.csv: not an RGZ label table"):
        open_provider(SURVEY.radio, seed=7, simulated=targets, working_directory=tmp_path)
    # A band without images needs no table.
    assert open_provider(SURVEY.infrared.changed(source="none"), seed=7, simulated=absent) is None


def test_an_archive_needs_services_and_request_options() -> None:
    with pytest.raises(TypeError, match="source 'archive' needs"):
        open_provider(SURVEY.radio.changed(source="archive"), seed=7)
