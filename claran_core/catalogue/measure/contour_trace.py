"""Trace the contours around the components of a source, compiled.

Arguments are those of `claran_core.catalogue.measure.component_pixels`.
"""

import numpy as np

from claran_core.common.compiled import compiled

__all__ = ["ring_areas", "trace_rings"]

# Sides of a pixel counterclockwise, as steps of x and y: right, up, left, down (row 0 at the bottom).
STEP_X = np.array([1, 0, -1, 0])
STEP_Y = np.array([0, 1, 0, -1])


@compiled
def trace_rings(
    pixels: np.ndarray, labels: np.ndarray, own: np.ndarray, base: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the closed contours of a source, as marching squares finds them.

    Each pair of a pixel of the source and a neighbour outside it has a point where the contour crosses the
    line between them, interpolated linearly; missing pixels and the border of the image count as 0.  The
    points follow the edges between such pairs with the source on the left.  Pixels of the source that touch
    at a corner alone are separate there.

    Returns
    -------
    points : (n, 2) float64 array
        Points ``x y``, ring by ring; the first point of a ring is not repeated at its end.
    ends : (k,) int64 array
        Number of points up to the end of each ring.
    """
    x0, y0 = own[:, 0].min(), own[:, 1].min()
    number = np.full((own[:, 1].max() - y0 + 1, own[:, 0].max() - x0 + 1), -1)
    for i in range(len(own)):
        number[own[i, 1] - y0, own[i, 0] - x0] = i
    is_done = np.zeros((len(own), 4), np.bool_)
    points, ends = np.empty((4 * len(own), 2)), np.empty(4 * len(own), np.int64)
    n, n_rings = 0, 0
    for first in range(len(own)):
        for side in range(4):
            x, y = own[first, 0], own[first, 1]
            if is_done[first, side] or _is_labelled(labels, x + STEP_X[side], y + STEP_Y[side]):
                continue
            pixel, outside = first, side
            while not is_done[pixel, outside]:
                is_done[pixel, outside] = True
                x, y = own[pixel, 0], own[pixel, 1]
                points[n, 0], points[n, 1] = _crossing(pixels, x, y, outside, base)
                n += 1
                x, y, outside = _next_edge(labels, x, y, outside)
                pixel = number[y - y0, x - x0]
            ends[n_rings] = n
            n_rings += 1
    return points[:n].copy(), ends[:n_rings].copy()


@compiled
def _next_edge(labels: np.ndarray, x: int, y: int, outside: int) -> tuple[int, int, int]:
    """Return pixel and outer side of the edge after that of a pixel, counterclockwise around the source.

    Neighbours with a label are of the same component.
    """
    ahead = (outside + 1) % 4
    x1, y1 = x + STEP_X[ahead], y + STEP_Y[ahead]
    if not _is_labelled(labels, x1, y1):
        return x, y, ahead
    x2, y2 = x1 + STEP_X[outside], y1 + STEP_Y[outside]
    if not _is_labelled(labels, x2, y2):
        return x1, y1, outside
    return x2, y2, (outside + 3) % 4


@compiled
def _is_labelled(labels: np.ndarray, x: int, y: int) -> bool:
    return 0 <= y < labels.shape[0] and 0 <= x < labels.shape[1] and labels[y, x] != 0


@compiled
def _crossing(pixels: np.ndarray, x: int, y: int, outside: int, base: float) -> tuple[float, float]:
    """Return where the contour crosses the line from a pixel to its neighbour outside the source."""
    column, row = x + STEP_X[outside], y + STEP_Y[outside]
    low = 0.0
    if 0 <= row < pixels.shape[0] and 0 <= column < pixels.shape[1] and np.isfinite(pixels[row, column]):
        low = pixels[row, column]
    part = (pixels[y, x] - base) / (pixels[y, x] - low)
    return x + STEP_X[outside] * part, y + STEP_Y[outside] * part


@compiled
def ring_areas(points: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Return the area (k,) inside each ring of `trace_rings`, pixels; that of a hole is negative."""
    areas = np.zeros(len(ends))
    start = 0
    for k in range(len(ends)):
        before = ends[k] - 1
        for i in range(start, ends[k]):
            areas[k] += 0.5 * (points[before, 0] * points[i, 1] - points[i, 0] * points[before, 1])
            before = i
        start = ends[k]
    return areas
