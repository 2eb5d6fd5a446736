"""Count true sources by class and by the class that the catalogue's post-filter lists them as."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd

from claran_core.evaluation.matching import NO_TRUTH, match_detections

__all__ = ["BACKGROUND", "MISSED", "confusion_matrix", "listed_classes", "match_any_class"]

# In place of a class: of a true source that nothing was found of, and of a box that lies on no source.
MISSED = "missed"
BACKGROUND = "background"


def match_any_class(boxes: pd.DataFrame, labels: pd.DataFrame, min_iou: float) -> np.ndarray:
    """Find the true source of each box as `match_detections` does, but whatever the classes are."""
    return match_detections(boxes.assign(morphology=""), labels.assign(morphology=""), min_iou)


def listed_classes(boxes: pd.DataFrame, n_truth: int, found: np.ndarray) -> np.ndarray:
    """Class of the box that found each true source.

    Parameters
    ----------
    boxes : DataFrame
        Column ``morphology``.
    n_truth : int
        Number of true sources.
    found : (N,) int array
        Result of `match_any_class`.

    Returns
    -------
    (n_truth,) object array
        None where no box found it.
    """
    classes = np.full(n_truth, None, dtype=object)
    hit = found != NO_TRUTH
    classes[found[hit]] = boxes["morphology"].to_numpy(object)[hit]
    return classes


def confusion_matrix(
    true: Sequence[str], listed: Sequence[str | None], background: Sequence[str], classes: Sequence[str]
) -> dict[str, dict[str, int]]:
    """Count true sources by class and by the class they are listed as.

    Parameters
    ----------
    true, listed : (T,) sequences
        True class of each source and the class it is listed as, None where it was missed.
    background : sequence of str
        Classes of the boxes that lie on no true source.
    classes : sequence of str
        Order of rows and columns.

    Returns
    -------
    dict
        Row (true class, then ``background``) of columns (class, then ``missed``); nothing that is not
        there can be missed, so ``background`` has no such column.
    """
    pairs, lost = Counter(zip(true, listed, strict=True)), Counter(background)
    rows = {
        name: {**{other: pairs[name, other] for other in classes}, MISSED: pairs[name, None]}
        for name in classes
    }
    return {**rows, BACKGROUND: {other: lost[other] for other in classes}}
