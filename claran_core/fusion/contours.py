"""Contours of the radio image: their lines, and the hull around them.

Positions are ``(row, column)`` array positions with pixel centres at whole numbers, as scikit-image
gives them.
"""

from collections.abc import Sequence

import numpy as np
from scipy.spatial import ConvexHull
from skimage.measure import find_contours

__all__ = ["contour_lines", "hull_mask", "line_coverage"]

# Base level, then each twice the last: 5, 10, 20 ... sigma in the published images.
LEVEL_FACTOR = 2.0
MAX_LEVELS = 14

# Samples taken along each piece of a contour line (pieces are at most sqrt(2) pixels long).
SAMPLES_PER_PIECE = 8


def contour_lines(image: np.ndarray, base_level: float) -> list[list[np.ndarray]]:
    """Contour lines of an image at `base_level` and its doublings.

    Parameters
    ----------
    image : (ny, nx) array
        NaN counts as zero, and the outside of the image too, so that all lines are closed.
    base_level : float
        Lowest level; anything but a positive number gives no contours.

    Returns
    -------
    list of list of (k, 2) arrays
        Lines of each level, lowest first; levels above the image's maximum are left out.
    """
    filled = np.pad(np.nan_to_num(image.astype(np.float64), posinf=0.0, neginf=0.0), 1)
    if not (np.isfinite(base_level) and base_level > 0):
        return []
    levels = base_level * LEVEL_FACTOR ** np.arange(MAX_LEVELS)
    return [[line - 1 for line in find_contours(filled, level)] for level in levels[levels < filled.max()]]


def line_coverage(lines: Sequence[np.ndarray], size_px: int, width_px: float) -> np.ndarray:
    """Fraction of each pixel covered by thin lines, ``(size_px, size_px)``: an anti-aliased drawing.

    The area of a line inside a pixel is its length there times `width_px`; it saturates at 1.
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
    """Pixels whose centre lies in the convex hull of the bounding boxes of all base contours.

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
