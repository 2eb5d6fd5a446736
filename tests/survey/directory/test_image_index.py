"""The index of a folder: the same answers as without it, and no outdated entries."""

import gzip
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from sky_images import FRAME, open_odd, write_image

from claran_core.common.cutout import Cutout
from claran_core.common.errors import ConfigError, InputError
from claran_core.survey.directory import image_index
from claran_core.survey.directory.image_files import files_digest, matching_files
from claran_core.survey.directory.image_index import (
    CHUNK,
    ImageIndex,
    write_index,
)
from claran_core.survey.directory.provider import DirectoryProvider
from claran_core.survey.fits_image import scan_file
from claran_core.survey.surveys import SURVEYS

FIRST = SURVEYS["FIRST"]
TARGET = (30.0, 10.0)
FAR = (20.0, -40.0)
WIDTH = FRAME.width_arcsec
PATTERN = "**/*.fits*"


def plain_of(path: Path) -> tuple[np.ndarray, fits.Header]:
    """Return pixels and header of an image, without the meaningless BLANK of `write_image`."""
    with open_odd(path) as hdus:
        data, header = hdus[0].data.copy(), hdus[0].header.copy()
    header.remove("BLANK", ignore_missing=True)
    return data, header


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Images of all kinds: plain, compressed, one of three extensions, elsewhere, unreadable."""
    folder = tmp_path / "images"
    plain = write_image(folder / "a" / "plain.fits")
    (folder / "compressed.fits.gz").write_bytes(gzip.compress(plain.read_bytes(), mtime=0))
    data, header = plain_of(plain)
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(data, header), fits.ImageHDU(data, header)]).writeto(
        folder / "several.fits"
    )
    write_image(folder / "far.fits", *FAR)
    (folder / "text.fits").write_text("no FITS")
    (folder / "cut.fits").write_bytes(plain.read_bytes()[:-9000])
    return folder


def index_of(folder: Path, **options: Any) -> ImageIndex:
    return ImageIndex.scan(FIRST, folder, matching_files(FIRST, folder, PATTERN), **options)


def test_each_image_and_each_fault_is_a_row(folder: Path) -> None:
    rows = index_of(folder).rows
    assert rows["name"].tolist() == [
        *("a/plain.fits", "compressed.fits.gz", "cut.fits", "far.fits"),
        *("several.fits[1]", "several.fits[2]", "text.fits"),
    ]
    assert rows["name"][rows["reason"] != ""].tolist() == ["cut.fits", "text.fits"]
    assert rows["name"][rows["radius_deg"].isna()].tolist() == ["text.fits"]
    assert (rows["size"] == [(folder / name).stat().st_size for name in rows["file"]]).all()


def test_what_is_near_a_subject(folder: Path) -> None:
    index, frame = index_of(folder), FRAME
    assert index.near(frame, *TARGET) == ["a/plain.fits", "compressed.fits.gz", "cut.fits", "several.fits"]
    assert index.near(frame, *FAR) == ["far.fits"]
    assert index.near(frame, 200.0, 0.0) == []
    assert index.unplaced() == ["text.fits"]


def test_answers_are_those_of_a_source_without_index(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "index.parquet"
    write_index(path, FIRST, folder, pattern=PATTERN)
    with_index = DirectoryProvider(FIRST, folder, index=ImageIndex.read(path))
    without = DirectoryProvider(FIRST, folder)
    for position in (TARGET, FAR, (200.0, 0.0)):
        one, other = (source.cutout("subject", *position, WIDTH) for source in (with_index, without))
        if isinstance(one, Cutout):
            np.testing.assert_array_equal(one.data, other.data)
            assert (one.origin, one.flags) == (other.origin, other.flags)
        else:
            assert one == other


def test_several_processes_find_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    for k in range(CHUNK + 2):
        write_image(folder / f"{k:02d}.fits", 10.0 + k, 5.0)
    pd.testing.assert_frame_equal(index_of(folder, processes=2).rows, index_of(folder).rows)


def test_a_refreshed_index_reads_only_what_is_new_or_changed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "index.parquet"
    write_index(path, FIRST, folder, pattern=PATTERN)
    (folder / "text.fits").unlink()
    write_image(folder / "new.fits", 30.0, 3.0)
    (folder / "far.fits").unlink()
    write_image(folder / "far.fits", 40.0, 4.0)
    scanned = []
    monkeypatch.setattr(image_index, "scan_file", lambda *file: scanned.append(file[1]) or scan_file(*file))
    rows = write_index(path, FIRST, folder, pattern=PATTERN).rows
    assert sorted(scanned) == ["cut.fits", "far.fits", "new.fits"]  # what could not be read, perhaps can now
    pd.testing.assert_frame_equal(rows, index_of(folder).rows)
    pd.testing.assert_frame_equal(ImageIndex.read(path).rows, rows)


def test_a_file_that_changed_after_it_was_indexed_is_read_as_it_is(folder: Path, tmp_path: Path) -> None:
    for name in ("compressed.fits.gz", "several.fits", "cut.fits"):
        (folder / name).unlink()
    index = index_of(folder)
    data, header = plain_of(folder / "a" / "plain.fits")
    header["HISTORY"] = "x" * 5000  # pixels begin elsewhere now
    fits.writeto(folder / "a" / "plain.fits", data.astype(np.float64), header, overwrite=True)
    one = DirectoryProvider(FIRST, folder, index=index).cutout("subject", *TARGET, WIDTH)
    other = DirectoryProvider(FIRST, folder).cutout("subject", *TARGET, WIDTH)
    np.testing.assert_array_equal(one.data, other.data)


def test_a_file_that_vanished_after_it_was_indexed_is_a_failure(folder: Path) -> None:
    index = index_of(folder)
    (folder / "far.fits").unlink()
    answer = DirectoryProvider(FIRST, folder, index=index).cutout("subject", *FAR, WIDTH)
    assert answer.status == "failed" and "cannot use far.fits" in answer.reason
    assert "No such file" in answer.reason and "\n" not in answer.reason


def test_a_file_that_became_readable_after_it_was_indexed_is_read(folder: Path) -> None:
    (folder / "far.fits").rename(folder / "kept")
    (folder / "far.fits").write_text("not yet")
    index = index_of(folder)
    (folder / "kept").replace(folder / "far.fits")
    answer = DirectoryProvider(FIRST, folder, index=index).cutout("subject", *FAR, WIDTH)
    assert isinstance(answer, Cutout) and answer.origin == "far.fits"


def test_rows_of_another_folder_are_not_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "index.parquet"
    for name, ra_deg in (("one", 10.0), ("other", 50.0)):
        os.utime(write_image(tmp_path / name / "a.fits", ra_deg, 5.0), (1, 1))
        write_index(path, FIRST, tmp_path / name, pattern=PATTERN)
    assert ImageIndex.read(path).near(FRAME, 50.0, 5.0) == ["a.fits"]


def test_the_digest_changes_with_the_files_alone(folder: Path) -> None:
    first = files_digest(FIRST, folder, PATTERN)
    assert files_digest(FIRST, folder, PATTERN) == first
    (folder / "notes.txt").write_text("no image")
    assert files_digest(FIRST, folder, PATTERN) == first
    (folder / "far.fits").rename(folder / "farther.fits")
    second = files_digest(FIRST, folder, PATTERN)
    (folder / "text.fits").write_text("no FITS, longer")
    assert len({first, second, files_digest(FIRST, folder, PATTERN)}) == 3


def test_unreadable_files_are_logged_when_the_index_is_made(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_index(tmp_path / "index.parquet", FIRST, folder, pattern=PATTERN)
    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert [line.split(": left out")[0] for line in told] == [
        str(folder / "cut.fits"),
        str(folder / "text.fits"),
    ]


def test_an_invalid_index_is_reported_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "index.parquet"
    path.write_bytes(b"no Parquet")
    with pytest.raises(InputError, match=rf"{path}: not a complete Parquet file .* remove it"):
        ImageIndex.read(path)
    pd.DataFrame({"file": ["a.fits"]}).to_parquet(path)
    with pytest.raises(InputError, match=rf"{path}: column 'size' is missing; remove the file"):
        ImageIndex.read(path)
    write_image(tmp_path / "images" / "a.fits")
    with pytest.raises(InputError, match="remove the file"):
        write_index(path, FIRST, tmp_path / "images", pattern=PATTERN)


def test_no_folder_and_no_match_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no folder"):
        write_index(tmp_path / "index.parquet", FIRST, tmp_path / "nowhere", pattern=PATTERN)
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(ConfigError, match=r"no file in .* matches"):
        files_digest(FIRST, tmp_path, "*.fits")
    assert not (tmp_path / "index.parquet").exists()


def test_fits_files_in_capital_letters_are_found(tmp_path: Path) -> None:
    for name in ("A.FITS", "b.fits.gz", "c.Fits.fz", "d.fit", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    assert matching_files(FIRST, tmp_path, PATTERN) == ["A.FITS", "b.fits.gz", "c.Fits.fz"]
    assert matching_files(FIRST, tmp_path, "[bcd].fits*") == ["b.fits.gz", "c.Fits.fz"]


@pytest.mark.parametrize("name", ["bell\a.fits", "line\nbreak.fits", os.fsdecode(b"caf\xe9.fits")])
def test_names_that_cannot_be_stored_are_reported(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "images"
    write_image(folder / "good.fits")
    (folder / name).hardlink_to(folder / "good.fits")
    path = tmp_path / "index.parquet"
    rows = write_index(path, FIRST, folder, pattern=PATTERN).rows.set_index("file")
    shown = name.encode("unicode_escape").decode()
    assert rows["reason"].to_dict() == {
        "good.fits": "",
        shown: "its name has control characters or is not UTF-8; rename it",
    }
    source = DirectoryProvider(FIRST, folder, index=ImageIndex.read(path))
    assert isinstance(source.cutout("subject", *TARGET, WIDTH), Cutout)
    elsewhere = source.cutout("subject", *FAR, WIDTH)
    assert elsewhere.status == "failed" and f"{shown}: its name has control" in elsewhere.reason
    assert len(files_digest(FIRST, folder, PATTERN)) == 64


def test_pipes_and_broken_links_are_reported(tmp_path: Path) -> None:
    write_image(tmp_path / "good.fits")
    os.mkfifo(tmp_path / "pipe.fits")
    (tmp_path / "link.fits").symlink_to(tmp_path / "nowhere.fits")
    index = index_of(tmp_path)
    reasons = index.rows.set_index("file")["reason"]
    assert reasons["good.fits"] == "" and reasons["pipe.fits"] == "it is a pipe or a device, not a file"
    assert "No such file" in reasons["link.fits"]
    answer = DirectoryProvider(FIRST, tmp_path, index=index).cutout("subject", *FAR, WIDTH)
    assert answer.status == "failed"  # a pipe is not opened: that would wait for ever
