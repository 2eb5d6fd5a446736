"""Find, check and read the catalogue that a user supplies for comparison."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from claran_core.common.errors import InputError
from claran_core.common.external_tables import ExternalTable, column_names, read_external_table
from claran_core.common.paths import resolve_path
from claran_core.settings.evaluation import ComparisonOptions

__all__ = ["find_other_catalogue", "read_other_catalogue"]


def find_other_catalogue(options: ComparisonOptions, working_directory: Path | None = None) -> list[str]:
    """Return the path of the user's catalogue in a list, which is empty if no catalogue is given.

    Raises
    ------
    InputError
        If the file does not exist, or lacks a column that the options name.
    """
    if options.path is None:
        return []
    path = resolve_path(options.path, working_directory)
    _chosen_columns(path, options)
    return [str(path)]


def read_other_catalogue(path: Path, options: ComparisonOptions) -> pd.DataFrame:
    """Read the user's catalogue.

    Parameters
    ----------
    path : Path
        CSV, Parquet, FITS table or VOTable with columns ``ra`` and ``dec`` (deg, ICRS; upper or lower case).
    options : ComparisonOptions
        Names of the columns of flux density (mJy) and class, if any.

    Returns
    -------
    DataFrame
        Columns ``row`` (from 1), ``ra``, ``dec``, ``flux`` (NaN where unknown), ``class``.

    Raises
    ------
    InputError
        If the table cannot be read, lacks a column, or has an invalid position or flux density.
    """
    chosen = _chosen_columns(path, options)
    table = read_external_table(path, chosen)
    ra, dec = table.numbers("ra"), table.numbers("dec")
    table.refuse_where((ra < 0) | (ra >= 360), "ra", "is outside 0 <= ra < 360 deg")
    table.refuse_where(np.abs(dec) > 90, "dec", "is outside -90 <= dec <= 90 deg")
    columns = {
        "row": table.data.index.to_numpy(np.int64),
        "ra": ra,
        "dec": dec,
        "flux": _fluxes(table) if "flux" in chosen else np.full(len(ra), np.nan),
        "class": table.data["class"].to_numpy(object) if "class" in chosen else np.full(len(ra), ""),
    }
    return pd.DataFrame(columns)


def _chosen_columns(path: Path, options: ComparisonOptions) -> dict[str, str]:
    """Return the names of the requested columns in the file, by our names."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; give the path of your catalogue (evaluation.compare_with)")
    wanted = {"ra": "ra", "dec": "dec", "flux": options.flux_column, "class": options.class_column}
    names = column_names(path)
    return {ours: _named(path, theirs, names) for ours, theirs in wanted.items() if theirs is not None}


def _named(path: Path, wanted: str, names: Sequence[str]) -> str:
    """Return the name of a column in the file, ignoring case."""
    alike = [name for name in names if name == wanted]
    alike = alike or [name for name in names if name.strip().lower() == wanted.lower()]
    if len(alike) != 1:
        if alike:
            raise InputError(f"{path}: column {wanted!r} is ambiguous; rename {' or '.join(alike)}")
        raise InputError(
            f"{path}: no column {wanted!r} (evaluation.compare_with); the columns are: {', '.join(names)}"
        )
    return alike[0]


def _fluxes(table: ExternalTable) -> np.ndarray:
    """Return the flux densities, NaN where the table has no value."""
    text = table.data["flux"].astype(str).str.strip()
    missing = text.str.lower().isin(["", "nan", "none", "null", "--"]).to_numpy(bool)
    values = pd.to_numeric(text.where(~missing, "nan"), errors="coerce").to_numpy(float)
    table.refuse_where(np.isnan(values) & ~missing, "flux", "is not a number (mJy)")
    return values
