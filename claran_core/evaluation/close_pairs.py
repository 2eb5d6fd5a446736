"""Close pairs of true sources that were both detected, and whether the catalogue lists both."""

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from claran_core.common.sky import chord, chord_angle, unit_vectors

__all__ = ["CLOSE_PAIR_ARCSEC", "close_pairs"]

# Maximum separation of a close pair, arcsec.
CLOSE_PAIR_ARCSEC = 60.0


def close_pairs(sources: pd.DataFrame, within_arcsec: float = CLOSE_PAIR_ARCSEC) -> pd.DataFrame:
    """Return the close pairs of true sources that were both detected, and whether one of them was lost.

    Parameters
    ----------
    sources : DataFrame
        Columns of `claran_core.evaluation.catalogue_truth.TRUE_OUTCOMES`.
    within_arcsec : float
        Maximum separation of the centres.

    Returns
    -------
    DataFrame
        Columns ``first``, ``second`` (``source_id``), ``separation`` (arcsec), and ``lost``: at least one
        of the two has no row of its own, whole or in part.
    """
    known = sources[sources["detected"].to_numpy(bool)].reset_index(drop=True)
    pairs = np.empty((0, 2), int)
    vectors = unit_vectors(known["ra"].to_numpy(float), known["dec"].to_numpy(float))
    if len(known):
        pairs = cKDTree(vectors).query_pairs(chord(within_arcsec), output_type="ndarray")
    pairs = pairs[np.lexsort(pairs.T[::-1])]
    has_row = known["outcome"].isin(["found", "partial", "fragmented"]).to_numpy(bool)
    apart = np.linalg.norm(vectors[pairs[:, 0]] - vectors[pairs[:, 1]], axis=1)
    return pd.DataFrame(
        {
            "first": known["source_id"].to_numpy(object)[pairs[:, 0]],
            "second": known["source_id"].to_numpy(object)[pairs[:, 1]],
            "separation": chord_angle(apart),
            "lost": ~has_row[pairs].all(axis=1),
        }
    )
