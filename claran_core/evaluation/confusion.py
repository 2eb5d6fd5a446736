"""Count true sources by class and by the class of the source that is listed in their place."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from claran_core.evaluation.matching import NO_TRUTH, match_detections

__all__ = ["BACKGROUND", "MISSED", "confusion_matrix", "listed_classes", "match_any_class"]

# Labels in place of a class: of a true source that no box matches, and of a box that matches no true source.
MISSED = "missed"
BACKGROUND = "background"


def match_any_class(boxes: pd.DataFrame, labels: pd.DataFrame, min_iou: float) -> np.ndarray:
    """Match boxes to true sources as `match_detections` does, ignoring the classes."""
    return match_detections(boxes.assign(morphology=""), labels.assign(morphology=""), min_iou)


def listed_classes(boxes: pd.DataFrame, n_truth: int, found: np.ndarray) -> np.ndarray:
    """Return the class of the box that matches each true source.

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
        None where no box matches.
    """
    classes = np.full(n_truth, None, dtype=object)
    hit = found != NO_TRUTH
    classes[found[hit]] = boxes["morphology"].to_numpy(object)[hit]
    return classes


def confusion_matrix(
    true: Iterable[str], listed: Iterable[str | None], background: Iterable[str], classes: Sequence[str]
) -> dict[str, dict[str, int]]:
    """Count true sources by class and by the class they are listed as.

    Parameters
    ----------
    true, listed : (T,) iterables
        True class of each source, and the class it is listed as; None where it is missed.
    background : iterable of str
        Classes of the boxes that match no true source.
    classes : sequence of str
        Order of rows and columns.

    Returns
    -------
    dict
        Counts by row (true class, then ``background``) and column (class, then ``missed``).  The row
        ``background`` has no column ``missed``.
    """
    pairs, lost = Counter(zip(true, listed, strict=True)), Counter(background)
    rows = {
        name: {**{other: pairs[name, other] for other in classes}, MISSED: pairs[name, None]}
        for name in classes
    }
    return {**rows, BACKGROUND: {other: lost[other] for other in classes}}
