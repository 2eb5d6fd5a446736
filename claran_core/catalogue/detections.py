"""Read and check the detections of a shard."""

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


def _refuse(path: Path, table: pd.DataFrame, columns: list[str], wrong: np.ndarray) -> None:
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        values = ", ".join(f"{name} {_readable(table[name].iloc[row])}" for name in columns)
        raise InputError(f"{path}: row {row}: impossible {values}; {REDO}")


def _readable(value: object) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"
