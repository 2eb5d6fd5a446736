"""Pixels of an image that hold no data, however the file marks them.

FITS marks missing pixels by NaN, or BLANK in integers.  Files also contain infinities, values of 1e20 and
beyond, zeros or another constant; and single pixels that no telescope has measured.
"""

import numpy as np
from scipy.ndimage import label

from claran_core.common.compiled import compiled
from claran_core.common.noise import noise_sigma, regular_sample

__all__ = ["LARGEST_VALUE", "mask_missing"]

# Magnitude from which on values mark missing pixels; no survey reaches it in any unit.
LARGEST_VALUE = 1e20
# Least number of connected pixels with exactly the same value that are no data.  Noise as smooth as a beam of
# three pixels, stored in steps of half its sigma, has at most 74 zeros side by side in five images of
# 200 x 200 pixels.
MIN_CONSTANT_PX = 100
# A single pixel is absurd if it is so many times farther from zero than each of its neighbours, and than the
# noise.  A point source that is critically sampled falls by a factor of 16 to the next pixel.
ABSURD_RATIO = 100.0
# Least number of pixels along the longer side of the sample of an image whose noise is measured.
SAMPLED_PX = 48


def mask_missing(data: np.ndarray) -> int:
    """Set the pixels of an image (or a window of one) that hold no data to NaN, in place.

    These are infinities, values of `LARGEST_VALUE` and beyond, connected areas of exact zeros, or of the
    lowest value of the image, and single absurd pixels.

    Parameters
    ----------
    data : (ny, nx) float32 array
        Pixels in any unit.

    Returns
    -------
    int
        Number of absurd pixels.
    """
    lowest, n_zeros, n_lowest = _mask_huge(data, LARGEST_VALUE)
    for value, count in ((np.float32(0), n_zeros), (lowest, n_lowest)):
        if count >= MIN_CONSTANT_PX:
            _mask_constant(data, value)
    places = _isolated(data, ABSURD_RATIO)
    if not len(places):  # the usual image needs no noise
        return 0
    sigma = noise_sigma(regular_sample(data, SAMPLED_PX))
    if not sigma > 0:
        return 0
    places = places[np.abs(data[places[:, 0], places[:, 1]]) > ABSURD_RATIO * sigma]
    data[places[:, 0], places[:, 1]] = np.nan
    return len(places)


def _mask_constant(data: np.ndarray, value: np.float32) -> None:
    """Set connected areas of a value to NaN."""
    areas, _ = label(data == value)
    is_large = np.bincount(areas.ravel()) >= MIN_CONSTANT_PX
    is_large[0] = False
    data[is_large[areas]] = np.nan


@compiled
def _mask_huge(data: np.ndarray, largest: float) -> tuple[np.float32, int, int]:
    """Set values whose magnitude is not below a limit to NaN.

    Return the lowest of the others, and how many are zero, and the lowest.
    """
    lowest, n_zeros, n_lowest = np.float32(np.inf), 0, 0
    for row in range(data.shape[0]):
        for column in range(data.shape[1]):
            value = data[row, column]
            if not abs(value) < largest:
                data[row, column] = np.nan
                continue
            if value < lowest:
                lowest, n_lowest = value, 0
            n_lowest += value == lowest
            n_zeros += value == 0
    return lowest, n_zeros, n_lowest


def _isolated(data: np.ndarray, ratio: float) -> np.ndarray:
    """Return the pixels ``row, column`` that are `ratio` times farther from 0 than their neighbours; (n, 2).

    At least one of the eight neighbours has data.
    """
    size = np.abs(data)
    stand_out = np.ones(data.shape, bool)
    # Nearly all pixels end at the neighbour to the left; NaN says nothing.
    np.greater_equal(ratio * size[:, :-1], size[:, 1:], out=stand_out[:, 1:])
    np.logical_not(stand_out[:, 1:], out=stand_out[:, 1:])
    places = np.argwhere(stand_out)
    return places[_are_isolated(data, places, ratio)]


@compiled
def _are_isolated(data: np.ndarray, places: np.ndarray, ratio: float) -> np.ndarray:
    """Return which of some pixels ``row, column`` are isolated."""
    alone = np.zeros(len(places), np.bool_)
    for k in range(len(places)):
        row, column = places[k]
        nearest = -1.0
        for y in range(max(0, row - 1), min(data.shape[0], row + 2)):
            for x in range(max(0, column - 1), min(data.shape[1], column + 2)):
                if (y != row or x != column) and np.isfinite(data[y, x]):
                    nearest = max(nearest, abs(data[y, x]))
        alone[k] = nearest >= 0 and abs(data[row, column]) > ratio * nearest
    return alone
