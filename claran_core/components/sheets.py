"""The pixels of a subject that the contour rule runs on: windows of an image around what is bright in it.

The contour rule looks only at pixels above its lowest level and at their neighbours.  Of an image this leaves
one window.  Of the bright pixels of a coarse view, of which few are stored, it leaves one window for each
island; these are stacked in a single array, so that the rule runs once whatever the size of the view.
"""

from typing import NamedTuple

import numpy as np

from claran_core.common.compiled import compiled
from claran_core.common.cutout import BrightPixels, Cutout
from claran_core.common.subject import Subject
from claran_core.components.islands import finite_pixels, window_above

__all__ = ["Sheet", "bright_sheet", "image_sheet"]


class Sheet(NamedTuple):
    """Windows of an image, below each other.

    Attributes
    ----------
    pixels : (ny, nx) float64 array
        Pixels in the image's unit.  NaN for those without data, beyond the image, or outside the frame.
    rows : (ny,) int64 array
        Row of the image of each row.
    first : (ny,) int64 array
        Column of the image at the start of each row.
    """

    pixels: np.ndarray
    rows: np.ndarray
    first: np.ndarray

    def offsets(self, places: np.ndarray) -> np.ndarray:
        """Return what leads from places ``x y`` (n, 2) of the sheet to those of the image; (n, 2) int64."""
        y = places[:, 1]
        return np.stack([self.first[y], self.rows[y] - y], axis=1)


def image_sheet(visible: np.ndarray, lowest: float) -> Sheet:
    """Return the window of an image (ny, nx) around all pixels above a level; it may be empty."""
    pixels = visible.astype(np.float64)
    y0, y1, x0, x1 = window_above(finite_pixels(pixels), lowest)
    window = np.ascontiguousarray(pixels[y0:y1, x0:x1])
    return Sheet(window, np.arange(y0, y1), np.full(y1 - y0, x0))


def bright_sheet(subject: Subject, cutout: Cutout, bright: BrightPixels, lowest: float) -> Sheet:
    """Return windows around the islands above a level in the native pixels of a coarse view.

    Parameters
    ----------
    subject : Subject
        The view.
    cutout : Cutout
        Its image.
    bright : BrightPixels
        The native pixels stored with it, at least those above `lowest` and their neighbours.
    lowest : float
        Level in the image's unit.
    """
    scale = bright.scale
    ny, nx = (scale * n for n in cutout.data.shape)
    index = bright.index.astype(np.int64)
    high = np.flatnonzero(bright.values > lowest)
    y, x = np.divmod(index[high], nx)
    kept = np.ones(len(index), bool)
    kept[high] = _in_frame(subject, cutout, scale, x, y)
    pixels, rows, first = _stacked(index[kept], bright.values[kept].astype(np.float64), nx, lowest)
    y, x = np.broadcast_arrays(rows[:, None], first[:, None] + np.arange(pixels.shape[1]))
    has_data = (x >= 0) & (x < nx) & (y >= 0) & (y < ny)
    coarse = cutout.data[np.clip(y // scale, 0, ny // scale - 1), np.clip(x // scale, 0, nx // scale - 1)]
    pixels[~(has_data & np.isfinite(coarse) & _in_frame(subject, cutout, scale, x, y))] = np.nan
    return Sheet(pixels, rows, first)


def _in_frame(subject: Subject, cutout: Cutout, scale: int, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return which native pixels of a coarse cut-out, at any shape of `x` and `y`, are in the frame."""
    vectors = cutout.wcs.divided(scale).pixels_to_vectors(x, y)
    across, down = subject.frame.vectors_to_frame(subject.ra_deg, subject.dec_deg, vectors)
    size = subject.frame.size_px
    return (across >= 0) & (across <= size) & (down >= 0) & (down <= size)


@compiled
def _stacked(
    index: np.ndarray, values: np.ndarray, nx: int, lowest: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the pixels, rows and first columns of windows (`Sheet`), with a border of one pixel.

    Parameters
    ----------
    index : (n,) int64 array
        Places ``row * nx + column`` of the stored pixels, in ascending order; the others are 0.
    values : (n,) float64 array
        Their values.
    nx : int
        Columns of the image.
    lowest : float
        Level of the islands.
    """
    islands, count = _islands(index, values, nx, lowest)
    boxes = np.empty((count, 4), np.int64)
    boxes[:, :2], boxes[:, 2:] = 1 << 40, -1
    for k in range(len(index)):
        if islands[k] >= 0:
            y, x, box = index[k] // nx, index[k] % nx, boxes[islands[k]]
            box[0], box[1] = min(box[0], x), min(box[1], y)
            box[2], box[3] = max(box[2], x), max(box[3], y)
    ny = np.sum(boxes[:, 3] - boxes[:, 1] + 3)
    width = np.max(boxes[:, 2] - boxes[:, 0] + 3) if count else 0
    pixels = np.zeros((ny, width))
    rows, first = np.empty(ny, np.int64), np.empty(ny, np.int64)
    line = 0
    for island in range(count):
        x1, y1, x2, y2 = boxes[island]
        for y in range(y1 - 1, y2 + 2):
            rows[line], first[line] = y, x1 - 1
            k = np.searchsorted(index, y * nx + max(x1 - 1, 0))
            while k < len(index) and index[k] <= y * nx + min(x2 + 1, nx - 1):
                if islands[k] == island or islands[k] < 0:
                    pixels[line, index[k] % nx - x1 + 1] = values[k]
                k += 1
            line += 1
    return pixels, rows, first


@compiled
def _islands(index: np.ndarray, values: np.ndarray, nx: int, lowest: float) -> tuple[np.ndarray, int]:
    """Return the island (n,) of each stored pixel, from 0, and the number of islands.

    Pixels that are not above the level have -1.  Arguments are those of `_stacked`.
    """
    islands = np.full(len(index), -1, np.int64)
    stack = np.empty(len(index), np.int64)
    count = 0
    for start in range(len(index)):
        if not values[start] > lowest or islands[start] >= 0:
            continue
        islands[start], stack[0], waiting = count, start, 1
        while waiting:
            waiting -= 1
            place = index[stack[waiting]]
            for step in (-nx, -1, 1, nx):
                k = np.searchsorted(index, place + step)
                if k == len(index) or index[k] != place + step or islands[k] >= 0:
                    continue
                is_neighbour = abs(step) == nx or index[k] // nx == place // nx
                if is_neighbour and values[k] > lowest:
                    islands[k], stack[waiting] = count, k
                    waiting += 1
        count += 1
    return islands, count
