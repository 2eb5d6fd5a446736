"""Read the formats of tables that users have: CSV, Parquet, FITS and VOTable.

For every format there are two functions: one returns what the file says about its columns, the other returns
the values of some of them, as the file has them.  The index of the values is the number of the row in the
file, so that every error message can name it.
"""

import io
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from astropy.io import fits, votable
from astropy.table import Column, MaskedColumn, Table, meta

from claran_core.common.csv_table import astropy_units, csv_columns, read_csv
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
    row_word : str
        Unit of that number: ``"line"`` of a text file or ``"row"`` of a table.
    """

    columns: Callable[[Path], list[TableColumn]]
    values: Callable[[Path, Sequence[str], Collection[str]], pd.DataFrame]
    row_word: str


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
    with opened(path) as document:
        check_self_contained(document)
        document.seek(0)
        table = votable.parse_single_table(document).to_table(use_names_over_ids=True)
    return _from_astropy(table, names)


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


CSV = TableFormat(csv_columns, read_csv, "line")
FITS = TableFormat(_fits_columns, _fits_values, "row")
VOTABLE = TableFormat(_votable_columns, _votable_values, "row")
# By the extension of the file, in lower case; ``.gz`` may follow.
FORMATS: Mapping[str, TableFormat] = {
    ".csv": CSV,
    ".tsv": CSV,
    ".ecsv": CSV,
    ".parquet": TableFormat(_parquet_columns, _parquet_values, "row"),
    ".fits": FITS,
    ".fit": FITS,
    ".vot": VOTABLE,
    ".votable": VOTABLE,
    ".xml": VOTABLE,
}
