"""A level of agreement for simulated sources, as if people had looked at them.

Radio Galaxy Zoo's consensus level is the share of people who agreed on a source (paper section 3.2).  Here
it is a plain function of how hard the source is: it falls with the number of its components, the gaps
between them, faintness, a host that does not show, and strangers near by.  How these weigh is a judgement;
how often each level occurs in a class is that of the published labels.  Nothing is random.
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from claran_core.common.constants import QUANTILE_PROBABILITIES
from claran_core.components.contour_rule import Components, box_gaps, dr1_extent

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

# A host fainter than this W1 magnitude does not show; half of those at it do, and this is the spread.
UNSEEN_MAGNITUDE, UNSEEN_SPREAD = 17.0, 0.3

# Signal to noise that makes a component neither easy nor hard.
PLAIN_SNR = 30.0


def consensus_level(morphology: str, difficulty: float) -> float:
    """Level of agreement (0.6 to 1) on a source of a class; it never rises with difficulty.

    The hardest tenth of a class gets the levels of the least agreed-on tenth of the published sources of
    that class, and so on.
    """
    rank = np.interp(difficulty, DIFFICULTY[morphology], QUANTILE_PROBABILITIES)
    return float(np.interp(1.0 - rank, QUANTILE_PROBABILITIES, CONSENSUS[morphology]))


def difficulty(
    *,
    n_components: int,
    gap_ratio: float,
    faintest_snr: float,
    host_magnitude: float,
    stranger_ratio: float,
) -> float:
    """How hard it is to say what belongs together; about 0 for a plain single source, 3 for a wide triple.

    Parameters
    ----------
    n_components : int
        Contours of the source.
    gap_ratio : float
        Widest gap from a component to its nearest companion, over the components' mean extent; 0 for one.
    faintest_snr : float
        Peak of the faintest component over the noise.
    host_magnitude : float
        W1 magnitude of the host (Vega).
    stranger_ratio : float
        Gap to the nearest component of another source over the source's own extent; infinite without one.
    """
    unseen = 1.0 / (1.0 + np.exp((UNSEEN_MAGNITUDE - host_magnitude) / UNSEEN_SPREAD))
    return float(
        (n_components - 1)
        + 0.7 * np.log1p(gap_ratio)
        + 0.5 * np.log(PLAIN_SNR / faintest_snr)
        + 0.8 * unseen
        + 1.0 / (1.0 + stranger_ratio)
    )


def difficulty_of(
    components: Components, snr: np.ndarray, owners: np.ndarray, index: int, *, host_magnitude: float
) -> float:
    """Difficulty of one source of a subject.

    Parameters
    ----------
    components : Components
        All contours of the subject.
    snr : (n,) array
        Peak over noise of each.
    owners : (n,) int array
        Source each belongs to, -1 for noise.
    index : int
        The source, which owns at least one of them.
    host_magnitude : float
        W1 magnitude of its host.
    """
    gaps = box_gaps(components.boxes)
    own = np.flatnonzero(owners == index)
    strangers = np.flatnonzero((owners != index) & (owners >= 0))
    apart = gaps[np.ix_(own, own)] + np.diag(np.full(len(own), np.inf))
    size = np.mean([dr1_extent(components.boxes[k]) for k in own])
    to_stranger = gaps[np.ix_(own, strangers)].min() if len(strangers) else np.inf
    return difficulty(
        n_components=len(own),
        gap_ratio=apart.min(axis=1).max() / size if len(own) > 1 else 0.0,
        faintest_snr=float(snr[own].min()),
        host_magnitude=host_magnitude,
        stranger_ratio=to_stranger / dr1_extent(components.boxes[own]),
    )
