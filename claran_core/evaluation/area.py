"""Positions inside the area of a run: the union of the frames of its subjects, which may overlap."""

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from claran_core.common.constants import ARCSEC_PER_DEG
from claran_core.common.frame import Frame
from claran_core.common.sky import sky_to_tangent_plane, unit_vectors

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
        Columns ``ra`` and ``dec`` (deg), the centres of the frames, and ``scale``, their pixel in units of
        that of `frame`; M rows.
    frame : Frame
        Geometry of the subjects of scale 1.
    half_size_arcsec : float or (N,) float array
        A frame contains a position when it contains the whole square of this half width around it.  A
        negative value accepts positions up to that far outside the frame.

    Returns
    -------
    position, subject : (K,) int arrays
        Row of the position and of a subject that contains it, sorted by position, then subject.
    """
    ra, dec = np.atleast_1d(np.asarray(ra_deg, float)), np.atleast_1d(np.asarray(dec_deg, float))
    half = np.broadcast_to(np.asarray(half_size_arcsec, float), ra.shape)
    scales = subjects["scale"].to_numpy(int)
    found = [np.empty((0, 2), int)]
    for scale in np.unique(scales) if len(ra) else ():
        rows = np.flatnonzero(scales == scale)
        centres = subjects[["ra", "dec"]].to_numpy(float)[rows]
        position, place = _pairs(ra, dec, half, centres, scale * frame.width_arcsec)
        found.append(np.stack([position, rows[place]], axis=1))
    position, subject = np.concatenate(found).T
    order = np.lexsort((subject, position))
    position, subject = position[order], subject[order]
    return position, subject


def _pairs(
    ra: np.ndarray, dec: np.ndarray, half: np.ndarray, centres: np.ndarray, width_arcsec: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs of `subjects_at` for frames of one width; `centres` are RA and Dec (deg), (M, 2)."""
    tree = cKDTree(unit_vectors(*centres.T))
    reach = MARGIN * np.sqrt(2) * np.deg2rad((width_arcsec / 2 + np.maximum(0.0, -half)) / ARCSEC_PER_DEG)
    near = tree.query_ball_point(unit_vectors(ra, dec), reach, return_sorted=True)
    position = np.repeat(np.arange(len(ra)), [len(one) for one in near])
    place = np.concatenate([np.asarray(one, int) for one in near])
    ra0, dec0 = centres[place].T
    east, north = sky_to_tangent_plane(ra0, dec0, ra[position], dec[position])
    apart = np.rad2deg(np.maximum(np.abs(east), np.abs(north))) * ARCSEC_PER_DEG
    contained = apart + half[position] <= width_arcsec / 2
    return position[contained], place[contained]


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
