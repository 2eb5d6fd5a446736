"""Subjects held out of the training to tell when it stops learning, and starts to learn by heart.

Neighbouring subjects show the same sources, so whole groups of neighbours are held out or none of them.
"""

import hashlib
from collections.abc import Sequence

import numpy as np

from claran_core.common.errors import InputError
from claran_core.common.sky import linked_groups
from claran_core.training.dataset import FusedDataset

__all__ = ["LINK_ARCSEC", "divided", "held_out"]

# Subjects this close to one another overlap (they are 3 arcmin wide, paper section 3).
LINK_ARCSEC = 180.0


def held_out(
    subject_ids: Sequence[str], positions_deg: np.ndarray, *, fraction: float, seed: int
) -> np.ndarray:
    """Which subjects are held out.

    Parameters
    ----------
    subject_ids : sequence of str
        Ids, in ascending order.
    positions_deg : (N, 2) array
        Right ascension and declination, deg.
    fraction : float
        Probability that a group of neighbours is held out.
    seed : int
        Other seeds hold out others.

    Returns
    -------
    (N,) bool array
        The same for a group wherever it stands: drawn from the seed and the id of its first subject.
    """
    leaders = linked_groups(positions_deg, LINK_ARCSEC)
    drawn = {leader: _uniform(subject_ids[leader], seed) < fraction for leader in set(leaders.tolist())}
    return np.array([drawn[leader] for leader in leaders.tolist()], dtype=bool)


def divided(dataset: FusedDataset, *, fraction: float, seed: int) -> tuple[FusedDataset, FusedDataset | None]:
    """Subjects to learn from, and those held out (None where `fraction` is 0).

    Raises
    ------
    InputError
        If one side would be empty.
    """
    if fraction == 0:
        return dataset, None
    held = held_out(dataset.subject_ids, dataset.positions_deg, fraction=fraction, seed=seed)
    if held.all() or not held.any():
        n_groups = len(set(linked_groups(dataset.positions_deg, LINK_ARCSEC).tolist()))
        raise InputError(
            f"training.validation_fraction {fraction:g} holds out {'all' if held.all() else 'none'} of "
            f"{len(dataset)} subjects, which form {n_groups} groups of neighbours; change it, or write 0"
        )
    return dataset.subset(~held), dataset.subset(held)


def _uniform(subject_id: str, seed: int) -> float:
    """Number from 0 to 1 that depends on a name and the seed alone."""
    digest = hashlib.sha256(f"held out\n{seed}\n{subject_id}".encode()).digest()
    return int.from_bytes(digest[:8], "little") / 2**64
