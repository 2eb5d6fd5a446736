"""Components, peaks, extent and centre of radio sources, by the rule of Radio Galaxy Zoo DR1.

This is the one implementation behind truth labels, simulated truth and catalogue measurements.
The rule: a *component* is what one contour at 5.3 sigma encloses; a *peak* is an innermost contour when
levels are spaced by sqrt(3); the *extent* of one component is the diagonal of its contour's bounding
box, that of several the largest distance between same-named corners of two boxes; the *centre* is the
middle of the union of the boxes.  Checked against DR1 labels on real FIRST images (see the tests).

Positions here are 0-based array positions of the image given: pixel centres at whole numbers.
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

# Contours around a single pixel are no components: of 19 such islands in 151 real subjects that belong to no
# central source, none is labelled (benchmarks/science/dr1_labels.py).  `find_components` reports them all
# the same.
MIN_COMPONENT_PX = 2

# Contours treat pixels that touch at a corner only as apart (as marching squares does here).
FOUR_CONNECTED = ndimage.generate_binary_structure(2, 1)


@dataclass(frozen=True)
class Components:
    """What the contour rule finds in one image, each thing measured when it is first asked for.

    Attributes
    ----------
    image : (ny, nx) float64 array
        Surface brightness, finite.
    labels : (ny, nx) int32 array
        Component of each pixel, 0 outside all of them.
    count : int
        Number of components; entry k - 1 of what follows belongs to pixels labelled k.
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
        """Index of the component at a position, or of the nearest within `reach_px`; None without one."""
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
        Surface brightness; NaN counts as nothing there.
    sigma : float
        Noise in the image's unit; nothing is found where it is not a positive number.
    threshold : float
        Base contour in units of `sigma`.

    Returns
    -------
    Components
        Possibly none.
    """
    filled = np.nan_to_num(np.asarray(image, np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    base = threshold * sigma
    labels, count = label_components(filled, base)
    return Components(filled, labels.astype(np.int32), count, base)


def label_components(image: np.ndarray, base: float) -> tuple[np.ndarray, int]:
    """Number the pixels of each component of an image of finite pixels, and count the components.

    Parameters
    ----------
    image : (ny, nx) array
        Surface brightness.
    base : float
        Base contour in the image's unit; nothing is found where it is not a positive number.

    Returns
    -------
    labels : (ny, nx) int array
        As `Components.labels`, in the same order.
    count : int
    """
    above = image > base if np.isfinite(base) and base > 0 else np.zeros(image.shape, bool)
    return ndimage.label(above, FOUR_CONNECTED)


def _contour_boxes(image: np.ndarray, labels: np.ndarray, count: int, level: float) -> np.ndarray:
    """Bounding box of each component's contours; a border of zeros closes those that leave the image.

    The corners of a contour are where it passes between two pixels, one of them in the component: where the
    values interpolated between both are at the level.
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
    """Position ``x y`` of the brightest pixel of each component, the first of equals; ``(count, 2)``."""
    inside = np.flatnonzero(labels)[::-1]
    inside = inside[np.argsort(image.flat[inside], kind="stable")]
    brightest = np.zeros(count, int)
    brightest[labels.flat[inside] - 1] = inside  # the last one written stays
    rows, columns = np.unravel_index(brightest, labels.shape)
    return np.stack([columns, rows], axis=1)


def _count_innermost(image: np.ndarray, labels: np.ndarray, count: int, base: float) -> np.ndarray:
    """Number of contours in each component that hold no further contour."""
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
    """Label images of each level and of the next higher one, up to the first empty one."""
    level, outer = base, labels
    while outer.any():
        level *= LEVEL_RATIO
        inner, _ = ndimage.label(image > level, FOUR_CONNECTED)
        yield outer, inner
        outer = inner


@dataclass(frozen=True)
class SecondaryPeaks:
    """Local maxima that are joined to a higher one above some level, entry by entry.

    Attributes
    ----------
    x, y : (n,) int64 arrays
        Pixel of the maximum.
    peak, saddle : (n,) float64 arrays
        Its value, and that of the highest pass to a higher maximum; in the image's unit.
    """

    x: np.ndarray
    y: np.ndarray
    peak: np.ndarray
    saddle: np.ndarray


def secondary_peaks(image: np.ndarray, floor: float) -> SecondaryPeaks:
    """Find the maxima of an image that are not the highest of their island above `floor`.

    Whether such a maximum counts as a peak of its own depends on where the contour levels happen to lie;
    how far it rises above its saddle does not.

    Parameters
    ----------
    image : (ny, nx) array
        Surface brightness; NaN counts as nothing there.
    floor : float
        Pixels at or below this level are outside; the image's unit, positive.
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
    """Extent of a source as DR1 computes ``ang_extent``, in the unit of its components' boxes.

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
    """Extents (K,) of many sources (`dr1_extent`): those of boxes (K, n, 4) where `is_component` (K, n)."""
    width, height = boxes[..., 2] - boxes[..., 0], boxes[..., 3] - boxes[..., 1]
    diagonals = np.where(is_component, np.hypot(width, height), 0.0).max(axis=1)
    corners = boxes[..., [[0, 1], [0, 3], [2, 1], [2, 3]]]  # (K, n, 4, 2)
    apart = corners[:, :, None] - corners[:, None]  # (K, n, n, 4, 2)
    distances = np.hypot(apart[..., 0], apart[..., 1]).max(axis=3)
    pairs = is_component[:, :, None] & is_component[:, None]
    largest = np.where(pairs, distances, 0.0).max(axis=(1, 2))
    return np.where(is_component.sum(axis=1) == 1, diagonals, largest)


def box_gaps(boxes: np.ndarray) -> np.ndarray:
    """Distance from edge to edge of all pairs of boxes (..., n, 4): ``(..., n, n)``, 0 where they touch."""
    low = np.maximum(boxes[..., :, None, :2], boxes[..., None, :, :2])
    high = np.minimum(boxes[..., :, None, 2:], boxes[..., None, :, 2:])
    apart = np.clip(low - high, 0.0, None)
    return np.hypot(apart[..., 0], apart[..., 1])


def union_centre(boxes: Sequence[Sequence[float]] | np.ndarray) -> tuple[float, float]:
    """Middle ``x, y`` of the smallest box around `boxes` (n, 4): the centre of a source in DR1."""
    boxes = np.asarray(boxes, float).reshape(-1, 4)
    x, y = union_centres(boxes[None], np.ones((1, len(boxes)), bool))[0]
    return float(x), float(y)


def union_centres(boxes: np.ndarray, is_component: np.ndarray) -> np.ndarray:
    """Centres (K, 2) of many sources (`union_centre`): boxes (K, n, 4) where `is_component` (K, n)."""
    low = np.where(is_component[..., None], boxes[..., :2], np.inf).min(axis=1)
    high = np.where(is_component[..., None], boxes[..., 2:], -np.inf).max(axis=1)
    return (low + high) / 2
