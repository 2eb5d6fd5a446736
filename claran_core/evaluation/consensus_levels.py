"""Probability of a true detection against the consensus on its source (paper section 5.6, Fig. 14)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

__all__ = ["LEVEL_EDGES", "probability_by_level"]

# The paper "segmented into four bins" what Radio Galaxy Zoo's sample has, 0.6 and above; labels of another
# origin may lie below.
LEVEL_EDGES = (0.0, 0.6, 0.7, 0.8, 0.9, 1.0)

ALL = "all"


def probability_by_level(
    sources: pd.DataFrame, classes: Sequence[str]
) -> dict[str, list[dict[str, float | int]]] | None:
    """Middle and spread of the probabilities in bins of the consensus level.

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
        Per class and for ``all``, the bins from the lowest, those without any source of the sample left
        out: ``low, high`` (low included; 1 belongs to the last), ``n_sources``, ``n_found``, and of the
        found ones ``quartile_1, median, quartile_3`` (NaN for none).  None where no level is known.
    """
    known = sources[sources["consensus"].notna()]
    if known.empty:
        return None
    # Compared in the column's own precision: a stored 0.7 is float32 and below the float64 of that name.
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
