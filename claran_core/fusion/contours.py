"""Contour lines of the radio image, and the convex hull around them.

Positions are ``(row, column)`` array positions with pixel centres at whole numbers, as in scikit-image.
"""

from collections.abc import Sequence

import numpy as np
from scipy.spatial import ConvexHull
from skimage.measure import find_contours

__all__ = ["contour_lines", "hull_mask", "line_coverage"]

# Each level is twice the one below: 5, 10, 20 ... sigma in the published images.
LEVEL_FACTOR = 2.0
MAX_LEVELS = 14

# Samples along each segment of a contour line; segments are at most sqrt(2) pixels long.
SAMPLES_PER_PIECE = 8


def contour_lines(image: np.ndarray, base_level: float) -> list[list[np.ndarray]]:
    """Return the contour lines of an image at `base_level` and its doublings.

    Parameters
    ----------
    image : (ny, nx) array
        NaN and the outside of the image count as zero, so all lines are closed.
    base_level : float
        Lowest level; there are no contours unless it is a positive number.

    Returns
    -------
    list of list of (k, 2) arrays
        Lines of each level, lowest first, for levels below the image's maximum.
    """
    filled = np.pad(np.nan_to_num(image.astype(np.float64), posinf=0.0, neginf=0.0), 1)
    if not (np.isfinite(base_level) and base_level > 0):
        return []
    levels = base_level * LEVEL_FACTOR ** np.arange(MAX_LEVELS)
    shown = levels[levels < filled.max()]
    return [[line - 1 for line in find_contours(filled, level)] for level in shown]  # type: ignore[no-untyped-call]  # scikit-image has no annotations here


def line_coverage(lines: Sequence[np.ndarray], size_px: int, width_px: float) -> np.ndarray:
    """Return the fraction of each pixel that thin lines cover, ``(size_px, size_px)``, for anti-aliasing.

    The area of a line inside a pixel is its length there times `width_px`.  The fraction saturates at 1.
    """
    if not lines:
        return np.zeros((size_px, size_px))
    starts = np.concatenate([line[:-1] for line in lines])
    steps = np.concatenate([np.diff(line, axis=0) for line in lines])
    fractions = (np.arange(SAMPLES_PER_PIECE) + 0.5) / SAMPLES_PER_PIECE
    points = starts[:, None] + steps[:, None] * fractions[:, None]  # (pieces, samples, 2)
    area = np.hypot(*steps.T) * width_px / SAMPLES_PER_PIECE
    pixels = np.rint(points).astype(int)
    inside = ((pixels >= 0) & (pixels < size_px)).all(axis=-1)
    index = pixels[..., 0] * size_px + pixels[..., 1]
    areas = np.broadcast_to(area[:, None], index.shape)
    total = np.bincount(index[inside], weights=areas[inside], minlength=size_px**2)
    return np.minimum(total.reshape(size_px, size_px), 1.0)


def hull_mask(base_lines: Sequence[np.ndarray], size_px: int) -> np.ndarray:
    """Return which pixel centres lie in the convex hull of the bounding boxes of all base contours.

    Returns
    -------
    (size_px, size_px) bool array
        All False without contours.
    """
    if not base_lines:
        return np.zeros((size_px, size_px), bool)
    low = np.array([line.min(axis=0) for line in base_lines])
    high = np.array([line.max(axis=0) for line in base_lines])
    corners = np.concatenate(
        [low, high, np.stack([low[:, 0], high[:, 1]], 1), np.stack([high[:, 0], low[:, 1]], 1)]
    )
    planes = ConvexHull(corners).equations  # (m, 3): normal, offset; inside where <= 0
    rows = np.arange(size_px)[:, None, None] * planes[:, 0]
    columns = np.arange(size_px)[None, :, None] * planes[:, 1]
    return (rows + columns + planes[:, 2] <= 1e-9).all(axis=-1)
