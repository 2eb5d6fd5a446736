"""Plain numbers on the shape of a group of islands of RadioGalaxyNET: extents, peaks, profile, surroundings.

The classes of the annotations follow from the distance of the outer peaks over the extent of the source.
These numbers hold it in several definitions, as annotators measured it in images that the data set lacks.
Nothing depends on the orientation.  Lengths are in pixels.
"""

import numpy as np

from benchmarks.science.galaxy_islands import GalaxyImage
from claran_core.components.contour_rule import Maxima

__all__ = ["CENTRE_NUMBERS", "N_NUMBERS", "shape_numbers"]

# Levels at which extents and areas are measured.
LEVELS = (0.15, 0.3, 0.45, 0.6, 0.75, 0.9)

# Least heights of maxima over their saddles, in the scale of the radio image.
DEPTHS = (0.01, 0.04, 0.1)

# Bins of the profile along the axis.
N_BINS = 14

# Directions in which extents are measured.
_ANGLES = np.arange(24) * np.pi / 24
_DIRECTIONS = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)])

# Largest number of members whose sizes are listed.
N_MEMBERS = 3

# Weight below which an end of the axis counts as empty.
TINY = 1e-6

# Numbers of each part below, in this order; the last ones are the only that use the middle of the image.
_PARTS = {"size": 13, "levels": 3 * len(LEVELS), "peaks": 2 * 3 * 9, "profile": 3 * N_BINS, "around": 9}
CENTRE_NUMBERS = 2
N_NUMBERS = sum(_PARTS.values()) + CENTRE_NUMBERS


def shape_numbers(image: GalaxyImage, units: np.ndarray) -> np.ndarray:
    """Return the numbers (N_NUMBERS,) of a group; the last `CENTRE_NUMBERS` use the image's middle.

    Parameters
    ----------
    image : GalaxyImage
        Its image.
    units : (m,) int array
        Indices of the islands.
    """
    islands = image.islands
    x1, y1 = islands.boxes[units, :2].min(axis=0).astype(int)
    x2, y2 = islands.boxes[units, 2:].max(axis=0).astype(int)
    window = slice(y1, y2), slice(x1, x2)
    labels = islands.labels[window]
    inside = np.isin(labels, units + 1)
    y, x = np.nonzero(inside)
    level = image.radio[window][inside]
    places = np.stack([x, y], axis=1).astype(float)
    middle = places.mean(axis=0)
    spread = np.cov(places.T, aweights=level + 0.02)
    axis = np.linalg.eigh(spread)[1][:, 1]
    along, across = (places - middle) @ axis, (places - middle) @ np.array([-axis[1], axis[0]])
    widths = np.ptp(places @ _DIRECTIONS, axis=0) + 1
    extent = float(widths.max())
    corner = np.array([x1, y1], float)
    parts = [
        _size_numbers(image, units, level, widths, np.ptp(along) + 1, np.ptp(across) + 1),
        _level_numbers(level, places, extent),
        *(
            _peak_numbers(maxima, islands.labels, units, corner + middle, axis, extent)
            for maxima in (islands.maxima, islands.sharp_maxima)
        ),
        _profile(level, islands.sharp[window][inside], along, across, extent),
        _surroundings(image, units, (x1, y1, x2, y2), corner + middle, extent),
        _centre_numbers(image, corner + middle),
    ]
    return np.concatenate(parts)


def _size_numbers(
    image: GalaxyImage, units: np.ndarray, level: np.ndarray, widths: np.ndarray, along: float, across: float
) -> np.ndarray:
    """Return 13 numbers: extents, compactness, range, and sizes and brightness of the members."""
    islands = image.islands
    sizes = -np.sort(-islands.sizes[units]).astype(float)
    shares = np.zeros(N_MEMBERS)
    shares[: min(len(sizes), N_MEMBERS)] = (sizes / sizes.sum())[:N_MEMBERS]
    spans = np.sort(islands.ranges[units])
    round_px = 2 * np.pi * 2.6**2 * spans[-1]  # area of a point source of this range
    return np.array(
        [
            np.log(widths.max()),
            np.log(widths.min()),
            np.log(along / across),
            np.log(sizes.sum()),
            np.log(sizes.sum() / round_px),
            np.log(sizes.sum() / widths.max() ** 2),
            spans[-1],
            spans[-1] - spans[0],
            level.mean(),
            level.std(),
            len(units),
            *shares[1:],
        ]
    )


def _level_numbers(level: np.ndarray, places: np.ndarray, extent: float) -> np.ndarray:
    """Return for each level the share of the area above it, and its extents over that of the whole."""
    numbers = []
    for value in LEVELS:
        above = places[level > value]
        widths = np.ptp(above @ _DIRECTIONS, axis=0) + 1 if len(above) else np.zeros(1)
        numbers += [len(above) / len(places), widths.max() / extent, widths.min() / extent]
    return np.array(numbers)


def _peak_numbers(
    maxima: Maxima, labels: np.ndarray, units: np.ndarray, middle: np.ndarray, axis: np.ndarray, extent: float
) -> np.ndarray:
    """Return nine numbers for each of `DEPTHS`: number, distances and heights of the peaks of a group."""
    x, y = maxima.places.T
    own = np.isin(labels[y, x], units + 1)
    places, peaks = maxima.places[own].astype(float), maxima.peak[own]
    depth = peaks - np.where(np.isfinite(maxima.saddle[own]), maxima.saddle[own], 0.0)
    numbers = []
    for least in DEPTHS:
        counted = np.flatnonzero(depth > least)
        at, height = places[counted], peaks[counted]
        place = (at - middle) @ axis / extent
        row = [min(len(at), 5), 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
        if len(at):
            row[7] = abs(place[0])
        if len(at) > 1:
            ends = [int(place.argmin()), int(place.argmax())]
            row[1] = np.hypot(*(at[0] - at[1])) / extent
            row[2] = np.hypot(*(at[ends[0]] - at[ends[1]])) / extent
            row[3] = row[1] * extent
            row[4] = height[1] / height[0]
            row[5] = depth[counted[1]]
            row[6] = height[ends].min() / height[0]
            row[8] = height[2] / height[0] if len(at) > 2 else 0.0
        numbers += row
    return np.array(numbers)


def _profile(
    level: np.ndarray, sharp: np.ndarray, along: np.ndarray, across: np.ndarray, extent: float
) -> np.ndarray:
    """Return the highest level, the width over the extent and the highest sharp level in bins along the axis.

    The half with more of the sum of the levels comes first.
    """
    if (level * along).sum() > 0:
        along = -along
    scaled = (along - along.min()) / max(np.ptp(along), 1.0)
    bins = np.minimum((scaled * N_BINS).astype(int), N_BINS - 1)
    highest, sharpest = np.zeros(N_BINS), np.zeros(N_BINS)
    low, high = np.full(N_BINS, np.inf), np.full(N_BINS, -np.inf)
    np.maximum.at(highest, bins, level)
    np.maximum.at(sharpest, bins, np.maximum(sharp, 0.0))
    np.minimum.at(low, bins, across)
    np.maximum.at(high, bins, across)
    width = np.where(highest > TINY, (high - low + 1) / extent, 0.0)
    return np.concatenate([highest, np.where(np.isfinite(width), width, 0.0), sharpest])


def _surroundings(
    image: GalaxyImage, units: np.ndarray, box: tuple[int, int, int, int], middle: np.ndarray, extent: float
) -> np.ndarray:
    """Return nine numbers on the nearest other islands, and on W1 at the middle and the brightest pixel."""
    islands = image.islands
    others = islands.sizes >= 20
    others[units] = False
    boxes, sizes = islands.boxes[others], islands.sizes[others]
    apart = np.maximum(boxes[:, :2] - np.array(box[2:]), np.array(box[:2]) - boxes[:, 2:])
    gaps = np.hypot(*np.maximum(apart, 0).T)
    largest = islands.sizes[units].max()
    nearest = int(gaps.argmin()) if len(gaps) else -1
    similar = gaps[sizes > 0.4 * largest]
    infrared = image.infrared / 255.0
    peak = islands.brightest[units[islands.sizes[units].argmax()]]
    return np.array(
        [
            min(gaps[nearest], 60.0) / 20 if len(gaps) else 3.0,
            np.log(sizes[nearest] / largest) if len(gaps) else 0.0,
            min(similar.min(), 80.0) / 20 if len(similar) else 4.0,
            (gaps < extent).sum(),
            (gaps < 60).sum() / 3,
            np.log(sizes[gaps < extent].sum() + 1),
            _brightest(infrared, middle, max(3.0, 0.12 * extent)),
            _brightest(infrared, peak, 3.0),
            min(middle.min(), *(np.array(image.radio.shape) - middle), 40.0) / 40,
        ]
    )


def _brightest(infrared: np.ndarray, place: np.ndarray, reach: float) -> float:
    """Return the largest value of an image within a square around a place."""
    x, y = np.rint(place).astype(int)
    half = int(np.ceil(reach))
    part = infrared[max(y - half, 0) : y + half + 1, max(x - half, 0) : x + half + 1]
    return float(part.max()) if part.size else 0.0


def _centre_numbers(image: GalaxyImage, middle: np.ndarray) -> np.ndarray:
    """Return the distance from the middle of the image, and its logarithm."""
    ny, nx = image.radio.shape
    apart = float(np.hypot(*(middle - np.array([nx / 2, ny / 2]))))
    return np.array([min(apart, 100.0) / 50, np.log(apart + 2.0)])
