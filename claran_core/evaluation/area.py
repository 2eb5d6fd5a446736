"""Positions inside the area of a run: the union of the frames of its subjects, which may overlap."""

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from claran_core.common.constants import ARCSEC_PER_DEG
from claran_core.common.frame import Frame
from claran_core.common.sky import unit_vectors

__all__ = ["count_subjects", "subjects_at"]

# Factor on the search radius around a frame, a margin for rounding.
MARGIN = 1.001


def subjects_at(
    ra_deg: np.ndarray,
    dec_deg: np.ndarray,
    subjects: pd.DataFrame,
    frame: Frame,
    *,
    half_size_arcsec: np.ndarray | float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Return which subjects contain which positions.

    Parameters
    ----------
    ra_deg, dec_deg : (N,) float arrays
        Positions, deg, ICRS.
    subjects : DataFrame
        Columns ``ra`` and ``dec`` (deg): centres of the frames; M rows.
    frame : Frame
        Geometry of the subjects.
    half_size_arcsec : float or (N,) float array
        A frame contains a position when it contains the whole square of this half width around it.  A
        negative value accepts positions up to that far outside the frame.

    Returns
    -------
    position, subject : (K,) int arrays
        Row of the position and of a subject that contains it, sorted by position, then subject.
    """
    ra, dec = np.atleast_1d(np.asarray(ra_deg, float)), np.atleast_1d(np.asarray(dec_deg, float))
    if not len(ra) or not len(subjects):
        return np.empty(0, int), np.empty(0, int)
    tree = cKDTree(unit_vectors(subjects["ra"].to_numpy(float), subjects["dec"].to_numpy(float)))
    beyond = np.maximum(0.0, -np.broadcast_to(np.asarray(half_size_arcsec, float), ra.shape))
    reach = MARGIN * np.sqrt(2) * np.deg2rad((frame.width_arcsec / 2 + beyond) / ARCSEC_PER_DEG)
    near = tree.query_ball_point(unit_vectors(ra, dec), reach, return_sorted=True)
    position = np.repeat(np.arange(len(ra)), [len(one) for one in near])
    subject = np.concatenate([np.asarray(one, int) for one in near])
    centres = subjects.iloc[subject]
    x, y = frame.sky_to_frame(
        centres["ra"].to_numpy(), centres["dec"].to_numpy(), ra[position], dec[position]
    )
    half = np.broadcast_to(np.asarray(half_size_arcsec, float), ra.shape)[position] / frame.pixel_scale_arcsec
    size = frame.size_px
    contained = (np.minimum(x, y) - half >= 0) & (np.maximum(x, y) + half <= size)
    return position[contained], subject[contained]


def count_subjects(
    ra_deg: np.ndarray,
    dec_deg: np.ndarray,
    subjects: pd.DataFrame,
    frame: Frame,
    *,
    half_size_arcsec: np.ndarray | float = 0.0,
) -> np.ndarray:
    """Return the number of subjects that contain each position, (N,) int; arguments as `subjects_at`."""
    position, _ = subjects_at(ra_deg, dec_deg, subjects, frame, half_size_arcsec=half_size_arcsec)
    return np.bincount(position, minlength=np.size(ra_deg))
