"""The noise of an image, as all stages measure it."""

import numpy as np

__all__ = ["MAD_TO_SIGMA", "noise_sigma", "regular_sample"]

# Standard deviation of a Gaussian in units of its median absolute deviation.
MAD_TO_SIGMA = 1.4826


def noise_sigma(image: np.ndarray) -> float:
    """Return the robust noise of an image: 1.4826 x MAD of its finite pixels, in the image's unit.

    If more than half of the pixels have the same value (such as zero padding), only the other pixels are
    used.

    Returns
    -------
    float
        NaN for an image without finite pixels, 0 for a constant one.
    """
    values = image[np.isfinite(image)]
    if values.size == 0:
        return float("nan")
    centre = _median(values)
    deviation = np.abs(values.astype(np.float64) - centre)
    spread = _median(deviation)
    if spread == 0 and deviation.any():
        others = values[values != centre]
        return noise_sigma(others) if np.ptp(others) > 0 else 0.0
    return MAD_TO_SIGMA * spread


def regular_sample(image: np.ndarray, least_px: int) -> np.ndarray:
    """Return every n-th pixel along both axes, of the longer one at least `least_px`, if it has them."""
    step = max(1, max(image.shape) // least_px)
    return image[::step, ::step]


def _median(values: np.ndarray) -> float:
    """Return the median of finite values (n,), as `numpy.median` does, and leave them in another order.

    One partition finds the upper middle value, and the maximum of the smaller ones is the lower.
    """
    half = values.size // 2
    values.partition(half)
    upper = float(values[half])
    return upper if values.size % 2 else (float(values[:half].max()) + upper) / 2
