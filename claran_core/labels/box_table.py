"""Read labels of a user from a table of boxes on the sky."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from astropy import units as u

from claran_core.common.errors import InputError
from claran_core.common.external_tables import ExternalTable, read_external_table, table_columns
from claran_core.common.sky import offset_to_sky
from claran_core.common.table_column import TableColumn, named_column, position_columns
from claran_core.labels.sky_labels import SkyLabel

__all__ = ["is_box_table", "read_box_table"]

# Names of the column of classes, first choice first.
CLASS_NAMES = ("class", "morphology")
SIDES = ("width", "height")
EDGES = ("ra_min", "ra_max", "dec_min", "dec_max")
HOST = ("host_ra", "host_dec")
UNITS = {
    **dict.fromkeys(("ra", "dec", *EDGES, *HOST), u.deg),
    **dict.fromkeys(SIDES, u.arcsec),
}

# The four corners of a box, one after the other, as signs of its half sides east and north.
CORNERS = np.array([[1, -1], [-1, -1], [-1, 1], [1, 1]])


def is_box_table(path: Path, columns: Sequence[TableColumn]) -> bool:
    """Return whether a table with these columns has boxes and classes."""
    has = {name: named_column(path, name, columns) is not None for name in (*CLASS_NAMES, *SIDES, *EDGES)}
    boxes = all(has[name] for name in SIDES) or all(has[name] for name in EDGES)
    return boxes and any(has[name] for name in CLASS_NAMES)


def read_box_table(path: Path) -> list[SkyLabel]:
    """Read the boxes of a table: one label a row.

    Parameters
    ----------
    path : Path
        CSV, Parquet, FITS table or VOTable with ``class`` (or ``morphology``), and of each box either the
        centre (as positions of targets) with ``width`` and ``height`` (east-west and north-south; arcsec, or
        in the unit that the table states), or the edges ``ra_min``, ``ra_max``, ``dec_min`` and ``dec_max``
        (deg).  Optional columns: ``label_id`` (default: the number of the row), ``subject_id``, ``host_ra``
        and ``host_dec``.

    Raises
    ------
    InputError
        In one line, for the first invalid row: an empty or inverted box, no class, a position off the sky, a
        repeated ``label_id``.
    """
    columns = table_columns(path)
    table = read_external_table(path, _choose(path, columns), UNITS)
    data = table.data
    table.refuse_where((data["class"] == "").to_numpy(), "class", "is empty")
    corners = _corners_of_edges(table) if "ra_min" in data else _corners_of_sides(table)
    hosts = _hosts(table)
    names = data["label_id"] if "label_id" in data else data.index.astype(str).to_series(index=data.index)
    table.refuse_where((names == "").to_numpy(), "label_id", "is empty")
    table.refuse_where(names.duplicated().to_numpy(), "label_id", "occurs twice; each row must be one source")
    subjects = data["subject_id"] if "subject_id" in data else [""] * len(data)
    return [
        SkyLabel(str(name), str(kind), box, host=(float(host[0]), float(host[1])), subject_id=str(subject))
        for name, kind, box, host, subject in zip(names, data["class"], corners, hosts, subjects, strict=True)
    ]


def _choose(path: Path, columns: Sequence[TableColumn]) -> dict[str, TableColumn]:
    """Return those of our columns that the table has, after checking that the required ones are present."""
    given = {
        ours: column
        for ours in (*SIDES, *EDGES, *HOST, "label_id", "subject_id")
        if (column := named_column(path, ours, columns)) is not None
    }
    kinds = [column for name in CLASS_NAMES if (column := named_column(path, name, columns)) is not None]
    if not kinds:
        raise InputError(f"{path}: no column 'class'; it has: {_listed(columns)}")
    half = [name for name in HOST if name not in given]
    if len(half) == 1:
        raise InputError(f"{path}: no column {half[0]!r}; give both coordinates of the host or neither")
    if all(name in given for name in EDGES):
        return {"class": kinds[0]} | {ours: given[ours] for ours in given if ours not in SIDES}
    missing = [name for name in SIDES if name not in given]
    if missing:
        raise InputError(
            f"{path}: no column {missing[0]!r}; a box is ra, dec, width and height (arcsec), or "
            f"{', '.join(EDGES)} (deg); it has: {_listed(columns)}"
        )
    others = {ours: given[ours] for ours in given if ours not in EDGES}
    return {"class": kinds[0], **position_columns(path, columns), **others}


def _listed(columns: Iterable[TableColumn]) -> str:
    return ", ".join(column.name for column in columns)


def _corners_of_sides(table: ExternalTable) -> np.ndarray:
    """Return the corners (n, 4, 2) of boxes around centres, deg."""
    ra_deg, dec_deg = table.positions()
    half = np.stack([table.numbers(name) for name in SIDES], axis=-1) / 2
    for column, name in enumerate(SIDES):
        table.refuse_where(half[:, column] <= 0, name, "is not above zero: the box is empty")
        table.refuse_where(half[:, column] >= 1800 * 10, name, "is 10 deg or more; widths are in arcsec")
    offsets = CORNERS * half[:, None]
    return np.stack(
        offset_to_sky(ra_deg[:, None], dec_deg[:, None], offsets[..., 0], offsets[..., 1]), axis=-1
    )


def _corners_of_edges(table: ExternalTable) -> np.ndarray:
    """Return the corners (n, 4, 2) of boxes between edges, deg."""
    ra_min, ra_max, dec_min, dec_max = (table.numbers(name) for name in EDGES)
    for name, values in (("ra_min", ra_min), ("ra_max", ra_max)):
        table.refuse_where((values < 0) | (values > 360), name, "is outside 0 to 360 deg")
    for name, values in (("dec_min", dec_min), ("dec_max", dec_max)):
        table.refuse_where(np.abs(values) > 90, name, "is outside -90 to 90 deg")
    table.refuse_where(dec_max <= dec_min, "dec_max", "is not above dec_min: the box is empty or inverted")
    across = (ra_max - ra_min) % 360  # a box may contain RA 0
    inverted = "is not above ra_min: the box is empty or inverted"
    table.refuse_where((across <= 0) | (across >= 180), "ra_max", inverted)
    east = [ra_min + across, ra_min, ra_min, ra_min + across]
    return np.stack(
        [np.stack(east, axis=-1) % 360, np.stack([dec_min, dec_min, dec_max, dec_max], axis=-1)], axis=-1
    )


def _hosts(table: ExternalTable) -> np.ndarray:
    """Return the positions (n, 2) of hosts, deg; NaN without one."""
    if HOST[0] not in table.data:
        return np.full((len(table.data), 2), np.nan)
    hosts = np.stack([table.numbers(name, optional=True) for name in HOST], axis=-1)
    half = np.isnan(hosts).sum(axis=1) == 1
    table.refuse_where(half, HOST[0], "is a host with one coordinate; give both or neither")
    return hosts
