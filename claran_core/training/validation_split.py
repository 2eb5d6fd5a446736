"""Split of the training subjects into training and validation, which shows when a detector starts to overfit.

Neighbouring subjects show the same sources, so whole groups of neighbours go to one side of the split.
"""

import hashlib
from collections.abc import Sequence

import numpy as np

from claran_core.common.errors import InputError
from claran_core.common.neighbours import linked_groups
from claran_core.training.dataset import FusedDataset

__all__ = ["LINK_ARCSEC", "split_validation", "validation_mask"]

# Subjects closer than this overlap (they are 3 arcmin wide, paper section 3).
LINK_ARCSEC = 180.0


def validation_mask(
    subject_ids: Sequence[str] | np.ndarray, positions_deg: np.ndarray, *, fraction: float, seed: int
) -> np.ndarray:
    """Return which subjects are validation subjects.

    Parameters
    ----------
    subject_ids : sequence of str
        Ids, in ascending order.
    positions_deg : (N, 2) array
        Right ascension and declination, deg.
    fraction : float
        Probability that a group of neighbours is used for validation.
    seed : int
        Seed of the random choice.

    Returns
    -------
    (N,) bool array
        The choice for a group depends on the seed and the id of its first subject.
    """
    leaders = linked_groups(positions_deg, LINK_ARCSEC)
    drawn = {leader: _uniform(subject_ids[leader], seed) < fraction for leader in set(leaders.tolist())}
    return np.array([drawn[leader] for leader in leaders.tolist()], dtype=bool)


def split_validation(
    dataset: FusedDataset, *, fraction: float, seed: int
) -> tuple[FusedDataset, FusedDataset | None]:
    """Return the training subjects and the validation subjects (None if `fraction` is 0).

    Raises
    ------
    InputError
        If one side is empty.
    """
    if fraction == 0:
        return dataset, None
    mask = validation_mask(dataset.subject_ids, dataset.positions_deg, fraction=fraction, seed=seed)
    if mask.all() or not mask.any():
        n_groups = len(set(linked_groups(dataset.positions_deg, LINK_ARCSEC).tolist()))
        raise InputError(
            f"training.validation_fraction {fraction:g} selects {'all' if mask.all() else 'none'} of "
            f"{len(dataset)} subjects, which form {n_groups} groups of neighbours; change it, or write 0"
        )
    return dataset.subset(~mask), dataset.subset(mask)


def _uniform(subject_id: str, seed: int) -> float:
    """Return a number from 0 to 1 that depends on the id and the seed only."""
    digest = hashlib.sha256(f"held out\n{seed}\n{subject_id}".encode()).digest()
    return int.from_bytes(digest[:8], "little") / 2**64
