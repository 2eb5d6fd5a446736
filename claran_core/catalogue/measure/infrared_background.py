"""Measure the background of an infrared image: clipped medians in cells, interpolated between centres."""

from functools import lru_cache

import numpy as np

from claran_core.common.compiled import compiled

__all__ = ["background"]

# Lowest fraction of valid pixels in a cell.
MIN_SHARE = 0.4

# Pixels more than this many sigma above the median are clipped, in so many rounds.
CLIP_SIGMA, CLIP_ROUNDS = 2.5, 5

# Fraction of a normal distribution below minus one sigma.
LOWER_SIGMA = 0.1587

# Neighbouring pixels are correlated: every second one suffices.
STEP_PX = 2


def background(image: np.ndarray, finite: np.ndarray, cell_px: float) -> np.ndarray:
    """Return the background of an image.

    Parameters
    ----------
    image : (ny, nx) float64 array
        The image.
    finite : (ny, nx) bool array
        Its valid pixels; at least one.
    cell_px : float
        Approximate size of a cell.

    Returns
    -------
    (ny, nx) array
    """
    cells = [max(1, round(size / cell_px)) for size in image.shape]
    values, counts, sizes = _cell_values(image, finite, cells[0], cells[1])
    values.sort(axis=1)
    level = _clipped_medians(values, counts)
    empty = counts <= MIN_SHARE * sizes
    if empty.any():
        everywhere = np.sort(image[finite])[None]
        level[empty] = _clipped_medians(everywhere, np.array([everywhere.size]))
    down, along = (_between_cells(size, n) for size, n in zip(image.shape, cells, strict=True))
    return down @ level.reshape(cells) @ along.T


@compiled
def _cell_values(
    image: np.ndarray, finite: np.ndarray, n_down: int, n_along: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the valid pixels of each cell, row by row, and their number, and that of all pixels looked at.

    The rows ``(n, m)`` are filled up with infinity.  Cells are split as by `numpy.array_split`.
    """
    down, along = _edges(image.shape[0], n_down), _edges(image.shape[1], n_along)
    most = ((image.shape[0] // n_down) // STEP_PX + 1) * ((image.shape[1] // n_along) // STEP_PX + 1)
    values = np.full((n_down * n_along, most), np.inf)
    counts = np.zeros(n_down * n_along, np.int64)
    sizes = np.zeros(n_down * n_along, np.int64)
    for cell in range(n_down * n_along):
        i, j = cell // n_along, cell % n_along
        for row in range(down[i], down[i + 1], STEP_PX):
            for column in range(along[j], along[j + 1], STEP_PX):
                sizes[cell] += 1
                if finite[row, column]:
                    values[cell, counts[cell]] = image[row, column]
                    counts[cell] += 1
    return values, counts, sizes


@compiled
def _edges(size: int, parts: int) -> np.ndarray:
    """Return the ``parts + 1`` edges of nearly equal parts of an axis; the longer ones come first."""
    edges = np.zeros(parts + 1, np.int64)
    for part in range(parts):
        edges[part + 1] = edges[part] + size // parts + (1 if part < size % parts else 0)
    return edges


@compiled
def _clipped_medians(ordered: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the median of each row after clipping bright pixels; sigma is that of the pixels below it.

    Row k of `ordered` holds ``counts[k]`` values in rising order; NaN for rows without any.
    """
    medians = np.full(counts.size, np.nan)
    for k in range(counts.size):
        n = counts[k]
        if n == 0:
            continue
        values = ordered[k, :n]
        for _ in range(CLIP_ROUNDS):
            median = values[n // 2]
            limit = median + CLIP_SIGMA * (median - values[int(LOWER_SIGMA * n)])
            kept = np.searchsorted(values, limit, side="right")
            if kept >= n:
                break
            n = kept
        medians[k] = values[n // 2]
    return medians


@lru_cache(maxsize=16)
def _between_cells(size: int, cells: int) -> np.ndarray:
    """Return the weights ``(size, cells)`` of linear interpolation between the centres of equal cells."""
    place = np.clip((np.arange(size) + 0.5) / size * cells - 0.5, 0, cells - 1)
    return np.maximum(0.0, 1.0 - np.abs(place[:, None] - np.arange(cells)))
