"""Fit the beam to a source and to the neighbours that overlap with it, by generalised least squares.

Neighbouring pixels of a radio image share their noise.  Least squares with the covariance of the noise has
the smallest error: about one rms for a point source, against 1.3 rms when all pixels near the peak count
alike, and 3 rms for the sum over an aperture.
"""

from dataclasses import dataclass

import numpy as np

from claran_core.catalogue.measure.radio_image import RadioImage
from claran_core.common.compiled import compiled
from claran_core.common.constants import FWHM_PER_SIGMA

__all__ = ["BeamFit", "fit_beam"]

# Radius of the pixels in the fit around each peak, and distance up to which neighbours are fitted too, beams.
FIT_BEAMS, NEIGHBOUR_BEAMS = 1.0, 3.0

# Smallest distance between two peaks that are fitted, beams; largest number of neighbours, nearest first.
APART_BEAMS, MAX_NEIGHBOURS = 1.0, 8

# Largest move of a fitted position from the brightest pixel, beams.
LONGEST_MOVE = 0.5

# Smallest fraction of the pixels around the brightest one, and around the fitted peak, that have data.
MIN_VALID = 0.6

# Variance that pixels do not share, as a fraction of that of the noise, for one pixel per beam solid angle.
# Without it the weights follow the correlation so closely that an error of its width counts.
UNSHARED = 0.01

# Smallest second derivative of chi^2 that counts, as a fraction of that of point sources.
LEAST_CURVATURE = 0.05

# The fit ends when no position changes by more than this (px), or after so many steps.
SETTLED_PX, MAX_STEPS = 1e-4, 12


@dataclass(frozen=True)
class BeamFit:
    """The beams of a source and of its neighbours.

    Attributes
    ----------
    beams : (k, 3) float64 array
        Position ``x y`` (px) and height (Jy/beam), that of the source first.
    sigma_px : float
        Standard deviation of the beam; of an elliptical one the geometric mean.
    form : (2, 2) float64 array
        Form of its contours (`claran_core.catalogue.measure.pixel_beam.PixelBeam.form`).
    pixels : (n, 2) int64 array
        Pixels ``x y`` of the fit.
    inverse : (3 k, n) float64 array
        Change of each height, ``x`` and ``y`` (times the height) with the values of the pixels.
    shift : (2, n) float64 array
        Change of the position ``x y`` of the source with the values of the pixels, px.
    widening : (n,) float64 array
        Factors of the pixels whose sum is S_int - S_peak of the source, Jy, by the fit of a circular Gaussian
        of any width, to first order in the square of its width.
    """

    beams: np.ndarray
    sigma_px: float
    form: np.ndarray
    pixels: np.ndarray
    inverse: np.ndarray
    shift: np.ndarray
    widening: np.ndarray

    @property
    def height(self) -> float:
        """Height of the beam of the source: flux density of a point source, Jy/beam."""
        return float(self.beams[0, 2])

    def model(self, pixels: np.ndarray) -> np.ndarray:
        """Return the surface brightness of all beams at pixels ``x y`` (m, 2), Jy/beam; ``(m,)``."""
        return _shapes(self.beams, pixels, self.sigma_px, self.form)[:, ::3] @ self.beams[:, 2]

    def change_of_sum(self, pixels: np.ndarray) -> np.ndarray:
        """Return the change of the sum of `model` over pixels (m, 2) with the values of the fit's pixels."""
        return _shapes(self.beams, pixels, self.sigma_px, self.form).sum(axis=0) @ self.inverse


def fit_beam(image: RadioImage, number: int, peak: np.ndarray) -> BeamFit | None:
    """Fit the beam to a component with one peak, together with the peaks of other components near it.

    Parameters
    ----------
    image : RadioImage
        The subject's image.
    number : int
        Label of the component.
    peak : (2,) int array
        Its brightest pixel ``x y``.

    Returns
    -------
    BeamFit or None
        None if too many pixels around the brightest one or around the fitted peak have no data, or these two
        are far from each other.  A peak in a hole of a few pixels is fitted; one beyond the border of the
        data is not.
    """
    reach = image.disc(NEIGHBOUR_BEAMS)
    others = _maxima_near(image.pixels, image.labels, number, peak, reach)
    apart = (APART_BEAMS * image.beam_px) ** 2
    peaks = _thinned(np.concatenate([peak[None], others]), apart)[: MAX_NEIGHBOURS + 1]
    around = image.disc(FIT_BEAMS)
    if not _has_data_around(image, peak, around):
        return None
    pixels = _valid_near(image.pixels, peaks, around)
    start = np.column_stack([peaks, image.pixels[peaks[:, 1], peaks[:, 0]]]).astype(np.float64)
    fit = _fitted(image, start, pixels)
    place = fit.beams[0, :2]
    is_near = np.abs(place - peak).max() < LONGEST_MOVE * image.beam_px
    return fit if is_near and _has_data_around(image, np.rint(place).astype(np.int64), around) else None


def _fitted(image: RadioImage, start: np.ndarray, pixels: np.ndarray) -> BeamFit:
    """Fit beams (k, 3) that start at peaks to pixels; none moves farther than `LONGEST_MOVE`."""
    sigma, form = image.beam_px / FWHM_PER_SIGMA, image.beam.form
    weights, widths = image.noise_correlation
    covariance = _covariance(pixels, weights, widths, form, UNSHARED * image.beam_solid_angle_px)
    whiten = np.linalg.inv(np.linalg.cholesky(covariance))
    values = image.pixels[pixels[:, 1], pixels[:, 0]]
    beams, longest = start.copy(), LONGEST_MOVE * image.beam_px
    for _ in range(MAX_STEPS):
        shapes = _shapes(beams, pixels, sigma, form)
        inverse = np.linalg.pinv(whiten @ shapes) @ whiten
        step = (inverse @ (values - shapes[:, ::3] @ beams[:, 2])).reshape(-1, 3)
        height = np.maximum(beams[:, 2] + step[:, 0], 0.1 * start[:, 2])
        places = np.clip(beams[:, :2] + step[:, 1:] / height[:, None], start[:, :2] - longest, None)
        places = np.minimum(places, start[:, :2] + longest)
        change = np.abs(places - beams[:, :2]).max()
        beams = np.column_stack([places, height])
        if change < SETTLED_PX:
            break
    shift = _shift(beams, pixels, values, sigma, form, whiten)
    return BeamFit(beams, sigma, form, pixels, inverse, shift, _widening(beams, pixels, sigma, form, whiten))


def _shift(
    beams: np.ndarray,
    pixels: np.ndarray,
    values: np.ndarray,
    sigma_px: float,
    form: np.ndarray,
    whiten: np.ndarray,
) -> np.ndarray:
    """Return `BeamFit.shift`.

    Around a source that is wider than the beam, chi^2 changes less with the position than around a point
    source of the same height.  Its second derivatives therefore contain the residuals.  Where noise makes
    them negative, those of a point source hold.
    """
    shapes = _shapes(beams, pixels, sigma_px, form)
    white = whiten @ shapes
    rest = whiten.T @ (whiten @ (values - shapes[:, ::3] @ beams[:, 2]))
    slope = (pixels - beams[0, :2]) @ form / sigma_px
    height = beams[0, 2]
    # Derivatives by the height and by x and y times the height.
    second = (slope.T * (rest * shapes[:, 0])) @ slope - (rest @ shapes[:, 0]) * form
    normal = white.T @ white
    curved = normal.copy()
    curved[1:3, 1:3] -= second / sigma_px**2 / height
    curved[0, 1:3] -= rest @ shapes[:, 1:3] / height
    curved[1:3, 0] = curved[0, 1:3]
    if np.linalg.eigvalsh(curved)[0] <= LEAST_CURVATURE * np.linalg.eigvalsh(normal)[0]:
        curved = normal
    change: np.ndarray = np.linalg.solve(curved, white.T @ whiten)[1:3] / height
    return change


def _widening(
    beams: np.ndarray, pixels: np.ndarray, sigma_px: float, form: np.ndarray, whiten: np.ndarray
) -> np.ndarray:
    """Return `BeamFit.widening`.

    A Gaussian of variance ``1 + e`` times that of the beam changes by ``e r^2 / 2`` times the beam, with r in
    standard deviations; its flux density is ``1 + e`` times its peak.
    """
    shapes = _shapes(beams, pixels, sigma_px, form)
    away = pixels - beams[0, :2]
    squared = (away @ form * away).sum(axis=1) / sigma_px**2
    columns = np.column_stack([shapes, 0.5 * squared * shapes[:, 0]])
    return (np.linalg.pinv(whiten @ columns) @ whiten)[-1]


def _has_data_around(image: RadioImage, pixel: np.ndarray, around: np.ndarray) -> bool:
    """Return whether enough pixels within a disc around a pixel ``x y`` have data."""
    return len(_valid_near(image.pixels, pixel[None], around)) >= MIN_VALID * len(around)


def _shapes(beams: np.ndarray, pixels: np.ndarray, sigma_px: float, form: np.ndarray) -> np.ndarray:
    """Return each beam of height 1 and its derivatives by ``x`` and ``y`` at pixels (n, 2); ``(n, 3 k)``."""
    away = (pixels[:, None, :] - beams[None, :, :2]) / sigma_px
    slope = away @ form
    height = np.exp(-0.5 * (slope * away).sum(axis=2))
    return np.concatenate([height[..., None], height[..., None] * slope / sigma_px], axis=2).reshape(
        len(pixels), -1
    )


def _valid_near(pixels: np.ndarray, peaks: np.ndarray, around: np.ndarray) -> np.ndarray:
    """Return the pixels ``x y`` (n, 2) with data within a disc of any peak, each once, in a fixed order."""
    places = np.unique((peaks[:, None, :] + around[None, :, :2]).reshape(-1, 2), axis=0)
    ny, nx = pixels.shape
    places = places[((places >= 0) & (places < [nx, ny])).all(axis=1)]
    return places[np.isfinite(pixels[places[:, 1], places[:, 0]])]


def _thinned(peaks: np.ndarray, apart_squared: float) -> np.ndarray:
    """Return the peaks (n, 2) in their order, without those too near to an earlier one."""
    kept = peaks[:1]
    for peak in peaks[1:]:
        if ((kept - peak) ** 2).sum(axis=1).min() >= apart_squared:
            kept = np.concatenate([kept, peak[None]])
    return kept


@compiled
def _maxima_near(
    pixels: np.ndarray, labels: np.ndarray, number: int, peak: np.ndarray, reach: np.ndarray
) -> np.ndarray:
    """Return the local maxima ``x y`` (n, 2) of other components than `number` near a peak, nearest first.

    `reach` is the disc of offsets.  The first pixel of a plateau in array order is its maximum.
    """
    found = np.empty((len(reach), 2), np.int64)
    n = 0
    ny, nx = labels.shape
    for k in range(len(reach)):
        x, y = peak[0] + reach[k, 0], peak[1] + reach[k, 1]
        if not (0 <= x < nx and 0 <= y < ny) or labels[y, x] == 0 or labels[y, x] == number:
            continue
        if _is_maximum(pixels, x, y):
            found[n, 0], found[n, 1] = x, y
            n += 1
    return found[:n].copy()


@compiled
def _is_maximum(pixels: np.ndarray, x: int, y: int) -> bool:
    """Return whether a pixel is above its eight neighbours; later ones in array order may be equal."""
    ny, nx = pixels.shape
    for row in range(max(0, y - 1), min(ny, y + 2)):
        for column in range(max(0, x - 1), min(nx, x + 2)):
            earlier = (row, column) < (y, x)
            other = pixels[row, column]
            if other > pixels[y, x] or (earlier and other == pixels[y, x]):
                return False
    return bool(np.isfinite(pixels[y, x]))


@compiled
def _covariance(
    pixels: np.ndarray, weights: np.ndarray, sigma: np.ndarray, form: np.ndarray, unshared: float
) -> np.ndarray:
    """Return the covariance (n, n) of the noise of pixels ``x y``, in units of its variance."""
    found = np.empty((len(pixels), len(pixels)))
    for i in range(len(pixels)):
        for j in range(i + 1):
            x, y = pixels[i, 0] - pixels[j, 0], pixels[i, 1] - pixels[j, 1]
            squared = form[0, 0] * x * x + 2 * form[0, 1] * x * y + form[1, 1] * y * y
            shared = 0.0
            for k in range(weights.size):
                shared += weights[k] * np.exp(-0.5 * squared / sigma[k] ** 2)
            found[i, j] = found[j, i] = shared
        found[i, i] += unshared
    return found
