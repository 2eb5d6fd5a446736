"""Flux densities of a source in a second radio survey and in the first at the same beam; spectral index.

Both images are smoothed to the smallest beam that contains those of both
(`claran_core.catalogue.measure.matched_beam`).  The aperture is the same on the sky: of a source that is
unresolved in the first survey the brightness at its position, which is the flux density of a point, and else
the components and one matched beam around them, except where a component of another source is nearer.  The
second image decides nothing, so its flux density may be below zero.

The spectral index is that of ``S ~ nu^alpha``.  Its error is that of the noise; the flux scales of surveys
agree within some per cent, which adds as much divided by the logarithm of the ratio of the frequencies.
"""

import math
from dataclasses import dataclass

import numpy as np

from claran_core.catalogue.measure import component_pixels
from claran_core.catalogue.measure.layer import Layer
from claran_core.catalogue.measure.matched_beam import (
    beam_covariance,
    matched_covariance,
    pixel_beam_of,
    smoothed_places,
)
from claran_core.catalogue.measure.pixel_beam import PixelBeam
from claran_core.catalogue.measure.radio import BLEND_BEAMS
from claran_core.catalogue.measure.radio_image import RadioImage, disc
from claran_core.catalogue.measure.sky_measurement import SkyMeasurement
from claran_core.catalogue.measure.smoothed_survey import smoothed_survey
from claran_core.catalogue.measure.stored_components import NOTHING_STORED
from claran_core.common.constants import GAUSSIAN_AREA
from claran_core.common.cutout import Cutout
from claran_core.common.flags import Flag
from claran_core.common.noise import noise_sigma
from claran_core.components.contour_rule import find_components
from claran_core.survey.surveys import Survey

__all__ = ["NOT_MEASURED", "SecondImage", "SecondMeasurement", "measure_second"]

# Largest share of a smoothed aperture without data.
MAX_MISSING = 0.01
# Significance of both flux densities from which on there is a spectral index.
MIN_SIGNIFICANCE = 3.0
# Frequencies that differ by less than this factor give no spectral index.
MIN_FREQUENCY_RATIO = 1.05


@dataclass(frozen=True)
class SecondImage:
    """The image of a subject in the second radio survey.

    Attributes
    ----------
    layer : Layer or None
        The image; None without one.
    frequency_ratio : float
        Frequency of the second survey over that of the first.
    """

    layer: Layer | None
    frequency_ratio: float

    @classmethod
    def of(cls, cutout: Cutout | None, scale: int, first: Survey, second: Survey) -> "SecondImage":
        """Prepare the image of a subject of a scale; both surveys have a frequency (settings)."""
        assert first.frequency_hz is not None and second.frequency_hz is not None
        layer = None if cutout is None else _layer(cutout, smoothed_survey(second, scale))
        return cls(layer, second.frequency_hz / first.frequency_hz)


@dataclass(frozen=True)
class SecondMeasurement:
    """What the second survey says of a source.

    Attributes
    ----------
    flux, error : float
        Flux density in the second survey and its standard error, mJy; NaN if part of the aperture is missing.
    first_flux, first_error : float
        The same in the first survey.
    index, index_error : float
        Spectral index and its standard error; NaN without two significant flux densities, and for nearly
        equal frequencies.
    flags : Flag
        What is missing, and whether another source is near.
    """

    flux: float = math.nan
    error: float = math.nan
    first_flux: float = math.nan
    first_error: float = math.nan
    index: float = math.nan
    index_error: float = math.nan
    flags: Flag = Flag(0)

    @property
    def columns(self) -> dict[str, float]:
        """Its columns of the catalogue."""
        return {
            "matched_flux": self.first_flux,
            "matched_flux_err": self.first_error,
            "second_radio_flux": self.flux,
            "second_radio_flux_err": self.error,
            "spectral_index": self.index,
            "spectral_index_err": self.index_error,
        }


# Of a run without a second radio survey.
NOT_MEASURED = SecondMeasurement()


def measure_second(second: SecondImage, found: SkyMeasurement) -> SecondMeasurement:
    """Measure a source on the image of the second survey, and on that of the first at the same beam.

    Parameters
    ----------
    second : SecondImage
        The image of its subject.
    found : SkyMeasurement
        The source in the first survey.
    """
    if second.layer is None:
        return SecondMeasurement(flags=Flag.SECOND_RADIO_MISSING)
    first = found.layer
    if first is None:
        return NOT_MEASURED
    beam = matched_covariance(first, second.layer)
    in_pixels = pixel_beam_of(beam, first)
    vectors, solid_angle = _aperture(first, found, in_pixels)
    first_flux, first_error = _flux(first, vectors, solid_angle, beam)
    flux, error = _flux(second.layer, vectors, solid_angle, beam)
    index, index_error = _spectral_index(second.frequency_ratio, first_flux, first_error, flux, error)
    is_near = component_pixels.is_near_others(
        first.image.labels,
        found.labels,
        component_pixels.pixels_of(first.image.labels, found.labels),
        disc(BLEND_BEAMS * in_pixels.fwhm_px, in_pixels.shape),
    )
    flags = Flag.SECOND_RADIO_BLEND if is_near else Flag(0)
    if math.isnan(flux):
        flags |= Flag.SECOND_RADIO_PARTIAL
    return SecondMeasurement(flux, error, first_flux, first_error, index, index_error, flags)


def _layer(cutout: Cutout, survey: Survey) -> Layer | None:
    """Return an image with its noise; None if it is constant."""
    sigma = noise_sigma(cutout.data)
    if not sigma > 0:
        return None
    own, scale_arcsec = find_components(cutout.data, sigma), cutout.pixel_scale_arcsec
    beam = PixelBeam.of(cutout, survey)
    image = RadioImage.of(cutout.data, own.labels, own.base, scale_arcsec, beam, survey)
    return Layer(NOTHING_STORED, image, cutout.wcs)


def _aperture(first: Layer, found: SkyMeasurement, matched: PixelBeam) -> tuple[np.ndarray, float]:
    """Return the places (n, 3) of the aperture of a source, and what each stands for, arcsec^2."""
    image = first.image
    pixel = image.pixel_scale_arcsec**2
    if found.is_unresolved:  # its flux density is its brightness times the solid angle of the beam
        return found.best.vector[None], GAUSSIAN_AREA * matched.fwhm_px**2 * pixel
    own = component_pixels.pixels_of(image.labels, found.labels)
    within = disc(matched.fwhm_px, matched.shape)
    places = component_pixels.aperture(image.pixels, image.labels, found.labels, own, within)
    return first.vectors(places[:, :2]), pixel


def _flux(layer: Layer, vectors: np.ndarray, solid_angle: float, beam: np.ndarray) -> tuple[float, float]:
    """Return the flux density in an aperture of an image with the matched beam, and its error, mJy.

    NaN if the aperture reaches beyond the data.
    """
    image = layer.image
    pixels, weights, missing = smoothed_places(layer, vectors, beam - beam_covariance(layer))
    if missing > MAX_MISSING:
        return math.nan, math.nan
    factors = weights * (solid_angle / image.pixel_scale_arcsec**2)
    flux = float(factors @ image.pixels[pixels[:, 1], pixels[:, 0]])
    to_mjy = image.per_beam * image.survey.flux_scale
    return flux * to_mjy, image.noise_of(pixels, factors) * to_mjy


def _spectral_index(
    ratio: float, first: float, first_error: float, second: float, second_error: float
) -> tuple[float, float]:
    """Return spectral index and standard error of two flux densities; NaN without one."""
    significance = min(first / first_error, second / second_error)
    if not significance >= MIN_SIGNIFICANCE or max(ratio, 1 / ratio) < MIN_FREQUENCY_RATIO:
        return math.nan, math.nan
    error = math.hypot(first_error / first, second_error / second)
    return math.log(second / first) / math.log(ratio), error / abs(math.log(ratio))
