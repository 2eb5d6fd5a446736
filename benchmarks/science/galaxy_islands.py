"""Images of RadioGalaxyNET (Gupta et al. 2024): their islands as components, and the annotated sources.

Images have the channels W1 (red, 8 bit), and the low (green) and high byte (blue) of a 16-bit radio image.
The radio image is 0 below about 3 sigma.  In each island it is the logarithm of the brightness, from 0 at the
faintest pixel to 1 at the brightest, so flux densities are unknown.  A point source is a paraboloid there,
whose curvature tells its range: ``v = 1 - r^2 / (2 s^2 L)``, with the width s of the beam and the logarithm L
of its peak over its faintest pixel.

Pixels are 0-based array positions.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage
from skimage.measure import points_in_poly

from claran_core.common.errors import InputError
from claran_core.components.component_table import SubjectComponents
from claran_core.components.contour_rule import (
    COMPONENT_SIGMA,
    LEVEL_RATIO,
    Maxima,
    find_components,
    find_maxima,
)
from claran_core.labels.coco_file import CocoAnnotation, read_coco

__all__ = [
    "COCO_SHIFT_PX",
    "FRAME_PX",
    "GalaxyImage",
    "Seed",
    "find_seeds",
    "frame_of",
    "read_images",
    "seed_components",
]

# Standard deviation of the beam (13" x 11") in pixels of 2".
BEAM_PX = 2.6

# The radio image is an integer in 16 bits; its faintest pixels above zero are at one step.
FULL_SCALE, LOWEST = 65535.0, 0.5 / 65535.0

# Annotations lie this much to the left of, and above the pixels of their islands (edges at whole numbers).
COCO_SHIFT_PX = 1.5

# Seeds are islands of at least as many pixels; members of groups may be smaller.  Of the training annotations
# 99 % have an island of this size.
SEED_PX, MEMBER_PX = 120, 25

# Islands farther from a seed than this, and all but the nearest few, are not grouped with it.  99 % of the
# annotated islands are closer to the next one of their source.
NEAR_PX, MAX_NEAR = 34.0, 4

# Width of the image of a seed, which is a subject.
FRAME_PX = 96

# Limits of the logarithm of peak over faintest pixel, and iterations of the deconvolution.
RANGE_LIMITS, SHARPENINGS = (0.5, 9.0), 6

# Part of the beam that is taken out, and empty pixels around an island.
SHARPENING_PX, PAD_PX = BEAM_PX / np.sqrt(2), 4

# Maxima whose curvature counts, and a number that is not 0.
MAIN_PEAK, TINY = 0.3, 1e-6

# Weights of five pixels (Savitzky & Golay 1964): mean, slope, and second derivative.
_MEAN = np.array([-3, 12, 17, 12, -3]) / 35
_SLOPE = np.array([-2, -1, 0, 1, 2]) / 10
_BEND = np.array([2, -1, -2, -1, 2]) / 7


@dataclass(frozen=True)
class GalaxyImage:
    """An image, with its annotations.

    Attributes
    ----------
    name : str
        Its file.
    radio : (ny, nx) float64 array
        Logarithm of the brightness in each island, 0 to 1; 0 outside.
    infrared : (ny, nx) uint8 array
        W1, stretched.
    annotations : list of CocoAnnotation
        The annotated sources.
    """

    name: str
    radio: np.ndarray
    infrared: np.ndarray
    annotations: list[CocoAnnotation]

    @cached_property
    def islands(self) -> "Islands":
        """The islands of the radio image."""
        return Islands.of(self.radio)

    @cached_property
    def owners(self) -> np.ndarray:
        """The annotation of each island (n,), an index in `annotations`, else -1.

        An island belongs to an annotation if its brightest pixel is inside a polygon of its mask.
        """
        owner = np.full(len(self.islands.sizes), -1)
        for number, annotation in enumerate(self.annotations):
            places = self.islands.brightest - COCO_SHIFT_PX + 0.5
            for polygon in annotation.polygons:
                owner[points_in_poly(places, polygon)] = number
        return owner


@dataclass(frozen=True)
class Islands:
    """The n islands of a radio image.

    Attributes
    ----------
    labels : (ny, nx) int32 array
        Island of each pixel, from 1; 0 outside.
    boxes : (n, 4) float64 array
        Edges ``x1 y1 x2 y2`` of the pixels.
    sizes : (n,) int64 array
        Numbers of pixels.
    brightest : (n, 2) int64 array
        Pixel ``x y`` of the maximum.
    ranges : (n,) float64 array
        Logarithm of the peak over the faintest pixel, from the curvature of the maxima.
    maxima, sharp_maxima : Maxima
        Of the radio image, and of the natural logarithm of the deconvolved one (plus its range).
    sharp : (ny, nx) float64 array
        The deconvolved image, scaled as the radio image.
    """

    labels: np.ndarray
    boxes: np.ndarray
    sizes: np.ndarray
    brightest: np.ndarray
    ranges: np.ndarray
    maxima: Maxima
    sharp_maxima: Maxima
    sharp: np.ndarray

    @classmethod
    def of(cls, radio: np.ndarray) -> "Islands":
        """Return the islands of a radio image (`GalaxyImage.radio`)."""
        found = find_components(radio, LOWEST, threshold=1.0)
        slices = ndimage.find_objects(found.labels)
        boxes = np.array([[x.start, y.start, x.stop, y.stop] for y, x in slices], float).reshape(-1, 4)
        maxima = find_maxima(radio, LOWEST)
        ranges = _ranges(radio, found.labels, len(boxes), maxima)
        sharp = _sharpened(radio, found.labels, boxes, found.n_pixels, ranges)
        return cls(
            found.labels,
            boxes,
            found.n_pixels,
            found.brightest,
            ranges,
            maxima,
            find_maxima(sharp, LOWEST),
            sharp,
        )


def _ranges(radio: np.ndarray, labels: np.ndarray, count: int, maxima: Maxima) -> np.ndarray:
    """Return the logarithm of the peak over the faintest pixel of each island.

    The largest curvature of its maxima is that of a point source, at least across the source.
    """
    ny, nx = radio.shape
    x, y = maxima.places[maxima.peak > MAIN_PEAK].T
    inside = (x >= 2) & (x < nx - 2) & (y >= 2) & (y < ny - 2)
    x, y = x[inside], y[inside]
    steps = np.arange(-2, 3)
    around = radio[y[:, None, None] + steps[:, None], x[:, None, None] + steps]  # (n, 5, 5)
    xx, yy = (np.einsum("nij,i,j->n", around, *pair) for pair in ((_MEAN, _BEND), (_BEND, _MEAN)))
    xy = np.einsum("nij,i,j->n", around, _SLOPE, _SLOPE)
    bend = np.hypot((xx - yy) / 2, xy) - (xx + yy) / 2
    curvature = np.full(count, TINY)
    np.maximum.at(curvature, labels[y, x] - 1, bend)
    return np.clip(1.0 / (BEAM_PX**2 * curvature), *RANGE_LIMITS)


def _sharpened(
    radio: np.ndarray, labels: np.ndarray, boxes: np.ndarray, sizes: np.ndarray, ranges: np.ndarray
) -> np.ndarray:
    """Return the image with a sharper beam in the seeds (Richardson 1972, Lucy 1974), in the same scale."""
    sharp = radio.copy()
    for number in np.flatnonzero(sizes >= SEED_PX):
        x1, y1, x2, y2 = boxes[number].astype(int)
        own = labels[y1:y2, x1:x2] == number + 1
        level = np.pad(np.where(own, radio[y1:y2, x1:x2], 0.0), PAD_PX).astype(np.float32)
        linear = np.where(level > 0, np.exp((level - 1) * ranges[number]), 0.0).astype(np.float32)
        model = linear.copy()
        for _ in range(SHARPENINGS):
            ratio = linear / np.maximum(_blurred(model), TINY)
            model *= _blurred(ratio)
        scaled = 1 + np.log(np.maximum(model[PAD_PX:-PAD_PX, PAD_PX:-PAD_PX], TINY)) / ranges[number]
        sharp[y1:y2, x1:x2][own] = np.maximum(scaled[own], LOWEST)
    return sharp


def _blurred(image: np.ndarray) -> np.ndarray:
    return np.asarray(ndimage.gaussian_filter(image, SHARPENING_PX, truncate=2.5, mode="constant"))


def read_images(folder: Path, split: str, names: Collection[str] | None = None) -> Iterator[GalaxyImage]:
    """Read the annotated images of a split, ``train`` or ``val``, in the order of their names.

    `names` are those of the files that are wanted; all by default.

    Raises
    ------
    InputError
        If a file is missing or broken.
    """
    annotations: dict[str, list[CocoAnnotation]] = {}
    for annotation in read_coco(folder / f"{split}.json"):
        annotations.setdefault(annotation.image.file_name, []).append(annotation)
    for name in sorted(annotations if names is None else names):
        path = folder / split / name
        try:
            with Image.open(path) as opened:
                pixels = np.asarray(opened.convert("RGB"))
        except OSError as error:
            raise InputError(f"{path}: cannot be read as an image ({error})") from None
        radio = (pixels[..., 2] * 256.0 + pixels[..., 1]) / FULL_SCALE
        yield GalaxyImage(name, radio, pixels[..., 0], annotations[name])


@dataclass(frozen=True)
class Seed:
    """An island that may be the largest one of a source: a subject.

    Attributes
    ----------
    image : GalaxyImage
        Its image.
    units : (n,) int64 array
        Indices of the islands that are its components, the seed first, then the nearest others.
    corner : (int, int)
        First pixel ``x y`` of its frame, which may lie outside the image.
    """

    image: GalaxyImage
    units: np.ndarray
    corner: tuple[int, int]

    @property
    def name(self) -> str:
        """Name of the subject."""
        return f"{self.image.name}#{self.units[0]}"


def find_seeds(image: GalaxyImage) -> list[Seed]:
    """Return the seeds of an image, in the order of its islands."""
    islands = image.islands
    seeds = []
    for number in np.flatnonzero(islands.sizes >= SEED_PX):
        box = islands.boxes[number]
        apart = np.maximum(islands.boxes[:, :2] - box[2:], box[:2] - islands.boxes[:, 2:])
        gaps = np.hypot(*np.maximum(apart, 0).T)
        smaller = (islands.sizes < islands.sizes[number]) & (islands.sizes >= MEMBER_PX)
        others = np.flatnonzero(smaller & (gaps <= NEAR_PX) & (np.arange(len(gaps)) != number))
        others = others[np.argsort(gaps[others], kind="stable")][:MAX_NEAR]
        x, y = np.rint((box[:2] + box[2:]) / 2).astype(int) - FRAME_PX // 2
        seeds.append(Seed(image, np.concatenate([[number], others]), (int(x), int(y))))
    return seeds


def frame_of(pixels: np.ndarray, corner: tuple[int, int], size: int = FRAME_PX) -> np.ndarray:
    """Return a square (size, size) of an image from its first pixel ``x y``, 0 beyond the image."""
    x, y = corner
    padded = np.zeros((size, size), pixels.dtype)
    inside = pixels[max(y, 0) : y + size, max(x, 0) : x + size]
    padded[max(-y, 0) :, max(-x, 0) :][: inside.shape[0], : inside.shape[1]] = inside
    return padded


def seed_components(seed: Seed) -> SubjectComponents:
    """Return the islands of a seed as components, with fluxes by the estimated ranges."""
    islands, units = seed.image.islands, seed.units
    ranges = islands.ranges[units]
    snr = COMPONENT_SIGMA * np.exp(ranges)
    boxes = islands.boxes[units] - np.tile(seed.corner, 2)
    flux, counts, prominences = [], [], []
    for unit, span in zip(units, ranges, strict=True):
        x1, y1, x2, y2 = islands.boxes[unit].astype(int)
        own = islands.labels[y1:y2, x1:x2] == unit + 1
        flux.append(COMPONENT_SIGMA * np.exp(span * seed.image.radio[y1:y2, x1:x2][own]).sum())
        steps = _steps(islands, unit, span)
        counts.append(1 + int((steps >= 1).sum()))
        prominences.append([*steps, 0.0, 0.0, 0.0][:3])
    ones = np.ones(len(units), np.int64)
    return SubjectComponents(
        ids=np.arange(len(units)),
        boxes=boxes.astype(np.float32),
        peaks=(islands.brightest[units] - seed.corner + 0.5).astype(np.float32),
        n_peaks=np.array(counts, np.int64),
        snr=snr.astype(np.float32),
        flux=np.array(flux, np.float32),
        area=islands.sizes[units].astype(np.float32),
        prominences=np.array(prominences, np.float32),
        n_pixels=islands.sizes[units].astype(np.int64),
        at_edge=np.zeros(len(units), bool),
        scale=ones,
        n_fine=ones,
        fine_snr=snr.astype(np.float32),
        fine_ratio=np.zeros(len(units), np.float32),
        fine_boxes=boxes.astype(np.float32),
    )


def _steps(islands: Islands, unit: int, span: float) -> np.ndarray:
    """Return the prominences of the secondary maxima of an island, in steps of the contour rule."""
    maxima = islands.maxima
    x, y = maxima.places.T
    own = (islands.labels[y, x] == unit + 1) & np.isfinite(maxima.saddle)
    return -np.sort(-(maxima.peak - maxima.saddle)[own] * span / np.log(LEVEL_RATIO))
