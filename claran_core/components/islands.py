"""Islands of an image above a level: their pixels, contour boxes and maxima, compiled.

An island is a set of pixels above a level that are connected along rows and columns; pixels that touch only
at a corner are in separate islands, as in marching squares.  All images are C-contiguous float64 arrays with
finite pixels, and positions are 0-based array positions.  What lies beyond an image counts as 0.
"""

import numpy as np

from claran_core.common.compiled import compiled
from claran_core.common.union_find import root_of

__all__ = [
    "bridged_pixels",
    "contour_boxes",
    "count_innermost",
    "finite_pixels",
    "island_pixels",
    "label_islands",
    "maxima_above",
    "touching_gaps",
    "window_above",
]

# Neighbours (of eight) with data around a pixel of a small hole: one, two, four in a square, or one line.
SIDES_WITH_DATA = 5


@compiled
def finite_pixels(image: np.ndarray) -> np.ndarray:
    """Return a float64 image with 0 for pixels that are not finite."""
    filled = np.zeros(image.shape, np.float64)
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            if np.isfinite(image[y, x]):
                filled[y, x] = image[y, x]
    return filled


@compiled
def bridged_pixels(image: np.ndarray) -> np.ndarray:
    """Return a float64 image in which small holes separate no maxima; other missing pixels are 0.

    A missing pixel with data on most sides (`SIDES_WITH_DATA` of eight) is just below the highest of those
    next to it, so that it is no maximum itself.
    """
    filled = finite_pixels(image)
    for y in range(1, image.shape[0] - 1):
        for x in range(1, image.shape[1] - 1):
            if np.isfinite(image[y, x]):
                continue
            known = np.isfinite(image[y - 1 : y + 2, x - 1 : x + 2]).sum()
            highest = 0.0
            for row, column in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                if np.isfinite(image[row, column]):
                    highest = max(highest, image[row, column])
            if known >= SIDES_WITH_DATA and highest > 0:
                filled[y, x] = np.nextafter(highest, 0.0)
    return filled


@compiled
def window_above(image: np.ndarray, level: float) -> tuple[int, int, int, int]:
    """Return the rows and columns ``y0 y1 x0 x1`` around all pixels above a level, and one more on each side.

    The window ends at the border of the image.  It is empty if no pixel is above the level.
    """
    ny, nx = image.shape
    y0, y1, x0, x1 = ny, -1, nx, -1
    for y in range(ny):
        for x in range(nx):
            if image[y, x] > level:
                y0, y1 = min(y0, y), y
                x0, x1 = min(x0, x), max(x1, x)
    if y1 < 0:
        return 0, 0, 0, 0
    return max(y0 - 1, 0), min(y1 + 2, ny), max(x0 - 1, 0), min(x1 + 2, nx)


@compiled
def label_islands(image: np.ndarray, level: float) -> tuple[np.ndarray, int]:
    """Label the islands above a positive level 1, 2 ... in the order of their first pixels; 0 is outside.

    Returns
    -------
    labels : (ny, nx) int32 array
    count : int
    """
    ny, nx = image.shape
    labels = np.zeros((ny, nx), np.int32)
    stack = np.empty((ny * nx, 2), np.int64)
    count = 0
    for first_y in range(ny):
        for first_x in range(nx):
            if not image[first_y, first_x] > level or labels[first_y, first_x]:
                continue
            count += 1
            labels[first_y, first_x] = count
            stack[0, 0], stack[0, 1] = first_y, first_x
            waiting = 1
            while waiting:
                waiting -= 1
                y, x = stack[waiting, 0], stack[waiting, 1]
                for row, column in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                    if _value_at(image, row, column) > level and not labels[row, column]:
                        labels[row, column] = count
                        stack[waiting, 0], stack[waiting, 1] = row, column
                        waiting += 1
    return labels, count


@compiled
def island_pixels(
    image: np.ndarray, labels: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the brightest pixel ``x y``, the sum and the number of the pixels of each island.

    Among equal pixels, the first in array order is the brightest.

    Returns
    -------
    brightest : (count, 2) int64 array
    total : (count,) float64 array
    n_pixels : (count,) int64 array
    """
    brightest = np.zeros((count, 2), np.int64)
    top = np.full(count, -np.inf)
    total = np.zeros(count)
    n_pixels = np.zeros(count, np.int64)
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            island = labels[y, x] - 1
            if island < 0:
                continue
            total[island] += image[y, x]
            n_pixels[island] += 1
            if image[y, x] > top[island]:
                top[island] = image[y, x]
                brightest[island, 0], brightest[island, 1] = x, y
    return brightest, total, n_pixels


@compiled
def contour_boxes(image: np.ndarray, labels: np.ndarray, count: int, level: float) -> np.ndarray:
    """Return the bounding boxes ``x1 y1 x2 y2`` of the contours at a level; ``(count, 4)`` float64.

    A contour crosses between a pixel of an island and a neighbour outside, at the position where the
    interpolated value equals the level.  `labels` are those of `label_islands` at this level.
    """
    boxes = np.empty((count, 4))
    boxes[:, :2], boxes[:, 2:] = np.inf, -np.inf
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            island = labels[y, x] - 1
            if island < 0:
                continue
            box = boxes[island]
            for up, right in ((-1, 0), (1, 0), (0, -1), (0, 1)):
                low = _value_at(image, y + up, x + right)
                if low > level:
                    continue  # the same island
                part = (image[y, x] - level) / (image[y, x] - low)
                box[0], box[2] = min(box[0], x + right * part), max(box[2], x + right * part)
                box[1], box[3] = min(box[1], y + up * part), max(box[3], y + up * part)
    return boxes


@compiled
def _value_at(image: np.ndarray, row: int, column: int) -> float:
    """Return the value of a pixel, 0 beyond the image."""
    inside = 0 <= row < image.shape[0] and 0 <= column < image.shape[1]
    return image[row, column] if inside else 0.0


@compiled
def touching_gaps(labels: np.ndarray, count: int, image: np.ndarray) -> np.ndarray:
    """Return which islands have a neighbour beyond the image or among its missing pixels; ``(count,)`` bool.

    `image` is the one with NaN for missing pixels.
    """
    touching = np.zeros(count, np.bool_)
    ny, nx = labels.shape
    for y in range(ny):
        for x in range(nx):
            island = labels[y, x] - 1
            if island < 0 or touching[island]:
                continue
            for row, column in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                inside = 0 <= row < ny and 0 <= column < nx
                if not inside or not np.isfinite(image[row, column]):
                    touching[island] = True
    return touching


@compiled
def maxima_above(image: np.ndarray, floor: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the local maxima above a level, and the saddle that connects each to a higher one.

    Pixels are added in the order of their values.  Where a pixel joins several islands, the maximum of each
    but the highest has its saddle there (the persistence of connected components; Edelsbrunner, Letscher &
    Zomorodian 2002).  A plateau has one maximum.

    Returns
    -------
    places : (n, 2) int64 array
        Pixel ``x y`` of each maximum, the highest first.
    peaks : (n,) float64 array
        Values of the maxima.
    saddles : (n,) float64 array
        Values of the highest saddles towards higher maxima; minus infinity for the highest maximum of an
        island above `floor`.
    """
    ny, nx = image.shape
    flat = image.ravel()
    inside = np.flatnonzero(flat > floor)
    order = inside[np.argsort(-flat[inside], kind="mergesort")]  # stable
    parent = np.full(flat.size, -1, np.int64)  # an island's root is its highest pixel
    number = np.empty(flat.size, np.int64)  # of the maximum at a root
    tops = np.empty(order.size, np.int64)
    saddles = np.full(order.size, -np.inf)
    count = 0
    for pixel in order:
        y, x = pixel // nx, pixel % nx
        own = -1
        for row, column in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if not 0 <= row < ny or not 0 <= column < nx or parent[row * nx + column] < 0:
                continue
            root = root_of(parent, row * nx + column)
            if own < 0:
                own = root
            elif root != own:
                # Maxima are numbered from the highest.
                higher, lower = (own, root) if number[own] < number[root] else (root, own)
                parent[lower] = higher
                saddles[number[lower]] = flat[pixel]
                own = higher
        if own < 0:
            own = pixel
            number[pixel], tops[count] = count, pixel
            count += 1
        parent[pixel] = own
    peaks = flat[tops[:count]]
    kept = np.flatnonzero(peaks > saddles[:count])
    places = np.empty((kept.size, 2), np.int64)
    places[:, 0], places[:, 1] = tops[kept] % nx, tops[kept] // nx
    return places, peaks[kept], saddles[kept]


@compiled
def count_innermost(
    labels: np.ndarray,
    count: int,
    places: np.ndarray,
    peaks: np.ndarray,
    saddles: np.ndarray,
    base: float,
    ratio: float,
) -> np.ndarray:
    """Return the number of contours in each island that contain no further contour; ``(count,)`` int64.

    The levels of the contours are `base` and its multiples by powers of `ratio`.  The highest level below a
    maximum has an innermost contour around it if the saddle is not above this level.

    Parameters
    ----------
    labels, count
        Islands above `base`.
    places, peaks, saddles
        Maxima above `base` or a lower level (`maxima_above`).
    base, ratio : float
        Lowest level, and ratio of two successive levels.
    """
    innermost = np.zeros(count, np.int64)
    for k in range(peaks.size):
        if not peaks[k] > base:
            continue
        level = base
        while peaks[k] > level * ratio:
            level *= ratio
        if saddles[k] <= level:
            innermost[labels[places[k, 1], places[k, 0]] - 1] += 1
    return innermost
