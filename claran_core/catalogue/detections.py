"""The detections of a shard, checked on the way in."""

from pathlib import Path

import numpy as np
import pandas as pd

from claran_core.common import tables
from claran_core.common.boxes import BOX_COLUMNS, box_array
from claran_core.common.errors import InputError
from claran_core.common.files import read_table
from claran_core.common.frame import Frame
from claran_core.common.morphology import MORPHOLOGIES, probability_columns

__all__ = ["read_detections"]

# The way out of every fault of a detections file.
REDO = "remove the file and rerun the inference stage"


def read_detections(path: Path, frame: Frame) -> pd.DataFrame:
    """Read the detections of one shard and check that they can be what they claim.

    Raises
    ------
    InputError
        If the file is missing or truncated, or a value is impossible: an unknown class, a probability
        outside [0, 1], a box that is empty or outside the frame.
    """
    found = read_table(path, tables.DETECTIONS.names)
    probabilities = ["probability", *probability_columns()]
    for name in [*probabilities, *BOX_COLUMNS]:
        if not pd.api.types.is_numeric_dtype(found[name]):
            raise InputError(f"{path}: column {name!r} holds no numbers; {REDO}")
    _refuse(path, found, ["morphology"], ~found["morphology"].isin(MORPHOLOGIES).to_numpy())
    values = found[probabilities].to_numpy(float)
    _refuse(path, found, probabilities, ~((values >= 0) & (values <= 1)).all(axis=1))
    boxes = box_array(found)
    inside = ((boxes >= 0) & (boxes <= frame.size_px)).all(axis=1)
    solid = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
    _refuse(path, found, BOX_COLUMNS, ~(inside & solid))
    return found


def _refuse(path: Path, table: pd.DataFrame, columns: list[str], wrong: np.ndarray) -> None:
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        values = ", ".join(f"{name} {_readable(table[name].iloc[row])}" for name in columns)
        raise InputError(f"{path}: row {row}: {values}: not what a detector finds; {REDO}")


def _readable(value: object) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"
