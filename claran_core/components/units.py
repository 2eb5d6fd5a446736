"""The units that sources of a view are made of, and the components of the finest scale inside them.

The units of a view at the finest scale are its components.  Those of a coarser view are the components of its
smoothed image, and the components of the finest scale that are inside none of these.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from claran_core.common.boxes import BOX_COLUMNS
from claran_core.common.errors import InputError
from claran_core.common.ragged import Ragged
from claran_core.common.tables import NATIVE_SCALE
from claran_core.components.contour_rule import MIN_COMPONENT_PX

__all__ = ["NOT_PART", "FineParts", "Units", "find_units", "fine_parts"]

# Column `part_of` of a component that is a unit.
NOT_PART = -1


class Units(NamedTuple):
    """The units of a table of components and their members, as row numbers of the table.

    Attributes
    ----------
    rows : (n,) int64 array
        The units, in table order.
    starts : (n + 1,) int64 array
        Unit k has the members ``starts[k]`` to ``starts[k + 1] - 1``, at least one.
    members : (m,) int64 array
        The components that the units stand for on the sky, in table order for each unit: a coarse unit for
        the usable components of the finest scale inside it, and every other unit for itself.
    """

    rows: np.ndarray
    starts: np.ndarray
    members: np.ndarray


class FineParts(NamedTuple):
    """The components of the finest scale in each unit: number, largest SNR, ratio of the largest fluxes, box.

    All are (n,) arrays, the boxes (n, 4), described in
    `claran_core.components.component_table.SubjectComponents`.
    """

    n_fine: np.ndarray
    fine_snr: np.ndarray
    fine_ratio: np.ndarray
    fine_boxes: np.ndarray


def find_units(table: Mapping[str, np.ndarray]) -> Units:
    """Return the units of a table of components, of any number of subjects and levels.

    Parameters
    ----------
    table : mapping of str to array
        Columns ``component_id``, ``subject_id``, ``scale``, ``level``, ``part_of`` and ``n_pixels`` of
        `claran_core.common.tables.COMPONENTS`, in any order of rows.

    Raises
    ------
    InputError
        If a component is part of one that is not in the table.
    """
    part_of = np.asarray(table["part_of"])
    rows = np.flatnonzero(part_of == NOT_PART)
    usable = np.asarray(table["n_pixels"]) >= MIN_COMPONENT_PX
    inside = np.flatnonzero((part_of != NOT_PART) & usable)
    coarse = np.flatnonzero(np.asarray(table["scale"])[rows] > NATIVE_SCALE)
    unit = coarse[_wholes(table, inside, rows[coarse])]
    own = np.setdiff1d(np.arange(len(rows)), unit)  # units that stand for themselves
    unit, members = np.concatenate([unit, own]), np.concatenate([inside, rows[own]])
    order = np.lexsort((members, unit))
    starts = np.searchsorted(unit[order], np.arange(len(rows) + 1))
    return Units(rows, starts, members[order])


def fine_parts(table: Mapping[str, np.ndarray], units: Units) -> FineParts:
    """Describe the components of the finest scale in each unit.

    Parameters
    ----------
    table : mapping of str to array
        Columns ``scale``, ``snr``, ``flux`` and those of the box, of the table that `units` are those of.
    units : Units
        The units.
    """
    is_fine = np.asarray(table["scale"])[units.members] == NATIVE_SCALE
    unit = np.repeat(np.arange(len(units.rows)), np.diff(units.starts))[is_fine]
    snr, flux = (np.asarray(table[name], float)[units.members[is_fine]] for name in ("snr", "flux"))
    count = np.bincount(unit, minlength=len(units.rows))
    largest_snr = np.zeros(len(units.rows))
    np.maximum.at(largest_snr, unit, snr)
    order = np.lexsort((-flux, unit))
    first = np.cumsum(count) - count
    several = np.flatnonzero(count > 1)
    ratio = np.zeros(len(units.rows))
    ratio[several] = flux[order[first[several] + 1]] / flux[order[first[several]]]
    return FineParts(count, largest_snr, ratio, _boxes_around(table, units))


def _boxes_around(table: Mapping[str, np.ndarray], units: Units) -> np.ndarray:
    """Return the box (n, 4) around the members of each unit."""
    members = Ragged(units.starts, units.members)
    (left, _), (bottom, _), (_, right), (_, top) = (
        members.extremes(np.asarray(table[name], float)) for name in BOX_COLUMNS
    )
    return np.stack([left, bottom, right, top], axis=1)


def _wholes(table: Mapping[str, np.ndarray], inside: np.ndarray, coarse: np.ndarray) -> np.ndarray:
    """Return the place in `coarse` of the component that each component `inside` another is part of.

    Both are row numbers (k,) and (c,) of the table.
    """
    every = np.concatenate([coarse, inside])
    subject = pd.factorize(np.asarray(table["subject_id"])[every])[0]
    level = np.unique(np.asarray(table["level"])[every], return_inverse=True)[1]
    ids = np.concatenate([np.asarray(table["component_id"])[coarse], np.asarray(table["part_of"])[inside]])
    distinct, identity = np.unique(ids.astype(np.int64), return_inverse=True)
    key = (subject * (level.max(initial=0) + 1) + level) * len(distinct) + identity
    number = np.unique(key, return_inverse=True)[1]
    place = np.full(len(every), -1, np.int64)
    place[number[: len(coarse)]] = np.arange(len(coarse))
    whole = place[number[len(coarse) :]]
    if (whole < 0).any():
        row = inside[np.flatnonzero(whole < 0)[0]]
        raise InputError(
            f"component {table['component_id'][row]} of subject {table['subject_id'][row]!r} is part of "
            f"{table['part_of'][row]}, which is not in the table; rerun the components stage"
        )
    return whole
