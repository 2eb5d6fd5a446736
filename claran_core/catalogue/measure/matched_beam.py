"""The beam to which two radio images are matched, and apertures as seen through the smoothing to it.

Covariances are those of Gaussians, ``(2, 2)``, axes east and north, arcsec^2, if nothing else is said.

The flux density in an aperture of a smoothed image is a sum over the pixels of the image as it is.  A pixel
counts with the value of the aperture, smoothed with the same Gaussian, at its place.  So no image is smoothed
or resampled, flux is conserved whatever the pixels, and the noise is that of the image, with its correlation.
"""

import math

import numpy as np

from claran_core.catalogue.measure.layer import Layer
from claran_core.catalogue.measure.pixel_beam import THOUSANDTHS, PixelBeam
from claran_core.common.compiled import compiled
from claran_core.common.constants import FWHM_PER_SIGMA

__all__ = ["beam_covariance", "matched_covariance", "pixel_beam_of", "smallest_around", "smoothed_places"]

# Standard deviation of the narrowest smoothing, in pixels of the coarser image: sums over pixels are then
# integrals within 0.2 %.
LEAST_SMOOTHING_PX = 0.6
# Where the smoothing ends, in standard deviations: 0.03 % of it are farther out.
REACH_SIGMA = 4.0


def beam_covariance(layer: Layer) -> np.ndarray:
    """Return the covariance of the beam of an image."""
    to_sky, sigma = _sky_matrix(layer), layer.image.beam_px / FWHM_PER_SIGMA
    covariance: np.ndarray = sigma**2 * (to_sky @ np.linalg.inv(layer.image.beam.form) @ to_sky.T)
    return covariance


def matched_covariance(one: Layer, other: Layer) -> np.ndarray:
    """Return the covariance of the smallest beam to which both images can be smoothed.

    Each is smoothed by `LEAST_SMOOTHING_PX` at least.
    """
    coarser = max(one.image.pixel_scale_arcsec, other.image.pixel_scale_arcsec)
    least = (LEAST_SMOOTHING_PX * coarser) ** 2 * np.eye(2)
    return smallest_around(beam_covariance(one) + least, beam_covariance(other) + least)


def smallest_around(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the covariance of the smallest ellipse around two with the same centre.

    Where the first is a circle of radius 1, it is the ellipse along the axes of the second with the larger of
    both radii on each axis.
    """
    root = np.linalg.cholesky(one)
    inverse = np.linalg.inv(root)
    squared, axes = np.linalg.eigh(inverse @ other @ inverse.T)
    spread = root @ axes
    around: np.ndarray = (spread * np.maximum(squared, 1.0)) @ spread.T
    return around


def pixel_beam_of(covariance: np.ndarray, layer: Layer) -> PixelBeam:
    """Return a beam in the pixels of an image."""
    in_pixels = _in_pixels(covariance, layer)
    area = math.sqrt(np.linalg.det(in_pixels))
    form = THOUSANDTHS * area * np.linalg.inv(in_pixels)
    xx, xy, yy = np.rint(form[[0, 0, 1], [0, 1, 1]]).astype(int).tolist()
    return PixelBeam(FWHM_PER_SIGMA * math.sqrt(area), (xx, xy, yy))


def smoothed_places(
    layer: Layer, vectors: np.ndarray, smoothing: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return pixels of an image, and how much each contains of some places, when these are smoothed.

    Parameters
    ----------
    layer : Layer
        The image.
    vectors : (n, 3) array
        Directions of the places.
    smoothing : (2, 2) array
        Covariance of the Gaussian.

    Returns
    -------
    pixels : (k, 2) int64 array
        Pixels ``x y`` with data.
    weights : (k,) float64 array
        What they contain of the places; `n` together.
    missing : float
        Share of the places that lies where the image has no data.
    """
    places = np.stack(layer.wcs.vectors_to_pixels(vectors), axis=1)
    values = layer.image.pixels
    covariance = _in_pixels(smoothing, layer)
    (x0, y0), window = _spread(places, covariance, np.linalg.inv(covariance), np.array(values.shape))
    rows, columns = np.nonzero(window)
    known = np.isfinite(values[rows + y0, columns + x0])
    pixels = np.stack([columns[known] + x0, rows[known] + y0], axis=1)
    weights = window[rows[known], columns[known]]
    total = float(weights.sum())
    missing = 1 - total / len(places)
    return pixels, weights * (len(places) / total if total > 0 else 0.0), missing


def _sky_matrix(layer: Layer) -> np.ndarray:
    """Return the matrix ``(2, 2)`` from pixels ``x y`` to arcsec east and north, in an image's middle."""
    ny, nx = layer.image.pixels.shape
    return layer.wcs.sky_matrix((nx - 1) / 2, (ny - 1) / 2)


def _in_pixels(covariance: np.ndarray, layer: Layer) -> np.ndarray:
    """Return a covariance with axes x and y, px^2."""
    to_pixels = np.linalg.inv(_sky_matrix(layer))
    turned: np.ndarray = np.ascontiguousarray(to_pixels @ covariance @ to_pixels.T)
    return turned


@compiled
def _spread(
    places: np.ndarray, covariance: np.ndarray, inverse: np.ndarray, shape: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the sum of a Gaussian of sum 1 around each place, at the pixels of an image.

    Parameters
    ----------
    places : (n, 2) float64 array
        Positions ``x y``, px.
    covariance, inverse : (2, 2) float64 arrays
        Covariance of the Gaussian, axes x y, px^2, and its inverse.
    shape : (2,) int array
        Rows and columns of the image.

    Returns
    -------
    start : (2,) int64 array
        Pixel ``x y`` at which the window starts.
    window : (my, mx) float64 array
        The sum in the part of the image where it is not 0; may be empty.
    """
    reach_x, reach_y = REACH_SIGMA * np.sqrt(covariance[0, 0]), REACH_SIGMA * np.sqrt(covariance[1, 1])
    x0 = max(0, int(np.floor(places[:, 0].min() - reach_x)))
    y0 = max(0, int(np.floor(places[:, 1].min() - reach_y)))
    x1 = min(shape[1], int(np.ceil(places[:, 0].max() + reach_x)) + 1)
    y1 = min(shape[0], int(np.ceil(places[:, 1].max() + reach_y)) + 1)
    window = np.zeros((max(0, y1 - y0), max(0, x1 - x0)))
    height = np.sqrt(inverse[0, 0] * inverse[1, 1] - inverse[0, 1] ** 2) / (2 * np.pi)
    for place in places:
        first = max(x0, int(np.ceil(place[0] - reach_x)))
        last = min(x1, int(np.floor(place[0] + reach_x)) + 1)
        low = max(y0, int(np.ceil(place[1] - reach_y)))
        high = min(y1, int(np.floor(place[1] + reach_y)) + 1)
        for y in range(low, high):
            up = y - place[1]
            for x in range(first, last):
                right = x - place[0]
                squared = inverse[0, 0] * right**2 + 2 * inverse[0, 1] * right * up + inverse[1, 1] * up**2
                if squared < REACH_SIGMA**2:
                    window[y - y0, x - x0] += height * np.exp(-0.5 * squared)
    return np.array([x0, y0]), window
