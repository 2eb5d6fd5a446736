"""Models of extended radio sources that match a label: brightest pixels, class and extent are given.

A label of Radio Galaxy Zoo gives the brightest pixel of each component, the total number of peaks, and the
extent of the source.  The model of a source with one component comes from
`claran_core.simulation.source_models` and is translated and mirrored to match.  If none matches, and for
several components, the model consists of the hotspots and tails of `claran_core.simulation.hotspot_models`.
The contour rule decides on images with and without noise whether a model matches.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy import ndimage

from claran_core.common.constants import FWHM_PER_SIGMA
from claran_core.components.contour_rule import COMPONENT_SIGMA, dr1_extent, find_components
from claran_core.simulation.gaussians import PixelGaussians
from claran_core.simulation.hotspot_models import FAINTEST, GAP_LEVEL, Part, direction, distances, draw_parts
from claran_core.simulation.recipes import SourceRecipe
from claran_core.simulation.source_models import (
    PIXEL_ARCSEC,
    SourceModel,
    build_extended,
    local_maxima,
)
from claran_core.simulation.source_shapes import POINT_ARCSEC

__all__ = ["LabelledSource", "build_labelled", "noise_free"]

# Extended models tried for a source of one component, models of hotspots and tails tried for any source, and
# sizes tried for each of the latter.
MAX_EXTENDED, MAX_DRAFTS, MAX_SIZES = 6, 16, 6

# If components are too large or merge, the next model is fainter, down to this fraction of the brightness.
DIMMEST = 0.4

# Tolerances of a match: relative extent, distance of brightest pixels (1.6 px), and for sources of one
# component the distance of the centre from the host, arcsec.
EXTENT_TOLERANCE = 0.05
POSITION_TOLERANCE_ARCSEC = 1.6 * PIXEL_ARCSEC
HOST_TOLERANCE_ARCSEC = 5.0

# Trials that must not change the counts of a source: shift (px) and level of the added noise.  The noise
# image is wider (px) than any source, and its autocorrelation has this FWHM.
TRIALS = ((0.0, 1.0), (0.5, 0.92), (-0.25, 1.2))
NOISE_PX, NOISE_FWHM_ARCSEC = 400, 5.8


@dataclass(frozen=True)
class LabelledSource:
    """The known properties of a labelled source.

    Attributes
    ----------
    components : (n, 2) array
        East and north offset of each component's brightest pixel from the host, arcsec.
    n_peaks : int
        Peaks of all components together.
    extent_arcsec : float
        Extent by the DR1 rule.
    peak_snr : float
        Brightest pixel in units of the noise.
    recipe : SourceRecipe
        Source types of its class.
    """

    components: np.ndarray
    n_peaks: int
    extent_arcsec: float
    peak_snr: float
    recipe: SourceRecipe

    def allowed_snr(self) -> float:
        """Return the largest brightness that is compatible with the label.

        One component is at least as large as the contour of a point source of the same brightness; several
        components need a gap between them.
        """
        if len(self.components) == 1:
            widths = self.extent_arcsec / (np.sqrt(2) * 1.03 * POINT_ARCSEC)
            return COMPONENT_SIGMA * 2.0 ** min(widths**2, 12.0)
        nearest = distances(self.components).min(axis=1).max()
        together = GAP_LEVEL * 2.0 ** min((nearest / POINT_ARCSEC) ** 2, 12.0)
        return max(together - FAINTEST, together / 2, 1.15 * COMPONENT_SIGMA)


@dataclass(frozen=True)
class _Candidate:
    """A model with its extent by the contour rule; a `misfit` of 1 is at the limit of the tolerances."""

    model: SourceModel
    extent_arcsec: float
    misfit: float


def build_labelled(rng: np.random.Generator, label: LabelledSource) -> SourceModel:
    """Draw a model that matches a label.

    Parameters
    ----------
    rng : Generator
        Stream to draw from.
    label : LabelledSource
        The label.

    Returns
    -------
    SourceModel
        The first model that matches, or else the one with the smallest misfit; offsets are from the host.
    """
    best = None
    for candidate in _candidates(rng, label):
        if best is None or candidate.misfit < best.misfit:
            best = candidate
        if best.misfit <= 1.0:
            break
    assert best is not None  # there is at least one candidate
    return best.model


def _candidates(rng: np.random.Generator, label: LabelledSource) -> Iterator[_Candidate]:
    """Yield candidate models, extended ones first for a source of one component."""
    if len(label.components) == 1:
        for _ in range(MAX_EXTENDED):
            model = build_extended(
                rng, label.recipe, peak_snr=label.peak_snr, extent_arcsec=label.extent_arcsec
            )
            moved, off_host = _moved(model, label.components[0])
            yield _judged(moved, model.source_type, label, off_host)
    dimmer, dimmest = label, max(DIMMEST * label.peak_snr, min(label.peak_snr, 1.4 * FAINTEST))
    for _ in range(MAX_DRAFTS):
        parts = draw_parts(rng, label.components, n_peaks=label.n_peaks, peak_snr=dimmer.peak_snr)
        best = _fitted(parts, dimmer)
        yield best
        if best.model.n_components < len(label.components) or best.extent_arcsec > label.extent_arcsec:
            dimmer = replace(dimmer, peak_snr=max(0.8 * dimmer.peak_snr, dimmest))


def _moved(model: SourceModel, place: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the Gaussians with the brightest pixel moved to a place, and the offset of the host (arcsec).

    The model is mirrored such that the offset of the host is smallest.  Mirroring at the axes and their
    diagonal does not affect the contour rule.
    """
    brightest = model.peaks[0]
    mirrors = [
        np.array(mirror)
        for east in (1, -1)
        for north in (1, -1)
        for mirror in ([[east, 0], [0, north]], [[0, east], [north, 0]])
    ]
    off = [np.hypot(*(place - mirror @ brightest)) for mirror in mirrors]
    mirror = mirrors[int(np.argmin(off))]
    rows = model.gaussians.copy()
    rows[:, :2] = rows[:, :2] @ mirror.T + place - mirror @ brightest
    along = mirror @ direction(np.deg2rad(rows[:, 5])).T
    rows[:, 5] = np.rad2deg(np.arctan2(*along)) % 180.0
    return rows, float(min(off))


def _judged(
    rows: np.ndarray, source_type: str, label: LabelledSource, off_host_arcsec: float = 0.0
) -> _Candidate:
    """Measure a source by the contour rule and compare it with its label."""
    image, origin = noise_free(rows)
    found = find_components(image, 1.0)
    model = SourceModel(
        source_type=source_type,
        gaussians=rows,
        peaks=origin + PIXEL_ARCSEC * local_maxima(image, found),
        n_components=len(found),
        n_peaks=int(found.n_peaks.sum()),
    )
    if not len(found):
        return _Candidate(model, 0.0, np.inf)
    extent = dr1_extent(found.boxes) * PIXEL_ARCSEC
    brightest = origin + PIXEL_ARCSEC * found.brightest
    apart = np.hypot(*(label.components[:, None] - brightest[None]).T)
    parts = (
        abs(extent / label.extent_arcsec - 1) / EXTENT_TOLERANCE,
        apart.min(axis=0).max() / POSITION_TOLERANCE_ARCSEC,
        off_host_arcsec / HOST_TOLERANCE_ARCSEC,
    )
    wrong = abs(len(found) - len(label.components)) + abs(model.n_peaks - label.n_peaks)
    if wrong:
        return _Candidate(model, extent, 100.0 * wrong + sum(parts))
    return _Candidate(model, extent, max(parts) + _changes(rows, label))


def _changes(rows: np.ndarray, label: LabelledSource) -> int:
    """Return how many of the `TRIALS` change the counts of a source."""
    counts = len(label.components), label.n_peaks
    changed = 0
    for (shift, sigma), noise in zip(TRIALS, _noises(), strict=True):
        shifted = rows.copy()
        shifted[:, :2] += shift * PIXEL_ARCSEC
        image, _ = noise_free(shifted)
        seen = find_components(image + sigma * noise[: image.shape[0], : image.shape[1]], sigma)
        changed += (len(seen), int(seen.n_peaks.sum())) != counts
    return changed


@lru_cache(maxsize=1)
def _noises() -> tuple[np.ndarray, ...]:
    """Return noise images of unit variance, larger than any source and as smooth as FIRST's near lag 0."""
    rng = np.random.default_rng(0)
    sigma_px = NOISE_FWHM_ARCSEC / np.sqrt(2) / PIXEL_ARCSEC / FWHM_PER_SIGMA
    planes = [
        ndimage.gaussian_filter(rng.standard_normal((NOISE_PX, NOISE_PX)), sigma_px, mode="wrap")
        for _ in TRIALS
    ]
    return tuple(plane / plane.std() for plane in planes)


def noise_free(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the image of Gaussians and the east and north offset of its first pixel; columns run east."""
    east, north, peak, major, minor, angle_deg = rows.T
    to_sigma_px = 1 / (FWHM_PER_SIGMA * PIXEL_ARCSEC)
    major, minor, turn = major * to_sigma_px, minor * to_sigma_px, np.deg2rad(90 - angle_deg)
    placed = PixelGaussians.of_axes(east / PIXEL_ARCSEC, north / PIXEL_ARCSEC, peak, major, minor, turn)
    window = placed.box()
    image = np.zeros(window.shape)
    placed.add_to(image, window)
    return image, PIXEL_ARCSEC * np.array([window.x0, window.y0])


def _fitted(parts: list[Part], label: LabelledSource) -> _Candidate:
    """Change the length of the tails until the extent matches; the extent grows about as fast as they do."""
    several = len(parts) > 1
    shortest = -0.45 * distances(label.components).min() if several else 0.0
    best: _Candidate | None = None
    tried: list[tuple[float, float]] = []
    growth = 0.0
    for _ in range(MAX_SIZES):
        candidate = _judged(np.concatenate([part.rows(growth) for part in parts]), "labelled", label)
        tried.append((growth, candidate.extent_arcsec))
        if best is None or candidate.misfit < best.misfit:
            best = candidate
        wanted = growth + (label.extent_arcsec - candidate.extent_arcsec) / _slope(tried)
        wanted = float(np.clip(wanted, shortest, 1.2 * label.extent_arcsec))
        if best.misfit <= 1.0 or abs(wanted - growth) < 0.2:
            break
        growth = wanted
    assert best is not None  # MAX_SIZES is positive
    return best


def _slope(tried: list[tuple[float, float]]) -> float:
    """Return the growth of the extent per growth of the tails, from the last two sizes tried."""
    if len(tried) < 2 or abs(tried[-1][0] - tried[-2][0]) < 1.0:
        return 1.0
    return float(np.clip((tried[-1][1] - tried[-2][1]) / (tried[-1][0] - tried[-2][0]), 0.4, 2.0))
