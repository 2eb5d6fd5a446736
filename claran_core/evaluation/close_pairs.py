"""Close pairs of true sources, and whether the catalogue lists both."""

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from claran_core.common.sky import chord, chord_angle, unit_vectors
from claran_core.labels.dr1_labels import LABELLED_SNR

__all__ = ["CLOSE_PAIR_ARCSEC", "close_pairs"]

# Maximum separation of a close pair, arcsec.
CLOSE_PAIR_ARCSEC = 60.0


def close_pairs(sources: pd.DataFrame, within_arcsec: float = CLOSE_PAIR_ARCSEC) -> pd.DataFrame:
    """Return the close pairs of true sources of 10 sigma or more in a subject, and what became of them.

    Parameters
    ----------
    sources : DataFrame
        Columns of `claran_core.evaluation.catalogue_truth.TRUE_OUTCOMES`.
    within_arcsec : float
        Maximum separation of the centres.

    Returns
    -------
    DataFrame
        Columns ``first``, ``second`` (``source_id``), ``separation`` (arcsec); ``lost``: at least one of the
        two has no component in any row; ``blended``: a row joins components of at least one of them with
        others.
    """
    bright = (sources["state"] == "visible") & (sources["snr"] >= LABELLED_SNR)
    known = sources[(bright & (sources["placement"] != "outside")).to_numpy(bool)].reset_index(drop=True)
    pairs = np.empty((0, 2), int)
    vectors = unit_vectors(known["ra"].to_numpy(float), known["dec"].to_numpy(float))
    if len(known):
        pairs = cKDTree(vectors).query_pairs(chord(within_arcsec), output_type="ndarray")
    pairs = pairs[np.lexsort(pairs.T[::-1])]
    outcome = known["outcome"].to_numpy(object)
    apart = np.linalg.norm(vectors[pairs[:, 0]] - vectors[pairs[:, 1]], axis=1)
    return pd.DataFrame(
        {
            "first": known["source_id"].to_numpy(object)[pairs[:, 0]],
            "second": known["source_id"].to_numpy(object)[pairs[:, 1]],
            "separation": chord_angle(apart),
            "lost": (outcome == "missed")[pairs].any(axis=1),
            "blended": (outcome == "blended")[pairs].any(axis=1),
        }
    )
