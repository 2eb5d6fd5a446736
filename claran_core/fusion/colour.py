"""The intensity scales and colour maps of DS9 that the published images use.

The scales map images ``(ny, nx)`` to intensities 0..1 and keep NaN; the colour maps turn intensities into
``(ny, nx, 3)`` uint8 and NaN into a given colour.
"""

import math

import numpy as np

from claran_core.common.compiled import compiled

__all__ = ["RGB", "cool", "gist_heat", "log_minmax", "zscale"]

# Red, green and blue, 0..255.
RGB = tuple[int, int, int]

# DS9's log scale is log(a x + 1) / log(a).
LOG_EXPONENT = 1000.0

# DS9's `cool` map: (position, intensity) per channel.
COOL = (
    ((0.0, 0.29, 0.76, 1.0), (0.0, 0.0, 0.1, 1.0)),
    ((0.0, 0.22, 0.96, 1.0), (0.0, 0.0, 1.0, 1.0)),
    ((0.0, 0.53, 1.0), (0.0, 1.0, 1.0)),
)

# `gist_heat`: per channel, slope and decrement of the intensity along the map, clipped to 0..1.
HEAT = ((1.5, 0.0), (2.0, 1.0), (4.0, 3.0))

# Contrast and bias given to DS9 for the infrared images ("colour map value 0.684 0").
HEAT_CONTRAST = 0.684
HEAT_BIAS = 0.0


def log_minmax(image: np.ndarray, shown: np.ndarray | None = None) -> np.ndarray:
    """Scale an image to 0..1 between its minimum and maximum on DS9's logarithmic scale.

    A constant image gives 0.  Pixels outside the mask `shown` become NaN; they count for the limits.
    """
    low, high = np.fmin.reduce(image, axis=None), np.fmax.reduce(image, axis=None)
    finite = np.isfinite(image)
    return _log_scaled(
        np.ascontiguousarray(image, np.float32),
        finite if shown is None else finite & shown,
        float(low),
        float(high - low),
    )


@compiled
def _log_scaled(image: np.ndarray, shown: np.ndarray, low: float, width: float) -> np.ndarray:
    """Return DS9's logarithmic scale of ``low..low + width`` as float64, NaN where not `shown`."""
    scaled = np.full(image.shape, np.nan)
    for row in range(image.shape[0]):
        for column in range(image.shape[1]):
            if shown[row, column]:
                linear = (float(image[row, column]) - low) / width if width > 0 else 0.0
                value = math.log(LOG_EXPONENT * min(max(linear, 0.0), 1.0) + 1) / math.log(LOG_EXPONENT)
                scaled[row, column] = min(max(value, 0.0), 1.0)
    return scaled


def zscale(image: np.ndarray) -> np.ndarray:
    """Scale an image linearly to 0..1 between its zscale limits (IRAF, as in DS9).

    A constant image gives 0.
    """
    finite = np.isfinite(image)
    if not finite.any():
        return image
    from astropy.visualization import ZScaleInterval  # loads matplotlib, which only this method needs

    low, high = ZScaleInterval().get_limits(image[finite])
    if not high > low:
        return np.where(finite, 0.0, np.nan)
    return np.clip((image.astype(np.float64) - low) / (high - low), 0.0, 1.0)


@compiled
def cool(intensity: np.ndarray, blank_rgb: RGB) -> np.ndarray:
    """Apply DS9's `cool` map to intensities 0..1 ``(ny, nx)`` float64; NaN becomes `blank_rgb`."""
    ny, nx = intensity.shape
    image = np.empty((ny, nx, 3), np.uint8)
    for row in range(ny):
        for column in range(nx):
            x = intensity[row, column]
            if math.isnan(x):
                _set_colour(image[row, column], blank_rgb)
                continue
            image[row, column, 0] = _grey_level(_interpolated(x, COOL[0]))
            image[row, column, 1] = _grey_level(_interpolated(x, COOL[1]))
            image[row, column, 2] = _grey_level(_interpolated(x, COOL[2]))
    return image


@compiled
def gist_heat(intensity: np.ndarray, blank_rgb: RGB) -> np.ndarray:
    """Apply `gist_heat` with the published contrast and bias to intensities, like `cool`."""
    ny, nx = intensity.shape
    image = np.empty((ny, nx, 3), np.uint8)
    for row in range(ny):
        for column in range(nx):
            x = intensity[row, column]
            if math.isnan(x):
                _set_colour(image[row, column], blank_rgb)
                continue
            position = min(max((x - HEAT_BIAS) * HEAT_CONTRAST + 0.5, 0.0), 1.0)
            for channel in range(3):
                value = position * HEAT[channel][0] - HEAT[channel][1]
                image[row, column, channel] = _grey_level(min(max(value, 0.0), 1.0))
    return image


@compiled
def _interpolated(x: float, knots: tuple[tuple[float, ...], tuple[float, ...]]) -> float:
    """Interpolate linearly between knots ``(positions, values)``; `x` is within them."""
    positions, values = knots
    k = 1
    while k < len(positions) - 1 and x >= positions[k]:
        k += 1
    slope = (values[k] - values[k - 1]) / (positions[k] - positions[k - 1])
    return slope * (x - positions[k - 1]) + values[k - 1]


@compiled
def _grey_level(value: float) -> int:
    """Return an intensity 0..1 as 0..255."""
    return int(np.rint(value * 255.0))


@compiled
def _set_colour(pixel: np.ndarray, rgb: RGB) -> None:
    pixel[0], pixel[1], pixel[2] = rgb
