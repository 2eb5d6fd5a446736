"""Files of the pipeline: atomic and typed; damaged files are refused in one line."""

import errno
import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from claran_core.common import files
from claran_core.common.errors import InputError

SCHEMA = pa.schema(
    [
        pa.field("name", pa.string(), nullable=False),
        pa.field("value", pa.float32()),
        pa.field("sigma", pa.float32(), nullable=False),
    ]
)
TABLE = pd.DataFrame({"name": ["a", "b"], "value": [1.5, np.nan], "sigma": [np.nan, 2.0]})


def test_table_round_trip_with_metadata(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "table.parquet"
    files.write_table(path, TABLE, SCHEMA, metadata={"n": 2, "deep": {"x": [1]}})
    pd.testing.assert_frame_equal(
        files.read_table(path), TABLE.astype({"value": np.float32, "sigma": np.float32}), check_dtype=False
    )
    stored = pq.read_table(path)
    assert stored["value"].null_count == 1 and stored["sigma"].null_count == 0  # NaN is a number there
    assert files.read_table(path, ["value"]).columns.tolist() == ["value"]
    assert files.read_metadata(path) == {"n": 2, "deep": {"x": [1]}}
    assert [entry.name for entry in path.parent.iterdir()] == ["table.parquet"]


def test_columns_must_equal_those_of_the_schema(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="extra"):
        files.write_table(tmp_path / "t.parquet", TABLE.assign(extra=1), SCHEMA)
    with pytest.raises(ValueError, match="value"):
        files.write_table(tmp_path / "t.parquet", TABLE[["name"]], SCHEMA)
    with pytest.raises(ValueError, match="'name' has 1 missing"):
        files.write_table(tmp_path / "t.parquet", TABLE.assign(name=["a", None]), SCHEMA)
    with pytest.raises(ValueError, match="'sigma'"):
        files.write_table(tmp_path / "t.parquet", TABLE.assign(sigma="x"), SCHEMA)
    assert list(tmp_path.iterdir()) == []


def test_missing_truncated_and_foreign_tables_are_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    files.write_table(path, TABLE, SCHEMA)
    cases = {"missing.parquet": None, "cut.parquet": path.read_bytes()[:-20], "text.parquet": b"hello\n"}
    for name, content in cases.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
        for read in (files.read_table, files.read_metadata):
            with pytest.raises(InputError, match=name) as caught:
                read(tmp_path / name)
            assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="'flux' is missing"):
        files.read_table(path, ["name", "flux"])


def test_each_flipped_byte_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    values = np.random.default_rng(1).normal(size=1000)
    files.write_table(path, pd.DataFrame({"x": values}), pa.schema([("x", pa.float64())]))
    whole = path.read_bytes()
    # Every byte from the seal to the end, and some of those before.
    for place in [*range(0, len(whole), 37), *range(whole.rindex(b"CLARAN1"), len(whole))]:
        flipped = bytearray(whole)
        flipped[place] ^= 0x10
        path.write_bytes(flipped)
        with pytest.raises(InputError, match=r"table\.parquet: not a complete Parquet file") as error:
            list(files.read_batches(path, strict=True))
        assert "\n" not in str(error.value)


def test_a_table_without_seal(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    files.write_table(path, TABLE, SCHEMA)
    pq.write_table(pq.read_table(path), path)  # another program keeps the metadata
    pd.testing.assert_frame_equal(files.read_table(path), TABLE, check_dtype=False)
    with (
        pytest.raises(InputError, match=r"table\.parquet: .* has no seal"),
        files.open_parquet(path, strict=True),
    ):
        pass


def test_other_programs_read_a_sealed_table(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    files.write_table(path, TABLE, SCHEMA)
    pd.testing.assert_frame_equal(pd.read_parquet(path), TABLE, check_dtype=False)


def test_digest_tells_contents_apart_and_ignores_metadata(tmp_path: Path) -> None:
    digests = []
    for number, table in enumerate((TABLE, TABLE, TABLE.assign(value=[1.5, 2.5]))):
        path = tmp_path / f"{number}.parquet"
        files.write_table(path, table, SCHEMA, metadata={"number": number})
        digests.append(files.digest_of(path))
    assert digests[0] == digests[1] != digests[2]


def test_table_says_what_it_was_made_from(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    files.write_table(path, TABLE, SCHEMA, made_from={"targets": "abc", "radio": "def"})
    assert files.content_of(path) == (files.digest_of(path), {"targets": "abc", "radio": "def"})
    pq.write_table(pa.table({"x": [1]}), path)
    with pytest.raises(InputError, match=r"t\.parquet: does not say what it contains"):
        files.digest_of(path)


def test_array_is_memory_mapped_read_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.npy"
    with files.array_writer(path, (3, 4), np.uint8) as append:
        for row in np.arange(12, dtype=np.uint8).reshape(3, 4):
            append(row)
        assert not path.exists()
    np.testing.assert_array_equal(np.load(path), np.arange(12).reshape(3, 4))
    array = files.read_array(path)
    assert isinstance(array, np.memmap) and array[2, 3] == 11
    with pytest.raises(ValueError, match="read-only"):
        array[0, 0] = 1


def test_array_of_no_entries(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    with files.array_writer(path, (0, 4), np.uint8):
        pass
    assert files.read_array(path).shape == (0, 4)


def test_unsuitable_or_missing_entries_leave_no_array(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    for entry in (np.zeros(3, np.uint8), np.zeros(4)):
        with pytest.raises(ValueError, match=r"a\.npy: an entry is"):
            _write(path, entry, entry)
    with pytest.raises(ValueError, match=r"a\.npy: 1 entries were written, not 2"):
        _write(path, np.zeros(4, np.uint8))
    assert not list(tmp_path.iterdir())


def _write(path: Path, *entries: np.ndarray) -> None:
    with files.array_writer(path, (2, 4), np.uint8) as append:
        for entry in entries:
            append(entry)


def test_damaged_arrays_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.arange(1000))
    (tmp_path / "cut.npy").write_bytes(path.read_bytes()[:500])
    np.save(tmp_path / "objects.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    (tmp_path / "empty.npy").write_bytes(b"")
    with (tmp_path / "archive.npy").open("wb") as archive:
        np.savez(archive, np.arange(9))
    for name in ("cut.npy", "objects.npy", "empty.npy", "missing.npy", "archive.npy"):
        with pytest.raises(InputError, match=name) as caught:
            files.read_array(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_failed_write_keeps_the_old_file_and_leaves_no_other(tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    files.write_text(path, "old")
    with pytest.raises(RuntimeError), files.atomic_path(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["note.txt"]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_file_permissions_follow_the_umask_from_the_start(tmp_path: Path, umask: int, mode: int) -> None:
    path, earlier = tmp_path / "note.txt", os.umask(umask)
    try:
        with files.atomic_path(path) as temporary:
            assert temporary.stat().st_mode & 0o777 == mode
            temporary.write_text("x")
    finally:
        os.umask(earlier)
    assert path.stat().st_mode & 0o777 == mode


def test_the_umask_which_all_threads_share_is_never_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes: list[int] = []
    monkeypatch.setattr(os, "umask", changes.append)
    files.write_text(tmp_path / "note.txt", "x")
    assert changes == []


def test_json_refuses_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(tmp_path / "m.json", {"ap": float("nan")})
    files.write_json(tmp_path / "m.json", {"ap": None})
    assert (tmp_path / "m.json").read_text() == '{\n  "ap": null\n}\n'


@pytest.fixture
def small_files() -> Iterator[None]:
    """Let no file of this process grow beyond 100 kB, as a full disk would."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def _write_raw(path: Path) -> None:
    with files.atomic_path(path) as temporary:
        np.zeros(50_000).tofile(temporary)  # its error tells no reason


def _write_rows(path: Path) -> None:
    values = np.random.default_rng(1).random(50_000)
    schema = pa.schema([pa.field("a", pa.float64(), nullable=False)])
    files.write_table(path, pd.DataFrame({"a": values}), schema)


def _write_array(path: Path) -> None:
    with files.array_writer(path, (50, 1000), np.float64) as append:
        for _ in range(50):
            append(np.ones(1000))


@pytest.mark.usefixtures("small_files")
@pytest.mark.parametrize("write", [_write_raw, _write_rows, _write_array])
def test_a_full_disk_is_told_with_the_file(tmp_path: Path, write: Callable[[Path], None]) -> None:
    path = tmp_path / "a.file"
    with pytest.raises(OSError, match=r"File too large") as caught:
        write(path)
    assert caught.value.errno == errno.EFBIG and caught.value.filename == str(path)
    assert not list(tmp_path.iterdir())


def test_other_errors_of_writing_stay_what_they_are(tmp_path: Path) -> None:
    for error in (ValueError("x"), OSError("no reason"), FileNotFoundError(2, "gone")):
        with pytest.raises(type(error)) as caught, files.atomic_path(tmp_path / "a"):
            raise error
        assert caught.value is error
