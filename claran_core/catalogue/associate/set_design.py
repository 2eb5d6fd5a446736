"""What the weights of sets of atoms are computed from: sums of logits over scales, extents, parts.

The coefficients are in `claran_core.catalogue.associate.set_weights`.
"""

import numpy as np

from claran_core.catalogue.associate.candidate_sets import Evidence
from claran_core.catalogue.associate.outcomes import artefact_logit
from claran_core.catalogue.associate.sky_components import SkyComponents
from claran_core.common.compiled import compiled
from claran_core.common.constants import ARCSEC_PER_DEG
from claran_core.common.frame import SCALES
from claran_core.common.ragged import Ragged

__all__ = ["NO_ARTEFACT_LOGIT", "alone_logits", "artefact_design", "design", "extents"]

# Unit of the extent of a set (at scale 1; times the finest scale that shows it), and its largest value.
EXTENT_ARCSEC, MOST_EXTENT = 60.0, 3.0

# Least logit of an artefact, also of an atom that no view shows as one unit.
NO_ARTEFACT_LOGIT = -5.0


def alone_logits(sets: Ragged, evidence: Evidence, n_atoms: int) -> np.ndarray:
    """Return the logit of a source of each atom alone at each of `SCALES`, (n, 4); NaN without votes."""
    alone = np.full((n_atoms, len(SCALES)), np.nan, np.float32)
    own = np.flatnonzero(np.diff(sets.starts) == 1)
    alone[sets.values[sets.starts[own]]] = evidence.source[own]
    return alone


def artefact_design(sets: Ragged, evidence: Evidence, n_atoms: int) -> np.ndarray:
    """Return what the coefficients of an atom as no source multiply, (n, 4), in the order of `SetWeights`."""
    scales = range(len(SCALES))
    each = np.stack([artefact_logit(sets, evidence.artefact[:, k], n_atoms) for k in scales], axis=1)
    _, own, number, added = _by_scale(np.where(np.isfinite(each), each, np.nan))
    own = np.where(np.isfinite(each).any(axis=1), own, NO_ARTEFACT_LOGIT)
    return np.stack([np.ones(n_atoms), np.maximum(own, NO_ARTEFACT_LOGIT), number, added], axis=1)


def _by_scale(logits: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the finest scale with votes, the logit there, and number and sum of those of further scales.

    `logits` is (m, 4), NaN without votes; a row without any has the scale 0 and zeros.
    """
    shown, rows = ~np.isnan(logits), np.arange(len(logits))
    finest = shown.argmax(axis=1)
    own = np.where(shown[rows, finest], logits[rows, finest], 0.0)
    shown[rows, finest] = False
    return finest, own, shown.sum(axis=1), np.where(shown, logits, 0.0).sum(axis=1)


def design(sets: Ragged, evidence: Evidence, atoms: SkyComponents, alone: np.ndarray) -> np.ndarray:
    """Return what the coefficients of sets multiply.

    Parameters
    ----------
    sets : Ragged
        Atoms of each of m sets.
    evidence : Evidence
        What the views say of the sets.
    atoms : SkyComponents
        All atoms.
    alone : (n, 4) float array
        `alone_logits` of all atoms.

    Returns
    -------
    (m, 23) float64 array
        In the order of `SetWeights`, without those of artefacts.
    """
    sizes = np.diff(sets.starts)
    finest, own, number, added = _by_scale(evidence.source)
    coarse = finest > 0
    part = np.stack([np.ones(len(sizes)), own, number, added, coarse, coarse * own], axis=1)
    is_one = (sizes == 1)[:, None]
    extent = np.minimum(extents(sets, atoms) / EXTENT_ARCSEC / np.array(SCALES)[finest], MOST_EXTENT)
    size = np.where(is_one[:, 0], 0.0, np.log(np.maximum(sizes, 2) / 2))
    several = np.where(is_one, 0.0, part)
    return np.concatenate(
        [
            np.where(is_one, part, 0.0),
            several,
            several[:, :4] * extent[:, None],
            np.where(is_one, 0.0, _parts(sets, finest, alone)),
            np.stack([evidence.is_dismissed, evidence.at_edge, size], axis=1),
        ],
        axis=1,
    )


def _parts(sets: Ragged, finest: np.ndarray, alone: np.ndarray) -> np.ndarray:
    """Return what `SetWeights.of_parts` multiplies, (m, 4); `finest` is the place in `SCALES` of each set."""
    of_set = np.repeat(np.arange(len(sets)), np.diff(sets.starts))
    logits = alone[sets.values]
    own_finest, own, _, _ = _by_scale(logits)
    is_finer = (own_finest < finest[of_set]) & ~np.isnan(logits).all(axis=1)
    there = logits[np.arange(len(logits)), finest[of_set]]
    is_there = is_finer & ~np.isnan(there)
    columns = [is_finer, np.where(is_finer, own, 0.0), is_there, np.where(is_there, there, 0.0)]
    return np.stack([np.bincount(of_set, column, len(sets)) for column in columns], axis=1)


def extents(sets: Ragged, atoms: SkyComponents) -> np.ndarray:
    """Return the largest separation of two atoms of each set, arcsec, (m,) float64."""
    return _extents(sets.starts, sets.values, atoms.ra, atoms.dec)


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
