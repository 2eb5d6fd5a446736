"""Extended radio sources: cores, jets, knots, hotspots, lobes and plumes around a host, as Gaussians.

A shape is drawn from a form (`claran_core.simulation.recipes`): two arms leave the host, more or
less opposite, curved, of unequal length and flux, and carry emission that ends in hotspots or fades.
Lobes are clouds of overlapping blobs, so that they are ragged as real ones are.  The shape is then made as
large as its recipe asks, measured by the contour rule on its noise-free image, and taken if it shows the
components and peaks of the recipe; else another is drawn.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

from claran_core.components.contour_rule import COMPONENT_SIGMA, Components, dr1_extent, find_components
from claran_core.simulation.recipes import BEAM_ARCSEC, FORMS, Form, SourceRecipe

__all__ = ["POINT_ARCSEC", "Structure", "build_compact", "build_extended", "local_maxima"]

# Pixels on which shapes are measured: FIRST's.
PIXEL_ARCSEC = 1.8

# Shapes drawn for a recipe before the one nearest to it is taken as it is.
MAX_SHAPES = 24

# After so many shapes of the recipe's own forms every second one is of this form.
FORMS_TRIED, LAST_FORM = 8, "points"

# Renderings to reach the size asked for, and how near (relative) is near enough.
MAX_SIZES = 4
SIZE_TOLERANCE = 0.1

# Lengths of the longer arm that are tried.
SMALLEST_ARM_ARCSEC, LONGEST_ARM_ARCSEC = 0.5, 110.0

# FWHM that smearing by bandwidth and time, and resampling, give to what is a point: the sharpest of 151 real
# subjects are those of a beam of 5.9 arcsec, not 5.4.
SMEARING_ARCSEC = 2.3

# FWHM of a point as the images show it.
POINT_ARCSEC = float(np.hypot(BEAM_ARCSEC, SMEARING_ARCSEC))

# The brightest blob is at most this much fainter at the middle of a pixel, and so at most are all together.
SURELY_BELOW = 0.87

# FWHM of hotspots in units of the arm.
HOTSPOT_SIZE = (0.03, 0.2)

# Where the blobs of a jet are, between its inner and its outer end.
JET_PARTS = np.linspace(0, 1, 6)


@dataclass(frozen=True)
class Structure:
    """Emission of one source around its host, and what its noise-free image shows.

    Attributes
    ----------
    form : str
        What it was made as: a key of `FORMS`, or ``compact``.
    gaussians : (n, 6) array
        East and north offset (arcsec), peak (units of the noise), FWHM of major and minor axis (arcsec,
        beam included) and position angle (deg).
    peaks : (k, 2) array
        East and north offset of the local maxima above the contour rule's threshold, brightest first.
    n_components, n_peaks : int
        Counts by the contour rule.
    """

    form: str
    gaussians: np.ndarray
    peaks: np.ndarray
    n_components: int
    n_peaks: int


@dataclass(frozen=True)
class _Shape:
    """Blobs before the beam, in units of the longer arm.

    Columns: east, north, flux, FWHM along and across, position angle (rad).
    """

    form: str
    blobs: np.ndarray

    def gaussians(self, arm_arcsec: float, peak_snr: float) -> np.ndarray:
        """The shape behind the beam, with an arm of this length; rows as in `Structure.gaussians`.

        `peak_snr` is given to the brightest blob alone; the sum is brighter.
        """
        east, north, flux, along, across, angle = self.blobs.T
        along, across = (np.hypot(size * arm_arcsec, SMEARING_ARCSEC) for size in (along, across))
        major, minor = np.maximum(along, across), np.minimum(along, across)
        turned = np.where(along >= across, angle, angle + np.pi / 2)
        major, minor = np.hypot(BEAM_ARCSEC, major), np.hypot(BEAM_ARCSEC, minor)
        peak = flux * BEAM_ARCSEC**2 / (major * minor)
        return np.column_stack(
            [
                east * arm_arcsec,
                north * arm_arcsec,
                peak * peak_snr / peak.max(),
                major,
                minor,
                np.rad2deg(turned),
            ]
        )


def build_compact(peak_snr: float, major_arcsec: float, minor_arcsec: float, angle_deg: float) -> Structure:
    """A source of one Gaussian of these axes (FWHM before the beam) at its host."""
    row = [0.0, 0.0, peak_snr, np.hypot(POINT_ARCSEC, major_arcsec), np.hypot(POINT_ARCSEC, minor_arcsec)]
    return Structure("compact", np.array([[*row, angle_deg]]), np.zeros((1, 2)), 1, 1)


def build_extended(
    rng: np.random.Generator, recipe: SourceRecipe, *, peak_snr: float, extent_arcsec: float
) -> Structure:
    """Draw a source that shows what its recipe says, as bright and as large as asked.

    Parameters
    ----------
    rng : Generator
        Stream to draw from.
    recipe : SourceRecipe
        Class and forms.
    peak_snr : float
        Brightest pixel, in units of the noise.
    extent_arcsec : float
        Extent by the DR1 rule.

    Returns
    -------
    Structure
        The first that fits; without one, the last that had the right class, or else the last one.
    """
    forms, shares = list(recipe.forms), np.cumsum(list(recipe.forms.values()))
    chosen = None
    for attempt in range(MAX_SHAPES):
        form = forms[int(np.searchsorted(shares, rng.random() * shares[-1], side="right"))]
        if attempt >= FORMS_TRIED and attempt % 2:
            form = LAST_FORM
        view = _View(
            _draw_shape(rng, form, recipe.core_chance),
            _guess_arm(extent_arcsec, recipe.n_components),
            peak_snr,
        )
        # What is of another class now will hardly be of this one at a size a little different.
        if _is_class(view, recipe):
            view, size_fits = _sized(view, extent_arcsec)
            if size_fits and _is_class(view, recipe):
                return view.structure
            chosen = view
        elif chosen is None:
            chosen = view
    return chosen.structure


def _is_class(view: "_View", recipe: SourceRecipe) -> bool:
    """Whether a view shows what its recipe says, the quickest to count first.

    Components and innermost contours hold a maximum each, so that there must be as many of these.
    """
    if recipe.n_peaks > 3:
        return view.n_maxima > 3 and max(view.n_components, view.n_peaks) > 3
    return (
        view.n_maxima >= recipe.n_peaks
        and view.n_components == recipe.n_components
        and view.n_peaks == recipe.n_peaks
    )


def _guess_arm(extent_arcsec: float, n_components: int) -> float:
    """Longer arm of a source of this extent, on average.

    The extent of one component has the beam in it, that of several is the distance between two of them.
    """
    arm = 0.75 * extent_arcsec - 11.0
    if n_components > 1:
        arm = max(arm, 0.58 * extent_arcsec)
    return float(np.clip(arm, SMALLEST_ARM_ARCSEC, LONGEST_ARM_ARCSEC))


class _View:
    """A shape at one size, with a given brightness in its brightest pixel; measured when asked."""

    def __init__(self, shape: _Shape, arm_arcsec: float, peak_snr: float) -> None:
        self.shape, self.arm_arcsec, self.peak_snr = shape, arm_arcsec, peak_snr
        self._gaussians = shape.gaussians(arm_arcsec, peak_snr)
        self.image, self._east, self._north = _noise_free(
            self._gaussians, SURELY_BELOW * min(peak_snr, COMPONENT_SIGMA)
        )
        scale = peak_snr / self.image.max()
        self._gaussians[:, 2] *= scale
        self.image *= scale

    @cached_property
    def _found(self) -> Components:
        return find_components(self.image, 1.0)

    @cached_property
    def n_maxima(self) -> int:
        """Number of pixels above the threshold that none of their four neighbours outshines."""
        inner = self.image[1:-1, 1:-1]  # nothing at the rim is above the threshold
        is_peak = inner > COMPONENT_SIGMA
        for beside in (
            self.image[:-2, 1:-1],
            self.image[2:, 1:-1],
            self.image[1:-1, :-2],
            self.image[1:-1, 2:],
        ):
            is_peak &= inner >= beside
        return int(np.count_nonzero(is_peak))

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
    def structure(self) -> Structure:
        """What this view shows."""
        columns, rows = local_maxima(self.image, self._found).T
        return Structure(
            form=self.shape.form,
            gaussians=self._gaussians,
            peaks=np.column_stack([self._east[columns], self._north[rows]]),
            n_components=self.n_components,
            n_peaks=self.n_peaks,
        )


def _sized(view: _View, extent_arcsec: float) -> tuple[_View, bool]:
    """A view of the same shape with the extent wanted, by Newton's steps; and whether it got there.

    The extent grows by two arms with an arm.  What the beam alone makes larger than wanted is as small as
    it can be, and fits.
    """
    for _ in range(MAX_SIZES):
        arm, step = view.arm_arcsec, 0.5 * (extent_arcsec - view.extent_arcsec)
        at_limit = (arm <= SMALLEST_ARM_ARCSEC and step < 0) or (arm >= LONGEST_ARM_ARCSEC and step > 0)
        if at_limit or abs(step) < 0.5 * SIZE_TOLERANCE * extent_arcsec:
            return view, True
        arm = float(np.clip(arm + step, max(0.4 * arm, SMALLEST_ARM_ARCSEC), LONGEST_ARM_ARCSEC))
        view = _View(view.shape, arm, view.peak_snr)
    return view, False


def _noise_free(gaussians: np.ndarray, faintest: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image ``(ny, nx)`` of Gaussians around all of it that is as bright as `faintest`.

    Also the east and north offsets (arcsec) of its columns and rows.  The rim is fainter than that.
    """
    east, north, peak, major, minor, angle_deg = gaussians.T.copy()
    angle, reach = np.deg2rad(angle_deg), 3 * major
    sin, cos = np.sin(angle), np.cos(angle)
    sin_2, cos_2 = sin * sin, cos * cos
    a, b = -4 * np.log(2) / (major * major), -4 * np.log(2) / (minor * minor)  # along the axes
    axes, distances = [], []
    for offset, spread in ((east, sin_2 / a + cos_2 / b), (north, cos_2 / a + sin_2 / b)):
        low, high = (offset - reach).min() / PIXEL_ARCSEC, (offset + reach).max() / PIXEL_ARCSEC
        axis = np.arange(math.floor(low), math.ceil(high) + 1) * PIXEL_ARCSEC
        distance = axis - offset[:, None]
        # No pixel of a row or column is brighter than all Gaussians at their brightest there.
        seen = np.flatnonzero(peak @ np.exp(distance * distance / spread[:, None]) >= faintest)
        shown = slice(seen[0] - 1, seen[-1] + 2)
        axes.append(axis[shown])
        distances.append(distance[:, shown])
    dx, dy = distances
    xx, yy, xy = a * sin_2 + b * cos_2, a * cos_2 + b * sin_2, 2 * (a - b) * sin * cos
    of_rows = np.stack([yy[:, None] * dy * dy, np.ones_like(dy), xy[:, None] * dy], axis=2)
    of_columns = np.stack([np.ones_like(dx), xx[:, None] * dx * dx, dx], axis=1)
    values = of_rows @ of_columns  # (n, ny, nx), in one pass over memory
    np.exp(values, out=values)
    return np.tensordot(peak, values, axes=1), *axes


def local_maxima(image: np.ndarray, found: Components) -> np.ndarray:
    """Pixels ``x y`` within components that no neighbour outshines, brightest first; ``(k, 2)``."""
    is_peak = (image == ndimage.maximum_filter(image, 3)) & (found.labels > 0)
    rows, columns = np.nonzero(is_peak)
    order = np.argsort(-image[rows, columns], kind="stable")
    return np.column_stack([columns, rows])[order]


def _uniform(rng: np.random.Generator, limits: tuple[float, float]) -> float:
    low, high = limits
    return low + (high - low) * rng.random()


def _log_uniform(rng: np.random.Generator, limits: tuple[float, float]) -> float:
    return math.exp(_uniform(rng, (math.log(limits[0]), math.log(limits[1]))))


def _shares(rng: np.random.Generator, concentration: float, n: int) -> np.ndarray:
    """Random parts of one (Dirichlet), more equal where the concentration is higher."""
    parts = rng.standard_gamma(concentration, n)
    return parts / parts.sum()


def _draw_shape(rng: np.random.Generator, form_name: str, core_chance: float | None) -> _Shape:
    form = FORMS[form_name]
    has_core = rng.random() < (form.core_chance if core_chance is None else core_chance)
    core = _log_uniform(rng, form.core_flux) if has_core else 0.0
    side_flux = np.array([1.0, _uniform(rng, form.side_ratio)])
    side_flux *= (1 - core) / side_flux.sum()
    lengths = np.array([1.0, _uniform(rng, form.arm_ratio)])
    if rng.random() < 0.5:
        lengths = lengths[::-1]
    curves = rng.normal(0, form.curve) * np.array(
        [1.0, (-1.0, 1.0)[rng.integers(2)] * _uniform(rng, (0.5, 1.2))]
    )
    bend = np.deg2rad(min(abs(rng.normal(0, form.bend_deg)), 150.0))
    first = rng.uniform(0, 2 * np.pi)
    directions = (first, first + np.pi - bend)
    parts, arms = [], []
    for flux, *arm in zip(side_flux, lengths, curves, directions, strict=True):
        if flux > 0.002:
            parts.append(_draw_side(rng, form, flux))
            arms += [arm] * len(parts[-1])
    blobs = _on_arms(np.concatenate(parts), *np.array(arms).T)
    return _Shape(form_name, np.concatenate([[[0.0, 0.0, core, 0.0, 0.0, 0.0]], blobs]) if core else blobs)


def _draw_side(rng: np.random.Generator, form: Form, flux: float) -> np.ndarray:
    """Emission of one side in units of its arm.

    Columns: distance along and offset across the arm, flux, FWHM along and across.
    """
    hotspots, jet = flux * _uniform(rng, form.hotspot_flux), flux * _uniform(rng, form.jet_flux)
    n_knots = int(rng.integers(form.knots[0], form.knots[1] + 1))
    knots = flux * n_knots * _uniform(rng, (0.08, 0.3))
    lobe = max(flux - hotspots - jet - knots, 0.1 * flux)
    parts = [_lobe(rng, form, lobe)]
    if hotspots > 0:
        parts.append(_hotspots(rng, hotspots))
    if jet > 0:
        parts.append(_jet(rng, jet))
    if n_knots:
        parts.append(_knots(rng, knots, n_knots))
    return np.concatenate(parts)


def _rows(along, across, flux, length, breadth) -> np.ndarray:
    rows = np.empty((len(along), 5))
    for column, values in enumerate((along, across, flux, length, breadth)):
        rows[:, column] = values
    return rows


def _hotspots(rng: np.random.Generator, flux: float) -> np.ndarray:
    """One hotspot at the end of the arm, or a second, fainter one near it."""
    n = 1 + (rng.random() < 0.3)
    shares = _shares(rng, 2.0, n)
    along = 1 - np.abs(rng.normal(0, 0.08, n))
    size = rng.uniform(*HOTSPOT_SIZE, n)
    return _rows(along, rng.normal(0, 0.05, n), flux * shares, size, size * rng.uniform(0.5, 1, n))


def _jet(rng: np.random.Generator, flux: float) -> np.ndarray:
    """A narrow ridge from the core outwards, fading."""
    along = 0.04 + _uniform(rng, (0.2, 0.76)) * JET_PARTS
    shares = np.exp(-_uniform(rng, (0.0, 2.0)) * JET_PARTS)
    return _rows(along, rng.normal(0, 0.01, JET_PARTS.size), flux * shares / shares.sum(), 0.08, 0.03)


def _knots(rng: np.random.Generator, flux: float, n: int) -> np.ndarray:
    along = (np.arange(n) + rng.uniform(0.3, 0.9, n)) / (n + 0.3)
    return _rows(along, rng.normal(0, 0.03, n), flux * _shares(rng, 3.0, n), 0.05, 0.04)


def _lobe(rng: np.random.Generator, form: Form, flux: float) -> np.ndarray:
    """Lobe or plume: a ragged cloud of blobs from its inner end to its outer one."""
    n = int(rng.integers(6, 15))
    start, width = _uniform(rng, form.lobe_start), _uniform(rng, form.lobe_width)
    part = np.sort(rng.random(n))
    along = start + (1 - start) * part
    local = width * (form.widening + (1 - form.widening) * part)
    # Blobs of half the lobe's width, scattered so that the cloud has that width.
    size = local * rng.uniform(0.15, 0.85, n)
    across = rng.normal(0, 0.33, n) * local
    shares = np.exp(_uniform(rng, form.brightening) * part + rng.normal(0, 0.7, n)) * size
    stretch = rng.uniform(1.0, 1.6, n)
    return _rows(along - 0.3 * size, across, flux * shares / shares.sum(), size * stretch, size)


def _on_arms(blobs: np.ndarray, length: np.ndarray, curve: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Put emission on its curved arms, around the host; rows as in `_Shape.blobs`.

    Rows of `blobs` are those of `_draw_side`; each has the length, curve and direction of its own arm.
    """
    along, across, flux, blob_length, breadth = blobs.T
    along, across = along * length, across * length + curve * length * along**2
    sin, cos = np.sin(direction), np.cos(direction)
    placed = np.empty((len(blobs), 6))
    placed[:, 0] = along * sin + across * cos
    placed[:, 1] = along * cos - across * sin
    placed[:, 2] = flux
    placed[:, 3] = blob_length * length
    placed[:, 4] = breadth * length
    placed[:, 5] = direction + np.arctan(2 * curve * along)
    return placed
