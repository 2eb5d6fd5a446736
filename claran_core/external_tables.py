"""Tables from outside, as people have them: CSV, Parquet, FITS or VOTable.

Whatever the format, a table comes back as columns under our names and rows that remember their number
as a user counts them, so that every refusal can say which file, which row and which value.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from astropy import units as u
from astropy.io import votable
from astropy.table import Column, Table
from astropy.utils.exceptions import AstropyWarning

from claran_core.errors import InputError

__all__ = ["ExternalTable", "read_external_table"]

# Picks columns: from the names in the file to {our name: name in the file}.
Choice = Callable[[Sequence[str]], Mapping[str, str]]

# Columns that are angles in degrees; all others are read as text, so that ids keep leading zeros.
ANGLES = ("ra", "dec")
# Ways to write degrees that the FITS and VOTable standards do not know but files contain.
DEGREES = {"degree", "degrees", "degs"}


@dataclass(frozen=True)
class ExternalTable:
    """Some columns of a user's table.

    Attributes
    ----------
    path : Path
        The file.
    data : DataFrame
        Columns under our names; the index holds each row's number as a user counts.
    row_word : str
        What that number counts: ``"line"`` of a text file or ``"row"`` of a table, from 1.
    """

    path: Path
    data: pd.DataFrame
    row_word: str

    def refuse_where(self, bad: np.ndarray, column: str, problem: str) -> None:
        """Raise for the first row where `bad` is true.

        Raises
        ------
        InputError
            Naming file, row, column and value, followed by `problem`.
        """
        bad = np.asarray(bad, dtype=bool)
        if bad.any():
            position = int(np.argmax(bad))
            raise InputError(
                f"{self.path}: {self.row(position)}: {column} {self._shown(position, column)} {problem}"
            )

    def row(self, position: int) -> str:
        """Name of the row at 0-based `position`: ``line 5``."""
        return f"{self.row_word} {self.data.index[position]}"

    def numbers(self, column: str) -> np.ndarray:
        """Values of a column as (n,) float64.

        Raises
        ------
        InputError
            For the first value that is no finite number.
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
        value = self.data[column].iloc[position]
        return repr(value if isinstance(value, str) else getattr(value, "item", lambda: value)())


def read_external_table(path: Path, choose: Choice) -> ExternalTable:
    """Read the columns that `choose` picks; the format goes by the file's extension.

    Parameters
    ----------
    path : Path
        ``.csv``, ``.parquet``, ``.fits`` (or ``.fit``, ``.fits.gz``), ``.vot`` (or ``.votable``, ``.xml``).
    choose : callable
        Takes the names in the file, returns {our name: name in the file}, or raises `InputError`.

    Raises
    ------
    InputError
        If the file is missing, unreadable, empty, of unknown extension, or holds angles in a unit that
        cannot be degrees.
    """
    suffix = path.name.lower().removesuffix(".gz")
    readers = [reader for ending, reader in READERS.items() if suffix.endswith(ending)]
    if not readers:
        raise InputError(f"{path}: unknown kind of table; the extension must be one of: {', '.join(READERS)}")
    if not path.is_file():
        raise InputError(f"{path}: no such file; set targets.path to your table of positions")
    try:
        table = readers[0](path, choose)
    except (OSError, EOFError, ValueError, IndexError, pa.ArrowException) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: cannot be read as a table ({reason})") from None
    if table.data.empty:
        raise InputError(f"{path}: the table is empty; it needs at least one row")
    return table


def column_names(path: Path) -> list[str]:
    """Names of the columns of a table whose rows are not of interest; errors as `read_external_table`."""

    class Found(Exception):  # noqa: N818  (not an error: it ends the reading as soon as names are known)
        pass

    def stop(names: Sequence[str]) -> dict[str, str]:
        raise Found(list(names))

    try:
        read_external_table(path, stop)
    except Found as found:
        return found.args[0]
    raise AssertionError("the reader of a table asks which columns to take")


def _read_csv(path: Path, choose: Choice) -> ExternalTable:
    comments = _leading_comments(path)
    # Nothing is taken for missing: an empty position must be refused, and NA is a fine name.
    options = {
        "encoding": "utf-8-sig",
        "skiprows": comments,
        "skipinitialspace": True,
        "skip_blank_lines": False,
        "na_filter": False,
    }
    names = [str(name).strip() for name in pd.read_csv(path, nrows=0, **options).columns]
    columns = choose(names)
    data = pd.read_csv(
        path,
        header=0,
        names=names,
        usecols=list(columns.values()),
        dtype={name: str for ours, name in columns.items() if ours not in ANGLES},
        low_memory=False,
        **options,
    )
    data = data.rename(columns={theirs: ours for ours, theirs in columns.items()})[list(columns)]
    data.index = data.index + comments + 2  # the header is one line, and lines count from 1
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


def _read_parquet(path: Path, choose: Choice) -> ExternalTable:
    columns = choose(pq.read_schema(path).names)
    table = pq.ParquetFile(path).read(columns=list(columns.values()))
    data = {ours: _plain(table[theirs].to_pandas(), ours) for ours, theirs in columns.items()}
    return _counted(path, pd.DataFrame(data))


def _read_fits(path: Path, choose: Choice) -> ExternalTable:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyWarning)
        return _from_astropy(path, Table.read(path, format="fits", hdu=None), choose)


def _read_votable(path: Path, choose: Choice) -> ExternalTable:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyWarning)
        table = votable.parse_single_table(path).to_table(use_names_over_ids=True)
    return _from_astropy(path, table, choose)


def _from_astropy(path: Path, table: Table, choose: Choice) -> ExternalTable:
    columns = choose(table.colnames)
    data = {}
    for ours, theirs in columns.items():
        values = _column_values(table[theirs])
        if ours in ANGLES and table[theirs].unit is not None and values.dtype.kind in "iuf":
            values = values * _degrees_per(path, theirs, table[theirs].unit)
        data[ours] = _plain(pd.Series(values), ours)
    return _counted(path, pd.DataFrame(data))


def _column_values(column: Column) -> np.ndarray:
    """Values in native byte order, NaN or an empty string where masked."""
    values = np.asarray(column)
    if values.ndim != 1:
        raise ValueError(f"column {column.name} holds arrays")
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8", errors="replace")
    if values.dtype.kind == "f":
        values = values.astype(float)
    masked = np.asarray(getattr(column, "mask", False))
    if masked.any():
        values = values.astype(float) if values.dtype.kind in "iuf" else values.astype(object)
        values[masked] = np.nan if values.dtype.kind == "f" else ""
    return values


def _degrees_per(path: Path, name: str, unit: u.UnitBase) -> float:
    if str(unit).strip().lower() in DEGREES:
        return 1.0
    try:
        return float(unit.to(u.deg))
    except (u.UnitConversionError, u.UnitTypeError):
        raise InputError(f"{path}: column {name} is in {str(unit)!r}; give degrees") from None


def _plain(values: pd.Series, ours: str) -> pd.Series:
    """Angles as they are, everything else as text without the padding of fixed-width columns."""
    if ours in ANGLES:
        return values
    return values.astype(object).where(values.notna(), "").astype(str).str.strip()


def _counted(path: Path, data: pd.DataFrame) -> ExternalTable:
    data.index = pd.RangeIndex(1, len(data) + 1)
    return ExternalTable(path, data, "row")


READERS: Mapping[str, Callable[[Path, Choice], ExternalTable]] = {
    ".csv": _read_csv,
    ".parquet": _read_parquet,
    ".fits": _read_fits,
    ".fit": _read_fits,
    ".vot": _read_votable,
    ".votable": _read_votable,
    ".xml": _read_votable,
}
