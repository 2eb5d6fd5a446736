"""The true source of each unit of the training subjects, from the tables of owners and of components.

A unit of a coarser view stands for the usable components of the finest scale inside it.  It belongs to the
source with nearly all of their flux.  If no source has, the unit is mixed, and no set of units of this view
consists of any of these sources.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from claran_core.common.errors import InputError
from claran_core.common.files import read_table
from claran_core.common.morphology import MORPHOLOGIES
from claran_core.common.tables import OWNERS
from claran_core.components.units import find_units
from claran_core.model.layers.types import ARTEFACT, MIXED, UNKNOWN, Ownership

__all__ = ["NO_UNITS", "read_owners"]

NO_UNITS = Ownership(np.zeros(0, np.int64), np.zeros(0, np.int64))

# A coarse unit belongs to the owner of at least this share of the flux inside it: a faint neighbour in a lobe
# does not keep the source from being found.
MAIN_SHARE = 0.9

# Numbers of sources without a class, and of those of which a mixed unit has a part (`Ownership`).
_NO_CLASS, _INCOMPLETE = -1, 0


def read_owners(
    path: Path, components: pd.DataFrame, class_names: Sequence[str] = MORPHOLOGIES
) -> dict[str, dict[float, Ownership]]:
    """Read the owners of the units of a shard, by subject and level; subjects without units are absent.

    Parameters
    ----------
    path : Path
        `claran_core.common.tables.OWNERS` of the shard.
    components : DataFrame
        `claran_core.common.tables.COMPONENTS` of the shard.
    class_names : sequence of str
        Classes 1, 2, .. in order.

    Returns
    -------
    dict
        The units of a subject have the order of `claran_core.components.component_table.read_components`.

    Raises
    ------
    InputError
        If the file cannot be read, or its rows are not those of the components.
    """
    owners = read_table(path, OWNERS.names)
    numbers = {"": _NO_CLASS} | {name: k for k, name in enumerate(class_names, start=1)}
    _check_rows(owners, components, path, list(numbers))
    of_row, sources = _numbered(owners)
    classes = owners["morphology"].map(numbers).to_numpy(np.int64)
    units = find_units({name: components[name].to_numpy() for name in components.columns})
    members = of_row[units.members]
    flux = components["flux"].to_numpy(np.float64)[units.members]
    owner, main = _main_owner(members, units.starts, flux)
    keys = pd.MultiIndex.from_frame(owners.loc[units.rows, ["subject_id", "level"]])
    group, names = keys.factorize()
    of_member = np.repeat(np.arange(len(owner)), np.diff(units.starts))
    hidden = (owner[of_member] != members) & (members >= 0)
    incomplete = np.unique(group[of_member[hidden]] * sources + members[hidden])
    of_unit = classes[units.members[main]]
    of_unit[np.isin(group * sources + owner, incomplete) & (owner >= 0)] = _INCOMPLETE
    return _by_group(group, list(names), owner, of_unit)


def _main_owner(members: np.ndarray, starts: np.ndarray, flux: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the owner of each unit from the owners and the flux of its members, and a member that it owns.

    It is the owner of at least `MAIN_SHARE` of the flux, else `MIXED`; `UNKNOWN` if that of any member is.
    """
    unit = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    order = np.lexsort((members, unit))
    new = np.ones(len(order), bool)
    new[1:] = (np.diff(unit[order]) != 0) | (np.diff(members[order]) != 0)
    part = np.flatnonzero(new)
    total = np.add.reduceat(flux[order], part) if len(part) else flux
    of_unit = np.bincount(unit, flux, minlength=len(starts) - 1)
    own, of_part = members[order][part], unit[order][part]
    owner, place = np.full(len(starts) - 1, MIXED), starts[:-1].copy()
    main = total >= MAIN_SHARE * of_unit[of_part]
    owner[of_part[main]], place[of_part[main]] = own[main], order[part[main]]
    owner[of_part[own == UNKNOWN]] = UNKNOWN
    return owner, place


def _by_group(
    group: np.ndarray, names: list[tuple[str, float]], owner: np.ndarray, classes: np.ndarray
) -> dict[str, dict[float, Ownership]]:
    """Return the units of each subject and level, with sources numbered from 0 in each."""
    place = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[place], np.arange(len(names) + 1))
    found: dict[str, dict[float, Ownership]] = {}
    for number, (subject_id, level) in enumerate(names):
        own = place[starts[number] : starts[number + 1]]
        codes = owner[own]
        _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
        below = int((codes[first] < 0).sum())  # owners that are no source come first
        found.setdefault(subject_id, {})[float(level)] = Ownership(
            np.where(codes < 0, codes, inverse - below), classes[own][first[below:]]
        )
    return found


def _numbered(owners: pd.DataFrame) -> tuple[np.ndarray, int]:
    """Return the owner of each row, with sources numbered in the order of their names, and their number."""
    number, names = pd.factorize(owners["source_id"], sort=True)
    kind = owners["kind"].to_numpy()
    return np.where(kind == "source", number, np.where(kind == "artefact", ARTEFACT, UNKNOWN)), len(names)


def _check_rows(
    owners: pd.DataFrame, components: pd.DataFrame, path: Path, known_classes: Sequence[str]
) -> None:
    keys = ["subject_id", "scale", "level", "component_id"]
    same = len(owners) == len(components)
    if not same or not all((owners[name].to_numpy() == components[name].to_numpy()).all() for name in keys):
        raise InputError(f"{path}: its rows are not those of the components; rerun the labels stage")
    for column, known in (("kind", ["source", "artefact", "unknown"]), ("morphology", known_classes)):
        bad = ~owners[column].isin(known)
        if bad.any():
            row = owners[bad].iloc[0]
            raise InputError(
                f"{path}: component {row['component_id']} of {row['subject_id']!r} has {column} "
                f"{row[column]!r}; rerun the labels stage"
            )
