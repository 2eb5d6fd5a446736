"""Smooth an image with a Gaussian, as `scipy.ndimage.gaussian_filter` does, several times faster."""

import numpy as np

from claran_core.common.compiled import compiled

__all__ = ["smoothed"]


def smoothed(image: np.ndarray, sigma_px: float, *, truncate: float) -> np.ndarray:
    """Return an image smoothed with a circular Gaussian; beyond its border the image is mirrored.

    Parameters
    ----------
    image : (ny, nx) float64 array
        Finite pixels, contiguous.
    sigma_px : float
        Standard deviation of the Gaussian.
    truncate : float
        Radius of the Gaussian in units of `sigma_px`.

    Returns
    -------
    (ny, nx) float64 array
    """
    reach = int(truncate * sigma_px + 0.5)
    weights = np.exp(-0.5 * (np.arange(reach + 1) / sigma_px) ** 2)
    return _convolved(image, weights / (2 * weights.sum() - weights[0]))


@compiled
def _convolved(image: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Convolve along both axes with a symmetric kernel, of which `weights` is the half from the centre on.

    The image is padded, so that a shift along either axis is a shift of the flat array.
    """
    ny, nx = image.shape
    reach = weights.size - 1
    high, wide = ny + 2 * reach, nx + 2 * reach
    padded = np.empty((high, wide))
    for row in range(high):
        line = image[_mirrored(row - reach, ny)]
        padded[row, reach : reach + nx] = line
        for away in range(1, reach + 1):
            padded[row, reach - away] = line[_mirrored(-away, nx)]
            padded[row, reach + nx - 1 + away] = line[_mirrored(nx - 1 + away, nx)]
    along = _convolved_flat(padded.ravel(), weights, 1)
    both = _convolved_flat(along, weights, wide)
    smooth = np.empty((ny, nx))
    for row in range(ny):
        smooth[row] = both[row * wide : row * wide + nx]
    return smooth


@compiled
def _convolved_flat(values: np.ndarray, weights: np.ndarray, step: int) -> np.ndarray:
    """Convolve with a kernel of points that are `step` apart; the result starts at its first whole place."""
    margin = (weights.size - 1) * step
    n = values.size - 2 * margin
    total = weights[0] * values[margin : margin + n]
    for apart in range(1, weights.size):
        before = values[margin - apart * step : margin - apart * step + n]
        after = values[margin + apart * step : margin + apart * step + n]
        for place in range(n):
            total[place] += weights[apart] * (before[place] + after[place])
    return total


@compiled
def _mirrored(place: int, size: int) -> int:
    """Return the place inside an axis that mirrors one beyond its ends: ``b a | a b c d | d c``."""
    place %= 2 * size
    return place if place < size else 2 * size - 1 - place
