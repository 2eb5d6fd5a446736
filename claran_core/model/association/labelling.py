"""The true class of each candidate, by its members.

A candidate is a source if it consists of exactly those usable units that the source owns.  Boxes play no
role: a candidate that lacks a small component has almost the box of the source, and is still not the source.
"""

from collections.abc import Sequence

import numpy as np

from claran_core.common.compiled import compiled
from claran_core.model.layers.types import ARTEFACT, MIXED, UNKNOWN, Ownership

__all__ = ["ARTEFACT_LABEL", "IGNORED_LABEL", "NO_SOURCE_LABEL", "label_candidates"]

# Labels besides the classes 1, 2, ..: no source, candidates about which the truth says nothing, and a unit
# that is an artefact or noise.
NO_SOURCE_LABEL, IGNORED_LABEL, ARTEFACT_LABEL = 0, -1, -2


def label_candidates(
    members: np.ndarray,
    counts: np.ndarray,
    *,
    usable: np.ndarray,
    starts: np.ndarray,
    owners: Sequence[Ownership],
) -> np.ndarray:
    """Return the label of each candidate of some subjects.

    Parameters
    ----------
    members : (K, MAX_MEMBERS) int64 array
        Units of each candidate, as indices in its subject; -1 in unused columns.
    counts : (N,) int64 array
        Number of candidates of each subject.
    usable : (n,) bool array
        Which units may be in a candidate (`ComponentBatch.usable`).
    starts : (N + 1,) int64 array
        Units ``starts[k]`` to ``starts[k + 1] - 1`` belong to subject k (`ComponentBatch.starts`).
    owners : sequence of Ownership
        Owners of the units of each subject.

    Returns
    -------
    (K,) int64 array
        The class, from 1, of the source that owns the units of the candidate and no other usable unit.
        `ARTEFACT_LABEL` for a single unit without an owner.  `IGNORED_LABEL` for candidates with a unit of
        unknown owner, and for sources without a class.  `NO_SOURCE_LABEL` for all others.

    Raises
    ------
    ValueError
        If the units of the subjects and those of the owners differ in number.
    """
    sizes = np.array([len(one.owner) for one in owners], np.int64)
    if not np.array_equal(sizes, np.diff(starts)):
        raise ValueError("the owners are not those of these units")
    nothing = [np.zeros(0, np.int64)]  # np.concatenate refuses an empty list
    return _labels(
        members,
        np.repeat(np.arange(len(counts)), counts),
        usable,
        starts,
        np.concatenate([*nothing, *(one.owner for one in owners)]),
        np.cumsum([0, *(len(one.classes) for one in owners)]),
        np.concatenate([*nothing, *(one.classes for one in owners)]),
    )


@compiled
def _labels(
    members: np.ndarray,
    subject: np.ndarray,
    usable: np.ndarray,
    starts: np.ndarray,
    owner: np.ndarray,
    first_source: np.ndarray,
    classes: np.ndarray,
) -> np.ndarray:
    """Return the labels (K,) of candidates.

    Candidate k belongs to subject ``subject[k]``, whose sources are ``first_source[subject[k]]`` and
    following of all `classes`.
    """
    owned = np.zeros(len(classes), np.int64)  # number of usable units of each source
    for number in range(len(starts) - 1):
        for unit in range(starts[number], starts[number + 1]):
            if usable[unit] and owner[unit] >= 0:
                owned[first_source[number] + owner[unit]] += 1
    labels = np.empty(len(members), np.int64)
    for k in range(len(members)):
        own = starts[subject[k]] + members[k][members[k] >= 0]
        labels[k] = _label(owner[own], first_source[subject[k]], owned, classes)
    return labels


@compiled
def _label(owner: np.ndarray, first_source: int, owned: np.ndarray, classes: np.ndarray) -> int:
    """Return the label of a candidate from the owners of its units."""
    if (owner == UNKNOWN).any():
        return IGNORED_LABEL
    if (owner == MIXED).any() or (owner != owner[0]).any():
        return NO_SOURCE_LABEL
    if owner[0] == ARTEFACT:
        return ARTEFACT_LABEL if len(owner) == 1 else NO_SOURCE_LABEL
    source = first_source + owner[0]
    return int(classes[source]) if owned[source] == len(owner) else NO_SOURCE_LABEL
