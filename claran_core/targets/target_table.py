"""Read the targets of a run from a list of positions, the RGZ label table, or labels of the user.

Invalid positions, names that cannot be file names and repeated rows are refused in one line.  All checks
are vectorised, because a list may have a million rows.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from astropy import units as u

from claran_core.common.constants import HOURS_PER_CIRCLE
from claran_core.common.errors import InputError
from claran_core.common.external_tables import ExternalTable, read_external_table, table_columns
from claran_core.common.frame import SCALES
from claran_core.common.names import position_names
from claran_core.common.sexagesimal import sexagesimal_values
from claran_core.common.table_column import TableColumn, named_column, position_columns
from claran_core.common.tables import NATIVE_SCALE, SPLITS
from claran_core.labels import rgz_table
from claran_core.labels.box_table import is_box_table
from claran_core.labels.own_labels import is_coco, read_own_labels
from claran_core.labels.sky_labels import SkyLabels

__all__ = ["position_doubt", "read_targets", "targets_of_rows"]

COLUMNS = ("subject_id", "ra", "dec", "scale", "split")
OTHER_COLUMNS = ("subject_id", "scale", "split")
POSITION_UNITS = {"ra": u.deg, "dec": u.deg}
MAX_ID_LENGTH = 100
# Letters, digits and ._+- only, no leading dot: ids become file names and FITS extension names.
SAFE_ID = rf"[A-Za-z0-9_+\-][A-Za-z0-9._+\-]{{0,{MAX_ID_LENGTH - 1}}}"


def read_targets(
    path: Path, scales: Sequence[int] = (NATIVE_SCALE,), images: Path | None = None
) -> pd.DataFrame:
    """Read and check the targets of a run.

    Parameters
    ----------
    path : Path
        CSV, Parquet, FITS table or VOTable with positions (ICRS;
        `claran_core.common.table_column.position_columns`), in the unit that the table states, else in deg
        or sexagesimal, and optionally ``subject_id`` (default: the IAU-style name of the position),
        ``scale`` (1, 2, 4 or 8) and ``split`` (train, test or none; default none); or an RGZ label table; or
        labels of the user (`claran_core.labels.own_labels.read_own_labels`), whose boxes' centres are the
        targets, by default of the split train.
    scales : sequence of int
        Scales at which each target is seen if the table has no column ``scale``.  The view at the first one
        has the id of the target, a view at scale s has ``_xs`` appended.
    images : Path, optional
        Folder of the images of COCO annotations.

    Returns
    -------
    DataFrame
        Columns ``subject_id`` (str), ``ra``, ``dec`` (float64, deg), ``scale`` (int32), ``split`` (str), in
        the order of the file; for a label table one row per ``first_id`` and scale.

    Raises
    ------
    InputError
        For an invalid target, in one line with file, row and value.
    """
    targets = _targets(path, images)
    if "scale" not in targets:
        return _at_scales(path, targets, scales)
    return targets[list(COLUMNS)]


def targets_of_rows(
    path: Path, scales: Sequence[int] = (NATIVE_SCALE,), images: Path | None = None
) -> pd.DataFrame:
    """Return one row per target of a table: its view at the first scale, and its row in the file.

    Arguments and errors are those of `read_targets`.

    Returns
    -------
    DataFrame
        Columns of `read_targets`, and ``row`` (int64): position among the rows of the file, from 0; of
        COCO annotations among these.
    """
    targets = _targets(path, images)
    if "scale" not in targets:
        targets = targets.assign(scale=np.int32(scales[0]))
    return targets[[*COLUMNS, "row"]]


def _targets(path: Path, images: Path | None) -> pd.DataFrame:
    """Return one row per target, without ``scale`` if the table has none, and its position in the file."""
    columns = [] if is_coco(path) else table_columns(path)
    if rgz_table.is_label_table(columns):
        return _from_labels(path)
    if is_coco(path) or is_box_table(path, columns):
        table, split = _of_boxes(path, columns, images), "train"
    else:
        table, split = read_external_table(path, _choose(path, columns), POSITION_UNITS), "none"
    targets = _from_positions(table, split)
    return targets.assign(row=np.arange(len(targets)))


def position_doubt(path: Path, ra_deg: np.ndarray) -> str:
    """Return why right ascensions that were read as degrees may be hours, in one line; empty without doubt.

    A table with a column ``scale`` or ``split`` was made for this program, so that its positions are deg.

    Parameters
    ----------
    path : Path
        The table, as for `read_targets`.
    ra_deg : (n,) float64 array
        What `read_targets` made of it.
    """
    if not len(ra_deg) or ra_deg.max() >= HOURS_PER_CIRCLE or is_coco(path):
        return ""
    columns = table_columns(path)
    made_for_us = any(named_column(path, name, columns) for name in ("scale", "split"))
    if made_for_us or rgz_table.is_label_table(columns) or is_box_table(path, columns):
        return ""
    column = position_columns(path, columns)["ra"]
    if column.says_unit or _is_sexagesimal(path, column):
        return ""
    return (
        f"{path.name}: all right ascensions are below {HOURS_PER_CIRCLE:g} and the table states no unit, so "
        "they may be hours; they were read as degrees. State it, in CSV as "
        f"'{column.name} (deg)' or '{column.name} (h)'"
    )


def _is_sexagesimal(path: Path, column: TableColumn) -> bool:
    """Return whether the values of a column are sexagesimal, which `read_targets` reads as hours."""
    first = read_external_table(path, {"ra": column}, {}).data["ra"].iloc[:1]
    is_number = pd.to_numeric(first, errors="coerce").notna().all()
    return bool(not is_number and np.isfinite(sexagesimal_values(first)).all())


def _at_scales(path: Path, targets: pd.DataFrame, scales: Sequence[int]) -> pd.DataFrame:
    """Return each target at each scale, the scales of a target one after the other."""
    views = targets.loc[targets.index.repeat(len(scales))].reset_index(drop=True)
    views["scale"] = np.tile(np.array(scales, np.int32), len(targets))
    for k, scale in enumerate(scales[1:], start=1):
        views.loc[k :: len(scales), "subject_id"] += f"_x{scale}"
    repeated = views["subject_id"].duplicated()
    if repeated.any():
        raise InputError(
            f"{path}: subject_id {views['subject_id'][repeated].iloc[0]!r} is also the name of a view that "
            "targets.scales makes; rename the target, or give a column scale"
        )
    return views[list(COLUMNS)]


def _choose(path: Path, columns: Sequence[TableColumn]) -> dict[str, TableColumn]:
    """Return those of our columns that the table has."""
    others = {ours: named_column(path, ours, columns) for ours in OTHER_COLUMNS}
    given = {ours: column for ours, column in others.items() if column is not None}
    return {**position_columns(path, columns), **given}


def _from_labels(path: Path) -> pd.DataFrame:
    """Return one target per subject of an RGZ label table."""
    subjects = rgz_table.read_label_table(path).drop_duplicates("first_id")
    split = np.where(subjects["training"] == 1, "train", "test")
    targets = subjects[["first_id", "ra", "dec"]].rename(columns={"first_id": "subject_id"})
    return targets.assign(split=split, row=subjects.index).reset_index(drop=True)


def _of_boxes(path: Path, columns: Sequence[TableColumn], images: Path | None) -> ExternalTable:
    """Return labels of the user as a table of the centres of their boxes."""
    labels = read_own_labels(path, images)
    given = {ours: named_column(path, ours, columns) for ours in OTHER_COLUMNS}
    chosen = {ours: column for ours, column in given.items() if column is not None}
    names = pd.Index([one.label_id for one in labels])
    table = ExternalTable(path, pd.DataFrame(index=names), "label")
    if chosen:
        table = read_external_table(path, chosen, {})
    ra_deg, dec_deg = SkyLabels(labels).centres_deg.T
    return replace(table, data=table.data.assign(ra=ra_deg, dec=dec_deg))


def _from_positions(table: ExternalTable, split: str) -> pd.DataFrame:
    """Check a list of positions and return it as targets; `split` is that of a table without splits."""
    ra_deg, dec_deg = table.positions()
    targets = {
        "subject_id": _ids(table, ra_deg, dec_deg),
        "ra": ra_deg,
        "dec": dec_deg,
        "split": _splits(table, split),
    }
    if "scale" in table.data:
        targets["scale"] = _scales(table)
    return pd.DataFrame({name: np.asarray(values) for name, values in targets.items()})


def _ids(table: ExternalTable, ra_deg: np.ndarray, dec_deg: np.ndarray) -> pd.Series:
    """Return the checked ids of the table, or names made from the positions."""
    if "subject_id" not in table.data:
        names = pd.Series(position_names(ra_deg, dec_deg, ra_decimals=2, dec_decimals=1))
        _refuse_repeated(
            table, names, "is within 0.1 arcsec of {first}; remove one, or give a subject_id column"
        )
        return names
    ids = table.data["subject_id"]
    safe = ids.str.fullmatch(SAFE_ID).to_numpy(dtype=bool)
    table.refuse_where(
        ~safe,
        "subject_id",
        f"is unsafe as a file name; use 1 to {MAX_ID_LENGTH} of A-Z a-z 0-9 . _ + - and no leading dot",
    )
    _refuse_repeated(table, ids, "is the same as on {first}; ids must be unique")
    return ids


def _refuse_repeated(table: ExternalTable, ids: pd.Series, problem: str) -> None:
    """Raise an `InputError` if an id occurs twice; `{first}` in `problem` becomes its first row."""
    repeated = ids.duplicated().to_numpy()
    if repeated.any():
        value = ids.iloc[int(np.argmax(repeated))]
        first = table.row(int(np.argmax((ids == value).to_numpy())))
        named = replace(table, data=table.data.assign(subject_id=ids.to_numpy()))
        named.refuse_where(repeated, "subject_id", problem.format(first=first))


def _scales(table: ExternalTable) -> np.ndarray:
    """Return the scale of each row, int32."""
    scales = table.numbers("scale")
    table.refuse_where(~np.isin(scales, SCALES), "scale", f"must be one of: {', '.join(map(str, SCALES))}")
    return scales.astype(np.int32)


def _splits(table: ExternalTable, without: str) -> np.ndarray:
    """Return the split of each row in lower case, `without` where there is no column."""
    if "split" not in table.data:
        return np.full(len(table.data), without, dtype=object)
    splits = table.data["split"].str.lower()
    table.refuse_where(~splits.isin(SPLITS).to_numpy(), "split", f"must be one of: {', '.join(SPLITS)}")
    return splits.to_numpy(dtype=object)
