"""Read and check the associated sources of a shard."""

from pathlib import Path

import numpy as np
import pandas as pd

from claran_core.common import tables
from claran_core.common.boxes import BOX_COLUMNS, box_array
from claran_core.common.errors import InputError
from claran_core.common.files import read_metadata, read_table
from claran_core.common.frame import Frame
from claran_core.common.morphology import classes_of, probability_columns

__all__ = ["grouping_text", "read_associated"]

# The remedy for every fault of a file of associated sources.
REDO = "remove the file and rerun the catalogue stage"


def read_associated(path: Path, frame: Frame) -> pd.DataFrame:
    """Read the associated sources of one shard and check their values.

    Raises
    ------
    InputError
        If the file is missing or truncated, or holds an impossible value: an unknown class, a
        probability outside [0, 1], a box that is empty or reaches outside the frame, no component.
    """
    classes = classes_of(read_metadata(path))
    found = read_table(path, tables.for_classes(tables.ASSOCIATED, classes).names)
    probabilities = ["probability", "source_probability", "second_probability", *probability_columns(classes)]
    for name in [*probabilities, *BOX_COLUMNS]:
        if not pd.api.types.is_numeric_dtype(found[name]):
            raise InputError(f"{path}: column {name!r} does not hold numbers; {REDO}")
    _refuse(path, found, ["morphology"], ~found["morphology"].isin(classes).to_numpy())
    values = found[probabilities].to_numpy(float)
    _refuse(path, found, probabilities, np.any(~((values >= 0) & (values <= 1)), axis=1))
    boxes = box_array(found)
    is_inside = np.all((boxes >= 0) & (boxes <= frame.size_px), axis=1)
    has_area = np.all(boxes[:, 2:] > boxes[:, :2], axis=1)
    _refuse(path, found, BOX_COLUMNS, ~(is_inside & has_area))
    lengths = np.array([[len(ids) for ids in found[name]] for name in ("unit_ids", "component_ids")])
    _refuse(path, found, ["subject_id"], (lengths.reshape(2, -1) == 0).any(axis=0), "no component for")
    return found


def grouping_text(groups: list[int]) -> str:
    """Return a grouping of components as text: their numbers by source, as ``0|1 2``.

    Parameters
    ----------
    groups : list of int
        Source of each component, from 0; -1 for a component of no source, which the text leaves out.

    Returns
    -------
    str
        Sources in the order of their first components; empty without any.
    """
    members: dict[int, list[str]] = {}
    for number, group in enumerate(groups):
        if group >= 0:
            members.setdefault(group, []).append(str(number))
    return "|".join(" ".join(numbers) for numbers in members.values())


def _refuse(
    path: Path, table: pd.DataFrame, columns: list[str], wrong: np.ndarray, what: str = "impossible"
) -> None:
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        values = ", ".join(f"{name} {_readable(table[name].iloc[row])}" for name in columns)
        raise InputError(f"{path}: row {row}: {what} {values}; {REDO}")


def _readable(value: object) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"
