"""Measure a source on the radio image: flux densities with errors, extent, position and components.

These are pure array functions on the image of one subject.  A source is a set of components (pixels above the
contour of `claran_core.components.contour_rule`).  Its flux density is summed over these and one beam (FWHM)
around them, except where another component is nearer: the contour alone misses half the flux of a point
source of 10 sigma.  Errors account for the correlation of the noise between pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage, signal
from skimage.measure import find_contours

from claran_core.common.constants import FWHM_PER_SIGMA
from claran_core.common.noise import noise_sigma
from claran_core.survey.surveys import Survey

__all__ = ["RadioImage", "RadioMeasurement", "interpolated_peak", "largest_extent", "measure"]

# Solid angle of a beam of FWHM 1.
BEAM_AREA = np.pi / (4 * np.log(2))

# A source closer than this to emission of another, in beams, may share flux with it.
BLEND_BEAMS = 2.0

# Depth of the deepest residual that FIRST's cleaning leaves around a bright source, as a fraction of its peak
# (median of the worst pixels around sources of all brightnesses).  A fainter source may be a sidelobe.
SIDELOBE_LEVEL = 0.0065

# Lowest number of pixels outside components for the noise; with fewer, the whole image is used.
MIN_NOISE_PX = 200

JY_TO_MJY = 1e3


@dataclass(frozen=True)
class RadioImage:
    """The radio image of one subject, with the quantities that all its sources share.

    Attributes
    ----------
    pixels : (ny, nx) array
        Surface brightness, Jy/beam; NaN where there is no data or outside the subject's frame.
    labels : (ny, nx) int array
        Component of each pixel, from 1; 0 outside components
        (`claran_core.components.contour_rule.label_components`).
    base : float
        Level of the contour that bounds components, Jy/beam.
    pixel_scale_arcsec : float
        Width of a pixel.
    survey : Survey
        The radio survey: beam and correlation of the noise.
    rms : float
        Noise away from all components, Jy/beam.
    brightest, deepest : float
        Highest and lowest pixel of the image, Jy/beam.
    """

    pixels: np.ndarray
    labels: np.ndarray
    base: float
    pixel_scale_arcsec: float
    survey: Survey
    rms: float
    brightest: float
    deepest: float

    @classmethod
    def of(
        cls, pixels: np.ndarray, labels: np.ndarray, base: float, pixel_scale_arcsec: float, survey: Survey
    ) -> "RadioImage":
        """Measure the noise and the extremes of an image; arguments as the attributes."""
        reach = survey.beam_arcsec / pixel_scale_arcsec
        empty = pixels[ndimage.distance_transform_edt(labels == 0) > reach] if labels.any() else pixels
        enough = np.isfinite(empty).sum() >= MIN_NOISE_PX
        return cls(
            pixels=pixels,
            labels=labels,
            base=base,
            pixel_scale_arcsec=pixel_scale_arcsec,
            survey=survey,
            rms=noise_sigma(empty if enough else pixels),
            brightest=float(np.nanmax(pixels)),
            deepest=float(np.nanmin(pixels)),
        )

    @property
    def beam_px(self) -> float:
        """FWHM of the beam in pixels."""
        return self.survey.beam_arcsec / self.pixel_scale_arcsec


@dataclass(frozen=True)
class RadioMeasurement:
    """Measurements of one source; positions are 0-based array positions ``x y`` of the image.

    Attributes
    ----------
    peak_flux, peak_flux_err : float
        Peak brightness, interpolated between pixels, and its standard error, mJy/beam.
    integrated_flux, integrated_flux_err : float
        Flux density and its standard error, mJy.
    centroid : (2,) array
        Flux-weighted mean position of the components' pixels.
    outline : (n, 2) array
        Points of the components' contours.
    component_peak_flux, component_flux : (k,) arrays
        Peak brightness and flux density of each component, in the order given; mJy/beam and mJy.
    is_blended, is_cut, is_suspect : bool
        Other emission is close; the source touches the border of the data; it may be a sidelobe.
    """

    peak_flux: float
    peak_flux_err: float
    integrated_flux: float
    integrated_flux_err: float
    centroid: np.ndarray
    outline: np.ndarray
    component_peak_flux: np.ndarray
    component_flux: np.ndarray
    is_blended: bool
    is_cut: bool
    is_suspect: bool


def measure(image: RadioImage, members: Sequence[int], brightest: np.ndarray) -> RadioMeasurement:
    """Measure the source that consists of some components.

    Parameters
    ----------
    image : RadioImage
        The subject's image.
    members : sequence of int
        Indices of its components, from 0: those of label ``members + 1``; at least one.
    brightest : (k, 2) int array
        Brightest pixel ``x y`` of each component.

    Returns
    -------
    RadioMeasurement
    """
    numbers = np.asarray(members) + 1
    window = _window(image, numbers)
    pixels, labels = np.nan_to_num(image.pixels[window]), image.labels[window]
    own = np.isin(labels, numbers)
    to_own, nearest = ndimage.distance_transform_edt(~own, return_indices=True)
    other = (labels > 0) & ~own
    to_other = ndimage.distance_transform_edt(~other) if other.any() else np.full(own.shape, np.inf)
    aperture = (to_own <= image.beam_px) & (to_own < to_other) & np.isfinite(image.pixels[window])
    owner = labels[tuple(nearest)]
    per_beam = JY_TO_MJY / (BEAM_AREA * image.beam_px**2)
    fluxes = ndimage.sum_labels(pixels * aperture, owner, numbers) * per_beam
    peaks = np.array([interpolated_peak(image.pixels, x, y) for x, y in brightest])
    origin = np.array([window[1].start, window[0].start])
    return RadioMeasurement(
        peak_flux=float(peaks.max() * JY_TO_MJY),
        peak_flux_err=float(image.rms * JY_TO_MJY),
        integrated_flux=float(fluxes.sum()),
        integrated_flux_err=float(_noise_of_sum(aperture, image) * per_beam),
        centroid=origin + _centroid(pixels, own),
        outline=origin + _outline(pixels, own, other, image.base),
        component_peak_flux=peaks * JY_TO_MJY,
        component_flux=fluxes,
        is_blended=bool(to_other[own].min() <= BLEND_BEAMS * image.beam_px),
        is_cut=_touches_border(image.pixels, image.labels, numbers),
        is_suspect=bool(peaks.max() < SIDELOBE_LEVEL * image.brightest or -image.deepest >= peaks.max()),
    )


def interpolated_peak(pixels: np.ndarray, x: int, y: int) -> float:
    """Return the height of the Gaussian through the brightest pixel and its neighbours along each axis.

    The brightest pixel alone is up to 4 % below the peak of a point source in FIRST.  Along an axis where a
    neighbour is missing, negative or brighter, nothing is interpolated.
    """
    centre = float(pixels[y, x])
    gain = 0.0
    for before, after in (
        (_pixel(pixels, y, x - 1), _pixel(pixels, y, x + 1)),
        (_pixel(pixels, y - 1, x), _pixel(pixels, y + 1, x)),
    ):
        if 0 < before <= centre and 0 < after <= centre and (before < centre or after < centre):
            one, two = np.log(before / centre), np.log(after / centre)
            gain -= (two - one) ** 2 / (8 * (one + two))
    return centre * float(np.exp(gain))


def _pixel(pixels: np.ndarray, y: int, x: int) -> float:
    inside = 0 <= y < pixels.shape[0] and 0 <= x < pixels.shape[1]
    return float(pixels[y, x]) if inside else float("nan")


def _window(image: RadioImage, numbers: np.ndarray) -> tuple[slice, slice]:
    """Return the part of the image with the components of a source and all emission that may blend."""
    found = ndimage.find_objects(np.isin(image.labels, numbers).astype(np.int8))[0]
    margin = int(np.ceil(BLEND_BEAMS * image.beam_px)) + 1
    rows, columns = (
        slice(max(0, part.start - margin), min(size, part.stop + margin))
        for part, size in zip(found, image.labels.shape, strict=True)
    )
    return rows, columns


def _noise_of_sum(aperture: np.ndarray, image: RadioImage) -> float:
    """Return the standard deviation of the sum of the aperture's pixels, Jy/beam.

    The variance is that of the noise times the sum of its correlation over all pairs of pixels.  The number
    of pairs at each separation is the autocorrelation of the aperture.
    """
    mask = aperture.astype(np.float64)
    pairs = signal.fftconvolve(mask, mask[::-1, ::-1])
    rows, columns = (np.arange(n) - (n - 1) / 2 for n in pairs.shape)
    apart = np.hypot(rows[:, None], columns[None]) * image.pixel_scale_arcsec
    return float(image.rms * np.sqrt(max((pairs * _correlation(apart, image.survey)).sum(), 0.0)))


def _correlation(apart_arcsec: np.ndarray, survey: Survey) -> np.ndarray:
    """Return the autocorrelation of a survey's noise at each distance."""
    parts = survey.noise_correlation or ((1.0, np.sqrt(2) * survey.beam_arcsec),)
    return sum(weight * np.exp(-0.5 * (FWHM_PER_SIGMA * apart_arcsec / fwhm) ** 2) for weight, fwhm in parts)


def _centroid(pixels: np.ndarray, own: np.ndarray) -> np.ndarray:
    rows, columns = np.nonzero(own)
    weights = pixels[own]
    return np.array([columns @ weights, rows @ weights]) / weights.sum()


def _outline(pixels: np.ndarray, own: np.ndarray, other: np.ndarray, base: float) -> np.ndarray:
    """Return the points ``x y`` of the contours of a source, without those of other components."""
    padded = np.pad(np.where(other, 0.0, pixels), 1)
    rim = ndimage.binary_dilation(np.pad(own, 1), iterations=1)
    contours = find_contours(padded, base)  # type: ignore[no-untyped-call]  # annotated in part
    inside = [contour for contour in contours if rim[tuple(np.rint(contour).astype(int).T)].all()]
    return np.concatenate(inside)[:, ::-1] - 1


def _touches_border(pixels: np.ndarray, labels: np.ndarray, numbers: np.ndarray) -> bool:
    """Return whether a source touches pixels without data or the border of the image."""
    outside = np.pad(~np.isfinite(pixels), 1, constant_values=True)
    around = ndimage.binary_dilation(np.pad(np.isin(labels, numbers), 1))
    return bool((outside & around).any())


def largest_extent(points: np.ndarray) -> tuple[float, float]:
    """Return the largest distance between two points, and its position angle.

    Parameters
    ----------
    points : (n, 2) array
        Offsets to east and north, arcsec; at least one.

    Returns
    -------
    extent : float
        Largest distance, arcsec.
    angle : float
        Position angle from north through east, deg, in [0, 180).
    """
    apart = points[:, None] - points[None]
    squared = (apart**2).sum(axis=2)
    one, other = np.unravel_index(squared.argmax(), squared.shape)
    east, north = points[one] - points[other]
    return float(np.sqrt(squared[one, other])), float(np.rad2deg(np.arctan2(east, north)) % 180.0)
