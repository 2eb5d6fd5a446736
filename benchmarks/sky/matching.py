"""Match simulated subjects to real ones of the same class, brightness and extent.

The real sample is biased to bright and extended sources.  The matches also agree in whether they contain one
labelled source or several.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from benchmarks.sky.samples import SubjectFacts, simulated_pool

# Simulated subjects set against each real one.
SIMULATED_PER_REAL = 4

# They may differ by so much: 28 % in extent if brightness is the same, or 65 % the other way round.
UNLIKENESS = 0.5


def like_real(
    real: Sequence[SubjectFacts], *, seed: int, n_pool: int
) -> tuple[list[SubjectFacts], list[list[SubjectFacts]]]:
    """Real subjects that have simulated ones much like them, and these; `n_pool` are drawn to choose from.

    Returns
    -------
    kept, near
        As `near_ones`.
    """
    groups = matched(real, list(simulated_pool(seed, n_pool)), SIMULATED_PER_REAL)
    return near_ones(real, groups, unlikeness=UNLIKENESS)


def matched(
    real: Sequence[SubjectFacts], pool: Sequence[SubjectFacts], per_subject: int
) -> list[list[SubjectFacts]]:
    """For each real subject the simulated ones most like it: class, whether alone, brightness, extent.

    Each simulated subject is used once; real subjects take turns, so that none is left with poor ones.
    """
    features = np.array([_features(subject) for subject in pool])
    kinds = [_kind(subject) for subject in pool]
    free = np.ones(len(pool), bool)
    chosen: list[list[SubjectFacts]] = [[] for _ in real]
    for _ in range(per_subject):
        for k, subject in enumerate(real):
            distance = _unlikeness(features, subject)
            kind = _kind(subject)
            distance[~free | [other != kind for other in kinds]] = np.inf
            best = int(distance.argmin())
            if np.isfinite(distance[best]):
                free[best] = False
                chosen[k].append(pool[best])
    return chosen


def near_ones(
    real: Sequence[SubjectFacts], groups: Sequence[Sequence[SubjectFacts]], *, unlikeness: float
) -> tuple[list[SubjectFacts], list[list[SubjectFacts]]]:
    """Leave out simulated subjects that are not much like the real one of their group, and empty groups.

    Parameters
    ----------
    real, groups : sequences
        Real subjects, and the result of `matched`.
    unlikeness : float
        Largest difference of a pair: that of the logarithm of brightness and twice that of extent.

    Returns
    -------
    kept, near : list of SubjectFacts, list of lists of SubjectFacts
        The members of a group have weights that sum to one, so that each real subject counts alike.
    """
    kept, near = [], []
    for subject, group in zip(real, groups, strict=True):
        like = [one for one in group if _unlikeness(_features(one)[None], subject)[0] <= unlikeness]
        if like:
            kept.append(subject)
            near.append([replace(one, weight=1 / len(like)) for one in like])
    return kept, near


def _unlikeness(features: np.ndarray, subject: SubjectFacts) -> np.ndarray:
    return np.abs(features - _features(subject)).sum(axis=1)


def _features(subject: SubjectFacts) -> np.ndarray:
    main = subject.main
    return np.array([np.log(main.peak_snr), 2 * np.log(main.extent_arcsec)])


def _kind(subject: SubjectFacts) -> tuple[str, bool]:
    """Class of the main source, and whether there are others."""
    return subject.main.morphology, len(subject.sources) > 1
