"""The mask of a source as COCO writes it: polygons, or a run-length encoding (RLE).

Separate contours are polygons.  A mask with a hole, or of contours of several images, which overlap, is an
uncompressed RLE: the lengths of runs of pixels outside and inside in turn, column by column.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.path import Path as Outline

from claran_core.export.stored_contours import Ring

__all__ = ["mask_entry", "run_lengths"]


def mask_entry(rings: Sequence[Ring], size_px: int) -> dict[str, Any]:
    """Return the keys ``segmentation`` and ``area`` (px) of an annotation.

    Parameters
    ----------
    rings : sequence of Ring
        Contours in the image, px; at least one.
    size_px : int
        Width and height of the image.
    """
    if any(ring.is_hole for ring in rings) or len({ring.level for ring in rings}) > 1:
        mask = _mask(rings, size_px)
        code = {"counts": run_lengths(mask), "size": [size_px, size_px]}
        return {"segmentation": code, "area": float(mask.sum())}
    polygons = [np.round(ring.points.ravel(), 2).tolist() for ring in rings]
    return {"segmentation": polygons, "area": round(sum(_area(ring.points) for ring in rings), 4)}


def run_lengths(mask: np.ndarray) -> list[int]:
    """Return the runs of a mask ``(ny, nx)`` bool: pixels outside, inside, outside, ..., column by column."""
    flat = mask.ravel(order="F")
    edges = np.flatnonzero(np.diff(flat, prepend=False))
    return np.diff(edges, prepend=0, append=flat.size).tolist()


def _mask(rings: Sequence[Ring], size_px: int) -> np.ndarray:
    """Return the pixels whose centre is inside the contours of one level, as ``(ny, nx)`` bool."""
    y, x = np.mgrid[0:size_px, 0:size_px] + 0.5
    centres = np.stack([x.ravel(), y.ravel()], axis=1)
    mask = np.zeros(len(centres), bool)
    for level in {ring.level for ring in rings}:
        inside = np.zeros(len(centres), bool)
        for ring in (one for one in rings if one.level == level):
            inside ^= Outline(ring.points).contains_points(centres)  # a hole lies inside another ring
        mask |= inside
    return mask.reshape(size_px, size_px)


def _area(points: np.ndarray) -> float:
    x, y = points.T
    return 0.5 * abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))))
