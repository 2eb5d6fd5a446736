"""Measure a source on the radio image: flux densities with errors, extent, position and components.

These are pure array functions on the image of one subject.  A source is a set of components (pixels above the
contour of `claran_core.components.contour_rule`).  Its flux density is that of a fitted beam if the source is
unresolved (`claran_core.catalogue.measure.unresolved`), else the sum over its pixels
(`claran_core.catalogue.measure.radio_image`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from claran_core.catalogue.measure import component_pixels
from claran_core.catalogue.measure.contour_trace import trace_rings
from claran_core.catalogue.measure.place import Place, centroid, fitted_peak
from claran_core.catalogue.measure.radio_image import JY_TO_MJY, RadioImage, sum_components
from claran_core.catalogue.measure.unresolved import best_flux_density

__all__ = [
    "RadioMeasurement",
    "is_below_hole",
    "is_blended",
    "may_be_sidelobe",
    "measure",
    "peak_brightness",
]

# A source closer than this to emission of another, in beams, may share flux with it.
BLEND_BEAMS = 2.0

# Depth of the deepest residual that FIRST's cleaning leaves around a bright source, as a fraction of its peak
# (median of the worst pixels around sources of all brightnesses).  A fainter source may be a sidelobe.
SIDELOBE_LEVEL = 0.0065


@dataclass(frozen=True)
class RadioMeasurement:
    """Measurements of one source; positions are 0-based array positions ``x y`` of the image.

    Attributes
    ----------
    peak_flux, peak_flux_err : float
        Peak brightness, interpolated between pixels, and its standard error, mJy/beam.
    integrated_flux, integrated_flux_err : float
        Best flux density and its standard error, mJy.
    is_unresolved : bool
        Whether this is the flux density of a fitted beam.
    centroid : Place
        Flux-weighted centroid of the components.
    fitted : Place or None
        Peak of the beam fitted to a source with one component and one peak; None if there is no fit.
    outline : (n, 2) array
        Points of the components' contours: where they cross the lines between neighbouring pixels.
    component_peak_flux, component_flux : (k,) arrays
        Peak brightness and summed flux density of each component, in the order given; mJy/beam and mJy.
    is_blended, is_suspect : bool
        Other emission is close; it may be a sidelobe.
    """

    peak_flux: float
    peak_flux_err: float
    integrated_flux: float
    integrated_flux_err: float
    is_unresolved: bool
    centroid: Place
    fitted: Place | None
    outline: np.ndarray
    component_peak_flux: np.ndarray
    component_flux: np.ndarray
    is_blended: bool
    is_suspect: bool


def measure(
    image: RadioImage, members: Sequence[int], brightest: np.ndarray, *, n_peaks: int
) -> RadioMeasurement:
    """Measure the source that consists of some components.

    Parameters
    ----------
    image : RadioImage
        The subject's image.
    members : sequence of int
        Indices of its components, from 0: those of label ``members + 1``; at least one.
    brightest : (k, 2) int array
        Brightest pixel ``x y`` of each component.
    n_peaks : int
        Number of peaks of all these components by the contour rule.

    Returns
    -------
    RadioMeasurement
    """
    numbers = np.asarray(members) + 1
    own = component_pixels.pixels_of(image.labels, numbers)
    summed = sum_components(image, numbers, own)
    best = best_flux_density(image, summed, own, n_peaks)
    peaks = peak_brightness(image, brightest)
    return RadioMeasurement(
        peak_flux=float(peaks.max()),
        peak_flux_err=float(image.rms * JY_TO_MJY),
        integrated_flux=best.flux,
        integrated_flux_err=best.error,
        is_unresolved=best.is_unresolved,
        centroid=centroid(image, numbers, summed),
        fitted=None if best.fit is None else fitted_peak(image, best.fit),
        outline=trace_rings(image.pixels, image.labels, own, image.base)[0],
        component_peak_flux=peaks,
        component_flux=summed.fluxes,
        is_blended=is_blended(image, numbers, own),
        is_suspect=may_be_sidelobe(image, float(peaks.max())) or is_below_hole(image, float(peaks.max())),
    )


def peak_brightness(image: RadioImage, brightest: np.ndarray) -> np.ndarray:
    """Return the peak brightness (k,) at brightest pixels ``x y``, interpolated between pixels; mJy/beam."""
    heights = [component_pixels.interpolated_peak(image.pixels, x, y) for x, y in brightest]
    return np.array(heights) * JY_TO_MJY


def is_blended(image: RadioImage, numbers: np.ndarray, own: np.ndarray) -> bool:
    """Return whether a component of another source is within `BLEND_BEAMS` of a source."""
    return component_pixels.is_near_others(image.labels, numbers, own, image.disc(BLEND_BEAMS))


def may_be_sidelobe(image: RadioImage, peak_mjy: float) -> bool:
    """Return whether a peak may be a sidelobe of the brightest source of an image."""
    return peak_mjy < SIDELOBE_LEVEL * image.brightest * JY_TO_MJY


def is_below_hole(image: RadioImage, peak_mjy: float) -> bool:
    """Return whether the deepest pixel of an image is as far below zero as a peak is above."""
    return -image.deepest * JY_TO_MJY >= peak_mjy
