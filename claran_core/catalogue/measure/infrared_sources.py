"""Find the point-like sources of an infrared image: position, magnitude and signal-to-noise ratio.

W1 images are crowded: a field of 3 arcmin has about twenty sources, many of them closer than two FWHM of the
point-spread function.  All sources are therefore fitted together, twice: the second time with the sources
found in the residual of the first fit.  A resolved galaxy is fitted as a point source, which underestimates
its total flux.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from claran_core.catalogue.measure.gaussian_filter import smoothed
from claran_core.catalogue.measure.infrared_background import background
from claran_core.catalogue.measure.point_fit import (
    FIT_RADIUS,
    Optics,
    Points,
    fit_points,
    nearest_pixels,
    render,
)
from claran_core.common.compiled import compiled
from claran_core.common.constants import FWHM_PER_SIGMA
from claran_core.common.cutout import Cutout
from claran_core.common.errors import InputError
from claran_core.common.noise import noise_sigma
from claran_core.survey.surveys import SURVEYS, Survey

__all__ = ["DETECTION_SNR", "POINT_SPREAD", "InfraredSources", "find_infrared_sources"]

# Lowest signal-to-noise ratio of a listed source.
DETECTION_SNR = 5.0

# Point-spread functions as sums of circular Gaussians: height and FWHM (arcsec) of each; the peak is about 1.
# That of W1 is measured on the stars of six AllWISE images (benchmarks/sky/infrared_sky.py).  It includes the
# wings, so magnitudes are total.  Other surveys use a Gaussian of their beam.
POINT_SPREAD = {"WISE_W1": ((0.668, 7.65), (0.312, 10.72), (0.0188, 21.5), (0.0018, 55.0))}

# Peaks are searched in the difference of the image smoothed with two Gaussians of these FWHM, in units of the
# beam's FWHM.  The difference removes background and halos and splits blends.
NARROW, WIDE = 0.4, 1.0

# Lowest height of a peak in that difference, in units of its noise; the fit decides later.
PEAK_SNR = 3.0

# Residual that the fit of a point leaves, as a fraction of its height, and the FWHM of its extent in units of
# the beam's FWHM: galaxies and the elongated core; halos and diffraction spikes.  It is noise to neighbours.
RESIDUAL = ((0.06, 1.7), (0.0012, 7.0))

# Number of steps of the two fits.
FIRST_STEPS, STEPS = 3, 5

# Lowest fraction of valid pixels in the fit of a point.
MIN_SHARE = 0.4

# Size of the cells of the background, in units of the beam's FWHM.
CELL = 8.0

# Error of a position along each axis, in units of the beam's FWHM over the signal to noise: that of stars
# injected into W1 images (benchmarks/science/infrared_sources.py).
POSITION_ERROR = 0.4

# Error of the magnitudes of bright sources: W1's core is 8 per cent longer than wide, the fit is circular.
MAGNITUDE_FLOOR = 0.02


@dataclass(frozen=True)
class InfraredSources:
    """Sources of one image, brightest first; all fields are (n,) float64 arrays.

    Attributes
    ----------
    ra, dec : array
        Position, deg, ICRS.
    magnitude, magnitude_err : array
        Magnitude as a point source in the survey's system (Vega for W1), and its standard error.
    snr : array
        Signal-to-noise ratio; at least `DETECTION_SNR`.
    position_err : array
        Standard error of the position along each axis, arcsec.
    """

    ra: np.ndarray
    dec: np.ndarray
    magnitude: np.ndarray
    magnitude_err: np.ndarray
    snr: np.ndarray
    position_err: np.ndarray

    def __len__(self) -> int:
        return self.ra.size


def find_infrared_sources(cutout: Cutout, survey: Survey) -> InfraredSources:
    """Return the point-like sources of an infrared cut-out.

    Parameters
    ----------
    cutout : Cutout
        The image; pixels without data are NaN.
    survey : Survey
        The infrared survey: beam and zero point.

    Returns
    -------
    InfraredSources
        Possibly empty.

    Raises
    ------
    InputError
        If the survey has no magnitude zero point.
    """
    if survey.magnitude_zero_point is None:
        raise InputError(f"survey {survey.name}: no magnitude zero point; hosts need an infrared survey")
    optics = _optics(survey, cutout.pixel_scale_arcsec)
    points, noise = _fitted_points(np.asarray(cutout.data, np.float64), optics)
    points, noise = _listed(points, noise, cutout.data.shape)
    ra, dec = cutout.wcs.pixels_to_sky(points.x, points.y)
    counts = points.height * optics.counts
    relative = np.hypot(noise / points.height, MAGNITUDE_FLOOR * np.log(10) / 2.5)
    snr = points.height / noise
    return InfraredSources(
        ra=ra,
        dec=dec,
        magnitude=survey.magnitude_zero_point - 2.5 * np.log10(counts),
        magnitude_err=2.5 / np.log(10) * relative,
        snr=snr,
        position_err=POSITION_ERROR * survey.beam_arcsec / snr,
    )


@lru_cache(maxsize=64)
def _optics(survey: Survey, pixel_scale_arcsec: float) -> Optics:
    parts: tuple[tuple[float, float], ...] = ((1.0, survey.beam_arcsec),)
    known = SURVEYS.get(survey.name)
    if known is not None and known.beam_arcsec == survey.beam_arcsec:
        parts = POINT_SPREAD.get(survey.name, parts)
    return Optics.of(parts, survey.beam_arcsec, pixel_scale_arcsec)


def _listed(points: Points, noise: np.ndarray, shape: tuple[int, ...]) -> tuple[Points, np.ndarray]:
    """Return the points inside the image and above the noise, brightest first, and their noise."""
    ny, nx = shape
    inside = (np.abs(points.x - (nx - 1) / 2) <= nx / 2) & (np.abs(points.y - (ny - 1) / 2) <= ny / 2)
    chosen = np.flatnonzero(inside & (points.height > DETECTION_SNR * noise))
    chosen = chosen[np.argsort(-points.height[chosen], kind="stable")]
    return points.take(chosen), noise[chosen]


def _fitted_points(data: np.ndarray, optics: Optics) -> tuple[Points, np.ndarray]:
    """Return the points fitted to an image, and the noise of each height."""
    finite = np.isfinite(data)
    points = Points(np.empty((0, 3)))
    if not noise_sigma(data) > 0:  # blank or constant
        return points, np.empty(0)
    ny, nx = data.shape
    model = np.zeros((ny, nx))
    for steps in (FIRST_STEPS, STEPS):
        image = np.where(finite, data - background(data - model, finite, CELL * optics.fwhm), 0.0)
        points = points.join(_peaks(image - model * finite, finite, points, optics))
        points = fit_points(points, image, finite, optics, steps)
        model = render(points, (ny, nx), optics)
    rest = np.where(finite, image - model, 0.0)
    return points, _height_noise(points, rest, finite, optics)


def _peaks(rest: np.ndarray, finite: np.ndarray, known: Points, optics: Optics) -> Points:
    """Return the peaks of the residual as points: pixel position and a first estimate of the height."""
    narrow, wide = (scale * optics.fwhm / FWHM_PER_SIGMA for scale in (NARROW, WIDE))
    sharp = smoothed(rest, narrow, truncate=3.0) - smoothed(rest, wide, truncate=3.0)
    spread = optics.sigma**2
    gain = float(optics.height @ (spread / (spread + narrow**2) - spread / (spread + wide**2)))
    floor = PEAK_SNR * noise_sigma(sharp[finite][::4])
    found = _maxima(sharp, finite, floor, int(FIT_RADIUS * optics.fwhm), MIN_SHARE)
    value = sharp[found[:, 1], found[:, 0]]
    tall = value > DETECTION_SNR * gain * _residual(known, found, optics)
    return Points(np.column_stack([found, value / gain])[tall])


@compiled
def _maxima(image: np.ndarray, finite: np.ndarray, floor: float, reach: int, min_share: float) -> np.ndarray:
    """Return the column and row (n, 2) of the local maxima of an image above `floor`.

    In the square of `reach` pixels to each side, at least a fraction `min_share` has to be valid pixels.
    """
    ny, nx = image.shape
    found = np.empty((ny * nx, 2), np.int64)
    n = 0
    for row in range(ny):
        for column in range(nx):
            value = image[row, column]
            if not (value > floor and finite[row, column]):
                continue
            around = image[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]
            square = finite[
                max(0, row - reach) : row + reach + 1, max(0, column - reach) : column + reach + 1
            ]
            if around.max() <= value and square.sum() >= min_share * (2 * reach + 1) ** 2:
                found[n] = column, row
                n += 1
    return found[:n]


def _residual(points: Points, pixels: np.ndarray, optics: Optics) -> np.ndarray:
    """Return the standard deviation of the residuals of points at pixels (n, 2), as heights of points."""
    squared = ((pixels[:, None] - points.table[:, :2]) ** 2).sum(axis=2)
    total = np.zeros(len(pixels))
    for height, width in RESIDUAL:
        total += height * np.exp(-0.5 * squared / (width * optics.fwhm / FWHM_PER_SIGMA) ** 2) @ points.height
    return total


def _height_noise(points: Points, rest: np.ndarray, finite: np.ndarray, optics: Optics) -> np.ndarray:
    """Return the standard deviation of each height: that of fits to the residual, plus the neighbours'."""
    if not len(points):
        return np.empty(0)
    # Least-squares height of a Gaussian: sum(g r) / sum(g^2), twice the smoothed image.
    found = 2.0 * smoothed(rest, optics.fwhm / FWHM_PER_SIGMA, truncate=2.0)
    typical = noise_sigma(found[finite][::4])
    others = _residual(points, nearest_pixels(points, (rest.shape[0], rest.shape[1])), optics)
    unexplained = others - RESIDUAL[0][0] * points.height - RESIDUAL[1][0] * points.height
    return np.hypot(typical, np.maximum(unexplained, 0.0))
