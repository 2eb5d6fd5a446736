"""Positions on an image with their errors: the peak of a fitted beam, and the centroid of components.

Errors are those of the noise and its correlation between pixels.  Both positions change linearly with small
changes of the pixels, by factors that are known for each pixel.  The covariance of a position is that of the
sum of pixels times these factors.

The centroid of a component is taken over its pixels and those within one beam that are above 3 sigma, with
their excess above 3 sigma as weights.  Pixels at the border then have no weight, and noise that moves the
border does not move the centroid.  With the brightness itself as weight, the scatter of bright point sources
is 1.4 times as large.  Components count with their flux densities: the excess, divided by the fraction of a
Gaussian of this peak that is in excess of 3 sigma.  So a faint lobe counts as much as it should, with less
noise than the sum over an aperture has.

Emission below the level is not seen.  Where it is not symmetric, the centroid above 5.3 sigma differs from
that above 3 sigma, and the true centroid lies farther on: on simulated sources by up to twice this shift.
The error along the shift is therefore at least `UNSEEN` times the shift, if noise does not explain it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from claran_core.catalogue.measure.beam_fit import BeamFit
from claran_core.catalogue.measure.faint_emission import FAINT_SIGMA
from claran_core.catalogue.measure.radio_image import ApertureSum, RadioImage
from claran_core.common.constants import ARCSEC_PER_DEG
from claran_core.common.linear_wcs import local_axes, sky_of_vectors
from claran_core.components.contour_rule import COMPONENT_SIGMA

__all__ = ["Centroid", "Place", "SkyPlace", "centroid", "fitted_peak", "mean_on_sky"]

# Error from unseen emission, in units of the shift between the centroids above both levels.  With 2, pulls of
# 100 simulated sources of one component have a width of 1.0 at 30 and 100 sigma; without it 2.2.
UNSEEN = 2.0

# Largest bias of a fitted height that counts, as a fraction of the height.
LARGEST_BIAS = 0.2

# Square of the shift in units of its expectation from noise, which noise alone exceeds in 5 % of sources.
SIGNIFICANT = 3.0

# Standard deviation of a position in a pixel, px.
PIXEL_SIGMA = 1 / np.sqrt(12)


@dataclass(frozen=True)
class Place:
    """A position on an image with its covariance.

    Attributes
    ----------
    point : (2,) float64 array
        Position ``x y``, px.
    covariance : (2, 2) float64 array
        Its covariance from noise, px^2.
    """

    point: np.ndarray
    covariance: np.ndarray


@dataclass(frozen=True)
class Centroid(Place):
    """The centroid of components.

    Attributes
    ----------
    flux, flux_err : float
        Flux density that it has as a weight, and its standard error, mJy.
    """

    flux: float
    flux_err: float


@dataclass(frozen=True)
class SkyPlace:
    """A direction with its covariance.

    Attributes
    ----------
    vector : (3,) float64 array
        The direction, of about unit length.
    covariance : (2, 2) float64 array
        Its covariance from noise, to the east and to the north, arcsec^2.
    """

    vector: np.ndarray
    covariance: np.ndarray

    def columns(self, prefix: str, floor_arcsec: float) -> dict[str, float]:
        """Return the columns ``{prefix}ra`` and ``{prefix}dec`` (deg) and their errors (arcsec).

        `floor_arcsec` is the error of the survey's positions along each axis.
        """
        ra, dec = sky_of_vectors(self.vector)
        east, north = np.sqrt(np.diag(self.covariance) + floor_arcsec**2)
        return {
            f"{prefix}ra": float(ra),
            f"{prefix}dec": float(dec),
            f"{prefix}ra_err": float(east),
            f"{prefix}dec_err": float(north),
        }


def fitted_peak(image: RadioImage, fit: BeamFit) -> Place:
    """Return the peak of the beam that is fitted to a source, px.

    Its error is that for the height without its bias (`claran_core.catalogue.measure.unresolved`).
    """
    bias = (image.noise_of(fit.pixels, fit.inverse[0]) / fit.height) ** 2
    unbiased = 1 - min(bias, LARGEST_BIAS)
    return Place(fit.beams[0, :2], _covariance(image, fit.pixels, fit.shift.T) / unbiased**2)


def centroid(image: RadioImage, numbers: np.ndarray, summed: ApertureSum) -> Centroid:
    """Return the flux-weighted mean of the centroids of components, px.

    Parameters
    ----------
    image : RadioImage
        The subject's image.
    numbers : (k,) int array
        Labels of the components, at least one.
    summed : ApertureSum
        Their sum of pixels.
    """
    parts = [_Part.of(image, summed.pixels[summed.pixels[:, 2] == number, :2]) for number in numbers]
    fluxes = np.array([part.flux for part in parts])
    total = fluxes.sum()
    shares = fluxes / total
    middle = shares @ np.array([part.point for part in parts])
    pixels = np.concatenate([part.pixels for part in parts])
    weighing = np.concatenate([part.weighing for part in parts])
    # Each component moves, and its weight moves the mean along its arm.
    factors = np.concatenate(
        [
            share * part.moving + np.outer(part.weighing, part.point - middle) / total
            for share, part in zip(shares, parts, strict=True)
        ]
    )
    grid = sum(
        (share * PIXEL_SIGMA / len(part.pixels)) ** 2 for share, part in zip(shares, parts, strict=True)
    )
    covariance = _covariance(image, pixels, factors) + grid * np.eye(2)
    shift = shares @ np.array([part.shift for part in parts])
    shifting = np.concatenate([share * part.shifting for share, part in zip(shares, parts, strict=True)])
    error = image.noise_of(pixels, weighing) * image.per_beam
    if shift @ shift > SIGNIFICANT * np.trace(_covariance(image, pixels, shifting)):
        covariance = _at_least(covariance, UNSEEN * shift)
    return Centroid(middle, covariance, flux=float(total * image.per_beam), flux_err=error)


def _at_least(covariance: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Return a covariance whose error along the vector `error` (2,) is at least its length."""
    squared = float(error @ np.linalg.solve(covariance, error))
    if squared <= 1:
        return covariance
    return covariance + (1 - 1 / squared) * np.outer(error, error)


def mean_on_sky(places: Sequence[SkyPlace], fluxes: np.ndarray, errors: np.ndarray) -> SkyPlace:
    """Return the flux-weighted mean of places on different images; their errors and those of fluxes count."""
    shares = fluxes / fluxes.sum()
    vectors = np.array([place.vector for place in places])
    middle = shares @ vectors
    ra, dec = sky_of_vectors(middle)
    east_north = local_axes(float(ra), float(dec))[:2]
    arms = np.rad2deg((vectors - middle) @ east_north.T) * ARCSEC_PER_DEG
    swung = arms * (errors / fluxes.sum())[:, None]
    own = sum(share**2 * place.covariance for share, place in zip(shares, places, strict=True))
    return SkyPlace(middle, own + swung.T @ swung)


@dataclass(frozen=True)
class _Part:
    """The centroid of one component.

    Attributes
    ----------
    point : (2,) float64 array
        Position ``x y``, px.
    flux : float
        Flux density, in Jy/beam times pixels.
    pixels : (n, 2) int64 array
        Pixels ``x y`` above the level.
    moving, weighing : (n, 2) and (n,) float64 arrays
        Change of the position and of the flux density with the values of these pixels.
    shift : (2,) float64 array
        From the centroid above the contour of the component to the position, px.
    shifting : (n, 2) float64 array
        Change of the shift with the values of the pixels.
    """

    point: np.ndarray
    flux: float
    pixels: np.ndarray
    moving: np.ndarray
    weighing: np.ndarray
    shift: np.ndarray
    shifting: np.ndarray

    @classmethod
    def of(cls, image: RadioImage, around: np.ndarray) -> "_Part":
        level = image.base * (FAINT_SIGMA / COMPONENT_SIGMA)
        values = image.pixels[around[:, 1], around[:, 0]]
        pixels, excess = around[values > level], values[values > level] - level
        total = float(excess.sum())
        point = excess @ pixels / total
        above = np.maximum(excess + level - image.base, 0.0)
        peak = int(excess.argmax())
        height = float(excess[peak]) + level
        ratio = level / height
        # Of a Gaussian of height 1, this fraction is in excess of the level.
        seen = 1 - ratio + ratio * np.log(ratio)
        weighing = np.full(len(pixels), 1 / seen)
        weighing[peak] += total * ratio * np.log(ratio) / (seen**2 * height)
        moving = (pixels - point) / total
        inner = above @ pixels / above.sum()
        shifting = moving - (above > 0)[:, None] * (pixels - inner) / above.sum()
        return cls(point, total / seen, pixels, moving, weighing, point - inner, shifting)


def _covariance(image: RadioImage, pixels: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Return the covariance (2, 2) of the sums of pixels (n, 2) times two factors (n, 2)."""
    columns = (factors[:, 0], factors[:, 1], factors.sum(axis=1))
    xx, yy, both = (image.noise_of(pixels, np.ascontiguousarray(column)) ** 2 for column in columns)
    xy = (both - xx - yy) / 2
    return np.array([[xx, xy], [xy, yy]])
