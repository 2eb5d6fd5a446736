"""Read CSV tables: with commas, semicolons or tabs, as spreadsheets, TOPCAT, VizieR and pandas write them.

A table of VizieR has two lines below the names: the units, and a row of dashes.
"""

import csv
import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pandas as pd
from astropy.table import meta

from claran_core.common.table_column import TableColumn
from claran_core.common.table_size import opened

__all__ = ["astropy_units", "csv_columns", "read_csv"]

SEPARATORS = ",;\t"
# Longest line above the rows, and longest text of all rows, in characters: a compressed file of a few
# megabytes may hold more than the memory does.
LONGEST_LINE = 1 << 20
LONGEST_TEXT = 1 << 30


@dataclass(frozen=True)
class _Head:
    """What stands above the rows.

    Attributes
    ----------
    separator : str
        Character between values.
    names, units : list of str
        Names of the columns, and their units; empty strings if the table states none.
    lines : int
        Number of lines above the first row.
    """

    separator: str
    names: list[str]
    units: list[str]
    lines: int


def csv_columns(path: Path) -> list[TableColumn]:
    """Return the names and units of the columns.

    Raises
    ------
    OSError, ValueError
        If the file cannot be read.
    """
    with _as_text(path) as text:
        head = _read_head(text)
    return [TableColumn(name, unit) for name, unit in zip(head.names, head.units, strict=True)]


def read_csv(path: Path, names: Sequence[str], as_text: Collection[str]) -> pd.DataFrame:
    """Return the values of some columns; the index is the number of the line.

    Columns outside `as_text` hold numbers if all their values are numbers.  No value counts as missing,
    because an empty position must be refused, and NA is a valid name.  Blank lines are left out.

    Raises
    ------
    OSError, ValueError
        If the file cannot be read, or a row has more values than there are columns.
    """
    with _as_text(path) as text:
        head = _read_head(text)
        # Numbers in place of the names, and a column for what follows the last one.
        beyond = len(head.names)
        numbered = head.separator.join(map(str, range(beyond + 1)))
        rows = text.read(LONGEST_TEXT)
        if text.read(1):
            raise ValueError(f"it has more than {LONGEST_TEXT >> 30} GiB of text; save it as Parquet")
    places = {name: head.names.index(name) for name in names}
    text_places = [beyond, *(places[name] for name in as_text)]
    source = f"{numbered}\n{rows}"
    data = _parsed(source, head.separator, [*places.values(), beyond], text_places)
    data = data[~_blank_lines(data, source, head.separator, beyond)]
    data.index = data.index + head.lines + 1
    too_long = (data[str(beyond)].str.strip() != "").to_numpy()
    if too_long.any():
        raise ValueError(
            f"line {data.index[int(np.argmax(too_long))]} has more values than the {beyond} columns; "
            f"quote a value that contains {head.separator!r}"
        )
    return pd.DataFrame({name: data[str(place)] for name, place in places.items()})


def _as_text(path: Path) -> TextIO:
    """Open a text file, compressed or not; all ends of lines become newlines."""
    return io.TextIOWrapper(opened(path), encoding="utf-8-sig")


def _read_head(text: TextIO) -> _Head:
    """Read what stands above the rows, and go to the first row."""
    comments = []
    while (line := text.readline(LONGEST_LINE)) and (line.startswith("#") or not line.strip()):
        comments.append(line.removeprefix("#").strip("\n").removeprefix(" "))
    lines = len(comments) + 1
    if not line.strip():
        raise ValueError("it is empty")
    if not line.endswith("\n") and len(line) >= LONGEST_LINE:
        raise ValueError(f"line {lines} is longer than {LONGEST_LINE} characters")
    if comments and comments[0].startswith("%ECSV"):
        separator, stated = _ecsv_header(comments)
        names = _cells(line, separator)
        return _Head(separator, names, [stated.get(name, "") for name in names], lines)
    separator = max(SEPARATORS, key=line.count)
    names = _cells(line, separator)
    start = text.tell()
    below = [_cells(text.readline(LONGEST_LINE), separator) for _ in range(2)]
    n_units = next((n for n, cells in enumerate(below) if _are_dashes(cells)), None)
    if n_units is None:
        text.seek(start)
        return _Head(separator, names, [""] * len(names), lines)
    if n_units == 0:
        text.seek(start)
        text.readline()
    units = [*(below[0] if n_units else []), *[""] * len(names)][: len(names)]
    return _Head(separator, names, units, lines + n_units + 1)


def _ecsv_header(comments: Sequence[str]) -> tuple[str, dict[str, str]]:
    """Return the separator and the units of an ECSV table."""
    header = meta.get_header_from_yaml(comments)
    return header.get("delimiter", " "), astropy_units(header)


def astropy_units(header: Mapping[str, Any]) -> dict[str, str]:
    """Return the units in astropy's description of a table, by the names of the columns."""
    return {entry["name"]: str(entry["unit"]) for entry in header["datatype"] if entry.get("unit")}


def _cells(line: str, separator: str) -> list[str]:
    return [cell.strip() for cell in next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])]


def _are_dashes(cells: Sequence[str]) -> bool:
    return any(cells) and all(set(cell) <= {"-"} for cell in cells)


def _parsed(source: str, separator: str, columns: Sequence[int], as_text: Sequence[int]) -> pd.DataFrame:
    """Return columns of a text whose first line numbers them; no value counts as missing."""
    return pd.read_csv(
        io.StringIO(source),
        sep=separator,
        usecols=list(columns),
        index_col=False,
        dtype=dict.fromkeys(map(str, as_text), str),
        skipinitialspace=True,
        skip_blank_lines=False,
        na_filter=False,
        low_memory=False,
    )


def _blank_lines(data: pd.DataFrame, source: str, separator: str, beyond: int) -> np.ndarray:
    """Return which rows are blank in all columns (there are `beyond`), not just in those of `data`."""
    blank = _is_blank(data)
    if blank.any():
        every = range(beyond + 1)
        blank &= _is_blank(_parsed(source, separator, every, every))
    return blank


def _is_blank(data: pd.DataFrame) -> np.ndarray:
    """Return which rows are blank, (n,) bool; a column of numbers has no blank value."""
    blank = np.ones(len(data), dtype=bool)
    for name in data.columns:
        values = data[name]
        if values.dtype.kind in "iufb":
            return np.zeros(len(data), dtype=bool)
        blank &= (values.isna() | (values == "")).to_numpy(dtype=bool)
    return blank
