"""Find, check and read the catalogue that a user supplies for comparison."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from astropy import units as u

from claran_core.common.errors import InputError
from claran_core.common.external_tables import read_external_table, table_columns
from claran_core.common.paths import resolve_path
from claran_core.common.table_column import TableColumn, named_column, position_columns
from claran_core.settings.evaluation import ComparisonOptions

__all__ = ["find_other_catalogue", "read_other_catalogue"]

UNITS = {"ra": u.deg, "dec": u.deg, "flux": u.mJy}


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
        CSV, Parquet, FITS table or VOTable with positions, as for `claran_core.targets.read_targets`.
    options : ComparisonOptions
        Names of the columns of flux density and class, if any, and the unit of the former where the table
        states none.

    Returns
    -------
    DataFrame
        Columns ``row`` (from 1), ``ra``, ``dec`` (deg), ``flux`` (mJy; NaN where unknown), ``class``.

    Raises
    ------
    InputError
        If the table cannot be read, lacks a column, states another unit than that of a flux density, or has
        an invalid position or flux density.
    """
    chosen = _chosen_columns(path, options)
    table = read_external_table(path, chosen, UNITS)
    ra, dec = table.positions()
    columns = {
        "row": table.data.index.to_numpy(np.int64),
        "ra": ra,
        "dec": dec,
        "flux": table.numbers("flux", optional=True) if "flux" in chosen else np.full(len(ra), np.nan),
        "class": table.data["class"].to_numpy(object) if "class" in chosen else np.full(len(ra), ""),
    }
    return pd.DataFrame(columns)


def _chosen_columns(path: Path, options: ComparisonOptions) -> dict[str, TableColumn]:
    """Return the columns of positions, and the requested ones, by our names."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; give the path of your catalogue (evaluation.compare_with)")
    columns = table_columns(path)
    chosen = position_columns(path, columns)
    for ours, wanted in (("flux", options.flux_column), ("class", options.class_column)):
        if wanted is None:
            continue
        column = named_column(path, wanted, columns)
        if column is None:
            raise InputError(
                f"{path}: no column {wanted!r} (evaluation.compare_with); "
                f"the columns are: {', '.join(column.name for column in columns)}"
            )
        chosen[ours] = column
    if "flux" in chosen and not chosen["flux"].stated_unit:
        chosen["flux"] = replace(chosen["flux"], unit=options.flux_unit)
    return chosen
