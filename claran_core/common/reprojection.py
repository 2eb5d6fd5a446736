"""Resample a cut-out onto the frame of a subject.

The bilinear interpolation is that of `reproject.reproject_interp`; the tests compare the two.  Frame and
cut-out are linear in planes that touch the sky, so nine numbers lead from a pixel of the frame to the
direction of its sky position, and one compiled loop over the pixels computes positions and values.
"""

import math

import numpy as np

from claran_core.common.compiled import compiled
from claran_core.common.constants import ARCSEC_PER_DEG
from claran_core.common.cutout import Cutout
from claran_core.common.frame import Frame
from claran_core.common.linear_wcs import local_axes

__all__ = ["reproject"]


def reproject(cutout: Cutout, frame: Frame, ra_deg: float, dec_deg: float) -> np.ndarray:
    """Interpolate a cut-out at the pixel centres of a subject.

    Parameters
    ----------
    cutout : Cutout
        Window of a survey image, in the pixels and projection of that image.
    frame : Frame
        Geometry of the subject.
    ra_deg, dec_deg : float
        Centre of the subject, ICRS.

    Returns
    -------
    (size_px, size_px) float32 array
        Frame orientation (row 0 north), in the cut-out's unit; NaN where the cut-out has no data.
        Positions up to half a pixel outside the outermost pixel centres count as inside, as in
        `reproject_interp`.
    """
    wcs = cutout.wcs
    pixels = np.ascontiguousarray(cutout.data, np.float32).view()
    pixels.flags.writeable = False  # one type for the compiler, whether pixels are in memory or in a file
    return _sampled(
        pixels,
        wcs.plane_to_pixels(local_axes(ra_deg, dec_deg)),
        wcs.x,
        wcs.y,
        wcs.projection == "SIN",
        frame.size_px,
        math.radians(frame.pixel_scale_arcsec / ARCSEC_PER_DEG),
    )


@compiled
def _sampled(
    data: np.ndarray,
    to_pixels: np.ndarray,
    x_reference: float,
    y_reference: float,
    is_orthographic: bool,
    size_px: int,
    step_rad: float,
) -> np.ndarray:
    """Return a cut-out's values at the pixel centres of a frame, (size_px, size_px) float32.

    Parameters
    ----------
    data : (ny, nx) float32 array
        Pixels of the cut-out.
    to_pixels : (3, 3) array
        `LinearWCS.plane_to_pixels` of the cut-out for the plane of the frame.
    x_reference, y_reference : float
        Reference pixel of the cut-out.
    is_orthographic : bool
        Whether the projection of the cut-out is orthographic (SIN), not gnomonic (TAN).
    size_px : int
        Width of the frame.
    step_rad : float
        Width of a pixel of the frame.
    """
    image = np.empty((size_px, size_px), np.float32)
    x, y = np.empty(size_px), np.empty(size_px)
    for row in range(size_px):
        # Constants of the row outside the loop over columns let it become vector instructions.
        north = (0.5 * size_px - row - 0.5) * step_rad
        x_row, x_east = to_pixels[0, 1] * north + to_pixels[0, 2], to_pixels[0, 0]
        y_row, y_east = to_pixels[1, 1] * north + to_pixels[1, 2], to_pixels[1, 0]
        towards_row, towards_east = to_pixels[2, 1] * north + to_pixels[2, 2], to_pixels[2, 0]
        for column in range(size_px):
            east = (0.5 * size_px - column - 0.5) * step_rad
            towards = towards_row + towards_east * east
            length = math.sqrt(1 + east * east + north * north) if is_orthographic else towards
            scale = 1 / length if towards > 0 else np.nan
            x[column] = x_reference + (x_row + x_east * east) * scale
            y[column] = y_reference + (y_row + y_east * east) * scale
        _interpolate(data, x, y, image[row])
    return image


@compiled
def _interpolate(data: np.ndarray, x: np.ndarray, y: np.ndarray, values: np.ndarray) -> None:
    """Interpolate an image ``(ny, nx)`` bilinearly at positions ``x y`` (n,) and store the `values` (n,)."""
    ny, nx = data.shape
    for k in range(x.size):
        values[k] = np.nan
        if -0.5 <= x[k] <= nx - 0.5 and -0.5 <= y[k] <= ny - 0.5:
            # Outside the outermost pixel centres the image continues with the outermost pixels.
            inner_x, inner_y = min(max(x[k], 0.0), nx - 1.0), min(max(y[k], 0.0), ny - 1.0)
            x0, y0 = np.uint32(inner_x), np.uint32(inner_y)  # unsigned: no check for negative indices
            x1, y1 = min(x0 + 1, nx - 1), min(y0 + 1, ny - 1)
            right, up = inner_x - x0, inner_y - y0
            low = float(data[y0, x0]) * (1 - right) + float(data[y0, x1]) * right
            high = float(data[y1, x0]) * (1 - right) + float(data[y1, x1]) * right
            values[k] = low * (1 - up) + high * up
