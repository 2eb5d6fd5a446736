"""Select the detections of each subject that become sources.

The detector reports one row per box and class, so one source may appear several times: with two classes of
one box, or as a whole and as one of its parts.  There are two filters.

`select_survey`, the default, keeps each probable source of any class once, and nothing in a blank field.
`select_paper` is the rule of paper section 6.1.1: it keeps rows above a probability, or else the best row of
the subject, which puts a source into every blank field.

Duplicates in overlapping subjects are merged later (`claran_core.catalogue.associate.merge`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from claran_core.common.boxes import BOX_COLUMNS, box_array, contained_fraction, paired_iou
from claran_core.common.flags import Flag
from claran_core.common.morphology import probability_columns
from claran_core.settings.catalogue import PostFilterOptions

__all__ = [
    "MAX_CONTAINED",
    "MAX_IOU",
    "FilterResult",
    "select_detections",
    "select_paper",
    "select_survey",
    "source_probability",
]

# Two boxes of one subject claim the same source when their IoU exceeds the first number, or when the
# fraction of the smaller inside the larger exceeds the second.  Of the 1,137 pairs of true sources that share
# a subject in the paper's sample of RGZ DR1, 3 have an IoU above 0.3 and 8 are contained by more than 0.8:
# the rule confuses fewer than 1 % of the pairs.
MAX_IOU = 0.3
MAX_CONTAINED = 0.8


@dataclass(frozen=True)
class FilterResult:
    """The decision of a filter, one entry per detection.

    Attributes
    ----------
    outcome : (n,) object array of str
        ``kept``, or the reason for rejection, a key of
        `claran_core.catalogue.product.schema.OUTCOME_DESCRIPTIONS`.
    winner : (n,) int64 array
        Row of the more probable detection for ``competing`` rows; -1 for others.
    flags : (n,) int32 array
        `Flag.BELOW_MIN_PROBABILITY` for rows kept despite a low probability.
    """

    outcome: np.ndarray
    winner: np.ndarray
    flags: np.ndarray

    @classmethod
    def keeping_all(cls, n: int) -> "FilterResult":
        """Return a result that keeps all of `n` rows, to be modified."""
        return cls(np.full(n, "kept", object), np.full(n, -1, np.int64), np.zeros(n, np.int32))


def select_detections(
    detections: pd.DataFrame,
    members: Sequence[tuple[int, ...]],
    options: PostFilterOptions,
    *,
    min_probability: float | None = None,
) -> FilterResult:
    """Apply the filter that `catalogue.post_filter` names.

    Parameters
    ----------
    detections : DataFrame
        Columns of `claran_core.common.tables.DETECTIONS`; any order, any number of subjects.
    members : sequence of tuple of int
        Components of each row, by any name that is unique in its subject.
    options : PostFilterOptions
        The filter and its settings.
    min_probability : float, optional
        Use this instead of the configured minimum probability.
    """
    if min_probability is None:
        min_probability = options.effective_min_probability
    if options.post_filter == "paper":
        return select_paper(detections, min_probability, one_source_per_field=options.one_source_per_field)
    return select_survey(detections, members, min_probability)


def source_probability(detections: pd.DataFrame) -> np.ndarray:
    """Return the probability of a source of any class, (n,) float32: the sum over the classes, at most 1."""
    return np.minimum(detections[probability_columns()].to_numpy(np.float32).sum(axis=1), np.float32(1))


def select_survey(
    detections: pd.DataFrame, members: Sequence[tuple[int, ...]], min_probability: float
) -> FilterResult:
    """Keep each probable source once.

    Rows compete when they share a radio component or, where one of them has none, when their boxes overlap
    (`MAX_IOU`, `MAX_CONTAINED`).  The most probable source wins, and of its rows the most probable class.
    A row competes only with rows that stay.

    Parameters
    ----------
    detections : DataFrame
        Columns of `claran_core.common.tables.DETECTIONS`; any order, any number of subjects.
    members : sequence of tuple of int
        Components of each row, as for `select_detections`.
    min_probability : float
        Lowest probability of a source of any class; it may be shared between classes.
    """
    probable = source_probability(detections)
    # Rows of the most probable class of their box come first: two groups of components may share a box and
    # hardly differ in the sum over their classes.
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
        Lowest probability of the class of a row.
    one_source_per_field : bool
        Keep only the best row of each subject, as the paper assumes.
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


def _ranked(detections: pd.DataFrame, falling: list[str]) -> np.ndarray:
    """Return row numbers sorted by subject, `falling` columns (highest first), box and class."""
    keys = ["subject_id", *falling, *BOX_COLUMNS, "morphology"]
    ascending = [name not in falling for name in keys]
    numbered = detections[keys].reset_index(drop=True)
    return numbered.sort_values(keys, ascending=ascending, kind="stable").index.to_numpy()


def _at_least(detections: pd.DataFrame, min_probability: float) -> np.ndarray:
    # Compare in float32: a stored 0.9 is below the float64 0.9.
    return detections["probability"].to_numpy(np.float32) >= np.float32(min_probability)
