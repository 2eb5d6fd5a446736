"""The image of the survey among maps of the same area, whatever the order of the files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from sky_images import image_header, write_pixels

from claran_core.common.cutout import Cutout, NoImage
from claran_core.common.errors import ConfigError
from claran_core.survey.directory import image_index
from claran_core.survey.directory.image_files import matching_files
from claran_core.survey.directory.image_index import ImageIndex, write_index
from claran_core.survey.directory.provider import DirectoryProvider
from claran_core.survey.surveys import SURVEYS, Survey

FIRST, WISE = SURVEYS["FIRST"], SURVEYS["WISE_W1"]
PLACE = (30.0, 10.0)  # the default of `write_pixels`
SIDE = 90
Pixels = np.ndarray


def sky(seed: int = 1, *, flux: float = 0.02, rms: float = FIRST.rms) -> Pixels:
    """Return noise and one source of 4 px FWHM."""
    y, x = np.indices((SIDE, SIDE))
    source = flux * np.exp(-4 * np.log(2) * ((x - 50) ** 2 + (y - 40) ** 2) / 16)
    return (np.random.default_rng(seed).normal(0, rms, source.shape) + source).astype(np.float32)


def smooth(level: float) -> Pixels:
    """Return a positive map without source."""
    y, x = np.indices((SIDE, SIDE))
    return (level * (1 + 0.1 * np.sin(x / 9) * np.cos(y / 7))).astype(np.float32)


def index_of(folder: Path, survey: Survey = FIRST) -> ImageIndex:
    return ImageIndex.scan(survey, folder, matching_files(survey, folder, "**/*.fits*"))


def cut(folder: Path, survey: Survey = FIRST) -> Cutout | NoImage:
    return DirectoryProvider(survey, folder).cutout("subject", *PLACE, 60.0)


# Each map as (name beside image_7.fits, pixels, cards): the first of the folder by name, and the last.
MAPS: dict[str, tuple[str, Callable[[], Pixels], dict[str, Any]]] = {
    "name": ("{}image_7_residual.fits", lambda: sky(5, flux=0.0), {}),
    "STOKES axis": ("{}map.fits", lambda: sky(5, flux=0.001), {"CTYPE4": "STOKES", "CRVAL4": 4.0}),
    "BTYPE": ("{}map.fits", lambda: smooth(1.0), {"BTYPE": "Weight"}),
    "no unit": ("{}map.fits", lambda: smooth(-0.7), {"BUNIT": ""}),
    "no negative pixel": ("{}map.fits", lambda: smooth(FIRST.rms), {}),
}


@pytest.mark.parametrize("kind", MAPS)
@pytest.mark.parametrize("prefix", ["a_", "z_"])
def test_a_map_is_passed_over_wherever_its_name_sorts(tmp_path: Path, kind: str, prefix: str) -> None:
    name, pixels, cards = MAPS[kind]
    write_pixels(tmp_path / "image_7.fits", sky())
    write_pixels(tmp_path / name.format(prefix), pixels(), **cards)
    index = index_of(tmp_path)
    assert index.unused == {name.format(prefix): ""}
    answer = cut(tmp_path)
    assert isinstance(answer, Cutout) and answer.origin == "image_7.fits"
    assert answer.data.max() == pytest.approx(0.02, rel=0.05)


def test_extensions_are_told_apart(tmp_path: Path) -> None:
    header = image_header(*PLACE, size_px=SIDE)
    extensions = [
        fits.ImageHDU(pixels, header, name=name)
        for name, pixels in (("WHT", smooth(1.0)), ("SCI", sky()), ("ERR", smooth(FIRST.rms)))
    ]
    fits.HDUList([fits.PrimaryHDU(), *extensions]).writeto(tmp_path / "a.fits", output_verify="ignore")
    assert index_of(tmp_path).unused == {"a.fits[1]": "", "a.fits[3]": ""}
    answer = cut(tmp_path)
    assert isinstance(answer, Cutout) and answer.origin == "a.fits[2]"


def test_what_is_passed_over_is_named_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(8):
        place = PLACE[0] + number, PLACE[1]
        write_pixels(tmp_path / f"f{number}.fits", sky(number), place)
        write_pixels(tmp_path / f"f{number}_rms.fits", smooth(FIRST.rms), place)
    source = DirectoryProvider(FIRST, tmp_path)
    assert isinstance(source.cutout("subject", *PLACE, 60.0), Cutout)
    (line,) = [record.getMessage() for record in caplog.records]
    assert "passed over as noise: f0_rms.fits: noise (its name says 'rms'), beside f0.fits" in line
    assert line.endswith("; and 3 more")


def test_a_map_without_its_image_is_no_image(tmp_path: Path) -> None:
    write_pixels(tmp_path / "sky.fits", sky(), (PLACE[0] + 1, PLACE[1]))
    write_pixels(tmp_path / "field_rms.fits", smooth(FIRST.rms))
    answer = cut(tmp_path)
    assert isinstance(answer, NoImage) and answer.status == "no_coverage"


def test_an_image_alone_is_used_whatever_its_name_says(tmp_path: Path) -> None:
    write_pixels(tmp_path / "survey_model_weights.fits", sky())
    assert isinstance(cut(tmp_path), Cutout)


def test_images_of_two_epochs_agree(tmp_path: Path) -> None:
    write_pixels(tmp_path / "epoch1.fits", sky(1))
    write_pixels(tmp_path / "epoch2.fits", sky(2, flux=0.025))
    assert index_of(tmp_path).unused == {}


def test_images_of_the_same_pixels_that_contradict_are_refused(tmp_path: Path) -> None:
    write_pixels(tmp_path / "one.fits", sky(1))
    write_pixels(tmp_path / "two.fits", sky(2)[::-1])
    write_pixels(tmp_path / "far.fits", sky(3), (PLACE[0] + 5, PLACE[1]))
    answer = cut(tmp_path)
    assert isinstance(answer, NoImage) and answer.status == "failed"
    assert "cannot use one.fits, which covers it: its pixels contradict those of two.fits" in answer.reason
    assert "survey.radio.pattern" in answer.reason


def test_units_are_converted_before_pixels_are_compared(tmp_path: Path) -> None:
    write_pixels(tmp_path / "one.fits", sky(1), BUNIT="Jy/beam")
    write_pixels(tmp_path / "two.fits", sky(2) * 1000, BUNIT="mJy/beam")
    assert index_of(tmp_path).unused == {}


@pytest.mark.parametrize(
    ("survey", "unit", "level"), [(FIRST, "DN", 4.0), (FIRST, "mag", 4.0), (WISE, "Jy/beam", 1e-4)]
)
def test_images_of_another_band_are_refused(tmp_path: Path, survey: Survey, unit: str, level: float) -> None:
    write_pixels(tmp_path / "a.fits", sky() + level, BUNIT=unit)
    with pytest.raises(ConfigError) as refused:
        index_of(tmp_path, survey)
    assert str(refused.value) == (
        f"config: survey.{survey.band}.path: no image in {tmp_path} shows {survey.name}; a.fits: "
        f"BUNIT = {unit!r} cannot be converted to {survey.unit}, the unit of {survey.name}"
    )


def test_one_image_of_another_band_makes_its_subjects_fail(tmp_path: Path) -> None:
    write_pixels(tmp_path / "a.fits", sky() + 4.0, BUNIT="DN")
    write_pixels(tmp_path / "far.fits", sky(), (PLACE[0] + 5, PLACE[1]))
    answer = cut(tmp_path)
    assert isinstance(answer, NoImage) and answer.status == "failed"
    assert answer.reason.startswith("cannot use a.fits, which covers it: BUNIT = 'DN'")


def test_the_choice_is_made_again_only_for_other_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, path = tmp_path / "images", tmp_path / "index.parquet"
    write_pixels(folder / "one.fits", sky(1))
    write_pixels(folder / "two.fits", sky(2))
    write_pixels(folder / "one_rms.fits", smooth(FIRST.rms))
    write_pixels(folder / "far.fits", sky(3), (PLACE[0] + 5, PLACE[1]))
    (folder / "text.fits").write_text("no image")
    first = write_index(path, FIRST, folder, pattern="*.fits")
    judged: list[int] = []
    choose = image_index.choose_images
    monkeypatch.setattr(image_index, "choose_images", lambda *args: judged.append(1) or choose(*args))
    assert write_index(path, FIRST, folder, pattern="*.fits").rows.equals(first.rows) and not judged
    (folder / "two.fits").unlink()
    write_pixels(folder / "two.fits", sky(2)[::-1])
    rows = write_index(path, FIRST, folder, pattern="*.fits").rows.set_index("name")
    assert judged == [1] and "contradict" in rows["refused"]["one.fits"]
    assert rows["passed_over"]["one_rms.fits"]
