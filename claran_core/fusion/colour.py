"""The intensity scales and colour maps of DS9 that the published images use.

The scales map ``(ny, nx)`` arrays and keep NaN; `to_rgb` replaces NaN by a colour.
"""

import numpy as np

__all__ = ["cool", "gist_heat", "log_minmax", "to_rgb", "zscale"]

# DS9's log scale is log(a x + 1) / log(a).
LOG_EXPONENT = 1000.0

# DS9's `cool` map: (position, intensity) per channel.
COOL = (
    ((0.0, 0.29, 0.76, 1.0), (0.0, 0.0, 0.1, 1.0)),
    ((0.0, 0.22, 0.96, 1.0), (0.0, 0.0, 1.0, 1.0)),
    ((0.0, 0.53, 1.0), (0.0, 1.0, 1.0)),
)

# Contrast and bias given to DS9 for the infrared images ("colour map value 0.684 0").
HEAT_CONTRAST = 0.684
HEAT_BIAS = 0.0


def log_minmax(image: np.ndarray) -> np.ndarray:
    """Scale an image to 0..1 between its minimum and maximum on DS9's logarithmic scale.

    A constant image gives 0.
    """
    linear = _between(image, np.nanmin(image), np.nanmax(image)) if np.isfinite(image).any() else image
    return np.clip(np.log(LOG_EXPONENT * linear + 1) / np.log(LOG_EXPONENT), 0.0, 1.0)


def zscale(image: np.ndarray) -> np.ndarray:
    """Scale an image linearly to 0..1 between its zscale limits (IRAF, as in DS9).

    A constant image gives 0.
    """
    finite = image[np.isfinite(image)]
    if finite.size == 0:
        return image
    from astropy.visualization import ZScaleInterval  # loads matplotlib, which only this method needs

    return _between(image, *ZScaleInterval().get_limits(finite))


def _between(image: np.ndarray, low: float, high: float) -> np.ndarray:
    """Scale an image linearly to 0..1 between two values; equal values give 0."""
    if not high > low:
        return np.where(np.isfinite(image), 0.0, np.nan)
    return np.clip((image.astype(np.float64) - low) / (high - low), 0.0, 1.0)


def cool(intensity: np.ndarray) -> np.ndarray:
    """Apply DS9's `cool` map: ``(ny, nx)`` in 0..1 to ``(ny, nx, 3)`` in 0..1."""
    return np.stack([np.interp(intensity, *channel) for channel in COOL], axis=-1)


def gist_heat(intensity: np.ndarray) -> np.ndarray:
    """Apply `gist_heat` with the published contrast and bias: ``(ny, nx)`` to ``(ny, nx, 3)``, both 0..1."""
    position = np.clip((intensity - HEAT_BIAS) * HEAT_CONTRAST + 0.5, 0.0, 1.0)[..., None]
    return np.clip(position * [1.5, 2.0, 4.0] - [0.0, 1.0, 3.0], 0.0, 1.0)


def to_rgb(colours: np.ndarray, blank: np.ndarray, blank_rgb: tuple[int, int, int]) -> np.ndarray:
    """Convert colours 0..1 ``(ny, nx, 3)`` to uint8; pixels of the mask `blank` get `blank_rgb`."""
    rgb = np.rint(np.nan_to_num(colours) * 255.0).astype(np.uint8)
    rgb[blank] = blank_rgb
    return rgb
