"""Subjects that no single image on disk covers: cut-outs combined from several, and their ledger."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from sky_images import FRAME, image_header

from claran_core.common.cutout import Cutout
from claran_core.common.files import read_table
from claran_core.common.flags import Flag
from claran_core.common.paths import Results
from claran_core.common.reprojection import reproject
from claran_core.cutouts.cutout_file import read_cutouts
from claran_core.cutouts.shard import cut_shard
from claran_core.survey.celestial import pixels_to_sky
from claran_core.survey.directory import provider
from claran_core.survey.directory.provider import DirectoryProvider
from claran_core.survey.fits_image import quiet_astropy
from claran_core.survey.surveys import SURVEYS, Survey

FIRST, WISE = SURVEYS["FIRST"], SURVEYS["WISE_W1"]
RA, DEC = 30.0, 10.0
PEAK_JY = 0.1


def write_tile(
    path: Path,
    x0: int,
    x1: int,
    *,
    blank: slice = slice(0, 0),
    level: float = 0.0,
    rms: float = 1e-5,
    **cards: object,
) -> Path:
    """Write columns `x0` to `x1` of an image 120 pixels wide with a point source at its centre."""
    header = image_header(RA, DEC, size_px=120, **cards)
    header["CRPIX1"] -= x0
    shape = 120, x1 - x0
    with quiet_astropy():
        rows, columns = np.indices(shape)
        sky = pixels_to_sky(WCS(header), columns.ravel(), rows.ravel())
    x, y = FRAME.sky_to_frame(RA, DEC, *sky)
    radius2 = ((x - 20) ** 2 + (y - 20) ** 2).reshape(shape)
    noise = np.random.default_rng(x0).normal(0, rms, shape)
    data = (level + noise + PEAK_JY * np.exp(-4 * np.log(2) * radius2 / 3.0**2)).astype(np.float32)
    data[:, blank] = np.nan
    path.parent.mkdir(parents=True, exist_ok=True)
    with quiet_astropy():
        fits.PrimaryHDU(data, header).writeto(path, output_verify="ignore")
    return path


def cut(folder: Path, survey: Survey = FIRST) -> tuple[pd.Series, Cutout]:
    """Cut out the subject at the centre; returns its ledger row and cut-out."""
    results = Results(folder.parent / "results")
    place = {"ra": [RA], "dec": [DEC], "scale": 1}
    targets = pd.DataFrame({"subject_id": ["s"], **place, "split": "none", "shard": "00000"})
    cut_shard(targets, DirectoryProvider(survey, folder), None, FRAME, results=results, shard="00000")
    with read_cutouts(results.cutouts("00000", "radio")) as cutouts:
        cutout = cutouts["s"]
    return read_table(results.ledger("00000")).query("band == 'radio'").iloc[0], cutout


def flux(cutout: Cutout) -> float:
    """Integrated flux density of the source relative to the true one."""
    area_px = np.pi * 3.0**2 / (4 * np.log(2))
    return float(cutout.data.sum() * (cutout.pixel_scale_arcsec / 1.8) ** 2 / (PEAK_JY * area_px))


@pytest.mark.parametrize(
    ("west", "east", "options"),
    [
        ((60, 120), (0, 60), {}),
        ((50, 120), (0, 75), {}),
        ((60, 120), (0, 80), {"blank": slice(60, 80)}),
        ((50, 120), (0, 75), {"projection": "SIN", "CDELT1": -1.7 / 3600, "CDELT2": 1.7 / 3600}),
    ],
    ids=["shared border", "overlap", "blank border", "other grid"],
)
def test_two_tiles_that_cover_a_subject_together_give_one_image(
    tmp_path: Path, west: tuple[int, int], east: tuple[int, int], options: dict[str, object]
) -> None:
    write_tile(tmp_path / "images" / "west.fits", *west)
    write_tile(tmp_path / "images" / "east.fits", *east, **options)
    row, cutout = cut(tmp_path / "images")
    assert (row["status"], row["reason"], row["coverage"]) == ("ok", "", 1.0)
    assert row["flags"] == Flag.COADDED
    assert sorted(row["origin"].split(" + ")) == ["east.fits", "west.fits"]
    assert flux(cutout) == pytest.approx(1, abs=0.015)
    image = reproject(cutout, FRAME, RA, DEC)
    assert np.unravel_index(image.argmax(), image.shape) in [(y, x) for y in (19, 20) for x in (19, 20)]


def test_four_tiles_that_meet_in_the_subject(tmp_path: Path) -> None:
    for name, columns, blank_rows in (
        ("a", (0, 65), 1),
        ("b", (55, 120), 1),
        ("c", (0, 65), 0),
        ("d", (55, 120), 0),
    ):
        path = write_tile(tmp_path / "images" / f"{name}.fits", *columns)
        with quiet_astropy(), fits.open(path, mode="update", output_verify="ignore") as hdus:
            hdus[0].data[slice(0, 58) if blank_rows else slice(62, 120)] = np.nan
    row, cutout = cut(tmp_path / "images")
    assert row["status"] == "ok" and len(row["origin"].split(" + ")) == 4
    assert flux(cutout) == pytest.approx(1, abs=0.01)


def test_one_image_that_covers_the_subject_is_used_alone(tmp_path: Path) -> None:
    write_tile(tmp_path / "images" / "a_west.fits", 60, 120)
    write_tile(tmp_path / "images" / "b_east.fits", 0, 60)
    write_tile(tmp_path / "images" / "c_whole.fits", 30, 91)
    row, _ = cut(tmp_path / "images")
    assert (row["status"], row["origin"], row["flags"]) == ("ok", "c_whole.fits", 0)


def test_tiles_that_leave_a_gap_cover_more_together_and_are_partial(tmp_path: Path) -> None:
    write_tile(tmp_path / "images" / "east.fits", 0, 55)
    alone, _ = cut(tmp_path / "images")
    write_tile(tmp_path / "images" / "west.fits", 65, 120)
    row, cutout = cut(tmp_path / "images")
    assert row["status"] == "partial" and row["flags"] == Flag.COADDED | Flag.RADIO_PARTIAL
    assert row["coverage"] == pytest.approx(0.75, abs=0.03) and alone["coverage"] == pytest.approx(
        0.38, abs=0.03
    )
    assert np.isnan(reproject(cutout, FRAME, RA, DEC)[:, 16:24]).all()


def test_with_an_unreadable_second_tile_the_first_is_partial(tmp_path: Path) -> None:
    write_tile(tmp_path / "images" / "east.fits", 0, 70)
    alone, _ = cut(tmp_path / "images")
    broken = write_tile(tmp_path / "images" / "west.fits", 50, 120)
    broken.write_bytes(broken.read_bytes()[:-9000])
    row, _ = cut(tmp_path / "images")
    columns = ["status", "reason", "coverage", "origin", "flags"]
    assert row[columns].tolist() == alone[columns].tolist()
    assert row["status"] == "partial" and row["origin"] == "east.fits" and row["flags"] == Flag.RADIO_PARTIAL


def test_images_with_a_suspect_unit_are_not_mixed_with_others(tmp_path: Path) -> None:
    write_tile(tmp_path / "images" / "east.fits", 0, 70)
    write_tile(tmp_path / "images" / "west.fits", 55, 120, BUNIT="K")
    row, _ = cut(tmp_path / "images")
    assert (row["status"], row["origin"], row["flags"]) == ("partial", "east.fits", Flag.RADIO_PARTIAL)


def test_infrared_backgrounds_are_matched(tmp_path: Path) -> None:
    write_tile(tmp_path / "images" / "east.fits", 0, 70, level=10.0, rms=0.18, BUNIT="DN")
    write_tile(tmp_path / "images" / "west.fits", 50, 120, level=12.0, rms=0.18, BUNIT="DN")
    row, cutout = cut(tmp_path / "images", WISE)
    assert row["flags"] & Flag.COADDED
    levels = np.nanmedian(cutout.data, axis=0)
    assert np.ptp(levels) < 0.2 and (np.median(levels) == pytest.approx(10, abs=0.1)) != (
        np.median(levels) == pytest.approx(12, abs=0.1)
    )


def test_the_number_of_combined_images_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider, "MAX_COADDED", 3)
    for number in range(10):
        write_tile(tmp_path / "images" / f"{number}.fits", 40 + 4 * number, 44 + 4 * number)
    row, _ = cut(tmp_path / "images")
    assert row["status"] == "partial" and len(row["origin"].split(" + ")) == 3
