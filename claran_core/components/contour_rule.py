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

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

__all__ = [
    "COMPONENT_SIGMA",
    "LEVEL_RATIO",
    "MIN_COMPONENT_PX",
    "Components",
    "SecondaryPeaks",
    "box_gaps",
    "brightest_pixels",
    "dr1_extent",
    "dr1_extents",
    "find_components",
    "label_components",
    "secondary_peaks",
    "union_centre",
    "union_centres",
]

# RGZ contours start at 9 / sqrt(3) = 5.2 sigma of their noise estimate, 5.3 sigma of 1.4826 x MAD.
COMPONENT_SIGMA = 5.3
LEVEL_RATIO = np.sqrt(3.0)

# Labels need components of at least this many pixels: in 151 real subjects, 0 of 19 single-pixel islands
# outside the central source are labelled (benchmarks/science/dr1_labels.py).  `find_components` returns
# smaller components too.
MIN_COMPONENT_PX = 2

# Pixels that touch only at a corner belong to separate contours (as in marching squares here).
FOUR_CONNECTED = ndimage.generate_binary_structure(2, 1)


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
        return _contour_boxes(self.image, self.labels, self.count, self.base)

    @cached_property
    def brightest(self) -> np.ndarray:
        """Position ``x y`` of the brightest pixel; ``(n, 2)`` int64."""
        return brightest_pixels(self.image, self.labels, self.count)

    @cached_property
    def n_peaks(self) -> np.ndarray:
        """Number of innermost contours; ``(n,)`` int64."""
        return _count_innermost(self.image, self.labels, self.count, self.base)

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
    filled = np.nan_to_num(np.asarray(image, np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    base = threshold * sigma
    labels, count = label_components(filled, base)
    return Components(filled, labels.astype(np.int32), count, base)


def label_components(image: np.ndarray, base: float) -> tuple[np.ndarray, int]:
    """Label the pixels of each component of an image with finite pixels, and count the components.

    Parameters
    ----------
    image : (ny, nx) array
        Surface brightness.
    base : float
        Base contour in the image's unit; without a positive level there are no components.

    Returns
    -------
    labels : (ny, nx) int array
        As `Components.labels`, in the same order.
    count : int
    """
    above = image > base if np.isfinite(base) and base > 0 else np.zeros(image.shape, bool)
    return ndimage.label(above, FOUR_CONNECTED)


def _contour_boxes(image: np.ndarray, labels: np.ndarray, count: int, level: float) -> np.ndarray:
    """Return the bounding box of each component's contour; a border of zeros closes it at the image's edge.

    A contour crosses between a pixel inside the component and a neighbour outside, at the position where
    the interpolated value equals the level.
    """
    values, owners = np.pad(image, 1), np.pad(labels, 1)
    inside = owners > 0
    boxes = np.tile([np.inf, np.inf, -np.inf, -np.inf], (count, 1))
    for right, up, first, second in ((1, 0, np.s_[:, :-1], np.s_[:, 1:]), (0, 1, np.s_[:-1], np.s_[1:])):
        y, x = np.nonzero(inside[first] != inside[second])
        low, high = values[y, x], values[y + up, x + right]
        part = (level - low) / (high - low)
        owner = np.maximum(owners[y, x], owners[y + up, x + right]) - 1  # one of the two is in no component
        corner = np.stack([x + right * part, y + up * part], axis=1) - 1
        np.minimum.at(boxes[:, :2], owner, corner)
        np.maximum.at(boxes[:, 2:], owner, corner)
    return boxes


def brightest_pixels(image: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """Return the position ``x y`` of the brightest pixel of each component; ``(count, 2)``.

    Among equal pixels, the first in array order counts.
    """
    inside = np.flatnonzero(labels)[::-1]
    inside = inside[np.argsort(image.flat[inside], kind="stable")]
    brightest = np.zeros(count, int)
    brightest[labels.flat[inside] - 1] = inside  # later values overwrite earlier ones
    rows, columns = np.unravel_index(brightest, labels.shape)
    return np.stack([columns, rows], axis=1)


def _count_innermost(image: np.ndarray, labels: np.ndarray, count: int, base: float) -> np.ndarray:
    """Return the number of contours in each component that contain no further contour."""
    innermost = np.zeros(count, int)
    if count == 0:
        return innermost
    part = ndimage.find_objects((labels > 0).astype(int))[0]  # the box around all of them
    image, labels = image[part], labels[part]
    for outer, inner in _nested_levels(image, labels, base):
        owner = np.zeros(outer.max() + 1, int)
        owner[outer] = labels
        holds_more = np.zeros(owner.size, bool)
        holds_more[outer[inner > 0]] = True
        ends = np.flatnonzero(~holds_more[1:]) + 1
        np.add.at(innermost, owner[ends] - 1, 1)
    return innermost


def _nested_levels(
    image: np.ndarray, labels: np.ndarray, base: float
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the label images of each level and of the next higher one, up to the first empty level."""
    level, outer = base, labels
    while outer.any():
        level *= LEVEL_RATIO
        inner, _ = ndimage.label(image > level, FOUR_CONNECTED)
        yield outer, inner
        outer = inner


@dataclass(frozen=True)
class SecondaryPeaks:
    """Local maxima that are connected to a higher maximum above some level, one entry per maximum.

    Attributes
    ----------
    x, y : (n,) int64 arrays
        Pixel of the maximum.
    peak, saddle : (n,) float64 arrays
        Value of the maximum, and value of the highest saddle towards a higher maximum; in the image's unit.
    """

    x: np.ndarray
    y: np.ndarray
    peak: np.ndarray
    saddle: np.ndarray


def secondary_peaks(image: np.ndarray, floor: float) -> SecondaryPeaks:
    """Find the maxima of an image that are not the highest of their island above `floor`.

    Whether the contour rule counts such a maximum as a peak depends on the contour levels.  Its height above
    the saddle does not.

    Parameters
    ----------
    image : (ny, nx) array
        Surface brightness; NaN counts as 0.
    floor : float
        Positive level in the image's unit; pixels at or below it are outside all islands.
    """
    ny, nx = image.shape
    filled = np.nan_to_num(np.asarray(image, np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    padded = np.pad(filled, 1, constant_values=-np.inf).ravel()
    width = nx + 2
    inside = np.flatnonzero(padded > floor)
    order = inside[np.argsort(-padded[inside], kind="stable")]
    values = padded[order].tolist()
    parent: dict[int, int] = {}  # of each pixel seen so far; an island's root is its highest pixel
    top: dict[int, float] = {}
    found = []
    for pixel, value in zip(order.tolist(), values, strict=True):
        roots = set()
        for neighbour in (pixel - 1, pixel + 1, pixel - width, pixel + width):
            if neighbour in parent:
                root = neighbour
                while parent[root] != root:
                    parent[root] = parent[parent[root]]
                    root = parent[root]
                roots.add(root)
        if not roots:
            parent[pixel], top[pixel] = pixel, value
            continue
        ranked = sorted(roots, key=lambda root: (-top[root], root))
        parent[pixel] = ranked[0]
        for root in ranked[1:]:
            parent[root] = ranked[0]
            if top[root] > value:
                found.append((root, top[root], value))
    places = np.array([entry[0] for entry in found], dtype=np.int64)
    return SecondaryPeaks(
        x=places % width - 1,
        y=places // width - 1,
        peak=np.array([entry[1] for entry in found], dtype=np.float64),
        saddle=np.array([entry[2] for entry in found], dtype=np.float64),
    )


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
    boxes = np.asarray(boxes, float).reshape(-1, 4)
    if len(boxes) == 0:
        raise ValueError("the extent of a source without components is not defined")
    return float(dr1_extents(boxes[None], np.ones((1, len(boxes)), bool))[0])


def dr1_extents(boxes: np.ndarray, is_component: np.ndarray) -> np.ndarray:
    """Return the extents (K,) of many sources (`dr1_extent`).

    Source k consists of the boxes (K, n, 4) for which `is_component` (K, n) is True.
    """
    width, height = boxes[..., 2] - boxes[..., 0], boxes[..., 3] - boxes[..., 1]
    diagonals = np.where(is_component, np.hypot(width, height), 0.0).max(axis=1)
    corners = boxes[..., [[0, 1], [0, 3], [2, 1], [2, 3]]]  # (K, n, 4, 2)
    apart = corners[:, :, None] - corners[:, None]  # (K, n, n, 4, 2)
    distances = np.hypot(apart[..., 0], apart[..., 1]).max(axis=3)
    pairs = is_component[:, :, None] & is_component[:, None]
    largest = np.where(pairs, distances, 0.0).max(axis=(1, 2))
    return np.where(is_component.sum(axis=1) == 1, diagonals, largest)


def box_gaps(boxes: np.ndarray) -> np.ndarray:
    """Return the gaps between all pairs of boxes (..., n, 4): ``(..., n, n)``, 0 if they touch."""
    low = np.maximum(boxes[..., :, None, :2], boxes[..., None, :, :2])
    high = np.minimum(boxes[..., :, None, 2:], boxes[..., None, :, 2:])
    apart = np.clip(low - high, 0.0, None)
    return np.hypot(apart[..., 0], apart[..., 1])


def union_centre(boxes: Sequence[Sequence[float]] | np.ndarray) -> tuple[float, float]:
    """Return the centre ``x, y`` of the smallest box around `boxes` (n, 4): the centre of a source in DR1."""
    boxes = np.asarray(boxes, float).reshape(-1, 4)
    x, y = union_centres(boxes[None], np.ones((1, len(boxes)), bool))[0]
    return float(x), float(y)


def union_centres(boxes: np.ndarray, is_component: np.ndarray) -> np.ndarray:
    """Return the centres (K, 2) of many sources (`union_centre`); arguments as `dr1_extents`."""
    low = np.where(is_component[..., None], boxes[..., :2], np.inf).min(axis=1)
    high = np.where(is_component[..., None], boxes[..., 2:], -np.inf).max(axis=1)
    return (low + high) / 2
