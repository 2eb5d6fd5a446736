"""Contour lines of the radio image, and the convex hull around them.

Positions are ``(row, column)`` array positions with pixel centres at whole numbers, as in scikit-image.
"""

import math
from collections.abc import Sequence
from typing import overload

import numpy as np

from claran_core.common.compiled import compiled

__all__ = ["ContourLines", "contour_lines", "hull_mask", "line_coverage"]

# Each level is twice the one below: 5, 10, 20 ... sigma in the published images.
LEVEL_FACTOR = 2.0
MAX_LEVELS = 14

# Samples along each segment of a contour line; segments are at most sqrt(2) pixels long.
SAMPLES_PER_PIECE = 8

# Pixel centres this close (px) to the edge of the hull are inside.
HULL_MARGIN_PX = 1e-9

# Sides of the square between four pixels.
TOP, LEFT, BOTTOM, RIGHT = 0, 1, 2, 3

# Where a contour line enters and leaves a square, with the higher values to its right.  The row is the sum
# of 1, 2, 4, 8 for a value above the level in the upper left, upper right, lower left, lower right corner.
# Where two opposite corners are above, they belong to different lines (rows 6 and 9 have a second piece).
PIECES = np.array(
    [
        [-1, -1, -1, -1],
        [TOP, LEFT, -1, -1],
        [RIGHT, TOP, -1, -1],
        [RIGHT, LEFT, -1, -1],
        [LEFT, BOTTOM, -1, -1],
        [TOP, BOTTOM, -1, -1],
        [RIGHT, TOP, LEFT, BOTTOM],
        [RIGHT, BOTTOM, -1, -1],
        [BOTTOM, RIGHT, -1, -1],
        [TOP, LEFT, BOTTOM, RIGHT],
        [BOTTOM, TOP, -1, -1],
        [BOTTOM, LEFT, -1, -1],
        [LEFT, RIGHT, -1, -1],
        [TOP, RIGHT, -1, -1],
        [LEFT, TOP, -1, -1],
        [-1, -1, -1, -1],
    ]
)


class ContourLines(Sequence[np.ndarray]):
    """The contour lines of one level: a sequence of closed lines ``(k, 2)``, the last point as the first.

    Parameters
    ----------
    points : (n, 2) float64 array
        Points of all lines, one line after the other.
    starts : (m + 1,) int64 array
        First point of each line, and `n`.
    """

    def __init__(self, points: np.ndarray, starts: np.ndarray) -> None:
        self.points, self.starts = points, starts

    def __len__(self) -> int:
        return len(self.starts) - 1

    @overload
    def __getitem__(self, k: int) -> np.ndarray: ...

    @overload
    def __getitem__(self, k: slice) -> list[np.ndarray]: ...

    def __getitem__(self, k: int | slice) -> np.ndarray | list[np.ndarray]:
        """Return one line, or a list of some."""
        if isinstance(k, slice):
            return [self[i] for i in range(len(self))[k]]
        number = range(len(self))[k]
        return self.points[self.starts[number] : self.starts[number + 1]]


def contour_lines(image: np.ndarray, base_level: float) -> list[ContourLines]:
    """Return the contour lines of an image at `base_level` and its doublings, by marching squares.

    Parameters
    ----------
    image : (ny, nx) float32 array
        NaN and the outside of the image count as zero, so all lines are closed.
    base_level : float
        Lowest level; there are no contours unless it is a positive number.

    Returns
    -------
    list of ContourLines
        Lines of each level, lowest first, for levels below the image's maximum; lines of a level are in the
        order of their first squares.  The lines are those of `skimage.measure.find_contours`.
    """
    if not (math.isfinite(base_level) and base_level > 0):
        return []
    values, squares = _crossed_squares(np.ascontiguousarray(image, np.float32), base_level)
    levels = base_level * LEVEL_FACTOR ** np.arange(MAX_LEVELS)
    scratch = np.full(2 * values.size, -1, np.int32)
    return [
        ContourLines(*_trace(values, squares, level, PIECES, scratch))
        for level in levels[levels < values.max()].tolist()
    ]


@compiled
def _crossed_squares(image: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Return an image with a border of zeros, and the squares that a line may cross.

    Returns
    -------
    values : (ny + 2, nx + 2) float64 array
        The image; 0 for its border and for what is not finite.
    squares : (n,) int32 array
        Index ``row * (nx + 2) + column`` in `values` of the upper left corner of each square that has a
        corner above the level, in ascending order.
    """
    ny, nx = image.shape
    values = np.zeros((ny + 2, nx + 2))
    for row in range(ny):
        for column in range(nx):
            if math.isfinite(image[row, column]):
                values[row + 1, column + 1] = image[row, column]
    squares = np.empty((ny + 1) * (nx + 1), np.int32)
    n = 0
    for row in range(ny + 1):
        for column in range(nx + 1):
            upper = max(values[row, column], values[row, column + 1])
            lower = max(values[row + 1, column], values[row + 1, column + 1])
            squares[n] = row * (nx + 2) + column
            n += max(upper, lower) > level
    return values, squares[:n]


@compiled
def _trace(
    values: np.ndarray, squares: np.ndarray, level: float, pieces: np.ndarray, follower: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the closed lines at one level: points (n, 2), and the first point of each line and n.

    A crossing of a line with the edge between two pixels is numbered by the left or upper pixel: twice its
    index for an edge along the row, plus 1 for an edge along the column.

    Parameters
    ----------
    values, squares : arrays
        Result of `_crossed_squares` for this level or a lower one.
    level : float
        Level of the lines, positive.
    pieces : (16, 4) array
        `PIECES`.
    follower : (2 * values.size,) int32 array
        Space for the crossing that follows each crossing; -1 before and after.
    """
    width = values.shape[1]
    flat = values.ravel()
    crossings = np.empty(2 * len(squares), np.int32)
    n = 0
    for square in squares:
        case = 1 * (flat[square] > level) + 2 * (flat[square + 1] > level)
        case += 4 * (flat[square + width] > level) + 8 * (flat[square + width + 1] > level)
        sides = (2 * square, 2 * square + 1, 2 * (square + width), 2 * square + 3)
        for piece in (0, 2):
            if pieces[case, piece] >= 0:
                crossings[n] = sides[pieces[case, piece]]
                follower[crossings[n]] = sides[pieces[case, piece + 1]]
                n += 1
    points, starts = np.empty((2 * n, 2)), np.zeros(n + 1, np.int64)
    n_points, n_lines = 0, 0
    for first in crossings[:n]:
        crossing = first
        while follower[crossing] >= 0:
            _set_point(points[n_points], flat, width, crossing, level)
            n_points += 1
            follower[crossing], crossing = -1, follower[crossing]
        if n_points > starts[n_lines]:
            points[n_points] = points[starts[n_lines]]
            n_points += 1
            n_lines += 1
            starts[n_lines] = n_points
    return points[:n_points], starts[: n_lines + 1]


@compiled
def _set_point(point: np.ndarray, flat: np.ndarray, width: int, crossing: int, level: float) -> None:
    """Set the position ``row column`` of a crossing by linear interpolation, without the border."""
    pixel, is_along_column = crossing // 2, crossing % 2
    value = flat[pixel]
    following = flat[pixel + width] if is_along_column else flat[pixel + 1]
    fraction = (level - value) / (following - value)
    row, column = float(pixel // width), float(pixel % width)
    point[0] = (row + fraction if is_along_column else row) - 1
    point[1] = (column if is_along_column else column + fraction) - 1


def line_coverage(levels: Sequence[ContourLines], size_px: int, width_px: float) -> np.ndarray:
    """Return the fraction of each pixel that thin lines cover, ``(size_px, size_px)``, for anti-aliasing.

    The area of a line inside a pixel is its length there times `width_px`.  The fraction saturates at 1.
    """
    cover = np.zeros((size_px, size_px))
    for lines in levels:
        _add_coverage(cover, lines.points, lines.starts, width_px, SAMPLES_PER_PIECE)
    return np.minimum(cover, 1.0)


@compiled
def _add_coverage(
    cover: np.ndarray, points: np.ndarray, starts: np.ndarray, width_px: float, samples: int
) -> None:
    """Add the area of lines to each pixel of `cover` (ny, nx), sampled along each piece of a line."""
    ny, nx = cover.shape
    for line in range(len(starts) - 1):
        for k in range(starts[line], starts[line + 1] - 1):
            step_y, step_x = points[k + 1, 0] - points[k, 0], points[k + 1, 1] - points[k, 1]
            area = math.hypot(step_y, step_x) * width_px / samples
            for sample in range(samples):
                fraction = (sample + 0.5) / samples
                row = int(np.rint(points[k, 0] + step_y * fraction))
                column = int(np.rint(points[k, 1] + step_x * fraction))
                if 0 <= row < ny and 0 <= column < nx:
                    cover[row, column] += area


def hull_mask(levels: Sequence[ContourLines], size_px: int) -> np.ndarray:
    """Return which pixel centres lie in the convex hull of the bounding boxes of the lowest level's lines.

    Returns
    -------
    (size_px, size_px) bool array
        All False without contours.
    """
    mask = np.zeros((size_px, size_px), bool)
    if not levels:
        return mask
    points, firsts = levels[0].points, levels[0].starts[:-1]
    low, high = np.minimum.reduceat(points, firsts), np.maximum.reduceat(points, firsts)
    corners = np.concatenate(
        [low, high, np.stack([low[:, 0], high[:, 1]], 1), np.stack([high[:, 0], low[:, 1]], 1)]
    )
    _fill_polygon(mask, _convex_hull(corners[np.lexsort((corners[:, 1], corners[:, 0]))]), HULL_MARGIN_PX)
    return mask


@compiled
def _convex_hull(points: np.ndarray) -> np.ndarray:
    """Return the corners (m, 2) of the convex hull of points (n, 2) sorted by row and column.

    This is the monotone chain of Andrew 1979: forwards along one side of the hull, and back along the other.
    The corners turn from the first axis towards the second.
    """
    n = len(points)
    hull = np.empty((2 * n, 2))
    count, fixed = 0, 1
    for step in range(2 * n - 1):
        point = points[step] if step < n else points[2 * n - 2 - step]
        while count > fixed and _turn(hull[count - 2], hull[count - 1], point) <= 0:
            count -= 1
        hull[count] = point
        count += 1
        if step == n - 1:
            fixed = count
    return hull[: count - 1]


@compiled
def _turn(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> float:
    """Return twice the signed area of a triangle: positive if it turns from the first axis to the second."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


@compiled
def _fill_polygon(mask: np.ndarray, corners: np.ndarray, margin_px: float) -> None:
    """Set the pixels of `mask` (ny, nx) with centres in a convex polygon or at most `margin_px` outside."""
    ny, nx = mask.shape
    for row in range(ny):
        first, last = 0.0, nx - 1.0
        for k in range(len(corners)):
            a, b = corners[k - 1], corners[k]
            rows, columns = b[0] - a[0], b[1] - a[1]
            # Inside, rows * (column - a[1]) is at least this.
            least = columns * (row - a[0]) - margin_px * math.hypot(rows, columns)
            if rows > 0:
                first = max(first, a[1] + least / rows)
            elif rows < 0:
                last = min(last, a[1] + least / rows)
            elif least > 0:
                last = -1.0
        for column in range(math.ceil(first), math.floor(last) + 1):
            mask[row, column] = True
