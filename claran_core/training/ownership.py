"""The true source of each unit of the training subjects, from the tables of owners and of components.

A unit of a coarser view stands for the usable components of the finest scale inside it.  If these belong to
different sources, or to a source and an artefact, the unit is mixed.  No set of units of this view then
consists of any of these sources.
"""

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

# Classes of sources as numbers (`Ownership`).
_CLASSES = {"": -1} | {name: k + 1 for k, name in enumerate(MORPHOLOGIES)}
_INCOMPLETE = 0


def read_owners(path: Path, components: pd.DataFrame) -> dict[str, dict[float, Ownership]]:
    """Read the owners of the units of a shard, by subject and level; subjects without units are absent.

    Parameters
    ----------
    path : Path
        `claran_core.common.tables.OWNERS` of the shard.
    components : DataFrame
        `claran_core.common.tables.COMPONENTS` of the shard.

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
    _check_rows(owners, components, path)
    of_row, sources = _numbered(owners)
    classes = owners["morphology"].map(_CLASSES).to_numpy(np.int64)
    units = find_units({name: components[name].to_numpy() for name in components.columns})
    # The owners of the members of each unit are equal, or it is mixed; UNKNOWN is below all others.
    members, first = of_row[units.members], units.starts[:-1]
    lowest, highest = (
        limit.reduceat(members, first) if len(first) else members for limit in (np.minimum, np.maximum)
    )
    owner = np.where((lowest == highest) | (lowest == UNKNOWN), lowest, MIXED)
    keys = pd.MultiIndex.from_frame(owners.loc[units.rows, ["subject_id", "level"]])
    group, names = keys.factorize()
    of_member = np.repeat(np.arange(len(owner)), np.diff(units.starts))
    hidden = (owner[of_member] != members) & (members >= 0)
    incomplete = np.unique(group[of_member[hidden]] * sources + members[hidden])
    of_unit = classes[units.members[first]]
    of_unit[np.isin(group * sources + owner, incomplete) & (owner >= 0)] = _INCOMPLETE
    return _by_group(group, list(names), owner, of_unit)


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


def _check_rows(owners: pd.DataFrame, components: pd.DataFrame, path: Path) -> None:
    keys = ["subject_id", "scale", "level", "component_id"]
    same = len(owners) == len(components)
    if not same or not all((owners[name].to_numpy() == components[name].to_numpy()).all() for name in keys):
        raise InputError(f"{path}: its rows are not those of the components; rerun the labels stage")
    for column, known in (("kind", ["source", "artefact", "unknown"]), ("morphology", list(_CLASSES))):
        bad = ~owners[column].isin(known)
        if bad.any():
            row = owners[bad].iloc[0]
            raise InputError(
                f"{path}: component {row['component_id']} of {row['subject_id']!r} has {column} "
                f"{row[column]!r}; rerun the labels stage"
            )
