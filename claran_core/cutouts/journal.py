"""Journal of the cut-outs that an interrupted or partly failed shard has already fetched.

While a shard is under way, each finished (subject, band) is appended to a journal beside the shard's files.
A killed job leaves at most one incomplete record, which is detected and dropped.  The journal of a complete
shard is removed.  If rows failed, hard links to the shard's files are kept instead, which take no space: a
later run fetches only the failed rows, although the workflow removes the files first.
"""

import hashlib
import json
import os
import shutil
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from claran_core.common import files
from claran_core.common.errors import InputError
from claran_core.cutouts.cutout_file import read_cutouts

__all__ = ["CutoutJournal", "Row"]

Row = dict[str, Any]
Key = tuple[str, str]

# Head of a record: a mark, the lengths of its two parts, and the SHA-256 of both.
RECORD = struct.Struct(">4sII32s")
MARK = b"CLRN"


@dataclass(frozen=True)
class _Place:
    """Place of the bytes of a cut-out; the length is 0 if there is no image."""

    row: Row
    path: Path
    offset: int
    length: int


class CutoutJournal:
    """Finished rows of a shard, with their cut-outs; use ``with``.

    Parameters
    ----------
    folder : Path
        Folder of the journal, beside the shard's files.
    identity : str
        Everything the cut-outs depend on: subjects, width, services.  A journal of another identity is
        dropped.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        self.folder = folder
        self._journal_path = folder / "journal"
        self._lock = threading.Lock()
        self._places: dict[Key, _Place] = {}
        self._prepare(identity)
        self._places.update(self._earlier())
        self._places.update(self._recorded())
        self._journal = self._journal_path.open("ab", buffering=0)

    def get(self, subject_id: str, band: str) -> tuple[Row, bytes] | None:
        """Return ledger row and image extension (empty if there is no image) of a finished.

        See subject, band.
        """
        place = self._places.get((subject_id, band))
        if place is None:
            return None
        if not place.length:
            return place.row, b""
        with place.path.open("rb") as handle:
            handle.seek(place.offset)
            return place.row, handle.read(place.length)

    def add(self, row: Row, extension: bytes) -> None:
        """Record a finished row with its image extension.  Thread-safe."""
        described = json.dumps(row).encode()
        digest = hashlib.sha256(described + extension).digest()
        record = RECORD.pack(MARK, len(described), len(extension), digest) + described + extension
        with self._lock:
            self._journal.write(record)

    def finish(self, shard_files: dict[str, Path], *, failed: bool) -> None:
        """Finish a complete shard: keep links to its files (by name) if rows failed, else nothing."""
        self._journal.close()
        if not failed:
            shutil.rmtree(self.folder)
            return
        for name, path in shard_files.items():
            _link(path, self.folder / name)
        self._journal_path.unlink()

    def __enter__(self) -> "CutoutJournal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._journal.close()

    def _prepare(self, identity: str) -> None:
        path = self.folder / "identity"
        if self.folder.exists() and not (path.exists() and path.read_text(encoding="utf-8") == identity):
            shutil.rmtree(self.folder)
        if not path.exists():
            files.write_text(path, identity)

    def _earlier(self) -> dict[Key, _Place]:
        """Return the rows of an earlier, complete run of the shard that did not fail."""
        ledger_path = self.folder / "ledger.parquet"
        if not ledger_path.exists():
            return {}
        try:
            ledger = files.read_table(ledger_path)
            extents = {band: _extents(self.folder / f"{band}.fits") for band in ledger["band"].unique()}
        except InputError:
            return {}  # damaged: fetched again
        found = {}
        for record in ledger[ledger["status"] != "failed"].to_dict("records"):
            row: Row = {str(name): None if value != value else value for name, value in record.items()}
            key = row["subject_id"], row["band"]
            offset, length = extents[row["band"]].get(row["subject_id"], (0, 0))
            found[key] = _Place(row, self.folder / f"{row['band']}.fits", offset, length)
        return found

    def _recorded(self) -> dict[Key, _Place]:
        """Return the rows of the journal, and truncate it after the last complete record."""
        if not self._journal_path.exists():
            return {}
        found, whole = {}, 0
        with self._journal_path.open("rb") as handle:
            for row, offset, length in _records(handle):
                found[row["subject_id"], row["band"]] = _Place(row, self._journal_path, offset, length)
                whole = offset + length
        os.truncate(self._journal_path, whole)
        return found


def _records(handle: BinaryIO) -> Iterator[tuple[Row, int, int]]:
    """Yield the rows of complete records of a journal, with offset and length of their extensions."""
    while len(head := handle.read(RECORD.size)) == RECORD.size:
        mark, described_length, length, digest = RECORD.unpack(head)
        if mark != MARK:
            return
        body = handle.read(described_length + length)
        if len(body) < described_length + length or hashlib.sha256(body).digest() != digest:
            return
        yield json.loads(body[:described_length]), handle.tell() - length, length


def _extents(path: Path) -> dict[str, tuple[int, int]]:
    """Return offset and length of each image extension in a file of cut-outs."""
    with read_cutouts(path) as cutouts:
        return cutouts.extents()


def _link(path: Path, link: Path) -> None:
    temporary = link.with_name(f".{link.name}.new")
    temporary.unlink(missing_ok=True)
    try:
        os.link(path, temporary)
    except OSError:  # a file system without hard links
        shutil.copyfile(path, temporary)
    temporary.replace(link)
