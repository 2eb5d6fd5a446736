"""Read and check the detections of a shard, and find their components."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from claran_core.common import tables
from claran_core.common.boxes import BOX_COLUMNS, box_array
from claran_core.common.errors import InputError
from claran_core.common.files import read_table
from claran_core.common.frame import Frame
from claran_core.common.morphology import MORPHOLOGIES, probability_columns

__all__ = ["members_in", "read_detections"]

# The remedy for every fault of a detections file.
REDO = "remove the file and rerun the inference stage"


def read_detections(path: Path, frame: Frame) -> pd.DataFrame:
    """Read the detections of one shard and check their values.

    Raises
    ------
    InputError
        If the file is missing or truncated, or holds an impossible value: an unknown class, a
        probability outside [0, 1], a box that is empty or reaches outside the frame.
    """
    found = read_table(path, tables.DETECTIONS.names)
    probabilities = ["probability", *probability_columns()]
    for name in [*probabilities, *BOX_COLUMNS]:
        if not pd.api.types.is_numeric_dtype(found[name]):
            raise InputError(f"{path}: column {name!r} does not hold numbers; {REDO}")
    _refuse(path, found, ["morphology"], ~found["morphology"].isin(MORPHOLOGIES).to_numpy())
    values = found[probabilities].to_numpy(float)
    _refuse(path, found, probabilities, np.any(~((values >= 0) & (values <= 1)), axis=1))
    boxes = box_array(found)
    is_inside = np.all((boxes >= 0) & (boxes <= frame.size_px), axis=1)
    has_area = np.all(boxes[:, 2:] > boxes[:, :2], axis=1)
    _refuse(path, found, BOX_COLUMNS, ~(is_inside & has_area))
    return found


def members_in(detections: pd.DataFrame, components: Mapping[str, np.ndarray]) -> list[tuple[int, ...]]:
    """Return the components of each detection as indices into the components of its subject.

    Parameters
    ----------
    detections : DataFrame
        Columns ``subject_id`` and ``component_ids``.
    components : mapping of str to int64 array
        Identities of the components of each subject that has any.

    Raises
    ------
    InputError
        If a component is not one of the subject.
    """
    places = {name: dict(zip(ids.tolist(), range(len(ids)), strict=True)) for name, ids in components.items()}
    members = []
    for subject_id, ids in zip(detections["subject_id"], detections["component_ids"], strict=True):
        own = places.get(subject_id, {})
        unknown = [component for component in ids if component not in own]
        if unknown:
            raise InputError(
                f"a detection of subject {subject_id!r} consists of component {unknown[0]}, which is not in "
                f"the table of components; {REDO}"
            )
        members.append(tuple(sorted(own[component] for component in ids)))
    return members


def _refuse(path: Path, table: pd.DataFrame, columns: list[str], wrong: np.ndarray) -> None:
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        values = ", ".join(f"{name} {_readable(table[name].iloc[row])}" for name in columns)
        raise InputError(f"{path}: row {row}: impossible {values}; {REDO}")


def _readable(value: object) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"
