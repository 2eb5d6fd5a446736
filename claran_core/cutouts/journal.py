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
from claran_core.cutouts.cutout_file import CutoutFile, read_cutouts
from claran_core.cutouts.cutout_rows import Row, deserialised, serialised

__all__ = ["KEPT_LEDGER", "CutoutJournal", "Entry", "LedgerRow"]

LedgerRow = dict[str, Any]
# A row of the ledger, and the cut-out as a row of its file, if there is one.
Entry = tuple[LedgerRow, Row | None]
Key = tuple[str, str]

# Name that a shard's ledger has among the kept files.
KEPT_LEDGER = "ledger.parquet"

# Head of a record: a mark, the lengths of its two parts, and the SHA-256 of both.
RECORD = struct.Struct(">4sII32s")
MARK = b"CLRN"


@dataclass(frozen=True)
class _Place:
    """Place of a cut-out in the journal; the length is 0 if there is no image."""

    row: LedgerRow
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
        self._prepare(identity)
        self._kept: dict[str, CutoutFile] = {}
        self._kept_rows = self._earlier()
        self._places = self._recorded()
        self._journal = self._journal_path.open("ab", buffering=0)

    def get(self, subject_id: str, band: str) -> Entry | None:
        """Return ledger row and cut-out (None if there is no image) of a finished subject and band.

        Thread-safe.
        """
        place = self._places.get((subject_id, band))
        if place is None:
            return self._kept_entry(subject_id, band)
        if not place.length:
            return place.row, None
        with self._journal_path.open("rb") as handle:
            handle.seek(place.offset)
            return place.row, deserialised(handle.read(place.length))

    def add(self, row: LedgerRow, cutout: Row | None) -> None:
        """Record a finished ledger row with its cut-out, made by `row_of`.  Thread-safe."""
        described, pixels = json.dumps(row).encode(), b"" if cutout is None else serialised(cutout)
        digest = hashlib.sha256(described + pixels).digest()
        record = RECORD.pack(MARK, len(described), len(pixels), digest) + described + pixels
        with self._lock:
            self._journal.write(record)

    def finish(self, shard_files: dict[str, Path], *, failed: bool) -> None:
        """Finish a complete shard: keep links to its files (by name) if rows failed, else nothing."""
        self.close()
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
        self.close()

    def close(self) -> None:
        """Close all files."""
        self._journal.close()
        for cutouts in self._kept.values():
            cutouts.close()

    def _prepare(self, identity: str) -> None:
        path = self.folder / "identity"
        if self.folder.exists() and not (path.exists() and path.read_text(encoding="utf-8") == identity):
            shutil.rmtree(self.folder)
        if not path.exists():
            files.write_text(path, identity)

    def _kept_entry(self, subject_id: str, band: str) -> Entry | None:
        """Return the entry of an earlier, complete run; None without one, or if it is damaged."""
        row, cutouts = self._kept_rows.get((subject_id, band)), self._kept.get(band)
        if row is None or cutouts is None:
            return None
        try:
            return row, cutouts.row(subject_id) if subject_id in cutouts else None
        except InputError:
            return None  # fetched again

    def _earlier(self) -> dict[Key, LedgerRow]:
        """Return the rows of an earlier, complete run of the shard that did not fail; open its cut-outs."""
        ledger_path = self.folder / KEPT_LEDGER
        if not ledger_path.exists():
            return {}
        try:
            ledger = files.read_table(ledger_path)
            for band in ledger["band"].unique():
                self._kept[band] = read_cutouts(self.folder / f"{band}.arrow")
        except InputError:
            return {}  # damaged: fetched again
        found = {}
        for record in ledger[ledger["status"] != "failed"].to_dict("records"):
            row: LedgerRow = {str(name): None if value != value else value for name, value in record.items()}
            found[row["subject_id"], row["band"]] = row
        return found

    def _recorded(self) -> dict[Key, _Place]:
        """Return the rows of the journal, and truncate it after the last complete record."""
        if not self._journal_path.exists():
            return {}
        found, whole = {}, 0
        with self._journal_path.open("rb") as handle:
            for row, offset, length in _records(handle):
                found[row["subject_id"], row["band"]] = _Place(row, offset, length)
                whole = offset + length
        os.truncate(self._journal_path, whole)
        return found


def _records(handle: BinaryIO) -> Iterator[tuple[LedgerRow, int, int]]:
    """Yield the rows of complete records of a journal, with offset and length of their cut-outs."""
    while len(head := handle.read(RECORD.size)) == RECORD.size:
        mark, described_length, length, digest = RECORD.unpack(head)
        if mark != MARK:
            return
        body = handle.read(described_length + length)
        if len(body) < described_length + length or hashlib.sha256(body).digest() != digest:
            return
        yield json.loads(body[:described_length]), handle.tell() - length, length


def _link(path: Path, link: Path) -> None:
    temporary = link.with_name(f".{link.name}.new")
    temporary.unlink(missing_ok=True)
    try:
        os.link(path, temporary)
    except OSError:  # a file system without hard links
        shutil.copyfile(path, temporary)
    temporary.replace(link)
