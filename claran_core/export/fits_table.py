"""Export the catalogue as a FITS binary table: units, UCDs and descriptions in the header, lists in the heap.

Rows are written while they are read, so memory holds one batch of any catalogue.
Source: FITS standard 4.0, sections 7.3.1 to 7.3.5.  TOPCAT and astropy read the keywords TUCDn and TCOMMn.
"""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from astropy.io import fits

from claran_core import __version__
from claran_core.catalogue.product.data_origin import data_origin
from claran_core.common.errors import InputError
from claran_core.common.files import atomic_path
from claran_core.export.source import CatalogueFile, items

__all__ = ["write_fits"]

FITS_BLOCK = 2880
# Offsets into the heap are signed: a larger heap needs 64-bit descriptors.
MAX_SMALL_HEAP = 2**31 - 1

# Letter of TFORMn and big-endian numpy type.
KINDS = {
    pa.bool_(): ("L", "S1"),
    pa.uint8(): ("B", "u1"),
    pa.int16(): ("I", ">i2"),
    pa.int32(): ("J", ">i4"),
    pa.int64(): ("K", ">i8"),
    pa.float32(): ("E", ">f4"),
    pa.float64(): ("D", ">f8"),
}


@dataclass(frozen=True)
class _Column:
    """One column: greatest length of its text or lists, and the bytes of its lists in the heap."""

    field: pa.Field
    longest: int
    heap_bytes: int

    @property
    def is_list(self) -> bool:
        return pa.types.is_list(self.field.type)

    def form(self, *, large: bool) -> str:
        """Return the value of TFORMn."""
        if self.is_list:
            letter, _ = KINDS[self.field.type.value_type]
            return f"{'Q' if large else 'P'}{letter}({self.longest})"
        if pa.types.is_string(self.field.type):
            return f"{max(1, self.longest)}A"
        return KINDS[self.field.type][0]

    def stored(self, *, large: bool) -> tuple[str, str] | tuple[str, str, tuple[int]]:
        """Return the field of the numpy type of a row of the main table."""
        if self.is_list:
            return self.field.name, ">i8" if large else ">i4", (2,)
        if pa.types.is_string(self.field.type):
            return self.field.name, f"S{max(1, self.longest)}"
        return self.field.name, KINDS[self.field.type][1]


def write_fits(source: CatalogueFile, path: Path) -> None:
    """Write a catalogue as the first extension of a FITS file.

    Parameters
    ----------
    source : CatalogueFile
        The catalogue.
    path : Path
        Output file.

    Raises
    ------
    InputError
        If FITS lacks the type of a column, or text is not ASCII.
    """
    columns = _measure(source)
    heap_bytes = sum(column.heap_bytes for column in columns)
    large = heap_bytes > MAX_SMALL_HEAP
    row = np.dtype([column.stored(large=large) for column in columns])
    with atomic_path(path) as temporary, temporary.open("wb") as out:
        out.write(_primary(source).tostring().encode("ascii"))
        header = _table_header(columns, row, source.n_rows, heap_bytes, large=large)
        out.write(header.tostring().encode("ascii"))
        for rows in _rows(source, columns, row):
            out.write(rows.tobytes())
        for values in _heap(source, columns):
            out.write(values)
        out.write(bytes(-(source.n_rows * row.itemsize + heap_bytes) % FITS_BLOCK))


def _measure(source: CatalogueFile) -> list[_Column]:
    """Measure the longest text and list of each column, and the size of the heap (first pass)."""
    schema = source.schema
    for field in schema:
        kind = field.type.value_type if pa.types.is_list(field.type) else field.type
        if kind not in KINDS and not (kind == field.type and pa.types.is_string(kind)):
            raise InputError(f"{source.path}: column {field.name!r}: FITS has no type for {field.type}")
    varying = [name for name in schema.names if _varies(schema.field(name).type)]
    longest, entries = dict.fromkeys(varying, 0), dict.fromkeys(varying, 0)
    for batch in source.batches(varying) if varying else ():
        for name in varying:
            lengths = _lengths(batch.column(name))
            longest[name] = max(longest[name], pc.max(lengths).as_py() or 0)
            entries[name] += pc.sum(lengths).as_py() or 0
    return [
        _Column(field, longest.get(field.name, 0), entries.get(field.name, 0) * _item_bytes(field.type))
        for field in schema
    ]


def _varies(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_string(kind)


def _lengths(column: pa.Array) -> pa.Array:
    return pc.list_value_length(column) if pa.types.is_list(column.type) else pc.utf8_length(column)


def _item_bytes(kind: pa.DataType) -> int:
    """Return the bytes of a list entry in the heap; 0 for other columns."""
    return np.dtype(KINDS[kind.value_type][1]).itemsize if pa.types.is_list(kind) else 0


def _primary(source: CatalogueFile) -> fits.Header:
    header = fits.PrimaryHDU().header
    origin = data_origin(source.facts)
    header["ORIGIN"] = (f"claran-survey {__version__}", "program that wrote this file")
    header["DATE"] = (datetime.datetime.now(datetime.UTC).date().isoformat(), "day of it, UTC")
    for keyword, name in (("AUTHOR", "creator"), ("REFERENC", "citation"), ("RIGHTS", "rights")):
        if name in origin:
            header[keyword] = origin[name].encode("ascii", "backslashreplace").decode()
    for name, value in source.short_facts().items():
        header.add_history(f"{name}: {value}")
    return header


def _table_header(
    columns: list[_Column], row: np.dtype, n_rows: int, heap_bytes: int, *, large: bool
) -> fits.Header:
    header = fits.Header()
    header["XTENSION"] = "BINTABLE"
    header["BITPIX"] = 8
    header["NAXIS"] = 2
    header["NAXIS1"] = (row.itemsize, "bytes of a row")
    header["NAXIS2"] = (n_rows, "sources")
    header["PCOUNT"] = (heap_bytes, "bytes of the heap")
    header["GCOUNT"] = 1
    header["TFIELDS"] = len(columns)
    header["EXTNAME"] = "CATALOGUE"
    for number, column in enumerate(columns, start=1):
        header[f"TTYPE{number}"] = column.field.name
        header[f"TFORM{number}"] = column.form(large=large)
        about = column.field.metadata or {}
        for keyword, key in (("TUNIT", b"unit"), ("TUCD", b"ucd"), ("TCOMM", b"description")):
            if about.get(key):
                header[f"{keyword}{number}"] = about[key].decode()
    header["RADESYS"] = "ICRS"
    return header


def _rows(source: CatalogueFile, columns: list[_Column], row: np.dtype) -> Iterator[np.ndarray]:
    """Yield the rows of the main table; a list is its length and its offset in the heap (second pass)."""
    heap = 0
    for batch in source.batches():
        rows = np.zeros(batch.num_rows, row)
        for column in columns:
            name, values = column.field.name, batch.column(column.field.name)
            if column.is_list:
                _, offsets = items(values)
                size = _item_bytes(column.field.type)
                rows[name][:, 0] = np.diff(offsets)
                rows[name][:, 1] = heap + offsets[:-1] * size
                heap += int(offsets[-1]) * size
            else:
                rows[name] = _plain(source, column, values)
        yield rows


def _heap(source: CatalogueFile, columns: list[_Column]) -> Iterator[bytes]:
    """Yield the entries of the lists, in the order of the offsets of `_rows` (third pass)."""
    lists = [column.field for column in columns if column.is_list]
    for batch in source.batches([field.name for field in lists]) if lists else ():
        for field in lists:
            values, _ = items(batch.column(field.name))
            yield _big_endian(values, KINDS[field.type.value_type][1])


def _plain(source: CatalogueFile, column: _Column, values: pa.Array) -> np.ndarray:
    if not pa.types.is_string(column.field.type):
        return _numbers(values)
    try:
        return np.array([text.encode("ascii") for text in values.to_pylist()], dtype=bytes)
    except UnicodeEncodeError as error:
        raise InputError(
            f"{source.path}: column {column.field.name!r}: {error.object!r} is not ASCII, as FITS needs"
        ) from None


def _numbers(values: pa.Array) -> np.ndarray:
    numbers = values.to_numpy(zero_copy_only=False)
    return np.where(numbers, b"T", b"F") if pa.types.is_boolean(values.type) else numbers


def _big_endian(values: pa.Array, kind: str) -> bytes:
    return _numbers(values).astype(kind).tobytes()
