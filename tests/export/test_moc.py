"""The area searched: frames of subjects with radio data, and nothing far from them."""

from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from catalogue_rows import FRAME, write_random_run
from mocpy import MOC

from claran_core.common.errors import InputError
from claran_core.common.files import read_table, write_table
from claran_core.common.frame import Frame
from claran_core.common.paths import Results
from claran_core.common.tables import TARGETS
from claran_core.export.moc import searched_area, searched_subjects, write_moc

ALL_SKY_DEG2 = 41_252.961


def test_map_covers_the_frames_with_radio_and_no_others(tmp_path: Path) -> None:
    subjects = write_random_run(tmp_path, 40)
    write_moc(Results(tmp_path), FRAME, tmp_path / "area.fits", order=13)
    moc = MOC.from_fits(tmp_path / "area.fits")
    assert moc.max_order == 13
    inside = moc.contains_skycoords(SkyCoord(subjects["ra"], subjects["dec"], unit="deg"))
    np.testing.assert_array_equal(inside, subjects["radio"])
    assert not inside.all()


def test_subjects_of_larger_scales_cover_their_wider_frames(tmp_path: Path) -> None:
    write_random_run(tmp_path, 3)
    results = Results(tmp_path)
    targets = read_table(results.targets)
    write_table(results.targets, targets.assign(scale=[1, 4, 1][: len(targets)]), TARGETS)
    write_moc(results, FRAME, tmp_path / "area.fits", order=13)
    moc = MOC.from_fits(tmp_path / "area.fits")
    for row, width in zip(targets.itertuples(), (1, 4), strict=False):
        for part, inside in ((0.45, True), (0.6, False)):
            dec = row.dec - part * width * FRAME.width_arcsec / 3600
            assert moc.contains_skycoords(SkyCoord(row.ra, dec, unit="deg")) == inside


@pytest.mark.parametrize(
    "place", [(0.0, 0.0), (359.999, -10.0), (150.0, 89.9), (20.0, -89.99), (180.0, 41.8)]
)
def test_every_pixel_of_a_frame_is_covered_up_to_its_border(place: tuple[float, float]) -> None:
    moc = searched_area(np.array([place[0]]), np.array([place[1]]), FRAME, order=15)
    x, y = np.meshgrid(np.arange(FRAME.size_px) + 0.5, np.arange(FRAME.size_px) + 0.5)
    ra, dec = FRAME.frame_to_sky(place[0], place[1], x.ravel(), y.ravel())
    assert moc.contains_skycoords(SkyCoord(ra, dec, unit="deg")).all()
    # Cells are 6.4 arcsec wide and 9 arcsec across: 8 pixels outside is outside.
    outside = [(-8.0, 66.0), (140.0, 66.0), (66.0, -8.0), (66.0, 140.0)]
    ra, dec = FRAME.frame_to_sky(place[0], place[1], *np.array(outside).T)
    assert not moc.contains_skycoords(SkyCoord(ra, dec, unit="deg")).any()
    area = moc.sky_fraction * ALL_SKY_DEG2 * u.deg**2
    assert 1 < area / (FRAME.width_arcsec * u.arcsec) ** 2 < 1.2


def test_overlapping_frames_count_once_and_blocks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    ra, dec = rng.uniform(10, 10.3, 50), rng.uniform(-5, -4.7, 50)
    whole = searched_area(ra, dec, FRAME, order=14)
    monkeypatch.setattr("claran_core.export.moc.BLOCK", 7)
    assert searched_area(ra, dec, FRAME, order=14) == whole
    assert searched_area(np.repeat(ra, 2), np.repeat(dec, 2), FRAME, order=14) == whole


def test_no_subject_is_an_empty_map(tmp_path: Path) -> None:
    assert searched_area(np.zeros(0), np.zeros(0), Frame(), order=12).empty()


def test_missing_files_of_the_run_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ledger.parquet: no such file"):
        write_moc(Results(tmp_path), FRAME, tmp_path / "area.fits")
    assert list(tmp_path.iterdir()) == []


def test_ledger_of_another_run_is_refused(tmp_path: Path) -> None:
    write_random_run(tmp_path, 8)
    results = Results(tmp_path)
    write_table(results.targets, read_table(results.targets).iloc[1:], TARGETS)
    with pytest.raises(InputError, match=r"targets.parquet: subject 's\d+' of .*ledger.parquet is not in it"):
        searched_subjects(results)
