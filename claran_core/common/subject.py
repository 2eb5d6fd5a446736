"""A subject: one target with its image frame, and the pixels of a cut-out inside that frame."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from claran_core.common.cutout import Cutout
from claran_core.common.frame import Frame

__all__ = ["Subject", "frame_positions", "visible_at", "visible_in_frame"]


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
        Geometry of the image.
    """

    subject_id: str
    ra_deg: float
    dec_deg: float
    split: Literal["train", "test", "none"]
    frame: Frame


def visible_in_frame(subject: Subject, cutout: Cutout) -> np.ndarray:
    """Return the pixels of a cut-out ``(ny, nx)``, NaN if their centres lie outside the subject's frame."""
    return visible_at(subject, cutout, *frame_positions(subject, cutout))


def visible_at(subject: Subject, cutout: Cutout, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the same as `visible_in_frame`, given the `frame_positions` ``x, y`` of the pixels."""
    size = subject.frame.size_px
    return np.where((x >= 0) & (x <= size) & (y >= 0) & (y <= size), cutout.data, np.nan)


def frame_positions(subject: Subject, cutout: Cutout) -> tuple[np.ndarray, np.ndarray]:
    """Return the frame positions (px) of the pixel centres of a cut-out: ``x, y``, each ``(ny, nx)``."""
    rows, columns = np.indices(cutout.data.shape)
    sky = cutout.wcs.pixels_to_sky(columns.ravel(), rows.ravel())
    x, y = subject.frame.sky_to_frame(subject.ra_deg, subject.dec_deg, *sky)
    return x.reshape(cutout.data.shape), y.reshape(cutout.data.shape)
