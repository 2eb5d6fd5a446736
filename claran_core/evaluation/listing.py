"""Which detections of a subject count as its sources, and which as classifications of the paper.

The catalogue associates the components of all views (`claran_core.catalogue.associate`).  Labels are those of
one subject, so the evaluation takes the sources of one subject from its detections alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from claran_core.common.boxes import BOX_COLUMNS, box_array, contained_fraction, paired_iou

__all__ = ["Listing", "classifications", "distinct_sources"]

# Two boxes of one subject are the same source when their IoU exceeds the first number, or when the fraction
# of the smaller inside the larger exceeds the second.  Of the 1,137 pairs of true sources that share a
# subject in the paper's sample of RGZ DR1, 3 have an IoU above 0.3 and 8 are contained by more than 0.8: the
# rule confuses fewer than 1 % of the pairs.
MAX_IOU = 0.3
MAX_CONTAINED = 0.8


@dataclass(frozen=True)
class Listing:
    """Detections, and what counts of them at any minimum probability.

    Attributes
    ----------
    detections : DataFrame
        Columns of `claran_core.common.tables.DETECTIONS`, those of `distinct_sources` at least.
    min_probability : float
        Least probability of a source of any class (`catalogue.min_probability`).
    """

    detections: pd.DataFrame
    min_probability: float

    def sources(self, min_probability: float | None = None) -> pd.DataFrame:
        """Return the rows of `distinct_sources`, optionally at another minimum probability."""
        least = self.min_probability if min_probability is None else min_probability
        return self.detections[distinct_sources(self.detections, least)].reset_index(drop=True)

    def classifications(self, min_probability: float) -> pd.DataFrame:
        """Return the rows of `classifications`."""
        return self.detections[classifications(self.detections, min_probability)].reset_index(drop=True)


def classifications(detections: pd.DataFrame, min_probability: float) -> np.ndarray:
    """Return which rows the paper counts (section 6.1.1): the probable ones, or the best of a subject.

    Parameters
    ----------
    detections : DataFrame
        Columns ``subject_id``, ``morphology``, ``probability`` and the box.
    min_probability : float
        Least probability of the class of a row.

    Returns
    -------
    (n,) bool array
    """
    order = _ranked(detections, ["probability"])
    best = np.zeros(len(detections), bool)
    best[order] = ~detections["subject_id"].iloc[order].duplicated().to_numpy()
    # Compare in float32: a stored 0.9 is below the float64 0.9.
    return best | (detections["probability"].to_numpy(np.float32) >= np.float32(min_probability))


def distinct_sources(detections: pd.DataFrame, min_probability: float) -> np.ndarray:
    """Return which rows are the sources of their subject: the most probable ones without a common component.

    Rows are the same source when they share a component or, where one of them has none, when their boxes
    overlap (`MAX_IOU`, `MAX_CONTAINED`).  The most probable source of any class stays, under its most
    probable class.

    Parameters
    ----------
    detections : DataFrame
        Columns ``subject_id``, ``morphology``, ``probability`` and the box.  Without the probabilities of
        the classes, that of the row's own class counts; without ``component_ids``, the boxes.
    min_probability : float
        Least probability of a source of any class.

    Returns
    -------
    (n,) bool array
    """
    classes = [name for name in detections if str(name).startswith("p_")]
    each = detections[classes or ["probability"]].to_numpy(np.float32)
    probable = np.minimum(each.sum(axis=1), np.float32(1))
    # Rows of the most probable class of their box come first: two groups of components may share a box and
    # hardly differ in the sum over their classes.
    leads = detections["probability"].to_numpy(np.float32) >= each.max(axis=1, initial=0)
    keys = {"leads": leads, "source_probability": probable}
    order = _ranked(detections.assign(**keys), [*keys, "probability"])
    boxes, subjects = box_array(detections), detections["subject_id"].to_numpy()
    members = [frozenset(ids) for ids in detections.get("component_ids", [()] * len(detections))]
    stays = np.zeros(len(detections), bool)
    found: dict[str, list[int]] = {}
    for row in order[probable[order] >= np.float32(min_probability)]:
        others = found.setdefault(subjects[row], [])
        if not any(_is_same(row, other, members, boxes) for other in others):
            others.append(row)
            stays[row] = True
    return stays


def _is_same(one: int, other: int, members: Sequence[frozenset[int]], boxes: np.ndarray) -> bool:
    if members[one] and members[other]:
        return not members[one].isdisjoint(members[other])
    pair = boxes[[one]], boxes[[other]]
    return bool(paired_iou(*pair)[0] > MAX_IOU or contained_fraction(*pair)[0] > MAX_CONTAINED)


def _ranked(detections: pd.DataFrame, falling: list[str]) -> np.ndarray:
    """Return row numbers sorted by subject, `falling` columns (highest first), box and class."""
    keys = ["subject_id", *falling, *BOX_COLUMNS, "morphology"]
    ascending = [name not in falling for name in keys]
    numbered = detections[keys].reset_index(drop=True)
    return numbered.sort_values(keys, ascending=ascending, kind="stable").index.to_numpy()
