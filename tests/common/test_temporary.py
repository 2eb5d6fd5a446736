"""Temporary files: removed by their own process, or swept after it was killed; never while it lives."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from claran_core.common.temporary import sweep, temporary_file, temporary_folder

# A process that opens a temporary file and a temporary folder, says so, and waits.
WRITER = """
import sys, time
from pathlib import Path
from claran_core.common.temporary import temporary_file, temporary_folder
with temporary_file(Path(sys.argv[1]) / "table.parquet") as one, temporary_folder(Path(sys.argv[1])) as other:
    one.write_text("half")
    (other / "part").write_text("half")
    print("ready", flush=True)
    time.sleep(600)
"""


@contextmanager
def writing(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a process that writes in a folder."""
    command = [sys.executable, "-c", WRITER, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.kill()


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


def test_nothing_is_left_after_success_or_failure(tmp_path: Path) -> None:
    with temporary_file(tmp_path / "new" / "a") as one, temporary_folder(tmp_path / "b") as other:
        assert one.parent == tmp_path / "new" and other.parent == tmp_path
        assert one.read_bytes() == b"" and not list(other.iterdir())
    with pytest.raises(RuntimeError), temporary_file(tmp_path / "a"), temporary_folder(tmp_path / "b"):
        raise RuntimeError
    assert names_in(tmp_path) == ["new"]


def test_what_a_killed_process_left_is_swept_and_nothing_else(tmp_path: Path) -> None:
    results = tmp_path / "results"
    results.mkdir()
    kept = ["table.parquet", ".journal", ".table.parquet.tmp", "table.abcdefgh.tmp"]
    for name in kept:
        (results / name).write_text("kept")
    with writing(results) as process:
        assert sweep(tmp_path) == []
        process.kill()
        process.wait()
        left = sorted(path.name.split(".")[1] for path in sweep(tmp_path))
    assert left == ["results", "table"]
    assert names_in(tmp_path) == sorted(["results", *kept])


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "mine").write_text("kept")
    (tmp_path / "results" / ".a.abcdefgh.tmp").symlink_to(tmp_path / "mine")
    assert sweep(tmp_path / "results") == []
    assert (tmp_path / "mine").read_text() == "kept"


def test_a_missing_folder_has_nothing_to_sweep(tmp_path: Path) -> None:
    assert sweep(tmp_path / "nowhere") == []
