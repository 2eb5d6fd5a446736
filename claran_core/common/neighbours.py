"""Neighbours on the sky: groups of positions that are close to each other."""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from claran_core.common.sky import chord, unit_vectors

__all__ = ["is_near", "linked_groups"]


def linked_groups(positions_deg: np.ndarray, link_arcsec: float) -> np.ndarray:
    """Group positions by friends of friends: positions within the link length share a group.

    Parameters
    ----------
    positions_deg : (N, 2) array
        Right ascension and declination, deg.
    link_arcsec : float
        Link length, arcsec.

    Returns
    -------
    (N,) int array
        Group of each position: the index of the group's first position.
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
    """Return which positions (N, 2) lie within an angle (arcsec) of any of the others (M, 2): (N,) bool."""
    if not len(positions_deg) or not len(others_deg):
        return np.zeros(len(positions_deg), dtype=bool)
    tree = cKDTree(unit_vectors(*np.transpose(others_deg)))
    return tree.query(unit_vectors(*np.transpose(positions_deg)))[0] < chord(within_arcsec)
