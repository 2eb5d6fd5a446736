"""A subject: one target with its image frame, and the pixels of a cut-out that lie in it."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from claran_core.common.cutout import Cutout
from claran_core.common.frame import Frame, pixels_to_sky

__all__ = ["Subject", "frame_positions", "visible_at", "visible_in_frame"]


@dataclass(frozen=True)
class Subject:
    """One subject.

    Attributes
    ----------
    subject_id : str
        Its name.
    ra_deg, dec_deg : float
        Centre of its frame, ICRS.
    split : {"train", "test", "none"}
        What its labels may be used for.
    frame : Frame
        Geometry.
    """

    subject_id: str
    ra_deg: float
    dec_deg: float
    split: Literal["train", "test", "none"]
    frame: Frame


def visible_in_frame(subject: Subject, cutout: Cutout) -> np.ndarray:
    """Pixels of a cut-out ``(ny, nx)``, NaN where their centres lie outside the subject's frame."""
    return visible_at(subject, cutout, *frame_positions(subject, cutout))


def visible_at(subject: Subject, cutout: Cutout, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """As `visible_in_frame`, from the pixels' `frame_positions`, where these are known."""
    size = subject.frame.size_px
    return np.where((x >= 0) & (x <= size) & (y >= 0) & (y <= size), cutout.data, np.nan)


def frame_positions(subject: Subject, cutout: Cutout) -> tuple[np.ndarray, np.ndarray]:
    """Where in the subject's frame (px) the pixel centres of a cut-out lie: ``x, y``, each ``(ny, nx)``."""
    rows, columns = np.indices(cutout.data.shape)
    sky = pixels_to_sky(cutout.wcs, columns.ravel(), rows.ravel())
    x, y = subject.frame.sky_to_frame(subject.ra_deg, subject.dec_deg, *sky)
    return x.reshape(cutout.data.shape), y.reshape(cutout.data.shape)
