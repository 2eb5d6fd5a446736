"""Evaluate one method's detections; the result is a dictionary ready for JSON."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from claran_core.common.flags import Flag
from claran_core.common.morphology import MORPHOLOGIES
from claran_core.common.tables import NATIVE_SCALE
from claran_core.evaluation.box_sizes import width_correlations
from claran_core.evaluation.calibration import calibration
from claran_core.evaluation.completeness import completeness_ratios, threshold_rows
from claran_core.evaluation.confusion import confusion_matrix, listed_classes, match_any_class
from claran_core.evaluation.consensus_levels import probability_by_level
from claran_core.evaluation.listing import Listing
from claran_core.evaluation.matching import NO_TRUTH, RankedClass, match_detections, rank_classes
from claran_core.evaluation.precision import (
    Metric,
    average_precision,
    bootstrap,
    coco_average_precision,
    mean_over_classes,
    precision_recall,
)
from claran_core.evaluation.resampling import interval
from claran_core.evaluation.sources import true_sources
from claran_core.settings.evaluation import ScoringOptions

__all__ = ["Sample", "choose_sample", "evaluate", "evaluate_sources", "json_ready", "summary_line"]

COMPONENT_CLASSES = ("1C", "2C", "3C")

# COCO's AP50 uses this IoU, whatever `evaluation.min_iou` is.
COCO_MIN_IOU = 0.5

# Minimum probability of a classification in the paper's Tables 10 and 11 (section 6.1.1).
PAPER_MIN_PROBABILITY = 0.8

# Minimum probabilities at which completeness ratios and false classifications are counted.
THRESHOLDS = tuple(k / 20 for k in range(2, 20))

# Maximum number of points of a precision-recall curve: enough for a figure, and a small file.
CURVE_POINTS = 300

# Decimals in the result, far beyond the statistical errors.
DECIMALS = 6


@dataclass(frozen=True)
class Sample:
    """Subjects of an evaluation.

    Attributes
    ----------
    name : str
        ``"test"``, or ``"labelled"`` where the targets have no test split.
    subjects : (S,) str array
        Sorted, unique.
    """

    name: str
    subjects: np.ndarray


def choose_sample(targets: pd.DataFrame, labels: pd.DataFrame, scale: int = NATIVE_SCALE) -> Sample:
    """Select the test split if the targets have one, else every subject that has labels.

    Only subjects of one scale count; the paper's are those of the finest.  All subjects of the test split
    count, also those without a true source or without an image: false detections in empty subjects and
    sources missed in failed images are part of the result.
    """
    targets = targets[targets["scale"] == scale]
    test = targets.loc[targets["split"] == "test", "subject_id"]
    if len(test):
        return Sample("test", np.unique(test.to_numpy(dtype=str)))
    labelled = targets.loc[targets["subject_id"].isin(labels["subject_id"]), "subject_id"]
    return Sample("labelled", np.unique(labelled.to_numpy(dtype=str)))


def evaluate(
    detections: pd.DataFrame,
    labels: pd.DataFrame,
    sample: Sample,
    options: ScoringOptions,
    *,
    min_probability: float,
    method: str,
    seed: int,
    flags: pd.Series | None = None,
    published: Mapping[str, Any] | None = None,
    classes: Sequence[str] = MORPHOLOGIES,
) -> dict[str, Any]:
    """Compare one method's detections with the truth (paper section 5).

    Parameters
    ----------
    detections : DataFrame
        Columns of `claran_core.common.tables.DETECTIONS`, before any filter; rows of subjects outside the
        sample are ignored.
    labels : DataFrame
        Columns of `claran_core.common.tables.LABELS`; rows of subjects outside the sample are ignored.
    sample : Sample
        The evaluated subjects.
    options : ScoringOptions
        IoU of a true detection, and number of bootstrap samples.
    min_probability : float
        Least probability of a source of any class (`catalogue.min_probability`).
    method : str
        Fusion method, which is written to the result.
    seed : int
        Seed of the bootstrap.
    flags : Series, optional
        ``flags`` of the fused index by ``subject_id``, to count the subjects without an infrared image.
    published : mapping, optional
        The paper's values, which are for another data set
        (`claran_core.evaluation.published.published_values`).
    classes : sequence of str
        Names of the classes of detections and labels.

    Returns
    -------
    dict
        JSON-serialisable; values that cannot be measured are None.  Keys: ``method``, ``classes``,
        ``sample``, ``min_iou``, ``seed``, ``n_resamplings``, ``counts``, ``published``, and

        - ``ap``: eq. 12 per class; ``mean`` is eq. 14 over ``n_classes`` classes; ``interval_68`` and
          ``interval_95`` are from the bootstrap;
        - ``coco_ap50``: the same by COCO's definition;
        - ``by_components`` (Table 6) and ``multi_source`` (Table 7), None unless all classes are of the
          paper's six; ``box_width`` (Table 8);
        - ``consensus`` (Fig. 14): None if no level is known;
        - ``completeness_ratio`` (Tables 10 and 11, Fig. 16), ``thresholds`` (the same against the minimum
          probability);
        - ``confusion``: of the sources of each subject (`claran_core.evaluation.listing`);
        - ``calibration``, and ``curves`` (Fig. 10).
    """
    sources = evaluate_sources(detections, labels, sample, options, min_probability=min_probability)
    detections, labels = _of(sample.subjects, detections), _of(sample.subjects, labels)
    listing = Listing(detections, min_probability)
    found = match_detections(detections, labels, options.min_iou)
    ranked = rank_classes(detections, labels, sample.subjects, classes, found)
    coco_found = match_detections(detections, labels, COCO_MIN_IOU, inclusive=True)
    coco = rank_classes(detections, labels, sample.subjects, classes, coco_found)
    several = _several_sources(labels)
    counted = set(classes) <= set(MORPHOLOGIES)
    result = {
        "method": method,
        "classes": list(classes),
        "sample": sample.name,
        "min_iou": options.min_iou,
        "seed": seed,
        "n_resamplings": options.bootstrap,
        "counts": _counts(detections, labels, sample.subjects, flags, classes),
        "ap": _precision_with_intervals(ranked, options.bootstrap, seed),
        "coco_ap50": _precision_with_intervals(coco, options.bootstrap, seed, metric=coco_average_precision),
        "by_components": (
            _by_components(detections, labels, sample.subjects, options, seed) if counted else None
        ),
        "multi_source": (
            _by_components(_of(several, detections), _of(several, labels), several, options, seed)
            if counted
            else None
        ),
        "box_width": width_correlations(
            sources, sample.subjects, classes, options.bootstrap, np.random.default_rng(seed)
        ),
        "consensus": probability_by_level(sources, classes),
        "completeness_ratio": completeness_ratios(
            listing,
            labels,
            sample.subjects,
            PAPER_MIN_PROBABILITY,
            options.bootstrap,
            np.random.default_rng(seed),
        ),
        "thresholds": threshold_rows(listing, labels, sample.subjects, options.min_iou, THRESHOLDS),
        "confusion": _confusion(listing, labels, sources, options.min_iou, classes),
        "calibration": _calibration(detections, found, sample.subjects, options.bootstrap, seed),
        "published": published,
        "curves": {name: _curve(one) for name, one in ranked.items()},
    }
    return json_ready(result)


def evaluate_sources(
    detections: pd.DataFrame,
    labels: pd.DataFrame,
    sample: Sample,
    options: ScoringOptions,
    *,
    min_probability: float,
) -> pd.DataFrame:
    """Return the true sources of the sample with their detections; arguments as `evaluate`.

    Returns
    -------
    DataFrame
        Columns of `claran_core.evaluation.sources.TRUE_SOURCES`, sorted by subject, then label, then box.
    """
    detections, labels = _of(sample.subjects, detections), _of(sample.subjects, labels)
    found = match_detections(detections, labels, options.min_iou)
    listed = Listing(detections, min_probability).sources()
    classes = listed_classes(listed, len(labels), match_any_class(listed, labels, options.min_iou))
    sources = true_sources(detections, labels, found, classes)
    keys = [sources["subject_id"], sources["label_id"], labels["box_x1"], labels["box_y1"]]
    order = pd.concat(keys, axis=1).sort_values(["subject_id", "label_id", "box_x1", "box_y1"]).index
    return sources.loc[order].reset_index(drop=True)


def summary_line(metrics: dict[str, Any]) -> str:
    """Return one line with mAP, its interval, the size of the sample, and AP per class."""
    counts, ap, names = metrics["counts"], metrics["ap"], metrics["classes"]
    interval = ap["interval_68"].get("mean")
    spread = f" ({interval[0]:.2f}-{interval[1]:.2f}, 68 % bootstrap)" if interval else ""
    mean = "not measurable" if ap["mean"] is None else f"{ap['mean']:.2f}"
    short = f" over {ap['n_classes']} of {len(names)} classes" if ap["n_classes"] < len(names) else ""
    classes = ", ".join(f"{name} {_short(ap[name])}" for name in names)
    return (
        f"{metrics['method']}: mAP {mean}{spread}{short} on {counts['n_sources']} sources "
        f"of {counts['n_subjects']} {metrics['sample']} subjects; {classes}"
    )


def _of(subjects: np.ndarray, table: pd.DataFrame) -> pd.DataFrame:
    return table[table["subject_id"].isin(subjects)].reset_index(drop=True)


def _confusion(
    listing: Listing, labels: pd.DataFrame, sources: pd.DataFrame, min_iou: float, classes: Sequence[str]
) -> dict[str, Any]:
    listed = listing.sources()
    unmatched = match_any_class(listed, labels, min_iou) == NO_TRUTH
    listed_as = [None if pd.isna(name) else name for name in sources["listed_as"]]
    counts = confusion_matrix(sources["morphology"], listed_as, listed["morphology"][unmatched], classes)
    return {"min_probability": listing.min_probability, "counts": counts}


def _calibration(
    detections: pd.DataFrame, found: np.ndarray, subjects: np.ndarray, n_resamplings: int, seed: int
) -> dict[str, Any]:
    return calibration(
        detections["probability"].to_numpy(float),
        found != NO_TRUTH,
        pd.Index(subjects).get_indexer(detections["subject_id"]),
        len(subjects),
        n_resamplings,
        np.random.default_rng(seed),
    )


def _several_sources(labels: pd.DataFrame) -> np.ndarray:
    """Return the subjects with at least two true sources, sorted."""
    number = labels["subject_id"].value_counts()
    return np.sort(number[number > 1].index.to_numpy(dtype=str))


def _counts(
    detections: pd.DataFrame,
    labels: pd.DataFrame,
    subjects: np.ndarray,
    flags: pd.Series | None,
    classes: Sequence[str],
) -> dict[str, Any]:
    without_infrared = None
    if flags is not None:
        chosen = flags[flags.index.isin(subjects)].to_numpy(int)
        without_infrared = int((chosen & int(Flag.INFRARED_MISSING) != 0).sum())
    return {
        "n_subjects": len(subjects),
        "n_subjects_multi_source": len(_several_sources(labels)),
        "n_subjects_without_detection": len(subjects) - detections["subject_id"].nunique(),
        "n_subjects_infrared_missing": without_infrared,
        "n_sources": len(labels),
        "n_detections": len(detections),
        "sources": _per_class(labels, classes),
        "detections": _per_class(detections, classes),
    }


def _per_class(table: pd.DataFrame, classes: Sequence[str]) -> dict[str, int]:
    return {name: int((table["morphology"] == name).sum()) for name in classes}


def _precision(ranked: dict[str, RankedClass], metric: Metric = average_precision) -> dict[str, Any]:
    values = {name: metric(one.true_positive, len(one.truth_subject)) for name, one in ranked.items()}
    n_classes = sum(len(one.truth_subject) > 0 for one in ranked.values())
    return {"mean": mean_over_classes(values), "n_classes": n_classes, **values}


def _precision_with_intervals(
    ranked: dict[str, RankedClass], n_resamplings: int, seed: int, *, metric: Metric = average_precision
) -> dict[str, Any]:
    # A new generator of the same seed: both metrics use the same samples of subjects.
    drawn = bootstrap(ranked, n_resamplings, np.random.default_rng(seed), metric=metric)
    return {
        **_precision(ranked, metric),
        "interval_68": {name: interval(values, 16.0, 84.0) for name, values in drawn.items()},
        "interval_95": {name: interval(values, 2.5, 97.5) for name, values in drawn.items()},
    }


def _by_components(
    detections: pd.DataFrame,
    labels: pd.DataFrame,
    subjects: np.ndarray,
    options: ScoringOptions,
    seed: int,
) -> dict[str, Any]:
    """Return the AP of classes that differ only in the number of components (paper section 5.3)."""
    detections, labels = _components_only(detections), _components_only(labels)
    found = match_detections(detections, labels, options.min_iou)
    ranked = rank_classes(detections, labels, subjects, COMPONENT_CLASSES, found)
    sources = {name: len(one.truth_subject) for name, one in ranked.items()}
    precision = _precision_with_intervals(ranked, options.bootstrap, seed)
    return {**precision, "n_subjects": len(subjects), "sources": sources}


def _components_only(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(morphology=[name.partition("_")[0] for name in table["morphology"]])


def _curve(one: RankedClass) -> dict[str, list[float]]:
    """Return evenly thinned points of the precision-recall curve; empty without truth or detections."""
    precision, recall = precision_recall(one.true_positive, len(one.truth_subject))
    last = len(precision) - 1 if len(one.truth_subject) else -1
    places = np.linspace(0, last, CURVE_POINTS if last >= 0 else 0)
    rows = np.unique(places.round().astype(int))
    return {
        "completeness": recall[rows].tolist(),
        "reliability": precision[rows].tolist(),
        "probability": one.probability[rows].tolist(),
    }


def _short(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.2f}".removeprefix("0")


def json_ready(value: Any) -> Any:
    """Round floats in a nested structure; NaN, which JSON lacks, becomes None."""
    if isinstance(value, Mapping):
        return {key: json_ready(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [json_ready(item) for item in value]
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, DECIMALS)
    return value
