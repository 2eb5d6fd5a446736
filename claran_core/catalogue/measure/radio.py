"""Measure a source on the radio image: flux densities with errors, extent, position and components.

These are pure array functions on the image of one subject.  A source is a set of components (pixels above the
contour of `claran_core.components.contour_rule`).  Its flux density is summed over these and one beam (FWHM)
around them, except where another component is nearer: the contour alone misses half the flux of a point
source of 10 sigma.  Errors account for the correlation of the noise between pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from claran_core.catalogue.measure import component_pixels
from claran_core.common.constants import FWHM_PER_SIGMA
from claran_core.common.noise import noise_sigma
from claran_core.survey.surveys import Survey

__all__ = [
    "BEAM_AREA",
    "JY_TO_MJY",
    "RadioImage",
    "RadioMeasurement",
    "centroid",
    "flux_densities",
    "is_below_hole",
    "is_blended",
    "may_be_sidelobe",
    "measure",
    "peak_brightness",
]

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
    pixels : (ny, nx) float64 array
        Surface brightness, Jy/beam; NaN where there is no data or outside the subject's frame.
    labels : (ny, nx) int32 array
        Component of each pixel, from 1; 0 outside components
        (`claran_core.components.contour_rule.find_components`).
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
        pixels = np.ascontiguousarray(pixels, np.float64)
        around = _disc(survey.beam_arcsec / pixel_scale_arcsec)
        empty = pixels[~component_pixels.near_components(labels, around)]
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

    @property
    def per_beam(self) -> float:
        """Flux density (mJy) of a pixel of 1 Jy/beam."""
        return JY_TO_MJY / (BEAM_AREA * self.beam_px**2)


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
        Points of the components' contours: where they cross the lines between neighbouring pixels.
    component_peak_flux, component_flux : (k,) arrays
        Peak brightness and flux density of each component, in the order given; mJy/beam and mJy.
    is_blended, is_suspect : bool
        Other emission is close; it may be a sidelobe.
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
    own = component_pixels.pixels_of(image.labels, numbers)
    fluxes, error = flux_densities(image, numbers, own)
    peaks = peak_brightness(image, brightest)
    return RadioMeasurement(
        peak_flux=float(peaks.max()),
        peak_flux_err=float(image.rms * JY_TO_MJY),
        integrated_flux=float(fluxes.sum()),
        integrated_flux_err=error,
        centroid=centroid(image.pixels, own),
        outline=component_pixels.outline(image.pixels, image.labels, own, image.base),
        component_peak_flux=peaks,
        component_flux=fluxes,
        is_blended=is_blended(image, numbers, own),
        is_suspect=may_be_sidelobe(image, float(peaks.max())) or is_below_hole(image, float(peaks.max())),
    )


def flux_densities(image: RadioImage, numbers: np.ndarray, own: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the flux density (k,) of each component of a source, and the standard error of their sum; mJy.

    Parameters
    ----------
    image : RadioImage
        The subject's image.
    numbers : (k,) int array
        Labels of the components.
    own : (n, 2) int array
        Their pixels ``x y``.
    """
    aperture = component_pixels.aperture(image.pixels, image.labels, numbers, own, _disc(image.beam_px))
    values = image.pixels[aperture[:, 1], aperture[:, 0]]
    counted = np.bincount(aperture[:, 2], values, image.labels.max() + 1)
    return counted[numbers] * image.per_beam, float(_noise_of_sum(aperture, image) * image.per_beam)


def peak_brightness(image: RadioImage, brightest: np.ndarray) -> np.ndarray:
    """Return the peak brightness (k,) at brightest pixels ``x y``, interpolated between pixels; mJy/beam."""
    heights = [component_pixels.interpolated_peak(image.pixels, x, y) for x, y in brightest]
    return np.array(heights) * JY_TO_MJY


def centroid(pixels: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Return the flux-weighted mean position ``x y`` of pixels."""
    weights = np.nan_to_num(pixels[own[:, 1], own[:, 0]])
    return weights @ own / weights.sum()


def is_blended(image: RadioImage, numbers: np.ndarray, own: np.ndarray) -> bool:
    """Return whether a component of another source is within `BLEND_BEAMS` of a source."""
    return component_pixels.is_near_others(image.labels, numbers, own, _disc(BLEND_BEAMS * image.beam_px))


def may_be_sidelobe(image: RadioImage, peak_mjy: float) -> bool:
    """Return whether a peak may be a sidelobe of the brightest source of an image."""
    return peak_mjy < SIDELOBE_LEVEL * image.brightest * JY_TO_MJY


def is_below_hole(image: RadioImage, peak_mjy: float) -> bool:
    """Return whether the deepest pixel of an image is as far below zero as a peak is above."""
    return -image.deepest * JY_TO_MJY >= peak_mjy


@lru_cache(maxsize=64)
def _disc(radius_px: float) -> np.ndarray:
    """Return the offsets ``x y`` and squared distances of the pixels within a radius, nearest first.

    Pixels at exactly this distance are left out, however the pixel scale is rounded.
    Among equal distances, lower columns and then lower rows come first.
    """
    reach = int(radius_px + 1)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = np.stack([x.ravel(), y.ravel(), (x**2 + y**2).ravel()], axis=1)
    disc = disc[disc[:, 2] < radius_px**2 * (1 - 1e-9)]
    return disc[np.lexsort((disc[:, 1], disc[:, 0], disc[:, 2]))]


def _noise_of_sum(aperture: np.ndarray, image: RadioImage) -> float:
    """Return the standard deviation of the sum of the aperture's pixels, Jy/beam.

    The variance is that of the noise times the sum of its correlation over all pairs of pixels.
    """
    parts = image.survey.noise_correlation or ((1.0, np.sqrt(2) * image.survey.beam_arcsec),)
    weights, fwhm = np.array(parts, np.float64).T
    sigma = fwhm / FWHM_PER_SIGMA / image.pixel_scale_arcsec
    return float(image.rms * np.sqrt(max(component_pixels.correlated_pairs(aperture, weights, sigma), 0.0)))
