"""Read the formats of tables that users have: CSV, Parquet, FITS and VOTable.

For every format there are three functions.  One returns what the file says about its columns.  One returns
the values of some of them, as the file has them; their index is the number of the row in the file, so that
every error message can name it.  One returns the whole table with its types.
"""

import io
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from astropy.io import fits, votable
from astropy.table import Column, MaskedColumn, Table, meta

from claran_core.common.csv_table import astropy_units, csv_columns, read_csv
from claran_core.common.plain_columns import column_of_texts
from claran_core.common.table_column import TableColumn
from claran_core.common.table_size import opened
from claran_core.common.votable_fields import check_self_contained, read_fields

__all__ = ["FORMATS", "TableFormat"]

# Keys of a Parquet file's metadata that describe its columns: of the VOParquet convention, and astropy's.
VOTABLE_KEY = b"IVOA.VOTable-Parquet.content"
ASTROPY_KEY = b"table_meta_yaml"
# Frames of the RADESYS of a FITS table whose positions are usable as ICRS.
USABLE_FRAMES = {"", "ICRS", "FK5"}


@dataclass(frozen=True)
class TableFormat:
    """How one format is read.

    Attributes
    ----------
    columns : callable
        Returns what a file says about its columns, without reading rows.
    values : callable
        Returns the values of columns of some names; the index is the number of the row in the file.  Those of
        the second collection of names are wanted as text, which matters for CSV alone.
    whole : callable
        Returns the numbers of all rows in the file, and all columns with their types; fields may have a
        description.
    row_word : str
        Unit of that number: ``"line"`` of a text file or ``"row"`` of a table.
    """

    columns: Callable[[Path], list[TableColumn]]
    values: Callable[[Path, Sequence[str], Collection[str]], pd.DataFrame]
    whole: Callable[[Path], tuple[np.ndarray, pa.Table]]
    row_word: str


def _csv_whole(path: Path) -> tuple[np.ndarray, pa.Table]:
    names = list(dict.fromkeys(column.name for column in csv_columns(path)))
    texts = read_csv(path, names, set(names))
    columns = {name: column_of_texts(texts[name]) for name in names}
    return texts.index.to_numpy(np.int64), pa.table(columns)


def _parquet_columns(path: Path) -> list[TableColumn]:
    """Return the columns; units are those of the VOTable inside, of astropy, or of the fields."""
    schema = pq.read_schema(path)
    facts = schema.metadata or {}
    described: dict[str, TableColumn] = {}
    if ASTROPY_KEY in facts:
        header = meta.get_header_from_yaml(facts[ASTROPY_KEY].decode().splitlines())
        described = {name: TableColumn(name, unit) for name, unit in astropy_units(header).items()}
    if VOTABLE_KEY in facts:
        described |= {column.name: column for column in read_fields(io.BytesIO(facts[VOTABLE_KEY]))}
    columns = []
    for field in schema:
        own = {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}
        plain = TableColumn(field.name, own.get("unit", ""), own.get("ucd", ""))
        columns.append(described.get(field.name, plain))
    return columns


def _parquet_values(path: Path, names: Sequence[str], _: Collection[str]) -> pd.DataFrame:
    table = pq.ParquetFile(path).read(columns=list(names))
    return _counted({name: table[name].to_pandas() for name in names})


def _parquet_whole(path: Path) -> tuple[np.ndarray, pa.Table]:
    table = pq.ParquetFile(path).read()
    return np.arange(1, len(table) + 1), table


def _fits_columns(path: Path) -> list[TableColumn]:
    with fits.open(path) as hdus:
        table = _first_table(hdus)
        frame = _fits_frame(table.header)
        return [
            TableColumn(column.name, column.unit or "", table.header.get(f"TUCD{number}", ""), frame)
            for number, column in enumerate(table.columns, start=1)
        ]


def _fits_values(path: Path, names: Sequence[str], _: Collection[str]) -> pd.DataFrame:
    with fits.open(path) as hdus:
        return _from_astropy(Table.read(_first_table(hdus)), names)


def _fits_whole(path: Path) -> tuple[np.ndarray, pa.Table]:
    with fits.open(path) as hdus:
        return _arrow_of(Table.read(_first_table(hdus)))


def _first_table(hdus: fits.HDUList) -> fits.BinTableHDU | fits.TableHDU:
    for hdu in hdus:
        if isinstance(hdu, fits.BinTableHDU | fits.TableHDU) and not isinstance(hdu, fits.CompImageHDU):
            return hdu
    raise ValueError("it holds no table")


def _fits_frame(header: fits.Header) -> str:
    """Return the reference frame that the header of a table states, if it is not usable as ICRS."""
    frame = str(header.get("RADESYS", header.get("RADECSYS", ""))).strip().upper()
    equinox = header.get("EQUINOX", 2000.0)
    if frame in USABLE_FRAMES and (frame == "ICRS" or equinox == 2000.0):
        return ""
    return f"{frame} {equinox}".strip()


def _votable_columns(path: Path) -> list[TableColumn]:
    with opened(path) as document:
        fields = read_fields(document)
        if not fields:
            document.seek(0)
            check_self_contained(document)
            raise ValueError("it holds no table")
    return fields


def _votable_values(path: Path, names: Sequence[str], _: Collection[str]) -> pd.DataFrame:
    return _from_astropy(_votable_table(path), names)


def _votable_whole(path: Path) -> tuple[np.ndarray, pa.Table]:
    return _arrow_of(_votable_table(path))


def _votable_table(path: Path) -> Table:
    with opened(path) as document:
        check_self_contained(document)
        document.seek(0)
        return votable.parse_single_table(document).to_table(use_names_over_ids=True)


def _arrow_of(table: Table) -> tuple[np.ndarray, pa.Table]:
    """Return an astropy table with its descriptions; arrays become lists."""
    columns = [_arrow_column(table[name]) for name in table.colnames]
    fields = [
        pa.field(name, column.type, metadata={"description": table[name].info.description or ""})
        for name, column in zip(table.colnames, columns, strict=True)
    ]
    return np.arange(1, len(table) + 1), pa.Table.from_arrays(columns, schema=pa.schema(fields))


def _arrow_column(column: Column) -> pa.Array:
    mask = np.asarray(column.mask) if isinstance(column, MaskedColumn) else np.zeros(column.shape, bool)
    values = np.asarray(column)
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8", errors="replace")
    if values.dtype.kind == "O":
        return pa.array([None if gone else _listed(value) for value, gone in zip(values, mask, strict=True)])
    if values.dtype.kind == "c":
        values = values.astype(str)
    native = values.astype(values.dtype.newbyteorder("="))
    if native.ndim == 1:
        return pa.array(native, mask=mask)
    rows = np.ma.MaskedArray(native, mask).reshape(len(native), -1).tolist()
    return pa.array(rows)


def _listed(value: object) -> object:
    """Return an array of a variable-length column as a list; masked entries become None."""
    return value.tolist() if isinstance(value, np.ndarray) else value


def _from_astropy(table: Table, names: Sequence[str]) -> pd.DataFrame:
    return _counted({name: pd.Series(_column_values(table[name])) for name in names})


def _column_values(column: Column) -> np.ndarray:
    """Return the values in native byte order; masked values become NaN or an empty string."""
    values = np.asarray(column)
    if values.ndim != 1:
        raise ValueError(f"column {column.name} holds arrays")
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8", errors="replace")
    if values.dtype.kind == "f":
        values = values.astype(float)
    masked = np.asarray(column.mask if isinstance(column, MaskedColumn) else False)
    if masked.any():
        values = values.astype(float) if values.dtype.kind in "iuf" else values.astype(object)
        values[masked] = np.nan if values.dtype.kind == "f" else ""
    return values


def _counted(values: Mapping[str, pd.Series]) -> pd.DataFrame:
    data = pd.DataFrame(values)
    data.index = pd.RangeIndex(1, len(data) + 1)
    return data


CSV = TableFormat(csv_columns, read_csv, _csv_whole, "line")
PARQUET = TableFormat(_parquet_columns, _parquet_values, _parquet_whole, "row")
FITS = TableFormat(_fits_columns, _fits_values, _fits_whole, "row")
VOTABLE = TableFormat(_votable_columns, _votable_values, _votable_whole, "row")
# By the extension of the file, in lower case; ``.gz`` may follow.
FORMATS: Mapping[str, TableFormat] = {
    ".csv": CSV,
    ".tsv": CSV,
    ".ecsv": CSV,
    ".parquet": PARQUET,
    ".fits": FITS,
    ".fit": FITS,
    ".vot": VOTABLE,
    ".votable": VOTABLE,
    ".xml": VOTABLE,
}
