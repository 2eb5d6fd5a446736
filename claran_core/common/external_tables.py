"""Read tables of the user in CSV, Parquet, FITS or VOTable.

For every format the result has our column names, and each row keeps its number in the file.  Every error
message can therefore name the file, the row and the value.  A unit that the table states is converted.
"""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from astropy import units as u
from astropy.utils.exceptions import AstropyWarning

from claran_core.common.errors import InputError
from claran_core.common.plain_columns import plain_column
from claran_core.common.sexagesimal import sexagesimal_values
from claran_core.common.stated_units import is_sexagesimal, stated_factor
from claran_core.common.table_column import TableColumn
from claran_core.common.table_formats import FORMATS, TableFormat
from claran_core.common.table_size import refuse_bomb
from claran_core.common.text import error_line

__all__ = ["ExternalTable", "read_external_table", "read_whole_table", "table_columns"]

# Spellings of a missing value in text, in lower case.
MISSING = ("", "nan", "none", "null", "--")
# Degrees per unit of a sexagesimal value, by our name of the column: right ascensions are in hours.
SEXAGESIMAL_DEG = {"ra": 15.0, "dec": 1.0}


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
    factors : mapping of str to float or None
        By which the values of a column are multiplied, where the table states their unit; None where it
        states that they are sexagesimal.
    """

    path: Path
    data: pd.DataFrame
    row_word: str
    factors: Mapping[str, float | None] = field(default_factory=dict)

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

    def positions(self) -> tuple[np.ndarray, np.ndarray]:
        """Return right ascension and declination, each (n,) float64, deg.

        Raises
        ------
        InputError
            For the first position that is not on the sky.
        """
        ra_deg, dec_deg = self.numbers("ra"), self.numbers("dec")
        self.refuse_where((ra_deg < 0) | (ra_deg >= 360), "ra", "is outside 0 <= ra < 360 deg")
        self.refuse_where(np.abs(dec_deg) > 90, "dec", "is outside -90 <= dec <= 90 deg")
        return ra_deg, dec_deg

    def numbers(self, column: str, *, optional: bool = False) -> np.ndarray:
        """Return the values of a column as (n,) float64, in the unit that `read_external_table` was given.

        Parameters
        ----------
        column : str
            Our name of the column.
        optional : bool
            Whether values may be missing; they are NaN.

        Raises
        ------
        InputError
            For the first value that is not a finite number.
        """
        values = self.data[column]
        if values.dtype.kind in "iuf":
            parsed, missing = values.to_numpy(dtype=float), values.isna().to_numpy()
        else:
            texts = values.astype(str).str.strip()
            parsed = pd.to_numeric(texts, errors="coerce").to_numpy(dtype=float)
            missing = texts.str.lower().isin(MISSING).to_numpy(bool)
            first = int(np.argmax(np.isnan(parsed)))
            if column in SEXAGESIMAL_DEG and np.isfinite(sexagesimal_values(texts[first : first + 1])).all():
                return self._sexagesimal(column, texts)
        self.refuse_where(~np.isfinite(parsed) & ~(missing & optional), column, "is not a finite number")
        factor = self.factors.get(column, 1.0)
        self.refuse_where(
            np.full(len(parsed), factor is None), column, "is a number, but its unit says sexagesimal"
        )
        return parsed * (factor or 1.0)

    def _sexagesimal(self, column: str, texts: pd.Series) -> np.ndarray:
        """Return the values of a column of sexagesimal right ascensions or declinations, deg."""
        values, unit_deg = sexagesimal_values(texts), SEXAGESIMAL_DEG[column]
        problem = "is not sexagesimal, as other rows are; write all positions alike"
        self.refuse_where(np.isnan(values), column, problem)
        if self.factors.get(column) not in (None, unit_deg):
            problem = "is sexagesimal, but the unit of its column says otherwise; correct the unit"
            self.refuse_where(np.ones(len(values)), column, problem)
        return values * unit_deg

    def _shown(self, position: int, column: str) -> str:
        """Return a value as error messages show it."""
        value = self.data[column].iloc[position]
        return repr(value.item() if isinstance(value, np.generic) else value)


def table_columns(path: Path) -> list[TableColumn]:
    """Return what a table says about its columns, without its rows; errors as `read_external_table`."""
    form = _format_of(path)
    with _one_line_errors(path):
        refuse_bomb(path)
        return form.columns(path)


def read_external_table(
    path: Path, columns: Mapping[str, TableColumn], units: Mapping[str, u.UnitBase]
) -> ExternalTable:
    """Read some columns of a table; the extension of the file selects the format.

    Parameters
    ----------
    path : Path
        ``.csv`` (or ``.tsv``, ``.ecsv``), ``.parquet``, ``.fits`` (or ``.fit``), ``.vot`` (or ``.votable``,
        ``.xml``); all but Parquet may be compressed (``.gz``).
    columns : mapping of str to TableColumn
        The columns of the file, by our name.
    units : mapping of str to astropy unit
        Units of the columns that hold numbers, by our name; `ExternalTable.numbers` returns them.  All other
        columns are read as text, so that ids keep leading zeros.

    Raises
    ------
    InputError
        If the file is missing, unreadable, empty or of unknown extension, or states a unit that cannot be
        converted to that of `units`.
    """
    form = _format_of(path)
    factors = _factors(path, columns, units)
    with _one_line_errors(path):
        refuse_bomb(path)
        names = {ours: column.name for ours, column in columns.items()}
        as_text = {name for ours, name in names.items() if ours not in units}
        values = form.values(path, list(dict.fromkeys(names.values())), as_text)
    if values.empty:
        raise InputError(f"{path}: the table is empty; it needs at least one row")
    data = {ours: values[name] if ours in units else _text(values[name]) for ours, name in names.items()}
    return ExternalTable(path, pd.DataFrame(data), form.row_word, factors)


def read_whole_table(path: Path) -> tuple[np.ndarray, pa.Table]:
    """Read all columns of a table, with their types; errors as `read_external_table`.

    Returns
    -------
    numbers : (n,) int array
        Number of each row in the file, of the line in a text file.
    table : pyarrow.Table
        The columns under their names in the file, of types that all formats have
        (`claran_core.common.plain_columns`).  Metadata of the fields: ``unit`` and ``ucd`` as the file spells
        them, and ``description``; empty where it has none.
    """
    form = _format_of(path)
    with _one_line_errors(path):
        refuse_bomb(path)
        stated = {column.name: column for column in form.columns(path)}
        numbers, table = form.whole(path)
        columns = [plain_column(column) for column in table.columns]
    fields = []
    for one, column in zip(table.schema, columns, strict=True):
        said = stated.get(one.name, TableColumn(one.name))
        described = (one.metadata or {}).get(b"description", b"").decode(errors="replace")
        about = {"unit": said.unit.strip(), "ucd": said.ucd.strip(), "description": described}
        fields.append(pa.field(one.name, column.type, nullable=False, metadata=about))
    return numbers, pa.Table.from_arrays(columns, schema=pa.schema(fields))


def _factors(
    path: Path, columns: Mapping[str, TableColumn], units: Mapping[str, u.UnitBase]
) -> dict[str, float | None]:
    """Return the factor of each column whose unit the table states, None for sexagesimal values."""
    factors: dict[str, float | None] = {}
    for ours in columns.keys() & units.keys():
        stated = columns[ours].stated_unit
        if is_sexagesimal(stated):
            factors[ours] = None
        elif stated:
            factors[ours] = stated_factor(stated, units[ours])
            if factors[ours] is None:
                raise InputError(
                    f"{path}: column {columns[ours].name} is in {stated!r}, which is not converted to "
                    f"{units[ours]}; correct the unit, or give another column"
                )
    return factors


def _format_of(path: Path) -> TableFormat:
    name = path.name.lower().removesuffix(".gz")
    formats = [form for ending, form in FORMATS.items() if name.endswith(ending)]
    if not formats:
        raise InputError(f"{path}: unknown table format; the extension must be one of: {', '.join(FORMATS)}")
    if not path.is_file():
        raise InputError(f"{path}: no such file; give the path of your table (targets.path)")
    return formats[0]


@contextmanager
def _one_line_errors(path: Path) -> Iterator[None]:
    """Turn whatever the readers raise for damaged files into one line; silence their warnings."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyWarning)
            yield
    except InputError:
        raise
    except UnicodeDecodeError:
        raise InputError(f"{path}: it is not UTF-8 text; save it as UTF-8") from None
    except Exception as error:  # the readers of four formats raise errors of any type for damaged files
        raise InputError(f"{path}: cannot be read as a table ({error_line(error)})") from None


def _text(values: pd.Series) -> pd.Series:
    """Return values as text without the padding of fixed-width columns; missing ones are empty."""
    return values.astype(object).where(values.notna(), "").astype(str).str.strip()
