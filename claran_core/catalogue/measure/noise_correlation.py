"""Autocorrelation of the noise of a radio image, measured on the image itself, as a sum of Gaussians.

Standard errors of flux densities need it.  A survey states it in its description, or asks for this
measurement (`noise_correlation: measure`).
"""

import numpy as np
from scipy import fft, optimize

from claran_core.catalogue.measure.pixel_beam import PixelBeam
from claran_core.common.constants import FWHM_PER_SIGMA

__all__ = ["measured_correlation"]

# FWHM of the Gaussians, in units of the beam's; noise that is as smooth as the beam has sqrt(2).
WIDTHS = np.array([0.35, 0.7, 1.0, np.sqrt(2), 2.0, 3.0, 6.0])
# Largest distance of two pixels, in units of the beam's FWHM, and in pixels.
REACH_BEAMS, MAX_REACH_PX = 4.0, 40
# Lowest number of pairs of pixels at a distance that counts.
MIN_PAIRS = 200
# How much the correlation of a pixel with itself, which is 1, counts more than one at a distance.
WEIGHT_OF_ZERO = 100.0


def measured_correlation(noise: np.ndarray, beam: PixelBeam) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the correlation of noise as a sum of Gaussians of the beam's form.

    Parameters
    ----------
    noise : (ny, nx) float64 array
        Pixels without sources; NaN elsewhere.
    beam : PixelBeam
        The beam of the image.

    Returns
    -------
    weight, sigma_px : (k,) float64 arrays, or None
        Height of each, 1 together, and geometric mean of its standard deviations, pixels.  None if there are
        too few pixels, or all are equal.
    """
    reach = int(min(np.ceil(REACH_BEAMS * beam.fwhm_px), MAX_REACH_PX, *(np.array(noise.shape) - 1)))
    found, pairs = _autocorrelation(noise, reach)
    y, x = np.mgrid[0 : reach + 1, -reach : reach + 1]
    (xx, xy), (_, yy) = beam.form
    squared = xx * x**2 + 2 * xy * x * y + yy * y**2
    # One of each two opposite places, which are equal, and those that form an ellipse.
    known = (pairs >= MIN_PAIRS) & (squared <= reach**2) & ((y > 0) | (x >= 0))
    if not (known[0, reach] and found[0, reach] > 0):
        return None
    sigma = WIDTHS * beam.fwhm_px / FWHM_PER_SIGMA
    weight_of = np.where(squared[known] == 0, WEIGHT_OF_ZERO, 1.0)
    gaussians = np.exp(-0.5 * squared[known][:, None] / sigma**2)
    correlation = found[known] / found[0, reach]
    weight, _ = optimize.nnls(weight_of[:, None] * gaussians, weight_of * correlation)
    used = weight > 0
    return weight[used] / weight.sum(), sigma[used]


def _autocorrelation(noise: np.ndarray, reach: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean product of pixels ``y, x`` apart and the number of pairs, ``(reach + 1, 2 reach + 1)``.

    Rows are the distances 0 to `reach` along y, columns -`reach` to `reach` along x.
    """
    known = np.isfinite(noise)
    shape = tuple(fft.next_fast_len(size + reach, real=True) for size in noise.shape)
    products, pairs = (
        fft.irfft2(np.abs(fft.rfft2(plane, shape)) ** 2, shape)
        for plane in (np.where(known, noise, 0.0), known.astype(float))
    )
    rows = np.ix_(np.arange(reach + 1), np.arange(-reach, reach + 1))
    counts = np.rint(pairs[rows])
    return products[rows] / np.maximum(counts, 1), counts
