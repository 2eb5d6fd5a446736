"""Tables of the evaluation for the report: one per method, with the paper's values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Score", "ScoreRow", "scores"]

MEAN = "mean"


@dataclass(frozen=True)
class ScoreRow:
    """Average precision of a class, or the mean over the classes; None if it cannot be measured.

    Attributes
    ----------
    name : str
        Class, or ``mean``.
    n_truth, n_detections : int
        True sources, and detections of any probability, in the evaluated subjects.
    ap, coco_ap50 : float, optional
        Paper eq. 12 (14 for the mean), and COCO's definition.
    low, high : float, optional
        95 % bootstrap interval of `ap`.
    published : float, optional
        The paper's value (Table 5) for the same fusion method, on another data set.
    """

    name: str
    n_truth: int
    n_detections: int
    ap: float | None
    coco_ap50: float | None
    low: float | None
    high: float | None
    published: float | None


@dataclass(frozen=True)
class Score:
    """Evaluation of one fusion method; the last of `rows` is the mean over the `n_classes` with truth."""

    method: str
    sample: str
    n_subjects: int
    n_without_infrared: int | None
    n_classes: int
    rows: tuple[ScoreRow, ...]

    @property
    def total(self) -> ScoreRow:
        """Mean over the classes."""
        return self.rows[-1]

    @property
    def has_published(self) -> bool:
        """Whether the paper has values for this method."""
        return any(row.published is not None for row in self.rows)


def scores(metrics: Mapping[str, Mapping[str, Any]]) -> list[Score]:
    """Return one table per evaluated method.

    Parameters
    ----------
    metrics : mapping
        Per method, the result of `claran_core.evaluation.metrics.evaluate`.
    """
    return [_score(method, values) for method, values in metrics.items()]


def _score(method: str, values: Mapping[str, Any]) -> Score:
    published = (values["published"] or {}).get("ap", {})
    counts = values["counts"]
    n_truth = {**counts["sources"], MEAN: counts["n_sources"]}
    n_detections = {**counts["detections"], MEAN: counts["n_detections"]}
    rows = []
    for name in (*values["classes"], MEAN):
        low, high = values["ap"]["interval_95"].get(name) or (None, None)
        rows.append(
            ScoreRow(
                name=name,
                n_truth=n_truth[name],
                n_detections=n_detections[name],
                ap=values["ap"][name],
                coco_ap50=values["coco_ap50"][name],
                low=low,
                high=high,
                published=published.get(name),
            )
        )
    return Score(
        method=method,
        sample=values["sample"],
        n_subjects=counts["n_subjects"],
        n_without_infrared=counts["n_subjects_infrared_missing"],
        n_classes=values["ap"]["n_classes"],
        rows=tuple(rows),
    )
