"""The radio image of a subject, and the sum of its pixels over components and one beam around them.

The contour alone misses half the flux of a point source of 10 sigma, so the sum reaches one beam (FWHM)
farther, except where another component is nearer.  Errors account for the correlation of the noise between
pixels.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from claran_core.catalogue.measure import component_pixels
from claran_core.catalogue.measure.noise_correlation import measured_correlation
from claran_core.catalogue.measure.pixel_beam import ROUND, THOUSANDTHS, PixelBeam, Shape
from claran_core.common.constants import FWHM_PER_SIGMA, GAUSSIAN_AREA
from claran_core.common.noise import noise_sigma
from claran_core.survey.surveys import Survey

__all__ = ["JY_TO_MJY", "ApertureSum", "RadioImage", "disc", "sum_components"]

# Lowest number of pixels outside components for the noise; with fewer, the whole image is used.
MIN_NOISE_PX = 200

JY_TO_MJY = 1e3

# Radii of discs are rounded to so many digits of a pixel.
RADIUS_DIGITS = 2


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
    beam : PixelBeam
        The beam of the image.
    survey : Survey
        The radio survey, whose noise has the correlation of that of the image in units of the beam.
    rms : float
        Noise away from all components, Jy/beam.
    brightest, deepest : float
        Highest and lowest pixel of the image, Jy/beam.
    measured_noise : tuple of 2 (k,) float64 arrays, optional
        `noise_correlation` as measured on the image, for a survey that asks for it.
    """

    pixels: np.ndarray
    labels: np.ndarray
    base: float
    pixel_scale_arcsec: float
    beam: PixelBeam
    survey: Survey
    rms: float
    brightest: float
    deepest: float
    measured_noise: tuple[np.ndarray, np.ndarray] | None = None

    @classmethod
    def of(
        cls,
        pixels: np.ndarray,
        labels: np.ndarray,
        base: float,
        pixel_scale_arcsec: float,
        beam: PixelBeam,
        survey: Survey,
    ) -> "RadioImage":
        """Measure the noise and the extremes of an image; arguments as the attributes."""
        pixels = np.ascontiguousarray(pixels, np.float64)
        around = disc(beam.fwhm_px, beam.shape)
        is_near = component_pixels.near_components(labels, around)
        empty = pixels[~is_near]
        enough = np.isfinite(empty).sum() >= MIN_NOISE_PX
        measured = None
        if survey.measures_noise:
            measured = measured_correlation(np.where(is_near, np.nan, pixels), beam)
        return cls(
            pixels=pixels,
            labels=labels,
            base=base,
            pixel_scale_arcsec=pixel_scale_arcsec,
            beam=beam,
            survey=survey,
            rms=noise_sigma(empty if enough else pixels),
            brightest=float(np.nanmax(pixels)),
            deepest=float(np.nanmin(pixels)),
            measured_noise=measured,
        )

    @property
    def beam_px(self) -> float:
        """FWHM of the beam in pixels; of an elliptical one the geometric mean."""
        return self.beam.fwhm_px

    @property
    def beam_arcsec(self) -> float:
        """FWHM of the beam, arcsec; of an elliptical one the geometric mean."""
        return self.beam.fwhm_px * self.pixel_scale_arcsec

    def disc(self, radius_beams: float) -> np.ndarray:
        """Return the pixels within so many beams, as `disc` does."""
        return disc(radius_beams * self.beam_px, self.beam.shape)

    @property
    def per_beam(self) -> float:
        """Flux density (mJy) of a pixel of 1 Jy/beam."""
        return JY_TO_MJY / self.beam_solid_angle_px

    @property
    def beam_solid_angle_px(self) -> float:
        """Solid angle of the beam in pixels."""
        return float(GAUSSIAN_AREA * self.beam_px**2)

    @property
    def noise_correlation(self) -> tuple[np.ndarray, np.ndarray]:
        """Correlation of the noise as a sum of Gaussians of the beam's form: weight and width of each.

        The width is the geometric mean of the standard deviations, pixels.  A beam that is wider than the
        survey's has noise that is as much smoother.
        """
        if self.measured_noise is not None:
            return self.measured_noise
        weight, fwhm_arcsec = np.array(self.survey.noise_gaussians, np.float64).T
        return weight, fwhm_arcsec / self.survey.beam_arcsec * self.beam_px / FWHM_PER_SIGMA

    def noise_of(self, places: np.ndarray, factors: np.ndarray) -> float:
        """Return the standard deviation of a sum of pixels ``x y`` (n, 2), each times a factor (n,), Jy/beam.

        The variance is that of the noise times the sum of its correlation over all pairs of pixels.
        """
        weight, sigma = self.noise_correlation
        pairs = component_pixels.correlated_pairs(places, factors, weight, sigma, self.beam.form)
        return float(self.rms * np.sqrt(max(pairs, 0.0)))


@dataclass(frozen=True)
class ApertureSum:
    """Flux density of a source as a sum of pixels.

    Attributes
    ----------
    pixels : (n, 3) int64 array
        Pixels ``x y`` of the sum, and the label of the component nearest to each.
    fluxes : (k,) float64 array
        Flux density of each component, mJy.
    error : float
        Standard error of their sum, mJy.
    """

    pixels: np.ndarray
    fluxes: np.ndarray
    error: float

    @property
    def flux(self) -> float:
        """Flux density of the source, mJy."""
        return float(self.fluxes.sum())


def sum_components(image: RadioImage, numbers: np.ndarray, own: np.ndarray) -> ApertureSum:
    """Sum the pixels of a source over its components and one beam around them.

    Parameters
    ----------
    image : RadioImage
        The subject's image.
    numbers : (k,) int array
        Labels of the components.
    own : (n, 2) int array
        Their pixels ``x y``.
    """
    found = component_pixels.aperture(image.pixels, image.labels, numbers, own, image.disc(1.0))
    values = image.pixels[found[:, 1], found[:, 0]]
    counted = np.bincount(found[:, 2], values, image.labels.max() + 1)
    error = image.noise_of(found[:, :2], np.ones(len(found)))
    return ApertureSum(found, counted[numbers] * image.per_beam, error * image.per_beam)


def disc(radius_px: float, shape: Shape = ROUND) -> np.ndarray:
    """Return the pixels of an ellipse: offsets ``x y`` and squared distances in thousandths, nearest first.

    Distances are in units of the mean radius (`claran_core.catalogue.measure.pixel_beam.Shape`).  Pixels at
    the radius are left out, however the pixel scale is rounded: to 1 %.  Among equal distances, lower columns
    and then lower rows come first.
    """
    return _disc(round(radius_px, RADIUS_DIGITS), shape)


@lru_cache(maxsize=64)  # of rounded radii: those of subjects differ in the last digits
def _disc(radius_px: float, shape: Shape) -> np.ndarray:
    xx, xy, yy = shape
    narrow = np.linalg.eigvalsh(np.array([[xx, xy], [xy, yy]]))[0]
    reach = int(radius_px * np.sqrt(THOUSANDTHS / narrow) + 1)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    squared = xx * x**2 + 2 * xy * x * y + yy * y**2
    places = np.stack([x.ravel(), y.ravel(), squared.ravel()], axis=1)
    places = places[places[:, 2] < THOUSANDTHS * radius_px**2 * (1 - 1e-9)]
    return places[np.lexsort((places[:, 1], places[:, 0], places[:, 2]))]
