"""From what the detector reports to what a catalogue lists (paper section 6.1.1).

The detector reports one row per box and class, so one source on the sky may come several times: with
two classes for one box, or as a whole and as one of its parts.  Three steps, each a function of its
own, work subject by subject:

1. `keep_probable` keeps what reaches the least probability, or the best row of the subject.
2. `resolve_competing` lists each source once: of boxes that claim the same sky, the most probable.
3. `keep_best`, on demand, assumes one source per field.

Sources seen in two overlapping subjects are a matter between subjects and are not touched here.
"""

import numpy as np
import pandas as pd

from claran_core.config import CatalogueOptions
from claran_core.flags import Flag
from claran_core.overlap import BOX_COLUMNS, box_array, contained_fraction, paired_iou

__all__ = [
    "MAX_CONTAINED",
    "MAX_IOU",
    "keep_best",
    "keep_probable",
    "rank_rows",
    "resolve_competing",
    "select_sources",
]

# Two boxes of one subject claim the same source when they overlap by more than this, or when the smaller
# is inside the other by more than that.  Of the 1,137 pairs of true sources that share a subject in RGZ
# DR1's sample of the paper, 3 overlap by more than 0.3 and 8 are contained by more than 0.8: what the
# rule can wrongly take for one source is below 1 %.
MAX_IOU = 0.3
MAX_CONTAINED = 0.8


def select_sources(detections: pd.DataFrame, options: CatalogueOptions) -> pd.DataFrame:
    """Rows of the detections that become sources, with a column ``flags``.

    Parameters
    ----------
    detections : DataFrame
        Columns of `claran_core.tables.DETECTIONS`.
    options : CatalogueOptions
        Least probability, and whether a field holds one source only.

    Returns
    -------
    DataFrame
        By subject, best first; ``flags`` is 0 or `Flag.BELOW_MIN_PROBABILITY`.  Does not depend on
        the order of the rows given.
    """
    kept = resolve_competing(keep_probable(detections, options.min_probability))
    return keep_best(kept) if options.one_source_per_field else kept


def rank_rows(detections: pd.DataFrame) -> pd.DataFrame:
    """Sort by subject, most probable first; ties by box, then class, so that the order is unique."""
    keys = ["subject_id", "probability", *BOX_COLUMNS, "morphology"]
    ascending = [name != "probability" for name in keys]
    return detections.sort_values(keys, ascending=ascending, kind="stable", ignore_index=True)


def keep_probable(detections: pd.DataFrame, min_probability: float) -> pd.DataFrame:
    """Keep probabilities of at least `min_probability`; the best row of a subject stays in any case.

    Returns
    -------
    DataFrame
        Ranked as by `rank_rows`, with a column ``flags``.
    """
    ranked = rank_rows(detections)
    # Compared in the column's own precision: a stored 0.9 is float32 and below the float64 of that name.
    probable = ranked["probability"].to_numpy(np.float32) >= np.float32(min_probability)
    best = ~ranked["subject_id"].duplicated().to_numpy()
    kept = ranked[probable | best].reset_index(drop=True)
    below = ~probable[probable | best]
    return kept.assign(flags=np.where(below, int(Flag.BELOW_MIN_PROBABILITY), 0).astype(np.int32))


def resolve_competing(
    ranked: pd.DataFrame, *, max_iou: float = MAX_IOU, max_contained: float = MAX_CONTAINED
) -> pd.DataFrame:
    """Drop rows whose box claims the sky of a more probable row of the same subject, any class.

    Greedy, best first, so a row is judged only against rows that stay: a chain of neighbours is not
    swallowed by its first member.

    Parameters
    ----------
    ranked : DataFrame
        Rows in the order of `rank_rows`.
    max_iou, max_contained : float
        Boxes compete above either of these (see the constants for the reason).
    """
    subject = pd.factorize(ranked["subject_id"])[0]
    keep = np.ones(len(ranked), dtype=bool)
    if len(ranked):
        first, second = _competing_pairs(subject, box_array(ranked), max_iou, max_contained)
        for better, worse in zip(first, second, strict=True):
            if keep[better]:
                keep[worse] = False
    return ranked[keep].reset_index(drop=True)


def _competing_pairs(
    subject: np.ndarray, boxes: np.ndarray, max_iou: float, max_contained: float
) -> tuple[list[int], list[int]]:
    """Pairs (better, worse) of rows of one subject that compete, in the order greedy choice needs."""
    last = np.searchsorted(subject, subject, side="right")
    followers = last - np.arange(len(subject)) - 1
    better = np.repeat(np.arange(len(subject)), followers)
    worse = better + 1 + np.arange(len(better)) - np.repeat(np.cumsum(followers) - followers, followers)
    compete = paired_iou(boxes[better], boxes[worse]) > max_iou
    compete |= contained_fraction(boxes[better], boxes[worse]) > max_contained
    return better[compete].tolist(), worse[compete].tolist()


def keep_best(ranked: pd.DataFrame) -> pd.DataFrame:
    """Keep the first row of each subject: the paper's assumption of one source per field."""
    return ranked[~ranked["subject_id"].duplicated()].reset_index(drop=True)
