"""Weights of sets of atoms in the joint probability of partitions, from what the views say of each.

The logarithm of the weight of a set is linear in the mean logits of its scales.  The finest scale that shows
the set knows most; what a coarser one adds depends on whether it shows one unit or several, and on how large
the set is.  `benchmarks.science.partition_weights` measures how probable coefficients make the true
partitions of simulated fields that no network was trained on, and fits them.
"""

from dataclasses import dataclass

import numpy as np

from claran_core.catalogue.associate.candidate_sets import Evidence
from claran_core.catalogue.associate.outcomes import artefact_logit
from claran_core.catalogue.associate.sky_components import SkyComponents
from claran_core.common.compiled import compiled
from claran_core.common.constants import ARCSEC_PER_DEG
from claran_core.common.frame import SCALES
from claran_core.common.ragged import Ragged

__all__ = ["COEFFICIENTS", "NO_ARTEFACT_LOGIT", "SetWeights", "design"]

# Unit of the extent of a set (at scale 1; times the finest scale that shows it), and its largest value.
EXTENT_ARCSEC, MOST_EXTENT = 60.0, 3.0

# Sets whose weights are computed at once.
BLOCK = 100_000

# Least logit of an artefact, also of an atom that no view shows as one unit.
NO_ARTEFACT_LOGIT = -9.0


@dataclass(frozen=True)
class SetWeights:
    """Coefficients of the logarithm of the weight of a set.

    Attributes
    ----------
    of_one, of_several : tuple of 6 floats
        For sets of one atom, and of several: constant; logit of the finest scale with votes; constant and sum
        of logits over further scales; constant and logit if the finest scale with votes is not 1.
    of_extent : tuple of 4 floats
        For several atoms, factors of the first four of these times the extent of the set (`EXTENT_ARCSEC`).
    dismissed : float
        Added if a finer view dismissed the set.
    cut : float
        Added if the border cuts the set in each view.
    size : float
        Factor of the logarithm of half the number of atoms, for several.
    artefact : tuple of 2 floats
        For an atom as no source: constant, and factor of the logit.
    """

    of_one: tuple[float, ...]
    of_several: tuple[float, ...]
    of_extent: tuple[float, ...]
    dismissed: float
    cut: float
    size: float
    artefact: tuple[float, float]

    @classmethod
    def of(cls, values: np.ndarray) -> "SetWeights":
        """Return the coefficients in the order of `values`."""
        own = [float(value) for value in values]
        return cls(
            tuple(own[:6]), tuple(own[6:12]), tuple(own[12:16]), own[16], own[17], own[18], (own[19], own[20])
        )

    @property
    def values(self) -> np.ndarray:
        """All coefficients, float64 (21,)."""
        own = [
            *self.of_one,
            *self.of_several,
            *self.of_extent,
            self.dismissed,
            self.cut,
            self.size,
            *self.artefact,
        ]
        return np.array(own)

    def log_weights(
        self, sets: Ragged, evidence: Evidence, atoms: SkyComponents
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the logarithm of the weight of each set (m,), and of each atom as no source (n,)."""
        weight = np.empty(len(sets))
        for first in range(0, len(sets), BLOCK):
            rows = np.arange(first, min(first + BLOCK, len(sets)))
            weight[rows] = design(sets.take(rows), evidence.take(rows), atoms) @ self.values[:-2]
        logit = artefact_logit(sets, evidence.artefact, len(atoms.ids))
        constant, factor = self.artefact
        return weight, constant + factor * np.maximum(logit, NO_ARTEFACT_LOGIT)


# Chosen for D1 and D4 on simulated fields and on 200 real FIRST fields of large radio galaxies.  Minus the
# mean logarithm of the probability of the true sets is 0.62; the fit reaches 0.57, but counts coarse views so
# little that large real galaxies stay in pieces.  The constants by hand of record 031 have 0.78.
COEFFICIENTS = SetWeights(
    of_one=(0.0, 0.7, -0.3, 0.14, 0.0, 0.0),
    of_several=(0.0, 0.7, 0.0, 0.07, 0.0, 0.0),
    of_extent=(0.0, 0.0, 0.7, 0.18),
    dismissed=-4.0,
    cut=0.0,
    size=0.0,
    artefact=(0.0, 1.0),
)


def design(sets: Ragged, evidence: Evidence, atoms: SkyComponents) -> np.ndarray:
    """Return what the coefficients of sets multiply.

    Parameters
    ----------
    sets : Ragged
        Atoms of each of m sets.
    evidence : Evidence
        What the views say of the sets.
    atoms : SkyComponents
        All atoms.

    Returns
    -------
    (m, 19) float64 array
        In the order of `SetWeights`, without those of artefacts.
    """
    sizes = np.diff(sets.starts)
    shown = ~np.isnan(evidence.source)
    finest = shown.argmax(axis=1)
    rows = np.arange(len(sizes))
    own = np.where(shown[rows, finest], evidence.source[rows, finest], 0.0)
    further = shown.copy()
    further[rows, finest] = False
    added = np.where(further, evidence.source, 0.0).sum(axis=1)
    coarse = finest > 0
    part = np.stack([np.ones(len(sizes)), own, further.sum(axis=1), added, coarse, coarse * own], axis=1)
    is_one = (sizes == 1)[:, None]
    extent = _extents(sets.starts, sets.values, atoms.ra, atoms.dec) / EXTENT_ARCSEC
    extent = np.minimum(extent / np.array(SCALES)[finest], MOST_EXTENT)
    size = np.where(is_one[:, 0], 0.0, np.log(np.maximum(sizes, 2) / 2))
    several = np.where(is_one, 0.0, part)
    return np.concatenate(
        [
            np.where(is_one, part, 0.0),
            several,
            several[:, :4] * extent[:, None],
            np.stack([evidence.is_dismissed, evidence.at_edge, size], axis=1),
        ],
        axis=1,
    )


@compiled
def _extents(starts: np.ndarray, values: np.ndarray, ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    """Return the largest separation of two atoms of each set, arcsec, in the plane of the first."""
    extents = np.zeros(len(starts) - 1)
    for k in range(len(extents)):
        atoms = values[starts[k] : starts[k + 1]]
        per_deg = ARCSEC_PER_DEG * np.cos(np.deg2rad(dec[atoms[0]]))
        for one in range(len(atoms)):
            for other in range(one):
                turn = ra[atoms[one]] - ra[atoms[other]]
                east = ((turn + 180.0) % 360.0 - 180.0) * per_deg
                north = (dec[atoms[one]] - dec[atoms[other]]) * ARCSEC_PER_DEG
                extents[k] = max(extents[k], np.hypot(east, north))
    return extents
