"""A subject: one view of a target in its image frame, and the pixels of a cut-out inside that frame."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from claran_core.common.compiled import compiled
from claran_core.common.constants import ARCSEC_PER_DEG
from claran_core.common.cutout import Cutout
from claran_core.common.frame import Frame
from claran_core.common.linear_wcs import local_axes
from claran_core.common.tables import NATIVE_SCALE

__all__ = ["Subject", "visible_in_frame"]


@dataclass(frozen=True)
class Subject:
    """One subject.

    Attributes
    ----------
    subject_id : str
        Name of the subject.
    ra_deg, dec_deg : float
        Centre of its frame, ICRS.
    split : {"train", "test", "none"}
        Permitted use of its labels.
    frame : Frame
        Geometry of the image, at the scale of the view.
    scale : int
        Pixel of the view in units of the finest view's (`claran_core.common.frame.SCALES`).
    """

    subject_id: str
    ra_deg: float
    dec_deg: float
    split: Literal["train", "test", "none"]
    frame: Frame
    scale: int = NATIVE_SCALE

    @classmethod
    def of_target(cls, target: Any, frame: Frame) -> "Subject":
        """Return the subject of a row of `claran_core.common.tables.TARGETS` (a named tuple).

        `frame` is that of the finest views.
        """
        scale = int(target.scale)
        return cls(target.subject_id, target.ra, target.dec, target.split, frame.at_scale(scale), scale)


def visible_in_frame(subject: Subject, cutout: Cutout) -> np.ndarray:
    """Return the pixels of a cut-out ``(ny, nx)``, NaN if their centres lie outside the subject's frame."""
    wcs, frame = cutout.wcs, subject.frame
    turn = local_axes(subject.ra_deg, subject.dec_deg) @ wcs.axes.T
    inside = _is_in_frame(
        cutout.data.shape,
        np.array([wcs.x, wcs.y]),
        np.deg2rad(np.array(wcs.matrix).reshape(2, 2)),
        wcs.projection == "SIN",
        np.ascontiguousarray(turn),
        0.5 * np.deg2rad(frame.width_arcsec / ARCSEC_PER_DEG),
    )
    return np.where(inside, cutout.data, np.nan)


@compiled
def _is_in_frame(
    shape: tuple[int, int],
    reference: np.ndarray,
    per_pixel: np.ndarray,
    is_orthographic: bool,
    turn: np.ndarray,
    half_width: float,
) -> np.ndarray:
    """Return which pixels of an image have their centres in a square of the tangent plane; (ny, nx) bool.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the image.
    reference : (2,) array
        Pixel ``x y`` of the image's reference position.
    per_pixel : (2, 2) array
        Offsets to the east and north in the image's plane of projection, rad per pixel.
    is_orthographic : bool
        Whether the projection is SIN rather than TAN (`claran_core.common.linear_wcs`).
    turn : (3, 3) array
        Rotation from the axes (east, north, outwards) at the reference position to those at the centre of
        the square.
    half_width : float
        Half the width of the square, rad.
    """
    inside = np.zeros(shape, np.bool_)
    for row in range(shape[0]):
        for column in range(shape[1]):
            dx, dy = column - reference[0], row - reference[1]
            east = per_pixel[0, 0] * dx + per_pixel[0, 1] * dy
            north = per_pixel[1, 0] * dx + per_pixel[1, 1] * dy
            towards = np.sqrt(1.0 - east**2 - north**2) if is_orthographic else 1.0
            across = turn[0, 0] * east + turn[0, 1] * north + turn[0, 2] * towards
            up = turn[1, 0] * east + turn[1, 1] * north + turn[1, 2] * towards
            limit = half_width * (turn[2, 0] * east + turn[2, 1] * north + turn[2, 2] * towards)
            inside[row, column] = abs(across) <= limit and abs(up) <= limit
    return inside
