"""Files of the cut-outs of one shard and band: Arrow IPC, a row per subject, memory-mapped when read.

The format is that of `pyarrow.ipc.new_file`, not compressed: record batches of some megabytes, so that
writing needs little memory whatever the size of the shard.  A row is one subject:

- ``subject_id``;
- ``pixels``: a list of ``ny`` x ``nx`` float32, FITS order (row 0 in the south), NaN where there are no data,
  in the survey's unit; those of a coarse view are smoothed (`claran_core.cutouts.coarse`);
- geometry: ``projection`` (TAN or SIN), the reference position ``ra dec`` (deg, ICRS), its pixel ``x y``
  (0-based) and the matrix ``cd1_1 .. cd2_2`` (deg per pixel), as `claran_core.common.linear_wcs.LinearWCS`;
- what the survey's file states: ``beam_major beam_minor`` (FWHM, arcsec), ``beam_angle`` (deg, north to east;
  all NaN without a beam), and ``unit`` (the pixels here are in the survey's unit);
- ``origin`` (file name, service) and ``flags`` (bit mask, `claran_core.common.flags`);
- for a coarse view of a radio image, ``scale``, the native pixels along the side of a pixel (else 1), the
  noise of the native pixels ``native_sigma`` (else NaN), and the bright ones among them: their places in the
  array of ``scale * ny`` x ``scale * nx`` native pixels, ``bright_index``, and values, ``bright_pixels``;
- ``crc32``: the CRC-32 (zlib) of the little-endian bytes of ``pixels``, ``bright_index`` (int32) and
  ``bright_pixels``, of ``ny nx flags scale`` (int32) and of the floats from ``ra`` to ``native_sigma``
  (float64), and of ``subject_id``, ``projection``, ``unit`` and ``origin`` (UTF-8, separated by a zero byte).
  It is compared whenever a cut-out is read.

Each batch has metadata of its own, which are compared when the file is opened: ``digest``, the SHA-256 of
``subject_id``, a zero byte, ``crc32`` (decimal) and a line feed of all rows up to its end, and ``last`` (yes
or no).

The metadata of the schema are ``content`` (CLARAN cut-outs), ``format_version``, ``survey``, ``unit`` of the
pixels, and ``claran_made_from``: JSON with the digests of the shard's ``targets`` and of the ``settings``
that decide the pixels.  To read a file without this package::

    with pyarrow.ipc.open_file(pyarrow.memory_map(path)) as file:
        table = file.read_all()
    row = table.slice(table["subject_id"].to_pylist().index(subject_id), 1).to_pylist()[0]
    pixels = numpy.reshape(row["pixels"], (row["ny"], row["nx"]))
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa

from claran_core.common.cutout import Cutout
from claran_core.common.errors import InputError
from claran_core.common.files import MADE_FROM_KEY, atomic_path
from claran_core.common.origins import Origin
from claran_core.cutouts.cutout_rows import LISTS, SCHEMA, ChecksumError, CutoutRows, Row, batch_of, row_of

__all__ = ["CutoutFile", "CutoutWriter", "cutout_writer", "read_cutouts", "settings_digest"]

CONTENT = b"CLARAN cut-outs"
FORMAT_VERSION = b"2"
# Rows are written together when they have so many bytes.
BATCH_BYTES = 4 << 20


class _Digest:
    """Digest of the rows of a file up to some batch."""

    def __init__(self) -> None:
        self._total = hashlib.sha256()

    def add(self, batch: pa.RecordBatch) -> str:
        """Add the rows of the next batch, and return the digest up to its end (hexadecimal)."""
        checksums = batch["crc32"].to_pylist()
        for name, checksum in zip(batch["subject_id"].to_pylist(), checksums, strict=True):
            self._total.update(f"{name}\0{checksum}\n".encode())
        return self._total.hexdigest()


class CutoutWriter:
    """Append cut-outs to a file, which `cutout_writer` opens."""

    def __init__(self, stream: pa.RecordBatchFileWriter) -> None:
        self._stream = stream
        self._rows: list[Row] = []
        self._bytes = 0
        self._digest = _Digest()

    def add(self, subject_id: str, cutout: Cutout) -> None:
        """Append a cut-out."""
        self.append(row_of(subject_id, cutout))

    def append(self, row: Row) -> None:
        """Append a row that `row_of` made."""
        if self._bytes >= BATCH_BYTES:
            self._write(last=False)
        self._rows.append(row)
        self._bytes += sum(row[name].nbytes for name in LISTS)

    def finish(self) -> None:
        """Write the last batch, which may be empty."""
        self._write(last=True)

    def _write(self, *, last: bool) -> None:
        batch = batch_of(self._rows)
        self._stream.write_batch(batch, custom_metadata=_facts_of(self._digest.add(batch), last=last))
        self._rows, self._bytes = [], 0


@contextmanager
def cutout_writer(
    path: Path, *, survey: str = "", unit: str = "", made_from: Mapping[str, str] | None = None
) -> Iterator[CutoutWriter]:
    """Open a file of cut-outs for writing; it appears under its name on success.

    Parameters
    ----------
    path : Path
        File to write.
    survey, unit : str
        Name of the survey and unit of its pixels; empty if the run does not use the band.
    made_from : mapping of str to str, optional
        Digests of what the cut-outs are made from, by name.
    """
    facts = {
        b"content": CONTENT,
        b"format_version": FORMAT_VERSION,
        b"survey": survey.encode(),
        b"unit": unit.encode(),
        MADE_FROM_KEY: json.dumps(dict(made_from or {})).encode(),
    }
    with (
        atomic_path(path) as temporary,
        pa.OSFile(str(temporary), "wb") as sink,
        pa.ipc.new_file(sink, SCHEMA.with_metadata(facts)) as stream,
    ):
        writer = CutoutWriter(stream)
        yield writer
        writer.finish()


class CutoutFile(Mapping[str, Cutout]):
    """The cut-outs of a file by subject; pixels are views on the file.  Close it, or use ``with``.

    Attributes
    ----------
    survey, unit : str
        Name of the survey and unit of the pixels.
    made_from : dict of str to str
        Digests of what the cut-outs were made from, by name.
    digest : str
        SHA-256 (hexadecimal) of the subjects and the checksums of their rows.
    """

    def __init__(self, path: Path, source: pa.MemoryMappedFile) -> None:
        self._path, self._source = path, source
        reader = pa.ipc.open_file(source)
        facts = reader.schema.metadata or {}
        if facts.get(b"content") != CONTENT:
            raise InputError(_damaged(path, "it was not written by the stage cutouts"))
        if facts.get(b"format_version") != FORMAT_VERSION or not reader.schema.equals(SCHEMA):
            raise InputError(_damaged(path, "it has the format of another version"))
        self.survey, self.unit = facts[b"survey"].decode(), facts[b"unit"].decode()
        self.made_from: dict[str, str] = json.loads(facts[MADE_FROM_KEY])
        self._places: dict[str, tuple[CutoutRows, int]] = {}
        self.digest = self._read_batches(reader)

    def _read_batches(self, reader: pa.RecordBatchFileReader) -> str:
        """Find the rows of all batches, and return the digest of the file."""
        digest, up_to = _Digest(), ""
        for number in range(reader.num_record_batches):
            batch, facts = reader.get_batch_with_custom_metadata(number)
            rows = CutoutRows(batch)
            up_to = digest.add(batch)
            if dict(facts or {}) != _facts_of(up_to, last=number == reader.num_record_batches - 1):
                raise InputError(_damaged(self._path, "the checksum of its subjects differs"))
            self._places |= {name: (rows, row) for row, name in enumerate(rows.subject_ids)}
        if not up_to:
            raise InputError(_damaged(self._path, "it has no content"))
        return up_to

    @property
    def origin(self) -> Origin:
        """The file, its digest, and what it was made from."""
        return Origin(self._path, self.digest, self.made_from)

    def __getitem__(self, subject_id: str) -> Cutout:
        """Return the cut-out of a subject; its pixels are read-only.

        Raises
        ------
        KeyError
            If the subject has no cut-out.
        InputError
            If its pixels or geometry are damaged.
        """
        rows, row = self._places[subject_id]
        try:
            return rows.cutout(row)
        except ChecksumError:
            reason = f"the checksum of {subject_id} differs"
            raise InputError(_damaged(self._path, reason)) from None

    def row(self, subject_id: str) -> Row:
        """Return the row of a subject, for `CutoutWriter.append`, after the same checks."""
        return row_of(subject_id, self[subject_id])

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __enter__(self) -> "CutoutFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; cut-outs already read stay valid."""
        self._source.close()


def read_cutouts(path: Path) -> CutoutFile:
    """Open the cut-outs of one shard and band.

    Returns
    -------
    CutoutFile
        A mapping from subject id to `Cutout`, in the order of the shard, without subjects that have no image.

    Raises
    ------
    InputError
        If the file is missing, truncated, or not a file of cut-outs.
    """
    try:
        source = pa.memory_map(str(path))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; run the stage cutouts, which writes it") from None
    except (OSError, pa.ArrowException) as error:
        raise InputError(_damaged(path, str(error))) from None
    try:
        return CutoutFile(path, source)
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        source.close()
        raise InputError(_damaged(path, str(error))) from None
    except InputError:
        source.close()
        raise


def _facts_of(digest: str, *, last: bool) -> dict[bytes, bytes]:
    """Return the metadata of a batch."""
    return {b"digest": digest.encode(), b"last": b"yes" if last else b"no"}


def _damaged(path: Path, reason: str) -> str:
    line = reason.splitlines()[0] if reason else "damaged"
    return f"{path}: not a complete file of cut-outs ({line}); remove it and rerun the stage cutouts"


def settings_digest(settings: Mapping[str, Any]) -> str:
    """Return the SHA-256 (hexadecimal) of settings, which are JSON-serialisable."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
