"""A cut-out as one row of an Arrow table: pixels, geometry, what its file states, and a checksum."""

import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from claran_core.common.cutout import Beam, BrightPixels, Cutout
from claran_core.common.flags import Flag
from claran_core.common.linear_wcs import LinearWCS, Projection

__all__ = [
    "LISTS",
    "SCHEMA",
    "ChecksumError",
    "CutoutRows",
    "Row",
    "batch_of",
    "deserialised",
    "row_of",
    "serialised",
]

_FLOATS = (
    "ra",
    "dec",
    "x",
    "y",
    "cd1_1",
    "cd1_2",
    "cd2_1",
    "cd2_2",
    "beam_major",
    "beam_minor",
    "beam_angle",
    "native_sigma",
)
_TEXTS = ("subject_id", "projection", "unit", "origin")
# Columns of pixels and their types.
LISTS = {"pixels": pa.float32(), "bright_index": pa.int32(), "bright_pixels": pa.float32()}
_INTEGERS = ("ny", "nx", "flags", "scale")

SCHEMA = pa.schema(
    [
        pa.field("subject_id", pa.string(), nullable=False),
        pa.field("ny", pa.int32(), nullable=False),
        pa.field("nx", pa.int32(), nullable=False),
        pa.field("projection", pa.string(), nullable=False),
        *(pa.field(name, pa.float64(), nullable=False) for name in _FLOATS),
        pa.field("unit", pa.string(), nullable=False),
        pa.field("origin", pa.string(), nullable=False),
        pa.field("flags", pa.int32(), nullable=False),
        pa.field("scale", pa.int32(), nullable=False),
        *(
            pa.field(name, pa.list_(pa.field("item", kind, nullable=False)), nullable=False)
            for name, kind in LISTS.items()
        ),
        pa.field("crc32", pa.uint32(), nullable=False),
    ]
)

# Integers and floats of a row, as the checksum contains them.
_NUMBERS = struct.Struct(f"<{len(_INTEGERS)}i{len(_FLOATS)}d")

# What a cut-out has that is no coarse view of a radio image.
NO_BRIGHT_PIXELS = BrightPixels(1, np.nan, np.empty(0, np.int32), np.empty(0, np.float32))

# Values of a row by column.
Row = dict[str, Any]


class ChecksumError(Exception):
    """A row whose content is not what was written."""


def row_of(subject_id: str, cutout: Cutout) -> Row:
    """Return a cut-out as a row of `SCHEMA`, pixels as arrays.  Thread-safe.

    What the cut-out does not state is NaN (beam) or empty (unit, bright pixels, whose scale is then 1).
    """
    bright = cutout.bright or NO_BRIGHT_PIXELS
    lists = (cutout.data.ravel(), bright.index, bright.values)
    arrays = tuple(
        np.ascontiguousarray(values, kind.to_pandas_dtype())
        for values, kind in zip(lists, LISTS.values(), strict=True)
    )
    wcs, beam = cutout.wcs, cutout.beam
    axes = (np.nan,) * 3 if beam is None else (beam.major_arcsec, beam.minor_arcsec, beam.angle_deg)
    integers = (*cutout.data.shape, int(cutout.flags), bright.scale)
    floats = (wcs.ra_deg, wcs.dec_deg, wcs.x, wcs.y, *wcs.matrix, *axes, bright.sigma)
    texts = (subject_id, wcs.projection, cutout.unit, cutout.origin)
    return {
        "crc32": _checksum(arrays, integers, floats, texts),
        **dict(zip(LISTS, arrays, strict=True)),
        **dict(zip(_INTEGERS, integers, strict=True)),
        **dict(zip(_FLOATS, floats, strict=True)),
        **dict(zip(_TEXTS, texts, strict=True)),
    }


def batch_of(rows: Sequence[Row]) -> pa.RecordBatch:
    """Return rows as a record batch."""
    columns = [
        _lists_of([row[field.name] for row in rows], field.type)
        if field.name in LISTS
        else pa.array([row[field.name] for row in rows], field.type)
        for field in SCHEMA
    ]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def _lists_of(arrays: Sequence[np.ndarray], kind: pa.ListType) -> pa.ListArray:
    """Return arrays as an array of lists."""
    ends = np.cumsum([0, *(values.size for values in arrays)], dtype=np.int32)
    values = np.concatenate([np.empty(0, kind.value_type.to_pandas_dtype()), *arrays])
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(values), type=kind)


def serialised(row: Row) -> bytes:
    """Return a row as bytes (an Arrow IPC message)."""
    content: bytes = batch_of([row]).serialize().to_pybytes()
    return content


def deserialised(content: bytes) -> Row:
    """Return the row of `serialised`."""
    rows = CutoutRows(pa.ipc.read_record_batch(pa.py_buffer(content), SCHEMA))
    return row_of(rows.subject_ids[0], rows.cutout(0))


class CutoutRows:
    """The rows of a record batch; pixels are views on its memory.

    Parameters
    ----------
    batch : pyarrow.RecordBatch
        Columns of `SCHEMA`.

    Raises
    ------
    pyarrow.ArrowInvalid
        If the batch is not consistent in itself.
    """

    def __init__(self, batch: pa.RecordBatch) -> None:
        batch.validate(full=True)
        if any(column.null_count for column in batch.columns):
            raise pa.ArrowInvalid("a value is missing")
        self._lists = [
            (batch[name].values.to_numpy(zero_copy_only=True), batch[name].offsets.to_numpy())
            for name in LISTS
        ]
        self._integers = np.stack([batch[name].to_numpy() for name in _INTEGERS], axis=1)
        self._floats = np.stack([batch[name].to_numpy() for name in _FLOATS], axis=1)
        self._texts = list(zip(*(batch[name].to_pylist() for name in _TEXTS), strict=True))
        self._checksums = batch["crc32"].to_pylist()

    @property
    def subject_ids(self) -> list[str]:
        """Subjects of the rows."""
        return [texts[0] for texts in self._texts]

    def cutout(self, row: int) -> Cutout:
        """Return the cut-out of a row; its pixels are read-only.

        Raises
        ------
        ChecksumError
            If pixels or geometry have changed since they were written.
        """
        arrays = tuple(values[ends[row] : ends[row + 1]] for values, ends in self._lists)
        integers, floats = tuple(self._integers[row].tolist()), tuple(self._floats[row].tolist())
        texts = self._texts[row]
        if _checksum(arrays, integers, floats, texts) != self._checksums[row]:
            raise ChecksumError(texts[0])
        pixels, index, values = arrays
        ny, nx, flags, scale = integers
        ra_deg, dec_deg, x, y, a, b, c, d, *axes, sigma = floats
        projection: Projection = "TAN" if texts[1] == "TAN" else "SIN"
        return Cutout(
            pixels.reshape(ny, nx),
            LinearWCS(projection, ra_deg, dec_deg, x, y, (a, b, c, d)),
            origin=texts[3],
            flags=Flag(flags),
            unit=texts[2],
            beam=None if np.isnan(axes[0]) else Beam(*axes),
            bright=None if scale == 1 else BrightPixels(scale, sigma, index, values),
        )


def _checksum(
    arrays: tuple[np.ndarray, ...],
    integers: tuple[int, ...],
    floats: tuple[float, ...],
    texts: tuple[str, ...],
) -> int:
    """Return the CRC-32 of the bytes of arrays, numbers and texts of a row, in this order."""
    described = _NUMBERS.pack(*integers, *floats) + "\0".join(texts).encode()
    checksum = 0
    for values in arrays:
        checksum = zlib.crc32(values.data, checksum)
    return zlib.crc32(described, checksum)
