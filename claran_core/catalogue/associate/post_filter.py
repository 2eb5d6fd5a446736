"""From what the detector reports to what a catalogue lists, subject by subject.

The detector reports one row per box and class, so one source on the sky may come several times: with
two classes for one box, or as a whole and as one of its parts.  Two filters decide:

`select_survey`, the default, keeps what is probably a source of any class, each once, and nothing where
nothing is probable.  `select_paper` is the rule of paper section 6.1.1: rows of at least some probability,
or else the best of the subject, which invents a source in a blank field.

Sources seen in two overlapping subjects are a matter between subjects
(`claran_core.catalogue.associate.merge`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from claran_core.common.boxes import BOX_COLUMNS, box_array, contained_fraction, paired_iou
from claran_core.common.flags import Flag
from claran_core.common.morphology import probability_columns

__all__ = [
    "MAX_CONTAINED",
    "MAX_IOU",
    "FilterResult",
    "select_paper",
    "select_survey",
    "keep_probable",
    "rank_rows",
    "resolve_competing",
    "source_probability",
]

# Two boxes of one subject claim the same source when they overlap by more than this, or when the smaller
# is inside the other by more than that.  Of the 1,137 pairs of true sources that share a subject in RGZ
# DR1's sample of the paper, 3 overlap by more than 0.3 and 8 are contained by more than 0.8: what the
# rule can wrongly take for one source is below 1 %.
MAX_IOU = 0.3
MAX_CONTAINED = 0.8


@dataclass(frozen=True)
class FilterResult:
    """What a filter says of the detections of a table, row by row.

    Attributes
    ----------
    outcome : (n,) object array of str
        ``kept``, or why not: one of `claran_core.catalogue.product.schema.OUTCOME_DESCRIPTIONS`.
    winner : (n,) int64 array
        Row a ``competing`` one lost against, -1 for others.
    flags : (n,) int32 array
        `Flag.BELOW_MIN_PROBABILITY` where a row is kept all the same.
    """

    outcome: np.ndarray
    winner: np.ndarray
    flags: np.ndarray

    @classmethod
    def keeping_all(cls, n: int) -> "FilterResult":
        """Every one of `n` rows kept, to be changed."""
        return cls(np.full(n, "kept", object), np.full(n, -1, np.int64), np.zeros(n, np.int32))


def source_probability(detections: pd.DataFrame) -> np.ndarray:
    """Probability that a box holds a source of any class, (n,) float32: the sum over the classes."""
    return np.minimum(detections[probability_columns()].to_numpy(np.float32).sum(axis=1), np.float32(1))


def select_survey(
    detections: pd.DataFrame, members: Sequence[tuple[int, ...]], min_probability: float
) -> FilterResult:
    """Keep each probable source once.

    Rows compete when they share a radio component; where one of them has none, when their boxes claim
    the same sky (`MAX_IOU`, `MAX_CONTAINED`).  The most probable source wins, and of its rows the most
    probable class.  A row is judged only against rows that stay.

    Parameters
    ----------
    detections : DataFrame
        Columns of `claran_core.common.tables.DETECTIONS`; any order, any number of subjects.
    members : sequence of tuple of int
        Components of each row, from `claran_core.catalogue.associate.membership.members_of`.
    min_probability : float
        Least probability of a source of any class: where two classes share it, it is a source still.
    """
    probable = source_probability(detections)
    # A row of a class that is not its box's most probable never stands for the source while another does:
    # two combinations of components may have one box and hardly differ in the sum over their classes.
    leads = detections["probability"].to_numpy() >= detections[probability_columns()].to_numpy().max(axis=1)
    keys = {"leads": leads, "source_probability": probable}
    order = _ranked(detections.assign(**keys), [*keys, "probability"])
    boxes, subjects = box_array(detections), detections["subject_id"].to_numpy()
    verdict = FilterResult.keeping_all(len(detections))
    kept: dict[str, list[int]] = {}
    for row in order:
        rivals = kept.setdefault(subjects[row], [])
        winner = next((other for other in rivals if _compete(row, other, members, boxes)), None)
        if winner is not None:
            verdict.outcome[row], verdict.winner[row] = "competing", winner
        elif probable[row] < np.float32(min_probability):
            verdict.outcome[row] = "improbable"
        else:
            rivals.append(row)
    return verdict


def _compete(one: int, other: int, members: Sequence[tuple[int, ...]], boxes: np.ndarray) -> bool:
    if members[one] and members[other]:
        return not set(members[one]).isdisjoint(members[other])
    pair = boxes[[one]], boxes[[other]]
    return bool(paired_iou(*pair)[0] > MAX_IOU or contained_fraction(*pair)[0] > MAX_CONTAINED)


def select_paper(
    detections: pd.DataFrame, min_probability: float, *, one_source_per_field: bool = False
) -> FilterResult:
    """Keep rows of at least `min_probability`, or the best of each subject (paper section 6.1.1).

    Parameters
    ----------
    detections : DataFrame
        Columns of `claran_core.common.tables.DETECTIONS`.
    min_probability : float
        Least probability of the row's class.
    one_source_per_field : bool
        Keep the best of each subject only: the paper's assumption.
    """
    order = _ranked(detections, ["probability"])
    best = np.zeros(len(detections), bool)
    best[order] = ~detections["subject_id"].iloc[order].duplicated().to_numpy()
    probable = _at_least(detections, min_probability)
    verdict = FilterResult.keeping_all(len(detections))
    verdict.outcome[~probable & ~best] = "improbable"
    verdict.flags[~probable & best] = int(Flag.BELOW_MIN_PROBABILITY)
    if one_source_per_field:
        verdict.outcome[probable & ~best] = "second"
    return verdict


def rank_rows(detections: pd.DataFrame) -> pd.DataFrame:
    """Sort by subject, most probable first; ties by box, then class, so that the order is unique."""
    return detections.iloc[_ranked(detections, ["probability"])].reset_index(drop=True)


def _ranked(detections: pd.DataFrame, falling: list[str]) -> np.ndarray:
    """Row numbers by subject, then the highest of `falling` first, then box and class."""
    keys = ["subject_id", *falling, *BOX_COLUMNS, "morphology"]
    ascending = [name not in falling for name in keys]
    numbered = detections[keys].reset_index(drop=True)
    return numbered.sort_values(keys, ascending=ascending, kind="stable").index.to_numpy()


def _at_least(detections: pd.DataFrame, min_probability: float) -> np.ndarray:
    # Compared in the column's own precision: a stored 0.9 is float32 and below the float64 of that name.
    return detections["probability"].to_numpy(np.float32) >= np.float32(min_probability)


def keep_probable(detections: pd.DataFrame, min_probability: float) -> pd.DataFrame:
    """Keep probabilities of at least `min_probability`; the best row of a subject stays in any case.

    Returns
    -------
    DataFrame
        Ranked as by `rank_rows`, with a column ``flags``.
    """
    ranked = rank_rows(detections)
    probable = _at_least(ranked, min_probability)
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
