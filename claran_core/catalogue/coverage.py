"""How far from the border of a subject a place is shown, over all subjects of a run."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from claran_core.frame import ARCSEC_PER_DEG, Frame
from claran_core.survey.footprint import unit_vectors

__all__ = ["Coverage"]


@dataclass(frozen=True)
class Coverage:
    """Subjects whose whole frame has radio data.

    Attributes
    ----------
    tree : cKDTree
        Unit vectors to their centres.
    ra_deg, dec_deg : (n,) arrays
        Their centres, ICRS.
    frame : Frame
        Their geometry.
    """

    tree: cKDTree
    ra_deg: np.ndarray
    dec_deg: np.ndarray
    frame: Frame

    @classmethod
    def of(cls, ra_deg: np.ndarray, dec_deg: np.ndarray, frame: Frame) -> "Coverage":
        """Subjects centred at some positions (deg, ICRS)."""
        vectors = unit_vectors(np.asarray(ra_deg, float), np.asarray(dec_deg, float)).reshape(-1, 3)
        tree = cKDTree(vectors, balanced_tree=False, compact_nodes=False)
        return cls(tree, np.asarray(ra_deg, float), np.asarray(dec_deg, float), frame)

    def room(self, ra_deg: np.ndarray, dec_deg: np.ndarray) -> np.ndarray:
        """Distance of places to the border of the subject that shows them best, arcsec.

        Parameters
        ----------
        ra_deg, dec_deg : (k,) arrays
            Places, deg, ICRS.

        Returns
        -------
        (k,) float array
            Not positive where no subject shows a place.
        """
        best = np.full(len(ra_deg), -np.inf)
        half_diagonal_deg = np.sqrt(0.5) * self.frame.width_arcsec / ARCSEC_PER_DEG
        reach = 2 * np.sin(np.deg2rad(half_diagonal_deg) / 2)
        near = self.tree.query_ball_point(unit_vectors(ra_deg, dec_deg), reach)
        place = np.repeat(np.arange(len(near)), [len(found) for found in near])
        if not len(place):
            return best
        subject = np.concatenate([np.asarray(found, int) for found in near])
        x, y = self.frame.sky_to_frame(
            self.ra_deg[subject], self.dec_deg[subject], ra_deg[place], dec_deg[place]
        )
        size = self.frame.size_px
        inside = np.minimum(np.minimum(x, size - x), np.minimum(y, size - y))
        np.maximum.at(best, place, inside * self.frame.pixel_scale_arcsec)
        return best
