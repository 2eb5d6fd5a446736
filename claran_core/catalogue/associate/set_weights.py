"""Weights of sets of atoms in the joint probability of partitions, from what the views say of each.

The logarithm of the weight of a set is linear in the mean logits of its scales.  The finest scale that shows
the set knows most; what a coarser one adds depends on whether it shows one unit or several, and on how large
the set is.  A view that shows a lobe alone says little on whether it is part of a larger source: so the
weight of a set of several atoms also depends on what is said of each of them alone, by views that are finer
than all that show the set, and by those of the finest scale that shows it.

`benchmarks.science.partition_weights` measures how probable coefficients make the true partitions of
simulated fields that no network was trained on, and fits them.
"""

from dataclasses import dataclass

import numpy as np

from claran_core.catalogue.associate.candidate_sets import Evidence
from claran_core.catalogue.associate.set_design import alone_logits, artefact_design, design
from claran_core.catalogue.associate.sky_components import SkyComponents
from claran_core.common.ragged import Ragged

__all__ = ["COEFFICIENTS", "SetWeights"]

# Sets whose weights are computed at once.
BLOCK = 100_000


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
    of_parts : tuple of 4 floats
        For several atoms, of those that a finer scale than the finest of the set shows alone: their number
        and the sum of their logits at their finest scale; of those among them that the finest scale of the
        set shows alone as well: their number and the sum of their logits at that scale.
    dismissed : float
        Added if a finer view dismissed the set.
    cut : float
        Added if the border cuts the set in each view.
    size : float
        Factor of the logarithm of half the number of atoms, for several.
    artefact : tuple of 4 floats
        For an atom as no source: constant; logit of the finest scale; number and sum of logits of further
        scales.
    """

    of_one: tuple[float, ...]
    of_several: tuple[float, ...]
    of_extent: tuple[float, ...]
    of_parts: tuple[float, ...]
    dismissed: float
    cut: float
    size: float
    artefact: tuple[float, ...]

    @classmethod
    def of(cls, values: np.ndarray) -> "SetWeights":
        """Return the coefficients in the order of `values`."""
        own = [float(value) for value in values]
        one, several, extent, parts = own[:6], own[6:12], own[12:16], own[16:20]
        dismissed, cut, size = own[20:23]
        return cls(
            tuple(one), tuple(several), tuple(extent), tuple(parts), dismissed, cut, size, tuple(own[23:])
        )

    @property
    def values(self) -> np.ndarray:
        """All coefficients, float64 (27,): 23 of sets (`design`), 4 of artefacts (`artefact_design`)."""
        own = [
            *self.of_one,
            *self.of_several,
            *self.of_extent,
            *self.of_parts,
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
        weight, alone = np.empty(len(sets)), alone_logits(sets, evidence, len(atoms.ids))
        values = self.values[: -len(self.artefact)]
        for first in range(0, len(sets), BLOCK):
            rows = np.arange(first, min(first + BLOCK, len(sets)))
            weight[rows] = _products(design(sets.take(rows), evidence.take(rows), atoms, alone), values)
        return weight, _products(artefact_design(sets, evidence, len(atoms.ids)), np.array(self.artefact))


def _products(rows: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the product of each row with the values.  The bits of a matrix product depend on other rows."""
    return np.asarray((rows * values).sum(axis=1))


# The fit for D1 and D4 on simulated fields, in which a source of 60 arcsec or more weighs as much as twelve
# single components (`benchmarks.science.partition_weights`).  That weight, and the coefficients of artefacts,
# were chosen among a few by the catalogue of 200 real FIRST fields of large radio galaxies.
COEFFICIENTS = SetWeights(
    of_one=(0.36, 0.77, -0.68, 0.56, -0.18, -0.09),
    of_several=(-0.38, 1.37, 0.16, -0.28, -0.26, 0.67),
    of_extent=(0.08, 1.16, 1.41, 0.08),
    of_parts=(-0.31, -0.72, 0.08, -0.86),
    dismissed=-4.0,
    cut=0.0,
    size=0.0,
    artefact=(0.0, 1.0, 0.0, 0.0),
)
