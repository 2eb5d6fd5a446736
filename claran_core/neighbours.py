"""Which positions on the sky lie close to one another."""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from claran_core.frame import ARCSEC_PER_DEG
from claran_core.survey.footprint import unit_vectors

__all__ = ["chord", "chord_angle", "is_near", "linked_groups"]


def linked_groups(positions_deg: np.ndarray, link_arcsec: float) -> np.ndarray:
    """Groups by friends of friends: two positions no farther apart than the link share one, and so on.

    Parameters
    ----------
    positions_deg : (N, 2) array
        Right ascension and declination, deg.
    link_arcsec : float
        Length of the link, arcsec.

    Returns
    -------
    (N,) int array
        Number of each position's group: the index of the group's first position.
    """
    n = len(positions_deg)
    if not n:
        return np.empty(0, dtype=int)
    tree = cKDTree(unit_vectors(*np.transpose(positions_deg)))
    first, second = tree.query_pairs(chord(link_arcsec), output_type="ndarray").T
    links = coo_array((np.ones(len(first)), (first, second)), shape=(n, n))
    group = connected_components(links, directed=False)[1]
    leader = np.unique(group, return_index=True)[1]
    return leader[group]


def is_near(positions_deg: np.ndarray, others_deg: np.ndarray, within_arcsec: float) -> np.ndarray:
    """Which positions (N, 2) lie closer than an angle (arcsec) to any of some others (M, 2): (N,) bool."""
    if not len(positions_deg) or not len(others_deg):
        return np.zeros(len(positions_deg), dtype=bool)
    tree = cKDTree(unit_vectors(*np.transpose(others_deg)))
    return tree.query(unit_vectors(*np.transpose(positions_deg)))[0] < chord(within_arcsec)


def chord(angle_arcsec: float | np.ndarray) -> float | np.ndarray:
    """Distance of unit vectors at an angle."""
    return 2 * np.sin(np.deg2rad(angle_arcsec / ARCSEC_PER_DEG) / 2)


def chord_angle(distance: np.ndarray) -> np.ndarray:
    """Angle (arcsec) between unit vectors at a distance; inverse of `chord`."""
    return np.rad2deg(2 * np.arcsin(distance / 2)) * ARCSEC_PER_DEG
