"""What becomes of each sky component ("atom"): part of a source, artefact, noise or below the limit."""

import numpy as np
from scipy.spatial import cKDTree

from claran_core.catalogue.associate.sky_components import SkyComponents
from claran_core.common.ragged import Ragged
from claran_core.common.sky import chord, unit_vectors

__all__ = ["OUTCOMES", "artefact_logit", "outcomes_of"]

OUTCOMES = ("source", "artefact", "noise", "below_limit")
SOURCE, ARTEFACT, NOISE, BELOW_LIMIT = range(len(OUTCOMES))

# Below this signal-to-noise ratio an atom that is no source may be a peak of the noise, unless a source this
# many times brighter lies within this distance: then it may be a sidelobe.
NOISE_SNR = 7.0
BRIGHTER = 50.0
SIDELOBE_REACH_ARCSEC = 180.0


def artefact_logit(sets: Ragged, of_set: np.ndarray, n_atoms: int) -> np.ndarray:
    """Return the logit of the probability that each atom is no source, (n,) float64.

    Parameters
    ----------
    sets : Ragged
        Atoms of each set.
    of_set : (m,) float array
        Logit of the probability that the set is no source; NaN if no view shows it as one unit.
    n_atoms : int
        Number of atoms.

    Returns
    -------
    (n,) float64 array
        That of the atom alone; else the greatest of the units that contain it; -inf without any.
    """
    sizes = np.diff(sets.starts)
    found = np.full(n_atoms, -np.inf)
    np.maximum.at(found, sets.values, np.repeat(np.nan_to_num(of_set, nan=-np.inf), sizes))
    alone = np.flatnonzero((sizes == 1) & np.isfinite(of_set))
    found[sets.values[sets.starts[alone]]] = of_set[alone]
    return found


def outcomes_of(
    atoms: SkyComponents, owner: np.ndarray, probability: np.ndarray, artefact: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the outcome of each atom and its probability.

    Parameters
    ----------
    atoms : SkyComponents
        All atoms.
    owner : (n,) int array
        Set that each atom is in; -1: no source.
    probability : (m,) float array
        Probability of each set.
    artefact : (n,) float array
        Probability that the atom is no source.

    Returns
    -------
    outcome : (n,) int8 array
        Index into `OUTCOMES`.
    of_outcome : (n,) float64 array
        Its probability; 1 for `below_limit`, which is a rule.
    """
    n = len(owner)
    outcome = np.full(n, SOURCE, np.int8)
    of_outcome = artefact.copy()
    is_source = owner >= 0
    of_outcome[is_source] = probability[owner[is_source]]
    lost = np.flatnonzero(~is_source)
    outcome[lost] = ARTEFACT
    faint = lost[atoms.snr[lost] < NOISE_SNR]
    outcome[faint[~_has_bright_neighbour(atoms, faint)]] = NOISE
    below = ~is_source & ~atoms.usable
    outcome[below], of_outcome[below] = BELOW_LIMIT, 1.0
    return outcome, of_outcome


def _has_bright_neighbour(atoms: SkyComponents, faint: np.ndarray) -> np.ndarray:
    """Return whether an atom `BRIGHTER` times as bright is within reach of each of the faint ones."""
    found = np.zeros(len(faint), bool)
    bright = np.flatnonzero(atoms.snr >= BRIGHTER * atoms.snr[faint].min(initial=np.inf))
    if not len(faint) or not len(bright):
        return found
    at, others = (unit_vectors(atoms.ra[own], atoms.dec[own]) for own in (faint, bright))
    pairs = cKDTree(at).sparse_distance_matrix(
        cKDTree(others), float(chord(SIDELOBE_REACH_ARCSEC)), output_type="ndarray"
    )
    much = atoms.snr[bright[pairs["j"]]] >= BRIGHTER * atoms.snr[faint[pairs["i"]]]
    found[pairs["i"][much]] = True
    return found
