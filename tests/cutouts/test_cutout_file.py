"""Cut-outs on disk: what is written is read, and damage is noticed."""

import json
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from sky_images import FRAME, image_header, positions, sky_pixels

from claran_core.common.cutout import Beam, Cutout
from claran_core.common.errors import InputError
from claran_core.common.flags import Flag
from claran_core.common.origins import check_together
from claran_core.common.reprojection import reproject
from claran_core.cutouts import cutout_file
from claran_core.cutouts.coarse import coarse_cutout
from claran_core.cutouts.cutout_file import cutout_writer, read_cutouts
from claran_core.cutouts.cutout_rows import SCHEMA, ChecksumError, CutoutRows, batch_of, row_of
from claran_core.survey.fits_image import quiet_astropy
from claran_core.survey.regular import regular_image
from claran_core.survey.surveys import SURVEYS

NO_FLAGS = Flag(0)
BEAM = Beam(5.4, 5.3, -12.0)
MADE_FROM = {"targets": "1234", "settings": "5678"}


def cutout(
    ra: float, dec: float, projection: str = "SIN", origin: str = "a.fits", flags: Flag = NO_FLAGS
) -> Cutout:
    header = image_header(ra, dec, size_px=60, projection=projection)
    with quiet_astropy():
        data = sky_pixels(header, (60, 60), ra, dec)[:, :55]
        return Cutout(*regular_image(data, WCS(header)), origin, flags, unit="JY/BEAM", beam=BEAM)


def write(path: Path, cutouts: dict[str, Cutout]) -> Path:
    with cutout_writer(path, survey="FIRST", unit="Jy/beam", made_from=MADE_FROM) as writer:
        for name, entry in cutouts.items():
            writer.add(name, entry)
    return path


@pytest.fixture
def entries() -> dict[str, Cutout]:
    return {
        "Mixed-case_Id.1": cutout(30.0, 10.0, flags=Flag.SUSPECT_UNIT),
        "x" * 100: cutout(0.0, 45.0, "NCP", origin=f"{'deep/' * 30}\u00e9.fits"),
        "mixed-case_id.1": cutout(200.0, -80.0, "TAN"),
    }


@pytest.fixture
def coarse(entries: dict[str, Cutout]) -> Cutout:
    """Return a coarse view with bright native pixels."""
    entry = entries["mixed-case_id.1"]
    return coarse_cutout(replace(entry, data=entry.data**4), 4, SURVEYS["FIRST"])


@pytest.fixture
def example(tmp_path: Path, entries: dict[str, Cutout]) -> Path:
    return write(tmp_path / "radio.arrow", entries)


def test_round_trip(example: Path, entries: dict[str, Cutout]) -> None:
    with read_cutouts(example) as cutouts:
        assert list(cutouts) == list(entries)
        assert (cutouts.survey, cutouts.unit, cutouts.made_from) == ("FIRST", "Jy/beam", MADE_FROM)
        for name, place in zip(cutouts, [(30.0, 10.0), (0.0, 45.0), (200.0, -80.0)], strict=True):
            entry, written = cutouts[name], entries[name]
            assert entry.data.dtype == np.float32 and entry.data.shape == (60, 55)
            np.testing.assert_array_equal(entry.data, written.data)
            for field in ("wcs", "origin", "flags", "unit", "beam"):
                assert getattr(entry, field) == getattr(written, field)
            np.testing.assert_allclose(reproject(entry, FRAME, *place), positions(), atol=0.2)
        assert cutouts.get("unknown") is None


def test_coarse_view_keeps_its_bright_pixels(tmp_path: Path, coarse: Cutout) -> None:
    path = write(tmp_path / "radio.arrow", {"a": coarse})
    with read_cutouts(path) as cutouts:
        read, native, written = cutouts["a"], cutouts["a"].native, coarse.native
        assert native is not None and written is not None
        assert read.native_sigma == coarse.native_sigma and read.beam == coarse.beam
        np.testing.assert_array_equal(read.data, coarse.data)
        np.testing.assert_array_equal(native.data, written.data)
        assert native.wcs == written.wcs and np.nanmax(native.data) > 0


@pytest.mark.parametrize("column", ["bright_index", "bright_pixels", "native_sigma"])
def test_damage_of_bright_pixels_is_noticed(tmp_path: Path, coarse: Cutout, column: str) -> None:
    row = row_of("a", coarse)
    damaged = np.array(row[column], copy=True)
    damaged.flat[0] = 3
    rows = CutoutRows(batch_of([{**row, column: damaged if damaged.ndim else float(damaged)}]))
    with pytest.raises(ChecksumError):
        rows.cutout(0)
    np.testing.assert_array_equal(CutoutRows(batch_of([row])).cutout(0).data, coarse.data)


def test_without_a_beam(tmp_path: Path) -> None:
    entry = Cutout(np.zeros((2, 3), np.float32), FRAME.wcs(1.0, 2.0), "a")
    with read_cutouts(write(tmp_path / "radio.arrow", {"a": entry})) as cutouts:
        assert cutouts["a"].beam is None and cutouts["a"].unit == ""


def test_pixels_are_read_only_views_on_the_file(example: Path) -> None:
    before = pa.total_allocated_bytes()
    with read_cutouts(example) as cutouts:
        taken = [entry.data for entry in cutouts.values()]
        assert pa.total_allocated_bytes() - before < 1000
        assert not any(data.flags.writeable or data.flags.owndata for data in taken)


def test_cut_outs_outlive_the_file(example: Path) -> None:
    with read_cutouts(example) as cutouts:
        taken = cutouts["mixed-case_id.1"]
    assert np.isfinite(taken.data).all()


def test_nan_and_values_are_kept_bit_for_bit(tmp_path: Path) -> None:
    entry = cutout(30.0, 10.0)
    entry.data[3:9] = np.nan
    with read_cutouts(write(tmp_path / "radio.arrow", {"a": entry})) as cutouts:
        np.testing.assert_array_equal(cutouts["a"].data, entry.data)


def test_plain_pyarrow_can_read_it(example: Path, entries: dict[str, Cutout]) -> None:
    """The lines in the documentation of the format, as they are there."""
    lines = str(cutout_file.__doc__).split("::\n\n")[1].splitlines()
    code = "\n".join(line[4:] for line in lines)
    assert len(code.splitlines()) <= 5
    names = {"pyarrow": pa, "numpy": np, "path": str(example), "subject_id": "mixed-case_id.1"}
    exec(code, names)  # noqa: S102  (documentation)
    np.testing.assert_array_equal(names["pixels"], entries["mixed-case_id.1"].data)
    assert names["row"]["projection"] == "TAN" and names["row"]["beam_major"] == 5.4


def test_the_checksum_is_the_documented_one(example: Path, entries: dict[str, Cutout]) -> None:
    with pa.ipc.open_file(example) as file:
        row = file.read_all().slice(1, 1).to_pylist()[0]
    floats = [name for name in row if name.startswith(("beam", "cd"))]
    content = np.array(row["pixels"], "<f4").tobytes()
    content += (
        np.array(row["bright_index"], "<i4").tobytes() + np.array(row["bright_pixels"], "<f4").tobytes()
    )
    content += np.array([row["ny"], row["nx"], row["flags"], row["scale"]], "<i4").tobytes()
    floats = ["ra", "dec", "x", "y", *floats, "native_sigma"]
    content += np.array([row[name] for name in floats], "<f8").tobytes()
    content += "\0".join(row[name] for name in ("subject_id", "projection", "unit", "origin")).encode()
    assert zlib.crc32(content) == row["crc32"]


def test_a_file_without_cutouts(tmp_path: Path) -> None:
    with read_cutouts(write(tmp_path / "infrared.arrow", {})) as cutouts:
        assert len(cutouts) == 0


def test_large_shards_are_written_in_parts(
    tmp_path: Path, entries: dict[str, Cutout], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = write(tmp_path / "whole.arrow", entries)
    monkeypatch.setattr(cutout_file, "BATCH_BYTES", 10_000)
    parts = write(tmp_path / "parts.arrow", entries)
    assert pa.ipc.open_file(whole).num_record_batches == 1
    assert pa.ipc.open_file(parts).num_record_batches == 3
    with read_cutouts(whole) as one, read_cutouts(parts) as two:
        assert list(one) == list(two) and one.digest == two.digest
        for name in one:
            np.testing.assert_array_equal(one[name].data, two[name].data)


def test_the_digest_depends_on_subjects_and_pixels(tmp_path: Path, entries: dict[str, Cutout]) -> None:
    digests = []
    other = entries | {"x" * 100: cutout(0.0, 45.0, "TAN")}
    renamed = {name.upper(): entry for name, entry in entries.items()}
    for number, content in enumerate((entries, other, renamed, dict(list(entries.items())[:2]), entries)):
        with read_cutouts(write(tmp_path / f"{number}.arrow", content)) as cutouts:
            digests.append(cutouts.digest)
    assert len(set(digests[:4])) == 4 and digests[0] == digests[4]


def test_cutouts_of_something_else_are_refused(example: Path) -> None:
    with read_cutouts(example) as cutouts:
        check_together({"radio": cutouts.origin}, MADE_FROM)
        with pytest.raises(InputError, match=r"radio\.arrow: made from other settings .* stage cutouts"):
            check_together({"radio": cutouts.origin}, MADE_FROM | {"settings": "of another seed"})


def test_no_file_is_left_of_an_interrupted_job(tmp_path: Path, entries: dict[str, Cutout]) -> None:
    with pytest.raises(KeyboardInterrupt), cutout_writer(tmp_path / "radio.arrow") as writer:
        writer.add("a", entries["mixed-case_id.1"])
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_every_truncation_is_noticed(example: Path) -> None:
    whole = example.read_bytes()
    for size in (*range(0, len(whole), 1440), len(whole) - 1):
        example.write_bytes(whole[:size])
        with pytest.raises(InputError) as error:
            read_cutouts(example)
        assert str(example) in str(error.value) and "\n" not in str(error.value)


def test_every_flipped_byte_of_a_row_is_noticed(tmp_path: Path, entries: dict[str, Cutout]) -> None:
    """Of everything that a cut-out returns; bytes between the columns, which nothing reads, may change."""
    small = Cutout(
        entries["mixed-case_id.1"].data[:3, :4], FRAME.wcs(1.0, 2.0), "a.fits", unit="mJy", beam=BEAM
    )
    path = write(tmp_path / "radio.arrow", {"first": small, "other": small})
    whole, unnoticed = path.read_bytes(), 0
    with read_cutouts(path) as cutouts:
        expected = dict(cutouts)
    places = np.random.default_rng(1).permutation(len(whole))[:1500].tolist()
    for place in places:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :])
        try:
            with read_cutouts(path) as cutouts:
                assert list(cutouts) == list(expected)
                for name, entry in cutouts.items():
                    np.testing.assert_array_equal(entry.data, expected[name].data)
                    assert (entry.wcs, entry.beam, entry.unit) == (small.wcs, BEAM, "mJy")
            unnoticed += 1
        except InputError as error:
            assert str(path) in str(error) and "\n" not in str(error)
    assert unnoticed < 0.8 * len(places)


def test_a_flipped_byte_in_the_pixels_names_the_subject(example: Path, entries: dict[str, Cutout]) -> None:
    content = bytearray(example.read_bytes())
    place = content.index(entries["mixed-case_id.1"].data.tobytes()) + 5000
    content[place] ^= 1
    example.write_bytes(content)
    with read_cutouts(example) as cutouts:
        assert np.isfinite(cutouts["Mixed-case_Id.1"].data).all()
        with pytest.raises(InputError, match=r"radio\.arrow: .*checksum of mixed-case_id\.1 differs"):
            cutouts["mixed-case_id.1"]


def test_foreign_and_missing_files_are_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.arrow"
    with pa.ipc.new_file(other, pa.schema([("subject_id", pa.string())])):
        pass
    with pytest.raises(InputError, match="was not written by the stage cutouts"):
        read_cutouts(other)
    facts = {"content": "CLARAN cut-outs", "format_version": "0", "claran_made_from": json.dumps({})}
    with pa.ipc.new_file(other, SCHEMA.with_metadata(facts)):
        pass
    with pytest.raises(InputError, match="format of another version"):
        read_cutouts(other)
    fits.PrimaryHDU(np.zeros((3, 3))).writeto(tmp_path / "radio.arrow")
    with pytest.raises(InputError, match="not a complete file of cut-outs"):
        read_cutouts(tmp_path / "radio.arrow")
    with pytest.raises(InputError, match="no such file"):
        read_cutouts(tmp_path / "none.arrow")
    with pytest.raises(InputError, match="not a complete file of cut-outs"):
        read_cutouts(tmp_path)
