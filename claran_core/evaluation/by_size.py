"""How whole the true sources of each range of sizes are in the catalogue."""

from typing import Any

import numpy as np
import pandas as pd

__all__ = ["SIZE_RANGES_ARCSEC", "completeness_by_size", "is_whole"]

# Ranges of the largest angular size, arcsec.
SIZE_RANGES_ARCSEC = ((0.0, 60.0), (60.0, 120.0), (120.0, 300.0), (300.0, np.inf))

# A source is as good as whole in a row that holds this fraction of the brightness of its components.
NEARLY_WHOLE = 0.9


def completeness_by_size(sources: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return how many sources of each range of sizes are found, and in how many rows the others are.

    Parameters
    ----------
    sources : DataFrame
        Columns of `claran_core.evaluation.catalogue_truth.TRUE_OUTCOMES`; only sources to be counted.

    Returns
    -------
    dict
        Per range, such as ``60-120``: ``n_sources``; the fractions ``found`` (a row has exactly its
        components) and ``whole`` (`is_whole`); ``blended``, ``in_pieces`` (several rows) and ``missed``; and
        the mean number ``rows_per_source`` of those in some row.  Fractions of nothing are None.
    """
    size = sources["largest_angular_size"].to_numpy(float)
    n_rows = sources["row_ids"].map(len).to_numpy(int)
    outcome = sources["outcome"].to_numpy(object)
    kinds = {
        "found": outcome == "found",
        "whole": is_whole(sources),
        "blended": outcome == "blended",
        "in_pieces": n_rows > 1,
        "missed": outcome == "missed",
    }
    table = {}
    for low, high in SIZE_RANGES_ARCSEC:
        chosen = (size >= low) & (size < high)
        shares = {name: _mean(kind[chosen]) for name, kind in kinds.items()}
        listed = n_rows[chosen & (n_rows > 0)]
        name = f">= {low:g}" if np.isinf(high) else f"{low:g}-{high:g}"
        table[name] = {"n_sources": int(chosen.sum()), **shares, "rows_per_source": _mean(listed)}
    return table


def is_whole(sources: pd.DataFrame) -> np.ndarray:
    """Return which true sources (n,) are in one row only, as good as whole and without another source.

    That row holds at least 0.9 of the summed brightness of a source's components; parameter as in
    `completeness_by_size`.
    """
    in_one = sources["row_ids"].map(len).to_numpy(int) == 1
    alone = sources["outcome"].to_numpy(object) != "blended"
    return np.asarray(in_one & alone & (sources["share"].to_numpy(float) >= NEARLY_WHOLE))


def _mean(values: np.ndarray) -> float | None:
    return round(float(values.mean()), 6) if len(values) else None
