"""The consensus level of simulated sources.

Radio Galaxy Zoo's consensus level is the share of people who agreed on a source (paper section 3.2).  For a
simulated source it is a deterministic function of the source's difficulty.  Difficulty increases with the
number of components, the gaps between them, faintness, an undetected host, and unrelated sources near by.
The weights of these terms are a judgement; the distribution of levels in each class is that of the
published labels.
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from claran_core.common.constants import QUANTILE_PROBABILITIES
from claran_core.components.contour_rule import box_gaps, dr1_extent

__all__ = ["CONSENSUS", "DIFFICULTY", "consensus_level", "difficulty", "difficulty_of"]

Quantiles = tuple[float, float, float, float, float, float, float]

# Levels at p0, p5, p25, p50, p75, p95 and p100 of each class: column `cl` of the 11,836 rows of
# full_catalogue.csv of github.com/chenwuperth/rgz_rcnn (Fig. 2 of the paper).
CONSENSUS: Mapping[str, Quantiles] = MappingProxyType(
    {
        "1C_1P": (0.6, 0.618, 0.750, 1.000, 1.000, 1.000, 1.0),
        "1C_2P": (0.6, 0.614, 0.703, 0.982, 1.000, 1.000, 1.0),
        "1C_3P": (0.6, 0.698, 1.000, 1.000, 1.000, 1.000, 1.0),
        "2C_2P": (0.6, 0.616, 0.689, 0.768, 0.846, 0.938, 1.0),
        "2C_3P": (0.6, 0.620, 0.690, 0.769, 0.848, 0.942, 1.0),
        "3C_3P": (0.6, 0.612, 0.661, 0.730, 0.804, 0.889, 1.0),
    }
)

# Difficulties at the same probabilities in subjects of the simulated sky
# (benchmarks/science/consensus_levels.py).
DIFFICULTY: Mapping[str, Quantiles] = MappingProxyType(
    {
        "1C_1P": (-1.59, -1.07, -0.49, -0.07, 0.42, 1.27, 2.04),
        "1C_2P": (-1.35, -0.71, -0.31, 0.02, 0.41, 1.17, 1.65),
        "1C_3P": (-1.28, -1.00, -0.69, -0.41, -0.08, 0.68, 1.02),
        "2C_2P": (0.75, 0.98, 1.47, 1.79, 2.29, 2.87, 3.62),
        "2C_3P": (-0.10, 0.61, 0.95, 1.33, 1.86, 2.48, 3.24),
        "3C_3P": (1.77, 1.97, 2.56, 2.87, 3.42, 3.84, 4.22),
    }
)

# W1 magnitude at which half of the hosts are detected, and the width of the transition.
UNSEEN_MAGNITUDE, UNSEEN_SPREAD = 17.0, 0.3

# Signal to noise at which a component contributes nothing to the difficulty.
PLAIN_SNR = 30.0


def consensus_level(morphology: str, difficulty: float) -> float:
    """Return the consensus level (0.6 to 1) of a source; it never increases with difficulty.

    The ranks correspond: the most difficult tenth of a class gets the lowest tenth of the published levels
    of that class.
    """
    rank = np.interp(difficulty, DIFFICULTY[morphology], QUANTILE_PROBABILITIES)
    return float(np.interp(1.0 - rank, QUANTILE_PROBABILITIES, CONSENSUS[morphology]))


def difficulty(
    *,
    n_components: int,
    gap_ratio: float,
    faintest_snr: float,
    host_magnitude: float,
    neighbour_ratio: float,
) -> float:
    """Return how difficult it is to group the components: about 0 for a single source, 3 for a wide triple.

    Parameters
    ----------
    n_components : int
        Components of the source.
    gap_ratio : float
        Widest gap from a component to its nearest companion over the components' mean extent; 0 for one
        component.
    faintest_snr : float
        Peak of the faintest component over the noise.
    host_magnitude : float
        W1 magnitude of the host (Vega).
    neighbour_ratio : float
        Gap to the nearest component of another source over the extent of the source; infinite without
        another source.
    """
    unseen = 1.0 / (1.0 + np.exp((UNSEEN_MAGNITUDE - host_magnitude) / UNSEEN_SPREAD))
    return float(
        (n_components - 1)
        + 0.7 * np.log1p(gap_ratio)
        + 0.5 * np.log(PLAIN_SNR / faintest_snr)
        + 0.8 * unseen
        + 1.0 / (1.0 + neighbour_ratio)
    )


def difficulty_of(
    boxes: np.ndarray, snr: np.ndarray, owners: np.ndarray, index: int, *, host_magnitude: float
) -> float:
    """Return the difficulty of one source of a subject.

    Parameters
    ----------
    boxes : (n, 4) array
        Contour boxes ``x1 y1 x2 y2`` of all components of the subject, in any unit.
    snr : (n,) array
        Peak of each over the noise.
    owners : (n,) int array
        Source of each, -1 for noise.
    index : int
        The source, which has at least one component.
    host_magnitude : float
        W1 magnitude of its host (Vega).
    """
    gaps = box_gaps(boxes)
    own = np.flatnonzero(owners == index)
    others = np.flatnonzero((owners != index) & (owners >= 0))
    apart = gaps[np.ix_(own, own)] + np.diag(np.full(len(own), np.inf))
    size = np.mean([dr1_extent(boxes[k]) for k in own])
    to_other = gaps[np.ix_(own, others)].min() if len(others) else np.inf
    return difficulty(
        n_components=len(own),
        gap_ratio=apart.min(axis=1).max() / size if len(own) > 1 else 0.0,
        faintest_snr=float(snr[own].min()),
        host_magnitude=host_magnitude,
        neighbour_ratio=to_other / dr1_extent(boxes[own]),
    )
