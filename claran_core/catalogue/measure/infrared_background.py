"""Measure the background of an infrared image: clipped medians in cells, interpolated between centres."""

import numpy as np

__all__ = ["background"]

# Lowest fraction of valid pixels in a cell.
MIN_SHARE = 0.4

# Pixels more than this many sigma above the median are clipped, in so many rounds.
CLIP_SIGMA, CLIP_ROUNDS = 2.5, 5

# Fraction of a normal distribution below minus one sigma.
LOWER_SIGMA = 0.1587


def background(image: np.ndarray, finite: np.ndarray, cell_px: float) -> np.ndarray:
    """Return the background of an image.

    Parameters
    ----------
    image : (ny, nx) array
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
    level = np.full(cells, np.nan)
    # Neighbouring pixels are correlated: every second one suffices.
    thin = slice(None, None, 2)
    for row, rows in enumerate(np.array_split(np.arange(image.shape[0]), cells[0])):
        for column, columns in enumerate(np.array_split(np.arange(image.shape[1]), cells[1])):
            part = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
            usable = finite[part][thin, thin]
            values = image[part][thin, thin][usable]
            if values.size > MIN_SHARE * usable.size:
                level[row, column] = _clipped_median(values)
    empty = np.isnan(level)
    if empty.any():
        level[empty] = _clipped_median(image[finite])
    down, along = (_between_cells(size, n) for size, n in zip(image.shape, cells, strict=True))
    return down @ level @ along.T


def _clipped_median(values: np.ndarray) -> float:
    """Return the median after clipping bright pixels; sigma is that of the pixels below the median."""
    ordered = np.sort(values)
    n = ordered.size
    for _ in range(CLIP_ROUNDS):
        median = ordered[n // 2]
        sigma = median - ordered[int(LOWER_SIGMA * n)]
        kept = int(np.searchsorted(ordered, median + CLIP_SIGMA * sigma, side="right"))
        if kept >= n:
            break
        n = kept
    return float(ordered[n // 2])


def _between_cells(size: int, cells: int) -> np.ndarray:
    """Return the weights ``(size, cells)`` of linear interpolation between the centres of equal cells."""
    place = np.clip((np.arange(size) + 0.5) / size * cells - 0.5, 0, cells - 1)
    return np.maximum(0.0, 1.0 - np.abs(place[:, None] - np.arange(cells)))
