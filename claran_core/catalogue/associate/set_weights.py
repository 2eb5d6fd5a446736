"""Weights of sets of atoms in the joint probability of partitions, from what the views say of each.

The logarithm of the weight of a set is linear in the mean logits of its scales.  The finest scale that shows
the set knows most; what a coarser one adds depends on whether it shows one unit or several.  The coefficients
are the most likely ones for the true partitions of simulated fields that no network was trained on, seen at
scales 1, 2, 4 and 8 (`benchmarks.science.partition_weights`).
"""

from dataclasses import dataclass

import numpy as np

from claran_core.catalogue.associate.candidate_sets import Evidence
from claran_core.catalogue.associate.outcomes import artefact_logit
from claran_core.common.ragged import Ragged

__all__ = ["FITTED", "SetWeights", "design"]

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
    dismissed: float
    cut: float
    size: float
    artefact: tuple[float, float]

    @classmethod
    def of(cls, values: np.ndarray) -> "SetWeights":
        """Return the coefficients in the order of `values`."""
        own = [float(value) for value in values]
        return cls(tuple(own[:6]), tuple(own[6:12]), own[12], own[13], own[14], (own[15], own[16]))

    @property
    def values(self) -> np.ndarray:
        """All coefficients, float64 (17,)."""
        own = [*self.of_one, *self.of_several, self.dismissed, self.cut, self.size, *self.artefact]
        return np.array(own)

    def log_weights(self, sets: Ragged, evidence: Evidence, n_atoms: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the logarithm of the weight of each set (m,), and of each atom as no source (n,)."""
        weight = np.empty(len(sets))
        for first in range(0, len(sets), BLOCK):
            rows = np.arange(first, min(first + BLOCK, len(sets)))
            weight[rows] = design(np.diff(sets.starts)[rows], evidence.take(rows)) @ self.values[:-2]
        logit = artefact_logit(sets, evidence.artefact, n_atoms)
        constant, factor = self.artefact
        return weight, constant + factor * np.maximum(logit, NO_ARTEFACT_LOGIT)


# Fitted to the shipped weights D1 and D4.
FITTED = SetWeights(
    (0.0, 1.0, -0.8, 0.35, 0.0, 0.0), (0.0, 1.0, 1.0, 0.35, 0.0, 0.0), -4.0, 0.0, 0.0, (0.0, 1.0)
)


def design(sizes: np.ndarray, evidence: Evidence) -> np.ndarray:
    """Return what the coefficients of sets multiply.

    Parameters
    ----------
    sizes : (m,) int array
        Number of atoms of each set.
    evidence : Evidence
        What the views say of the sets.

    Returns
    -------
    (m, 15) float64 array
        In the order of `SetWeights`, without those of artefacts.
    """
    shown = ~np.isnan(evidence.source)
    finest = shown.argmax(axis=1)
    rows = np.arange(len(sizes))
    own = np.where(shown[rows, finest], evidence.source[rows, finest], 0.0)
    further = shown.copy()
    further[rows, finest] = False
    added = np.where(further, evidence.source, 0.0).sum(axis=1)
    coarse = finest > 0
    part = np.stack([np.ones(len(sizes)), own, further.sum(axis=1), added, coarse, coarse * own], axis=1)
    is_one = sizes == 1
    size = np.where(is_one, 0.0, np.log(np.maximum(sizes, 2) / 2))
    return np.concatenate(
        [
            np.where(is_one[:, None], part, 0.0),
            np.where(is_one[:, None], 0.0, part),
            np.stack([evidence.is_dismissed, evidence.at_edge, size], axis=1),
        ],
        axis=1,
    )
