"""Components, peaks, extent and centre of radio sources by the contour rule of Radio Galaxy Zoo DR1.

Labels, simulated truth and catalogue measurements all use this implementation.  The tests compare it with
DR1 labels on real FIRST images.  The rule is:

- A *component* is the region inside one contour at 5.3 sigma.
- A *peak* is an innermost contour of levels with a ratio of sqrt(3).
- The *extent* of one component is the diagonal of its contour's bounding box.  The extent of several is the
  largest distance between the same corners of two boxes.
- The *centre* is the centre of the smallest box around all boxes.

Positions are 0-based array positions with pixel centres at whole numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from claran_core.common.compiled import compiled
from claran_core.components.islands import (
    bridged_pixels,
    contour_boxes,
    count_innermost,
    finite_pixels,
    island_pixels,
    label_islands,
    maxima_above,
)

__all__ = [
    "COMPONENT_SIGMA",
    "LEVEL_RATIO",
    "MIN_COMPONENT_PX",
    "Components",
    "Maxima",
    "box_gaps",
    "dr1_extent",
    "dr1_extents",
    "find_components",
    "find_maxima",
    "union_centre",
    "union_centres",
]

# RGZ contours start at 9 / sqrt(3) = 5.2 sigma of their noise estimate, 5.3 sigma of 1.4826 x MAD.
COMPONENT_SIGMA = 5.3
LEVEL_RATIO = float(np.sqrt(3.0))

# Labels need components of at least this many pixels: in 151 real subjects, 0 of 19 single-pixel islands
# outside the central source are labelled (benchmarks/science/dr1_labels.py).  `find_components` returns
# smaller components too.
MIN_COMPONENT_PX = 2


@dataclass(frozen=True)
class Maxima:
    """The local maxima of an image above some level, one entry per maximum, the highest first.

    Whether the contour rule counts a maximum as a peak depends on the contour levels.  Its height above the
    saddle does not.

    Attributes
    ----------
    places : (n, 2) int64 array
        Pixel ``x y`` of the maximum.
    peak, saddle : (n,) float64 arrays
        Value of the maximum, and value of the highest saddle towards a higher maximum, in the image's unit;
        minus infinity for the highest maximum of an island.
    """

    places: np.ndarray
    peak: np.ndarray
    saddle: np.ndarray


@dataclass(frozen=True)
class Components:
    """The components of one image by the contour rule; measurements are computed on first access.

    Attributes
    ----------
    image : (ny, nx) float64 array
        Surface brightness, finite.
    labels : (ny, nx) int32 array
        Component of each pixel, 0 outside all of them.
    count : int
        Number of components; entry k - 1 of each measurement belongs to the pixels with label k.
    base : float
        Base contour, in the unit of the image.
    """

    image: np.ndarray
    labels: np.ndarray
    count: int
    base: float

    @cached_property
    def boxes(self) -> np.ndarray:
        """Bounding boxes ``x1 y1 x2 y2`` of the contours, interpolated between pixels; ``(n, 4)`` float64."""
        return contour_boxes(self.image, self.labels, self.count, self.base)

    @property
    def brightest(self) -> np.ndarray:
        """Position ``x y`` of the brightest pixel; ``(n, 2)`` int64."""
        return self._pixels[0]

    @property
    def flux(self) -> np.ndarray:
        """Sum of the pixels; ``(n,)`` float64."""
        return self._pixels[1]

    @property
    def n_pixels(self) -> np.ndarray:
        """Number of pixels; ``(n,)`` int64."""
        return self._pixels[2]

    @cached_property
    def n_peaks(self) -> np.ndarray:
        """Number of innermost contours; ``(n,)`` int64."""
        if not self.count:
            return np.zeros(0, np.int64)
        return self.count_peaks(find_maxima(self.image, self.base))

    def count_peaks(self, maxima: Maxima) -> np.ndarray:
        """Return `n_peaks`, given the maxima of the image above the base contour or a lower level.

        A small hole may connect the highest pixel of a component to a higher one of another.  It has a peak
        all the same.
        """
        counts = count_innermost(
            self.labels, self.count, maxima.places, maxima.peak, maxima.saddle, self.base, LEVEL_RATIO
        )
        return np.maximum(counts, 1)

    @cached_property
    def _pixels(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return island_pixels(self.image, self.labels, self.count)

    def __len__(self) -> int:
        return self.count

    def at(self, x: float, y: float, *, reach_px: int = 2) -> int | None:
        """Return the index of the component at a position or the nearest within `reach_px`, else None."""
        ny, nx = self.labels.shape
        if not (-reach_px <= x <= nx - 1 + reach_px and -reach_px <= y <= ny - 1 + reach_px):
            return None
        rows, columns = np.mgrid[
            max(0, round(y) - reach_px) : min(ny, round(y) + reach_px + 1),
            max(0, round(x) - reach_px) : min(nx, round(x) + reach_px + 1),
        ]
        labels = self.labels[rows, columns]
        distance = np.where(labels > 0, np.hypot(rows - y, columns - x), np.inf)
        if distance.size == 0 or not np.isfinite(distance.min()):
            return None
        return int(labels.flat[np.argmin(distance)]) - 1


def find_components(image: np.ndarray, sigma: float, *, threshold: float = COMPONENT_SIGMA) -> Components:
    """Find components and their peaks.

    Parameters
    ----------
    image : (ny, nx) array
        Surface brightness; NaN counts as 0.
    sigma : float
        Noise in the image's unit; without a positive noise there are no components.
    threshold : float
        Base contour in units of `sigma`.
    """
    filled = finite_pixels(np.ascontiguousarray(image, np.float64))
    base = float(threshold * sigma)
    labels, count = label_islands(filled, base if np.isfinite(base) and base > 0 else np.inf)
    return Components(filled, labels, count, base)


def find_maxima(image: np.ndarray, floor: float) -> Maxima:
    """Find the local maxima of an image above a level; a plateau has one.

    Parameters
    ----------
    image : (ny, nx) array
        Surface brightness.  Small holes of missing pixels (NaN) separate no maxima; others count as 0.
    floor : float
        Positive level in the image's unit; pixels at or below it are outside all islands.
    """
    return Maxima(*maxima_above(bridged_pixels(np.ascontiguousarray(image, np.float64)), float(floor)))


def dr1_extent(boxes: Sequence[Sequence[float]] | np.ndarray) -> float:
    """Return the extent of a source as DR1's ``ang_extent``, in the unit of its components' boxes.

    Parameters
    ----------
    boxes : (n, 4) array-like
        Contour boxes ``x1 y1 x2 y2`` of the source's components, at least one.

    Raises
    ------
    ValueError
        Without boxes.
    """
    boxes = np.ascontiguousarray(boxes, np.float64).reshape(-1, 4)
    if len(boxes) == 0:
        raise ValueError("the extent of a source without components is not defined")
    return float(dr1_extents(boxes[None], np.ones((1, len(boxes)), bool))[0])


@compiled
def dr1_extents(boxes: np.ndarray, is_component: np.ndarray) -> np.ndarray:
    """Return the extents (K,) of many sources (`dr1_extent`).

    Source k consists of the boxes (K, n, 4), float64, for which `is_component` (K, n) is True.
    """
    extents = np.zeros(len(boxes))
    for k in range(len(boxes)):
        own = np.flatnonzero(is_component[k])
        if own.size == 1:
            x1, y1, x2, y2 = boxes[k, own[0]]
            extents[k] = np.hypot(x2 - x1, y2 - y1)
        for i in range(own.size):
            for j in range(i):
                apart = np.abs(boxes[k, own[i]] - boxes[k, own[j]])
                # The corners that are farthest apart in x and in y: all four combinations are corners.
                extents[k] = max(extents[k], np.hypot(max(apart[0], apart[2]), max(apart[1], apart[3])))
    return extents


def box_gaps(boxes: np.ndarray) -> np.ndarray:
    """Return the gaps between all pairs of boxes (..., n, 4): ``(..., n, n)``, 0 if they touch."""
    low = np.maximum(boxes[..., :, None, :2], boxes[..., None, :, :2])
    high = np.minimum(boxes[..., :, None, 2:], boxes[..., None, :, 2:])
    apart = np.clip(low - high, 0.0, None)
    return np.hypot(apart[..., 0], apart[..., 1])


def union_centre(boxes: Sequence[Sequence[float]] | np.ndarray) -> tuple[float, float]:
    """Return the centre ``x, y`` of the smallest box around `boxes` (n, 4): the centre of a source in DR1."""
    low_x, low_y, high_x, high_y = np.asarray(boxes, float).reshape(-1, 4).T
    return float((low_x.min() + high_x.max()) / 2), float((low_y.min() + high_y.max()) / 2)


def union_centres(boxes: np.ndarray, is_component: np.ndarray) -> np.ndarray:
    """Return the centres (K, 2) of many sources (`union_centre`); arguments as `dr1_extents`."""
    low = np.where(is_component[..., None], boxes[..., :2], np.inf).min(axis=1)
    high = np.where(is_component[..., None], boxes[..., 2:], -np.inf).max(axis=1)
    return (low + high) / 2
