"""Models of extended radio sources: shapes scaled to a size and measured by the contour rule.

A shape (`claran_core.simulation.source_shapes`) is scaled to the extent of its recipe, measured by the
contour rule on its noise-free image, and accepted if it shows the components and peaks of the recipe.
Otherwise another shape is drawn.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

from claran_core.common.compiled import compiled
from claran_core.common.constants import FWHM_PER_SIGMA
from claran_core.components.contour_rule import COMPONENT_SIGMA, Components, dr1_extent, find_components
from claran_core.simulation.gaussians import PixelGaussians
from claran_core.simulation.geometry import TileWindow
from claran_core.simulation.recipes import SourceRecipe
from claran_core.simulation.source_shapes import POINT_ARCSEC, SourceShape, draw_shape

__all__ = ["SourceModel", "build_compact", "build_extended", "local_maxima"]

# Pixels on which shapes are measured, those of FIRST.
PIXEL_ARCSEC = 1.8

# Largest number of shapes drawn for a recipe.
MAX_SHAPES = 24

# After this number of shapes of the recipe's source types, every second one is of this type.
TYPES_TRIED, LAST_TYPE = 8, "points"

# Renderings to reach the requested size, and its relative tolerance.
MAX_SIZES = 4
SIZE_TOLERANCE = 0.1

# Radius at which Gaussians end, in sigma: for the first guess of an image's size, and for its pixels.
REACH_SIGMA, WIDE_SIGMA = 3 * FWHM_PER_SIGMA, 1e3

# Limits of the length of the longer arm.
SMALLEST_ARM_ARCSEC, LONGEST_ARM_ARCSEC = 0.5, 110.0

# Smallest ratio of the brightest pixel to the peak between pixels.
SURELY_BELOW = 0.87


@dataclass(frozen=True)
class SourceModel:
    """The emission of one source, with the counts measured on its noise-free image.

    Attributes
    ----------
    source_type : str
        Key of `claran_core.simulation.recipes.SOURCE_TYPES`, ``compact`` or ``labelled``.
    gaussians : (n, 6) array
        East and north offset (arcsec), peak (units of the noise), FWHM of major and minor axis (arcsec,
        beam included) and position angle (deg).
    peaks : (k, 2) array
        East and north offset of the local maxima above the contour rule's threshold, brightest first.
    n_components, n_peaks : int
        Counts by the contour rule.
    """

    source_type: str
    gaussians: np.ndarray
    peaks: np.ndarray
    n_components: int
    n_peaks: int


def build_compact(peak_snr: float, major_arcsec: float, minor_arcsec: float, angle_deg: float) -> SourceModel:
    """Return a source of one Gaussian with these axes (FWHM before the beam) at its host."""
    row = [0.0, 0.0, peak_snr, np.hypot(POINT_ARCSEC, major_arcsec), np.hypot(POINT_ARCSEC, minor_arcsec)]
    return SourceModel("compact", np.array([[*row, angle_deg]]), np.zeros((1, 2)), 1, 1)


def build_extended(
    rng: np.random.Generator, recipe: SourceRecipe, *, peak_snr: float, extent_arcsec: float
) -> SourceModel:
    """Draw a source with the counts of its recipe and the given brightness and extent.

    Parameters
    ----------
    rng : Generator
        Stream to draw from.
    recipe : SourceRecipe
        Class and source types.
    peak_snr : float
        Brightest pixel, in units of the noise.
    extent_arcsec : float
        Extent by the DR1 rule.

    Returns
    -------
    SourceModel
        The first that matches; otherwise the last of the right class, or the first one drawn.
    """
    types, shares = list(recipe.types), np.cumsum(list(recipe.types.values()))
    best: _Rendering | None = None
    for attempt in range(MAX_SHAPES):
        source_type = types[int(np.searchsorted(shares, rng.random() * shares[-1], side="right"))]
        if attempt >= TYPES_TRIED and attempt % 2:
            source_type = LAST_TYPE
        rendering = _Rendering(
            draw_shape(rng, source_type, recipe.core_chance),
            _guess_arm(extent_arcsec, recipe.n_components),
            peak_snr,
        )
        # A small change of size rarely changes the class, so only shapes of the right class are resized.
        if _is_class(rendering, recipe):
            rendering, size_fits = _sized(rendering, extent_arcsec)
            if size_fits and _is_class(rendering, recipe):
                return rendering.model
            best = rendering
        elif best is None:
            best = rendering
    assert best is not None  # MAX_SHAPES is positive
    return best.model


def _is_class(rendering: "_Rendering", recipe: SourceRecipe) -> bool:
    """Return whether a rendering has the counts of its recipe; the cheapest test comes first.

    Each component and each innermost contour contains a maximum, so there are at least as many maxima.
    """
    if recipe.n_peaks > 3:
        return rendering.n_maxima > 3 and max(rendering.n_components, rendering.n_peaks) > 3
    return (
        rendering.n_maxima >= recipe.n_peaks
        and rendering.n_components == recipe.n_components
        and rendering.n_peaks == recipe.n_peaks
    )


def _guess_arm(extent_arcsec: float, n_components: int) -> float:
    """Return the average length of the longer arm of sources of this extent.

    The extent of one component includes the beam; that of several is the distance between two of them.
    """
    arm = 0.75 * extent_arcsec - 11.0
    if n_components > 1:
        arm = max(arm, 0.58 * extent_arcsec)
    return float(np.clip(arm, SMALLEST_ARM_ARCSEC, LONGEST_ARM_ARCSEC))


class _Rendering:
    """A shape at one size and brightness; its image is measured on first access."""

    def __init__(self, shape: SourceShape, arm_arcsec: float, peak_snr: float) -> None:
        self.shape, self.arm_arcsec, self.peak_snr = shape, arm_arcsec, peak_snr
        self._gaussians = shape.gaussians(arm_arcsec, peak_snr)
        faintest = SURELY_BELOW * min(peak_snr, COMPONENT_SIGMA)
        self.image, self._east, self._north = _noise_free(self._gaussians, faintest)
        scale = peak_snr / self.image.max()
        self._gaussians[:, 2] *= scale
        self.image *= scale

    @cached_property
    def _found(self) -> Components:
        return find_components(self.image, 1.0)

    @cached_property
    def n_maxima(self) -> int:
        """Number of pixels above the threshold that are at least as bright as their four neighbours."""
        return _count_maxima(self.image, COMPONENT_SIGMA)

    @property
    def n_components(self) -> int:
        """Number of components by the contour rule."""
        return len(self._found)

    @property
    def n_peaks(self) -> int:
        """Number of peaks by the contour rule."""
        return int(self._found.n_peaks.sum())

    @property
    def extent_arcsec(self) -> float:
        """Extent by the DR1 rule."""
        return dr1_extent(self._found.boxes) * PIXEL_ARCSEC

    @property
    def model(self) -> SourceModel:
        """The model of this rendering."""
        first = np.array([self._east, self._north])
        return SourceModel(
            source_type=self.shape.source_type,
            gaussians=self._gaussians,
            peaks=first + PIXEL_ARCSEC * local_maxima(self.image, self._found),
            n_components=self.n_components,
            n_peaks=self.n_peaks,
        )


def _sized(rendering: _Rendering, extent_arcsec: float) -> tuple[_Rendering, bool]:
    """Render the same shape with the requested extent, by Newton's steps; also return whether it converged.

    The extent grows by twice the growth of the arm.  A shape at the smallest or longest arm counts as
    converged.
    """
    for _ in range(MAX_SIZES):
        arm, step = rendering.arm_arcsec, 0.5 * (extent_arcsec - rendering.extent_arcsec)
        at_limit = (arm <= SMALLEST_ARM_ARCSEC and step < 0) or (arm >= LONGEST_ARM_ARCSEC and step > 0)
        if at_limit or abs(step) < 0.5 * SIZE_TOLERANCE * extent_arcsec:
            return rendering, True
        arm = float(np.clip(arm + step, max(0.4 * arm, SMALLEST_ARM_ARCSEC), LONGEST_ARM_ARCSEC))
        rendering = _Rendering(rendering.shape, arm, rendering.peak_snr)
    return rendering, False


def _noise_free(gaussians: np.ndarray, faintest: float) -> tuple[np.ndarray, float, float]:
    """Return the image ``(ny, nx)`` of Gaussians, and the east and north offset of its first pixel.

    The image contains all pixels brighter than `faintest`; its border is fainter.  Offsets are in arcsec.
    """
    east, north, peak, major, minor, angle_deg = gaussians.T
    to_sigma_px = 1 / (FWHM_PER_SIGMA * PIXEL_ARCSEC)
    place, turn = (east / PIXEL_ARCSEC, north / PIXEL_ARCSEC), np.deg2rad(90 - angle_deg)
    # Not cut off: the boxes are wider than any image.
    placed = PixelGaussians.of_axes(*place, peak, major * to_sigma_px, minor * to_sigma_px, turn, WIDE_SIGMA)
    (x0, nx), (y0, ny) = (_shown(placed.rows, axis, faintest) for axis in (0, 1))
    image = np.zeros((ny, nx))
    placed.add_to(image, TileWindow(x0, y0, nx, ny))
    return image, x0 * PIXEL_ARCSEC, y0 * PIXEL_ARCSEC


@compiled
def _shown(rows: np.ndarray, axis: int, faintest: float) -> tuple[int, int]:
    """Return the first pixel and the number of pixels of an image along x (axis 0) or y (axis 1).

    A pixel is shown if the sum of the maxima of all Gaussians in its column or row reaches `faintest`, and so
    is one more on either side.  `rows` are those of `PixelGaussians`.
    """
    low, high = np.inf, -np.inf
    spread = np.empty(len(rows))
    for k in range(len(rows)):
        xx, yy, xy = rows[k, 3], rows[k, 4], rows[k, 5]
        spread[k] = (yy if axis == 0 else xx) / (xx * yy - xy * xy)
        low = min(low, rows[k, axis] - REACH_SIGMA * math.sqrt(spread[k]))
        high = max(high, rows[k, axis] + REACH_SIGMA * math.sqrt(spread[k]))
    first, last = int(math.ceil(high)), int(math.floor(low))
    for pixel in range(int(math.floor(low)), int(math.ceil(high)) + 1):
        highest = 0.0
        for k in range(len(rows)):
            distance = pixel - rows[k, axis]
            highest += rows[k, 2] * math.exp(-0.5 * distance * distance / spread[k])
        if highest >= faintest:
            first, last = min(first, pixel), max(last, pixel)
    return first - 1, last - first + 3


@compiled
def _count_maxima(image: np.ndarray, threshold: float) -> int:
    """Count pixels above a threshold and not below their four neighbours, except in the border."""
    ny, nx = image.shape
    n = 0
    for j in range(1, ny - 1):
        for i in range(1, nx - 1):
            value = image[j, i]
            if (
                value > threshold
                and value >= image[j - 1, i]
                and value >= image[j + 1, i]
                and value >= image[j, i - 1]
                and value >= image[j, i + 1]
            ):
                n += 1
    return n


def local_maxima(image: np.ndarray, found: Components) -> np.ndarray:
    """Return the local maxima ``x y`` within components, brightest first; ``(k, 2)``."""
    is_peak = (image == ndimage.maximum_filter(image, 3)) & (found.labels > 0)
    rows, columns = np.nonzero(is_peak)
    order = np.argsort(-image[rows, columns], kind="stable")
    return np.column_stack([columns, rows])[order]
