"""Footprint of an image on the sky, and the window of its pixels that a subject needs."""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from astropy.wcs import WCS

from claran_core.common.constants import ARCSEC_PER_DEG
from claran_core.common.frame import Frame
from claran_core.common.linear_wcs import LinearWCS
from claran_core.common.sky import FloatOrArray, unit_vectors
from claran_core.survey.celestial import pixel_scale_at, pixels_to_sky, sky_to_pixels
from claran_core.survey.regular import exact_linear_wcs, regular_image
from claran_core.survey.surveys import Survey

__all__ = ["Footprint", "PixelWindow", "frame_points", "frame_vectors", "sampling_frame"]

# Points along each side of an image from which the circle around it is computed.
BORDER_POINTS = 9
# Points along each side of a subject from which its window is computed.
FRAME_POINTS = 9
# Margin of a window, in pixels, for interpolation and for the curvature of the subject's border between the
# points.
WINDOW_MARGIN_PX = 3
# Places along each axis of an image, in units of its length, at which its WCS is checked; largest error.
CHECKED_AT = np.array([0.1, 0.5, 0.9])
MAX_RETURN_PX = 0.1


@dataclass(frozen=True)
class PixelWindow:
    """Pixels ``[y0:y1, x0:x1]`` of an image, FITS order; `complete` if all `frame_points` lie on it."""

    y0: int
    y1: int
    x0: int
    x1: int
    complete: bool

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the pixels in an array ``(ny, nx)``."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)


@dataclass(frozen=True)
class Footprint:
    """Area of the sky that an image shows.

    Attributes
    ----------
    wcs : WCS
        Two-dimensional, celestial, longitude first.
    shape : (int, int)
        ``ny, nx``.
    centre : (3,) float64 array
        Unit vector (ICRS) to the centre of the image.
    radius_deg : float
        Radius of a circle around `centre` that contains the image.
    pixel_scale_arcsec : float
        Square root of the area of a pixel in the middle of the image.
    """

    wcs: WCS
    shape: tuple[int, int]
    centre: np.ndarray
    radius_deg: float
    pixel_scale_arcsec: float

    @classmethod
    def of(cls, wcs: WCS, shape: tuple[int, int]) -> "Footprint":
        """Return the footprint of an image with this WCS.

        Raises
        ------
        ValueError
            If the WCS cannot be evaluated, or pixels and sky positions do not lead to each other.
        """
        _check_both_ways(wcs, shape)
        vectors = unit_vectors(*pixels_to_sky(wcs, *_middle_and_border(shape)))
        scale = pixel_scale_at(wcs, (shape[1] - 1) / 2, (shape[0] - 1) / 2)
        centre, border = vectors[0], vectors[1:]
        if not (np.isfinite(centre).all() and np.isfinite(border).all()):
            # The corners of an all-sky map are not on the sky; its circle is the whole sky.
            return cls(wcs, shape, np.array([1.0, 0.0, 0.0]), 180.0, scale)
        radius_deg = float(np.rad2deg(np.arccos(np.clip(border @ centre, -1, 1)).max()))
        # Slightly larger, because the border may curve outwards between its points.
        return cls(wcs, shape, centre, min(180.0, 1.02 * radius_deg + scale / ARCSEC_PER_DEG), scale)

    @cached_property
    def linear_wcs(self) -> LinearWCS | None:
        """Its system as a linear one, if it is one."""
        return exact_linear_wcs(self.wcs)

    def sky_to_pixels(self, ra_deg: FloatOrArray, dec_deg: FloatOrArray) -> tuple[np.ndarray, np.ndarray]:
        """Return the positions ``x, y`` in the image of sky positions (deg, ICRS); NaN off the projection."""
        if self.linear_wcs is not None:
            return self.linear_wcs.sky_to_pixels(ra_deg, dec_deg)
        return sky_to_pixels(self.wcs, ra_deg, dec_deg)

    def regular(
        self, data: np.ndarray, window: PixelWindow, frame: Frame, ra_deg: float, dec_deg: float
    ) -> tuple[np.ndarray, LinearWCS]:
        """Return the pixels of a subject's window and their linear system (`claran_core.survey.regular`)."""
        if self.linear_wcs is not None:
            return data, self.linear_wcs.window(window.x0, window.y0)
        sky = frame_sky(frame, ra_deg, dec_deg)
        return regular_image(data, self.wcs, x0=window.x0, y0=window.y0, sky=sky)

    def window(self, frame: Frame, ra_deg: float, dec_deg: float) -> PixelWindow | None:
        """Return the pixels needed to interpolate anywhere in a subject.

        None if the image has none of them.
        """
        if self.linear_wcs is not None:
            x, y = self.linear_wcs.vectors_to_pixels(frame_vectors(frame, ra_deg, dec_deg))
        else:
            x, y = self.sky_to_pixels(*frame_sky(frame, ra_deg, dec_deg))
        seen = np.isfinite(x) & np.isfinite(y)
        if not seen.any():
            return None
        ny, nx = self.shape
        low_x, high_x, low_y, high_y = x[seen].min(), x[seen].max(), y[seen].min(), y[seen].max()
        if high_x < -0.5 or low_x > nx - 0.5 or high_y < -0.5 or low_y > ny - 0.5:
            return None
        inside = low_x >= -0.5 and high_x <= nx - 0.5 and low_y >= -0.5 and high_y <= ny - 0.5
        return PixelWindow(
            y0=max(0, int(np.floor(low_y)) - WINDOW_MARGIN_PX),
            y1=min(ny, int(np.ceil(high_y)) + 1 + WINDOW_MARGIN_PX),
            x0=max(0, int(np.floor(low_x)) - WINDOW_MARGIN_PX),
            x1=min(nx, int(np.ceil(high_x)) + 1 + WINDOW_MARGIN_PX),
            complete=bool(seen.all() and inside),
        )

    def distance_deg(self, ra_deg: float, dec_deg: float) -> float:
        """Return the angle between a position and the centre of the image."""
        return float(np.rad2deg(np.arccos(np.clip(unit_vectors(ra_deg, dec_deg) @ self.centre, -1, 1))))


@lru_cache(maxsize=8)
def frame_points(frame: Frame) -> np.ndarray:
    """Return a grid of points ``x, y`` (frame pixels) over a subject's frame, its rim included.

    ``(2, n)``.
    """
    edges = np.linspace(0, frame.size_px, FRAME_POINTS)
    return np.stack(np.meshgrid(edges, edges)).reshape(2, -1)


@lru_cache(maxsize=4)
def frame_sky(frame: Frame, ra_deg: float, dec_deg: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the sky positions (deg, ICRS) of `frame_points` of a subject, read-only.

    The images of a subject are compared with the same positions one after the other.
    """
    ra, dec = frame.frame_to_sky(ra_deg, dec_deg, *frame_points(frame))
    ra.flags.writeable = dec.flags.writeable = False
    return ra, dec


@lru_cache(maxsize=4)
def frame_vectors(frame: Frame, ra_deg: float, dec_deg: float) -> np.ndarray:
    """Return `frame_sky` as unit vectors (n, 3), read-only."""
    vectors = unit_vectors(*frame_sky(frame, ra_deg, dec_deg))
    vectors.flags.writeable = False
    return vectors


def sampling_frame(width_arcsec: float, survey: Survey) -> Frame:
    """Return a frame of this width, sampled about as finely as the survey."""
    size_px = max(1, round(width_arcsec / survey.pixel_scale_arcsec))
    return Frame(size_px=size_px, pixel_scale_arcsec=width_arcsec / size_px)


def _check_both_ways(wcs: WCS, shape: tuple[int, int]) -> None:
    """Raise `ValueError` if positions on the sky do not lead back to the pixels they belong to."""
    ny, nx = shape
    x, y = (axis.ravel() for axis in np.meshgrid(CHECKED_AT * (nx - 1), CHECKED_AT * (ny - 1)))
    sky = pixels_to_sky(wcs, x, y)
    on_sky = np.isfinite(sky[0]) & np.isfinite(sky[1])
    if not on_sky.any():
        raise ValueError("none of its pixels lies on the sky")
    there = np.stack(sky_to_pixels(wcs, sky[0][on_sky], sky[1][on_sky]))
    apart = np.hypot(*(there - np.stack([x, y])[:, on_sky]))
    if not (apart <= MAX_RETURN_PX).all():  # also where it is NaN
        raise ValueError("its positions on the sky do not lead back to its pixels")


def _middle_and_border(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the 0-based positions of the centre of an image and of points on its outer border."""
    ny, nx = shape
    across, up = np.linspace(-0.5, nx - 0.5, BORDER_POINTS), np.linspace(-0.5, ny - 0.5, BORDER_POINTS)
    low, high = np.full(BORDER_POINTS, -0.5), np.ones(BORDER_POINTS)
    x = np.concatenate([[(nx - 1) / 2], across, across, low, high * (nx - 0.5)])
    y = np.concatenate([[(ny - 1) / 2], low, high * (ny - 0.5), up, up])
    return x, y
