"""Read tables of the user in CSV, Parquet, FITS or VOTable.

For every format the result has our column names, and each row keeps its number in the file.  Every error
message can therefore name the file, the row and the value.
"""

import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from astropy import units as u
from astropy.io import fits, votable
from astropy.table import Column, MaskedColumn, Table
from astropy.utils.exceptions import AstropyWarning

from claran_core.common.errors import InputError
from claran_core.common.table_size import refuse_bomb

__all__ = ["ExternalTable", "column_names", "read_external_table"]

# Columns that are angles in degrees.  All others are read as text, so that ids keep leading zeros.
ANGLES = ("ra", "dec")
# Errors of the readers for damaged files, and for those that say they are larger than the memory.
READ_ERRORS = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    IndexError,
    MemoryError,
    zlib.error,
    pa.ArrowException,
    ElementTree.ParseError,
)
# Spellings of degrees that occur in files but are not in the FITS and VOTable standards.
DEGREES = {"degree", "degrees", "degs"}


@dataclass(frozen=True)
class ExternalTable:
    """Selected columns of a user's table.

    Attributes
    ----------
    path : Path
        The file.
    data : DataFrame
        Columns under our names; the index is the number of each row in the file, from 1.
    row_word : str
        Unit of that number: ``"line"`` of a text file or ``"row"`` of a table.
    """

    path: Path
    data: pd.DataFrame
    row_word: str

    def refuse_where(self, bad: np.ndarray, column: str, problem: str) -> None:
        """Raise for the first row where `bad` is true.

        Raises
        ------
        InputError
            With file, row, column and value, followed by `problem`.
        """
        bad = np.asarray(bad, dtype=bool)
        if bad.any():
            position = int(np.argmax(bad))
            raise InputError(
                f"{self.path}: {self.row(position)}: {column} {self._shown(position, column)} {problem}"
            )

    def row(self, position: int) -> str:
        """Return the name of the row at 0-based `position`: ``line 5``."""
        return f"{self.row_word} {self.data.index[position]}"

    def numbers(self, column: str) -> np.ndarray:
        """Return the values of a column as (n,) float64.

        Raises
        ------
        InputError
            For the first value that is not a finite number.
        """
        values = self.data[column]
        if values.dtype.kind in "iuf":
            parsed = values.to_numpy(dtype=float)
        else:
            parsed = pd.to_numeric(values.astype(str), errors="coerce").to_numpy(dtype=float)
        bad = ~np.isfinite(parsed)
        if bad.any() and ":" in self._shown(int(np.argmax(bad)), column):
            self.refuse_where(bad, column, "is sexagesimal; give decimal degrees")
        self.refuse_where(bad, column, "is not a finite number")
        return parsed

    def _shown(self, position: int, column: str) -> str:
        """Return a value as error messages show it."""
        value = self.data[column].iloc[position]
        return repr(value.item() if isinstance(value, np.generic) else value)


def column_names(path: Path) -> list[str]:
    """Return the column names of a table without reading its rows; errors as `read_external_table`."""
    kind = _format_of(path)
    with _one_line_errors(path):
        refuse_bomb(path)
        return kind.names(path)


def read_external_table(path: Path, columns: Mapping[str, str]) -> ExternalTable:
    """Read some columns of a table; the extension of the file selects the format.

    Parameters
    ----------
    path : Path
        ``.csv``, ``.parquet``, ``.fits`` (or ``.fit``, ``.fits.gz``), ``.vot`` (or ``.votable``, ``.xml``).
    columns : mapping
        {our name: name in the file}.  ``ra`` and ``dec`` are returned in degrees, all others as text.

    Raises
    ------
    InputError
        If the file is missing, unreadable, empty or of unknown extension, or the unit of an angle is not
        convertible to degrees.
    """
    kind = _format_of(path)
    with _one_line_errors(path):
        refuse_bomb(path)
        table = kind.read(path, columns)
    if table.data.empty:
        raise InputError(f"{path}: the table is empty; it needs at least one row")
    return table


@dataclass(frozen=True)
class _Format:
    """Functions that read the column names and the columns of one file format."""

    names: Callable[[Path], list[str]]
    read: Callable[[Path, Mapping[str, str]], ExternalTable]


def _format_of(path: Path) -> _Format:
    name = path.name.lower().removesuffix(".gz")
    formats = [form for ending, form in FORMATS.items() if name.endswith(ending)]
    if not formats:
        raise InputError(f"{path}: unknown table format; the extension must be one of: {', '.join(FORMATS)}")
    if not path.is_file():
        raise InputError(f"{path}: no such file; give the path of your table (targets.path)")
    return formats[0]


@contextmanager
def _one_line_errors(path: Path) -> Iterator[None]:
    """Turn the readers' exceptions for damaged files into one line; silence their warnings."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyWarning)
            yield
    except READ_ERRORS as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: cannot be read as a table ({reason})") from None


def _csv_options(path: Path) -> dict[str, Any]:
    # No value counts as missing: an empty position must be refused, and NA is a valid name.
    return {
        "encoding": "utf-8-sig",
        "skiprows": _leading_comments(path),
        "skipinitialspace": True,
        "skip_blank_lines": False,
        "na_filter": False,
    }


def _csv_names(path: Path) -> list[str]:
    return [str(name).strip() for name in pd.read_csv(path, nrows=0, **_csv_options(path)).columns]


def _read_csv(path: Path, columns: Mapping[str, str]) -> ExternalTable:
    options = _csv_options(path)
    data = pd.read_csv(
        path,
        header=0,
        names=_csv_names(path),
        usecols=list(columns.values()),
        dtype={name: str for ours, name in columns.items() if ours not in ANGLES},
        low_memory=False,
        **options,
    )
    data = data.rename(columns={theirs: ours for ours, theirs in columns.items()})[list(columns)]
    data.index = data.index + options["skiprows"] + 2  # the header is one line, and lines count from 1
    return ExternalTable(path, _without_blank_lines(data), "line")


def _leading_comments(path: Path) -> int:
    if path.name.lower().endswith(".gz"):
        return 0
    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        return next((number for number, line in enumerate(lines) if not line.startswith("#")), 0)


def _without_blank_lines(data: pd.DataFrame) -> pd.DataFrame:
    blank = np.ones(len(data), dtype=bool)
    for name in data.columns:
        values = data[name]
        if values.dtype.kind in "iufb":
            return data
        blank &= (values.isna() | (values == "")).to_numpy(dtype=bool)
    return data[~blank]


def _parquet_names(path: Path) -> list[str]:
    return list(pq.read_schema(path).names)


def _read_parquet(path: Path, columns: Mapping[str, str]) -> ExternalTable:
    table = pq.ParquetFile(path).read(columns=list(columns.values()))
    data = {ours: _plain(table[theirs].to_pandas(), ours) for ours, theirs in columns.items()}
    return _counted(path, pd.DataFrame(data))


def _first_table(hdus: fits.HDUList) -> fits.BinTableHDU | fits.TableHDU:
    for hdu in hdus:
        if isinstance(hdu, fits.BinTableHDU | fits.TableHDU) and not isinstance(hdu, fits.CompImageHDU):
            return hdu
    raise ValueError("it holds no table")


def _fits_names(path: Path) -> list[str]:
    with fits.open(path) as hdus:
        return list(_first_table(hdus).columns.names)


def _read_fits(path: Path, columns: Mapping[str, str]) -> ExternalTable:
    with fits.open(path) as hdus:
        return _from_astropy(path, Table.read(_first_table(hdus)), columns)


def _votable_names(path: Path) -> list[str]:
    names = []
    for _, element in ElementTree.iterparse(path, events=("start",)):
        tag = element.tag.rpartition("}")[2]
        if tag == "FIELD":
            names.append(element.get("name") or element.get("ID", ""))
        elif tag == "DATA":
            break
    return names


def _read_votable(path: Path, columns: Mapping[str, str]) -> ExternalTable:
    table = votable.parse_single_table(path).to_table(use_names_over_ids=True)
    return _from_astropy(path, table, columns)


def _from_astropy(path: Path, table: Table, columns: Mapping[str, str]) -> ExternalTable:
    data = {}
    for ours, theirs in columns.items():
        values = _column_values(table[theirs])
        if ours in ANGLES and table[theirs].unit is not None and values.dtype.kind in "iuf":
            values = values * _degrees_per(path, theirs, table[theirs].unit)
        data[ours] = _plain(pd.Series(values), ours)
    return _counted(path, pd.DataFrame(data))


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


def _degrees_per(path: Path, name: str, unit: u.UnitBase) -> float:
    if str(unit).strip().lower() in DEGREES:
        return 1.0
    try:
        # Parse the spelling again: the readers of the formats know fewer units than astropy (no hour angle).
        return float(u.Unit(str(unit)).to(u.deg))
    except (ValueError, TypeError):
        raise InputError(f"{path}: column {name} is in {str(unit)!r}; give degrees") from None


def _plain(values: pd.Series, ours: str) -> pd.Series:
    """Return angles unchanged, and all other values as text without the padding of fixed-width columns."""
    if ours in ANGLES:
        return values
    return values.astype(object).where(values.notna(), "").astype(str).str.strip()


def _counted(path: Path, data: pd.DataFrame) -> ExternalTable:
    data.index = pd.RangeIndex(1, len(data) + 1)
    return ExternalTable(path, data, "row")


FITS = _Format(_fits_names, _read_fits)
VOTABLE = _Format(_votable_names, _read_votable)
FORMATS: Mapping[str, _Format] = {
    ".csv": _Format(_csv_names, _read_csv),
    ".parquet": _Format(_parquet_names, _read_parquet),
    ".fits": FITS,
    ".fit": FITS,
    ".vot": VOTABLE,
    ".votable": VOTABLE,
    ".xml": VOTABLE,
}
