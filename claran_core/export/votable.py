"""Export the catalogue as a VOTable with BINARY2 data: VOParquet description of the columns, and rows.

Rows are written while they are read, so memory holds one batch of any catalogue.
Source: VOTable 1.4, section 5.4.  A row is a null mask followed by its fields, big-endian; text and lists are
preceded by their length.
"""

import binascii
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa

from claran_core.catalogue.product.data_origin import data_origin
from claran_core.catalogue.product.voparquet import CONTENT_KEY, DATATYPES, votable_metadata
from claran_core.common.errors import InputError
from claran_core.common.files import atomic_path
from claran_core.export.source import CatalogueFile, items

__all__ = ["write_votable"]

TABLE_END = b"</TABLE>"
STREAM = b'<DATA>\n<BINARY2>\n<STREAM encoding="base64">\n'
STREAM_END = b"</STREAM>\n</BINARY2>\n</DATA>\n"
LENGTH = ">u4"
# Bytes of a line of base64; a multiple of 3, so lines can be joined.
LINE_BYTES = 57 * 64
# Rows at a time: here every field of every row is a Python object.
BATCH_ROWS = 8_192


def write_votable(source: CatalogueFile, path: Path) -> None:
    """Write a catalogue as a VOTable.

    Parameters
    ----------
    source : CatalogueFile
        The catalogue.
    path : Path
        Output file.

    Raises
    ------
    InputError
        If VOTable lacks the type of a column, or text is not ASCII.
    """
    _check_types(source)
    described = votable_metadata(source.schema, facts=source.short_facts() | data_origin(source.facts))[
        CONTENT_KEY
    ]
    before, end, after = described.partition(TABLE_END)
    with atomic_path(path) as temporary, temporary.open("wb") as out:
        out.write(before + STREAM)
        out.writelines(_lines(_packed(source)))
        out.write(STREAM_END + end + after)


def _check_types(source: CatalogueFile) -> None:
    for field in source.schema:
        kind = field.type.value_type if pa.types.is_list(field.type) else field.type
        if kind not in DATATYPES and not (kind == field.type and pa.types.is_string(kind)):
            raise InputError(f"{source.path}: column {field.name!r}: VOTable has no type for {field.type}")


def _packed(source: CatalogueFile) -> Iterator[bytes]:
    """Yield the bytes of the rows, batch by batch."""
    mask = bytes(-(-len(source.schema) // 8))  # no field is null
    for batch in source.batches(rows=BATCH_ROWS):
        pieces = [[mask] * batch.num_rows]
        pieces += [_field_bytes(source.path, batch, name) for name in batch.schema.names]
        yield b"".join(chain.from_iterable(zip(*pieces, strict=True)))


def _field_bytes(path: Path, batch: pa.RecordBatch, name: str) -> list[bytes]:
    """Return the bytes of one column, row by row."""
    column = batch.column(name)
    if pa.types.is_string(column.type):
        return _text_bytes(path, name, column)
    if pa.types.is_list(column.type):
        entries, offsets = items(column)
        raw, size = _big_endian(entries)
        lengths = _split(np.diff(offsets).astype(LENGTH).tobytes(), 4)
        edges = (offsets * size).tolist()
        return [length + raw[edges[row] : edges[row + 1]] for row, length in enumerate(lengths)]
    return _split(*_big_endian(column))


def _text_bytes(path: Path, name: str, column: pa.Array) -> list[bytes]:
    try:
        texts = [text.encode("ascii") for text in column.to_pylist()]
    except UnicodeEncodeError as error:
        raise InputError(
            f"{path}: column {name!r}: {error.object!r} is not ASCII, as this VOTable needs"
        ) from None
    lengths = _split(np.array([len(text) for text in texts], LENGTH).tobytes(), 4)
    return [length + text for length, text in zip(lengths, texts, strict=True)]


def _big_endian(column: pa.Array) -> tuple[bytes, int]:
    """Return the bytes of a column of numbers, and the size of one; booleans are letters."""
    values = column.to_numpy(zero_copy_only=False)
    if values.dtype == bool:
        return np.where(values, b"T", b"F").tobytes(), 1
    return values.astype(values.dtype.newbyteorder(">")).tobytes(), values.itemsize


def _split(raw: bytes, size: int) -> list[bytes]:
    return [raw[start : start + size] for start in range(0, len(raw), size)]


def _lines(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the lines of base64 of the joined blocks."""
    rest = b""
    for block in blocks:
        rest += block
        full = len(rest) - len(rest) % LINE_BYTES
        for start in range(0, full, LINE_BYTES):
            yield binascii.b2a_base64(rest[start : start + LINE_BYTES])
        rest = rest[full:]
    if rest:
        yield binascii.b2a_base64(rest)
