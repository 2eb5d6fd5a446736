"""Overlap of boxes, row by row, in plain NumPy.

The catalogue's filter and the evaluation use it on tables, without the detector's tensors.
"""

import numpy as np
import pandas as pd

__all__ = ["BOX_COLUMNS", "box_array", "contained_fraction", "paired_iou"]

BOX_COLUMNS = ["box_x1", "box_y1", "box_x2", "box_y2"]


def box_array(table: pd.DataFrame) -> np.ndarray:
    """Return the boxes of a table as an ``(N, 4)`` float64 array ``x1 y1 x2 y2`` (frame px)."""
    return table[BOX_COLUMNS].to_numpy(dtype=np.float64)


def paired_iou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the intersection over union of box n of `first` and box n of `second` (paper section 4.3.1).

    Parameters
    ----------
    first, second : (..., 4) float arrays
        Corners ``x1 y1 x2 y2`` in pixels; the leading shapes broadcast.

    Returns
    -------
    (...) float array
        In [0, 1]; 0 where both boxes are empty.
    """
    shared = _intersection(first, second)
    return _ratio(shared, _area(first) + _area(second) - shared)


def contained_fraction(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the share of the smaller of two boxes that lies inside the other; arguments as `paired_iou`."""
    return _ratio(_intersection(first, second), np.minimum(_area(first), _area(second)))


def _intersection(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    low = np.maximum(first[..., :2], second[..., :2])
    high = np.minimum(first[..., 2:], second[..., 2:])
    return np.prod(np.clip(high - low, 0.0, None), axis=-1)


def _area(boxes: np.ndarray) -> np.ndarray:
    return np.prod(np.clip(boxes[..., 2:] - boxes[..., :2], 0.0, None), axis=-1)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
