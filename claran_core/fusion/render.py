"""Draw the five fused images F, D1, D2, D3, D4 of paper section 3.4 from a radio and an infrared image."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from claran_core.common.compiled import compiled
from claran_core.common.flags import Flag
from claran_core.fusion.colour import RGB, cool, gist_heat, log_minmax, zscale
from claran_core.fusion.contours import ContourLines, contour_lines, hull_mask, line_coverage

__all__ = ["METHODS", "Drawing", "Planes", "render"]

METHODS = ("F", "D1", "D2", "D3", "D4")

# Blank radio pixels are white, as in DS9.
RADIO_BLANK_RGB = (255, 255, 255)

# Blue lines of 0.25 pt at 150 dpi: about half a pixel.
CONTOUR_RGB = (0, 0, 255)
CONTOUR_WIDTH_PX = 0.5


@dataclass(frozen=True)
class Drawing:
    """Options of the contours and the fill.

    Attributes
    ----------
    contour_sigma : float
        Base contour in units of the noise.
    hull_fill : tuple of int
        Colour of pixels without infrared data (D3, D4) and outside the hull of the contours (D4).
    """

    contour_sigma: float
    hull_fill: RGB


@dataclass(frozen=True)
class Planes:
    """The two images of a subject in its frame (row 0 north).

    Attributes
    ----------
    radio : (ny, nx) float32 array
        Surface brightness; NaN marks missing pixels, all of them without a radio image.
    infrared : (ny, nx) float32 array
        Counts; NaN marks missing pixels, all of them without an infrared image.
    sigma : float
        Noise of the radio image in its unit; NaN without a radio image, 0 for a blank one.
    """

    radio: np.ndarray
    infrared: np.ndarray
    sigma: float

    @cached_property
    def radio_coverage(self) -> float:
        """Fraction of the frame with radio data."""
        return _coverage(self.radio)

    @cached_property
    def infrared_coverage(self) -> float:
        """Fraction of the frame with infrared data."""
        return _coverage(self.infrared)

    @property
    def flags(self) -> Flag:
        """Flags for missing images, missing pixels and a blank radio image."""
        flags = Flag(0)
        for coverage, missing, partial in (
            (self.radio_coverage, Flag.RADIO_MISSING, Flag.RADIO_PARTIAL),
            (self.infrared_coverage, Flag.INFRARED_MISSING, Flag.INFRARED_PARTIAL),
        ):
            if coverage < 1:
                flags |= partial if coverage > 0 else missing
        if not flags & Flag.RADIO_MISSING and not self.sigma > 0:
            flags |= Flag.RADIO_BLANK
        return flags


def _coverage(plane: np.ndarray) -> float:
    return np.count_nonzero(np.isfinite(plane)) / plane.size


def render(planes: Planes, method: str, drawing: Drawing) -> tuple[np.ndarray, int]:
    """Draw one fused image.

    Parameters
    ----------
    planes : Planes
        Images of the subject.  Missing pixels become white (F, D1, D2) or `drawing.hull_fill` (D3, D4).
    method : str
        One of `METHODS`.
    drawing : Drawing
        Contour level and fill colour.

    Returns
    -------
    image : (ny, nx, 3) uint8 array
        RGB.
    n_contours : int
        Number of base contours of the radio image.
    """
    levels = contour_lines(planes.radio, drawing.contour_sigma * planes.sigma)
    n_contours = len(levels[0]) if levels else 0
    if method == "F":
        return cool(zscale(planes.radio), RADIO_BLANK_RGB), n_contours
    if method == "D1":
        return cool(log_minmax(planes.radio), RADIO_BLANK_RGB), n_contours
    if method == "D2":
        image = cool(log_minmax(planes.radio), RADIO_BLANK_RGB)
        _add_red(image, log_minmax(planes.infrared))
        return image, n_contours
    if method not in METHODS:
        raise ValueError(f"unknown fusion method {method!r}; the methods are {', '.join(METHODS)}")
    shown = hull_mask(levels, len(planes.radio)) if method == "D4" else None
    return _contours_over_infrared(planes.infrared, levels, drawing.hull_fill, shown), n_contours


@compiled
def _add_red(image: np.ndarray, intensity: np.ndarray) -> None:
    """Add intensities 0..1 ``(ny, nx)`` to the red of an image ``(ny, nx, 3)`` uint8; NaN adds nothing."""
    for row in range(intensity.shape[0]):
        for column in range(intensity.shape[1]):
            if not math.isnan(intensity[row, column]):
                red = image[row, column, 0] + np.rint(intensity[row, column] * 255.0)
                image[row, column, 0] = int(min(red, 255.0))


def _contours_over_infrared(
    infrared: np.ndarray, levels: list[ContourLines], fill: RGB, shown: np.ndarray | None
) -> np.ndarray:
    """Draw radio contours in blue over the infrared image; its missing pixels get `fill`.

    This is D3, and D4 with the mask `shown`: other pixels get `fill`.
    """
    image = gist_heat(log_minmax(infrared, shown), fill)
    cover = line_coverage(levels, len(image), CONTOUR_WIDTH_PX)
    _draw_lines(image, cover if shown is None else cover * shown, CONTOUR_RGB)
    return image


@compiled
def _draw_lines(image: np.ndarray, cover: np.ndarray, colour: RGB) -> None:
    """Mix a colour into an image ``(ny, nx, 3)`` uint8, where `cover` ``(ny, nx)`` is the fraction of it."""
    for row in range(cover.shape[0]):
        for column in range(cover.shape[1]):
            fraction = cover[row, column]
            if fraction > 0:
                for channel in range(3):
                    mixed = image[row, column, channel] * (1 - fraction) + fraction * colour[channel]
                    image[row, column, channel] = int(np.rint(mixed))
