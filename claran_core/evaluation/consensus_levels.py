"""Probability of true detections against the consensus level of their source (paper section 5.6, Fig. 14)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

__all__ = ["LEVEL_EDGES", "probability_by_level"]

# The paper uses four bins for the levels of Radio Galaxy Zoo's sample, 0.6 and above; the first bin holds
# lower levels of other labels.
LEVEL_EDGES = (0.0, 0.6, 0.7, 0.8, 0.9, 1.0)

ALL = "all"


def probability_by_level(
    sources: pd.DataFrame, classes: Sequence[str]
) -> dict[str, list[dict[str, float | int]]] | None:
    """Return the quartiles of the probabilities in bins of the consensus level.

    Fig. 14: "Given a morphology class m within each bin, the box plot shows the distribution of
    classification probabilities of true positive detections whose morphology is m."

    Parameters
    ----------
    sources : DataFrame
        Columns ``morphology, consensus, probability`` of `claran_core.evaluation.sources.TRUE_SOURCES`.
    classes : sequence of str
        Classes to report.

    Returns
    -------
    dict or None
        Per class and for ``all``, the bins that hold any source of the sample, from the lowest: ``low,
        high`` (low included; 1 belongs to the last), ``n_sources``, ``n_found``, and the probabilities'
        ``quartile_1, median, quartile_3`` (NaN if none was found).  None if no level is known.
    """
    known = sources[sources["consensus"].notna()]
    if known.empty:
        return None
    # Compare as float32, the precision of the stored column: float32(0.7) is less than 0.7.
    edges = np.array(LEVEL_EDGES[1:-1], np.float32)
    level = np.digitize(known["consensus"].to_numpy(np.float32), edges)
    used = np.unique(level)
    groups = {name: (known["morphology"] == name).to_numpy() for name in classes}
    groups[ALL] = np.ones(len(known), bool)
    probability = known["probability"].to_numpy(float)
    return {
        name: [_bin(int(one), probability[chosen & (level == one)]) for one in used]
        for name, chosen in groups.items()
    }


def _bin(number: int, probability: np.ndarray) -> dict[str, float | int]:
    found = probability[~np.isnan(probability)]
    quartiles = np.percentile(found, [25, 50, 75]).tolist() if len(found) else [float("nan")] * 3
    return {
        "low": LEVEL_EDGES[number],
        "high": LEVEL_EDGES[number + 1],
        "n_sources": len(probability),
        "n_found": len(found),
        **dict(zip(("quartile_1", "median", "quartile_3"), quartiles, strict=True)),
    }
