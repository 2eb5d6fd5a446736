"""Read and write the Radio Galaxy Zoo label table in the format published with the paper.

One row is one labelled source.  A subject may contain several sources, so ``first_id`` repeats.  A subject
is centred on the position in its name, which is the position of one FIRST component and not the centre of
the source.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from astropy import units as u

from claran_core.common.errors import InputError
from claran_core.common.external_tables import ExternalTable, read_external_table, table_columns
from claran_core.common.files import write_text
from claran_core.common.table_column import TableColumn

__all__ = [
    "is_label_table",
    "position_of_name",
    "positions_of_names",
    "read_label_table",
    "write_label_table",
]

COLUMNS = (
    "catalog_id",
    "first_id",
    "num_cpnts",
    "num_peaks",
    "cpnts_ras",
    "cpnts_decs",
    "ang_extent",
    "cl",
    "training",
)
# Centre of the source by the contours of its components, and its host; not in the published table.
OPTIONAL = ("source_ra", "source_dec", "host_ra", "host_dec")
UNITS = {"ang_extent": u.arcsec, **dict.fromkeys(OPTIONAL, u.deg)}

# FIRSTJhhmmss.s+ddmmss, with any number of decimals.
NAME = r"FIRSTJ(\d{2})(\d{2})(\d{2}(?:\.\d+)?)([+-])(\d{2})(\d{2})(\d{2}(?:\.\d+)?)"


def is_label_table(columns: Iterable[TableColumn]) -> bool:
    """Return whether a table with these columns is an RGZ label table."""
    return {column.name for column in columns} >= set(COLUMNS)


def position_of_name(name: str) -> tuple[float, float]:
    """Return the position (RA, Dec; deg) in a subject's name such as ``FIRSTJ074535.0+335754``.

    Raises
    ------
    InputError
        If the name is not of that form.
    """
    ra_deg, dec_deg = positions_of_names([name])
    if np.isnan(ra_deg[0]):
        raise InputError(f"{name!r} contains no position; names look like FIRSTJ074535.0+335754")
    return float(ra_deg[0]), float(dec_deg[0])


def positions_of_names(names: Iterable[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions (RA, Dec; (n,) float64, deg) in subjects' names; NaN for invalid names."""
    parts = pd.Series(list(names), dtype=object).astype(str).str.extract(f"^{NAME}$")
    hour, minute, second, degree, arcmin, arcsec = (
        pd.to_numeric(parts[column]).to_numpy(dtype=float) for column in (0, 1, 2, 4, 5, 6)
    )
    ra_deg = 15.0 * (hour + minute / 60.0 + second / 3600.0)
    dec_deg = degree + arcmin / 60.0 + arcsec / 3600.0
    valid = (hour < 24) & (dec_deg <= 90) & (np.maximum(minute, arcmin) < 60)
    valid &= np.maximum(second, arcsec) < 60
    sign = np.where(parts[3] == "-", -1.0, 1.0)
    return np.where(valid, ra_deg, np.nan), np.where(valid, sign * dec_deg, np.nan)


def read_label_table(path: Path) -> pd.DataFrame:
    """Read and check an RGZ label table (CSV, or the same columns in another format).

    Parameters
    ----------
    path : Path
        The table.

    Returns
    -------
    DataFrame
        One row per source, in the file's order: ``catalog_id``, ``first_id`` (str), ``ra``, ``dec``
        (deg, the position in the name), ``num_cpnts``, ``num_peaks`` (int), ``component_ra``,
        ``component_dec`` (lists of float, deg), ``ang_extent`` (arcsec), ``cl`` (consensus level, 0 to
        1), ``training`` (1 or 0), ``source_ra``, ``source_dec``, ``host_ra``, ``host_dec`` (deg; NaN
        for missing values).

    Raises
    ------
    InputError
        In one line, for the first invalid row: a name without a position, counts below one, components
        that do not match their count, numbers that are invalid or out of range, a position with one
        coordinate, a repeated ``catalog_id``, or rows of one subject in different splits.
    """
    table = read_external_table(path, _choose(path, table_columns(path)), UNITS)
    _check_names(table)
    data = table.data
    ra_deg, dec_deg = positions_of_names(data["first_id"])
    labels = pd.DataFrame(
        {
            "catalog_id": data["catalog_id"],
            "first_id": data["first_id"],
            "ra": ra_deg,
            "dec": dec_deg,
            "num_cpnts": _counts(table, "num_cpnts"),
            "num_peaks": _counts(table, "num_peaks"),
            "component_ra": _components(table, "cpnts_ras", 0.0, 360.0),
            "component_dec": _components(table, "cpnts_decs", -90.0, 90.0),
            "ang_extent": _extents(table),
            "cl": _consensus(table),
            "training": _splits(table),
            **_positions(table, *OPTIONAL[:2]),
            **_positions(table, *OPTIONAL[2:]),
        }
    )
    return labels.reset_index(drop=True)


def _choose(path: Path, columns: Sequence[TableColumn]) -> dict[str, TableColumn]:
    """Return the columns to read, after checking that all required ones are present."""
    given = {column.name: column for column in columns}
    missing = [name for name in COLUMNS if name not in given]
    if missing:
        raise InputError(
            f"{path}: not an RGZ label table: no column {missing[0]!r}; it has: {', '.join(given)}"
        )
    return {name: given[name] for name in (*COLUMNS, *OPTIONAL) if name in given}


def _check_names(table: ExternalTable) -> None:
    ra_deg, _ = positions_of_names(table.data["first_id"])
    table.refuse_where(np.isnan(ra_deg), "first_id", "is not of the form FIRSTJ074535.0+335754")
    table.refuse_where((table.data["catalog_id"] == "").to_numpy(), "catalog_id", "is empty")
    repeated = table.data["catalog_id"].duplicated().to_numpy()
    table.refuse_where(repeated, "catalog_id", "occurs twice; each row must be one source")


def _counts(table: ExternalTable, column: str) -> np.ndarray:
    counts = table.numbers(column)
    table.refuse_where((counts < 1) | (counts % 1 != 0), column, "is not a whole number above zero")
    return counts.astype(np.int64)


def _components(table: ExternalTable, column: str, low: float, high: float) -> list[list[float]]:
    """Split values such as ``1.5;2.5`` into floats, and check their number and range."""
    texts = table.data[column].tolist()
    components = [_floats(text) for text in texts]
    bad = [not values or not all(low <= value <= high for value in values) for values in components]
    table.refuse_where(np.array(bad), column, "is not a ';'-separated list of degrees")
    lengths = np.array([len(values) for values in components])
    wrong = lengths != table.numbers("num_cpnts")
    table.refuse_where(wrong, column, "does not have num_cpnts positions")
    return components


def _floats(text: str) -> list[float]:
    """Return the numbers of a ';'-separated list; an empty list if one is invalid."""
    try:
        return [float(part) for part in text.split(";")]
    except ValueError:
        return []


def _extents(table: ExternalTable) -> np.ndarray:
    extents = table.numbers("ang_extent")
    table.refuse_where(extents <= 0, "ang_extent", "is not above zero (arcsec)")
    return extents


def _consensus(table: ExternalTable) -> np.ndarray:
    levels = table.numbers("cl")
    table.refuse_where((levels < 0) | (levels > 1), "cl", "is not between 0 and 1")
    return levels


def _splits(table: ExternalTable) -> np.ndarray:
    training = table.numbers("training")
    table.refuse_where(~np.isin(training, (0, 1)), "training", "must be 1 (training) or 0 (test)")
    first = pd.Series(training).groupby(table.data["first_id"].to_numpy()).transform("first").to_numpy()
    table.refuse_where(training != first, "training", "differs from another row of the same subject")
    return training.astype(np.int64)


def _positions(table: ExternalTable, ra_column: str, dec_column: str) -> dict[str, np.ndarray]:
    """Return the positions of a pair of optional columns; NaN for missing ones."""
    values = {ra_column: _optional(table, ra_column), dec_column: _optional(table, dec_column)}
    half = np.isnan(values[ra_column]) != np.isnan(values[dec_column])
    for column, low, high in ((ra_column, 0.0, 360.0), (dec_column, -90.0, 90.0)):
        if column in table.data:
            outside = (values[column] < low) | (values[column] > high)
            table.refuse_where(outside, column, f"is outside {low:g} to {high:g} deg")
            lacks = half & np.isnan(values[column])
            table.refuse_where(lacks, column, "is missing; give both coordinates or neither")
    return values


def _optional(table: ExternalTable, column: str) -> np.ndarray:
    """Return the values of an optional column; NaN for empty ones."""
    if column not in table.data:
        return np.full(len(table.data), np.nan)
    return table.numbers(column, optional=True)


def write_label_table(path: Path, labels: pd.DataFrame) -> None:
    """Write labels as an RGZ label table (CSV); `read_label_table` returns the same values.

    Parameters
    ----------
    path : Path
        The file.
    labels : DataFrame
        Columns of `claran_core.common.tables.LABELS`.  ``label_id`` becomes ``catalog_id`` and
        ``subject_id`` becomes ``first_id``.  After the columns of the published table follow
        ``source_ra``, ``source_dec``, ``host_ra`` and ``host_dec``, empty if unknown.

    Raises
    ------
    InputError
        In one line, for the first row that the format cannot represent: a subject name without a position,
        a repeated ``label_id``, a missing consensus level, or a split other than train and test.
    """
    labels = labels.reset_index(drop=True)
    _check_labels(path, labels)
    table = pd.DataFrame(
        {
            "catalog_id": labels["label_id"],
            "first_id": labels["subject_id"],
            "num_cpnts": labels["n_components"],
            "num_peaks": labels["n_peaks"],
            "cpnts_ras": [";".join(map(repr, map(float, row))) for row in labels["component_ra"]],
            "cpnts_decs": [";".join(map(repr, map(float, row))) for row in labels["component_dec"]],
            "ang_extent": labels["angular_size"].astype(float),
            "cl": labels["consensus"].astype(float),
            "training": (labels["split"] == "train").astype(int),
            "source_ra": labels["ra"],
            "source_dec": labels["dec"],
            "host_ra": labels["host_ra"],
            "host_dec": labels["host_dec"],
        }
    )
    write_text(path, table.to_csv(index=False))


def _check_labels(path: Path, labels: pd.DataFrame) -> None:
    ra_deg, _ = positions_of_names(labels["subject_id"])
    repeated = labels["label_id"].duplicated()
    problems = {
        "subject_id": (np.isnan(ra_deg), "contains no position; names look like FIRSTJ074535.0+335754"),
        "label_id": (repeated, "occurs twice; a label table lists each source once"),
        "consensus": (labels["consensus"].isna(), "is not a consensus level"),
        "split": (~labels["split"].isin(["train", "test"]), "is neither train nor test"),
    }
    for column, (bad, problem) in problems.items():
        if np.any(bad):
            row = int(np.argmax(bad))
            raise InputError(f"{path}: label row {row + 1}: {column} '{labels[column][row]}' {problem}")
