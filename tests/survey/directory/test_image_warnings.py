"""Images of another survey or band on disk are said once, and images that say nothing are not."""

from pathlib import Path
from typing import Any

import pytest
from sky_images import write_image

from claran_core.common.cutout import Cutout
from claran_core.survey.directory.image_files import listed_files
from claran_core.survey.directory.image_index import ImageIndex, write_index
from claran_core.survey.directory.image_warnings import other_survey
from claran_core.survey.directory.provider import DirectoryProvider
from claran_core.survey.surveys import SURVEYS

S_BAND = {"CTYPE3": "FREQ", "CRVAL3": 2.9879e9, "CRPIX3": 1.0, "CDELT3": 2e9, "CUNIT3": "Hz"}


def differences(folder: Path, survey: str) -> list[str]:
    index = ImageIndex.scan(SURVEYS[survey], folder, listed_files(folder, "*.fits"))
    return index.rows["differs"].tolist()


@pytest.mark.parametrize(
    ("survey", "cards", "scale_arcsec", "expected"),
    [
        ("FIRST", {}, 1.8, ""),
        ("FIRST", {"CTYPE3": "FREQ", "CRVAL3": 1.36e9}, 1.75, ""),
        ("FIRST", S_BAND, 1.8, "a frequency of 2.988e+09 Hz, but FIRST has 1.4e+09"),
        ("VLASS", S_BAND, 1.0, ""),
        ("FIRST", {}, 2.5, "pixels of 2.5 arcsec, but FIRST has 1.8"),
        ("WISE_W1", {"BUNIT": "DN", "BAND": 1}, 1.375, ""),
        ("WISE_W1", {"BUNIT": "DN", "BAND": 2}, 1.375, "an image of band 2, but WISE_W1 is W1"),
        ("WISE_W1", {"BUNIT": "DN", "MAGZP": 22.5}, 1.375, "a zero point of 22.5 mag, but WISE_W1 has 20.5"),
    ],
)
def test_what_an_image_says_is_compared_with_the_survey(
    tmp_path: Path, survey: str, cards: dict[str, Any], scale_arcsec: float, expected: str
) -> None:
    write_image(tmp_path / "one.fits", scale_arcsec=scale_arcsec, **cards)
    assert differences(tmp_path, survey) == [expected]


def test_other_surveys_are_one_line_and_their_images_are_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder, first = tmp_path / "images", SURVEYS["FIRST"]
    for k in range(3):
        write_image(folder / f"{k}.fits", 30.0 + k, 10.0, **(S_BAND if k else {}))
    index = write_index(tmp_path / "index.parquet", first, folder, pattern="*.fits")
    expected = (
        "2 of 3 images of survey.radio.path differ from survey.radio.name; 1.fits: a frequency of 2.988e+09 "
        "Hz, but FIRST has 1.4e+09; is it the survey that they show?"
    )
    assert [record.getMessage() for record in caplog.records] == [f"{folder}: {expected}"]
    again = write_index(tmp_path / "index.parquet", first, folder, pattern="*.fits")
    assert other_survey(again.rows, "radio") == other_survey(index.rows, "radio") == expected
    provider = DirectoryProvider(first, folder, index=index)
    assert isinstance(provider.cutout("s", 31.0, 10.0, 40.0), Cutout)
    assert len(caplog.records) == 2  # once for each index


def test_maps_and_unreadable_files_are_no_images_of_another_survey(tmp_path: Path) -> None:
    write_image(tmp_path / "image.fits")
    write_image(tmp_path / "map.fits", BTYPE="Weight", **S_BAND)
    write_image(tmp_path / "counts.fits", 50.0, BUNIT="DN", **S_BAND)
    (tmp_path / "text.fits").write_text("no FITS")
    index = ImageIndex.scan(SURVEYS["FIRST"], tmp_path, listed_files(tmp_path, "*.fits"))
    assert other_survey(index.rows, "radio") == ""
