"""Read a catalogue into pandas or astropy, with its flags in words."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, overload

import numpy as np
import pandas as pd
import pyarrow as pa
from astropy.table import Column, Table

from claran_core.common.files import read_arrow, stated_metadata
from claran_core.common.flags import describe

__all__ = ["read_catalogue"]

FLAGS, FLAG_NAMES = "flags", "flag_names"


@overload
def read_catalogue(
    path: str | Path, columns: Sequence[str] | None = None, *, to: Literal["pandas"] = "pandas"
) -> pd.DataFrame: ...


@overload
def read_catalogue(
    path: str | Path, columns: Sequence[str] | None = None, *, to: Literal["astropy"]
) -> Table: ...


def read_catalogue(
    path: str | Path,
    columns: Sequence[str] | None = None,
    *,
    to: Literal["pandas", "astropy"] = "pandas",
) -> pd.DataFrame | Table:
    """Read a catalogue, or another table of a run.

    Parameters
    ----------
    path : str or Path
        The Parquet file.
    columns : sequence of str, optional
        Columns to read; default: all.
    to : str
        ``pandas`` or ``astropy``.

    Returns
    -------
    DataFrame or astropy.table.Table
        The columns, and after ``flags`` the column ``flag_names`` with the names of the flags that are set,
        such as ``EDGE LOW_SNR``; empty without any.  Facts of the run are in ``attrs["facts"]`` or
        ``meta["facts"]``.  The units are in ``attrs["units"]`` by column, or of the columns themselves, which
        have descriptions as well.

    Raises
    ------
    InputError
        If the file is missing, is not a complete Parquet file, or lacks a column.
    """
    table = read_arrow(Path(path), columns)
    facts = stated_metadata(table.schema)
    if FLAGS in table.column_names:
        names = pa.field(FLAG_NAMES, pa.string(), metadata={"description": "names of the flags that are set"})
        place = table.column_names.index(FLAGS) + 1
        table = table.add_column(place, names, pa.array(_names(table[FLAGS].to_numpy()), pa.string()))
    if to == "astropy":
        return Table([_astropy_column(table, field) for field in table.schema], meta={"facts": facts})
    frame = table.to_pandas()
    frame.attrs = {"facts": facts, "units": {field.name: _said(field, b"unit") for field in table.schema}}
    return frame


def _names(flags: np.ndarray) -> np.ndarray:
    """Return the names of the flags set in each bit mask (n,), as one text each."""
    masks, rows = np.unique(flags, return_inverse=True)
    words = np.array([" ".join(describe(int(mask))) for mask in masks], dtype=object)
    return words[rows]


def _astropy_column(table: pa.Table, field: pa.Field) -> Column:
    values = table[field.name].to_pandas().to_numpy()
    if pa.types.is_string(field.type):
        values = values.astype(str)
    about = {"unit": _said(field, b"unit") or None, "description": _said(field, b"description") or None}
    return Column(values, name=field.name, **about)


def _said(field: pa.Field, key: bytes) -> str:
    return (field.metadata or {}).get(key, b"").decode()
