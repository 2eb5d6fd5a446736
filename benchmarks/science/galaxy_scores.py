"""Detections of RadioGalaxyNET, and their scores by pycocotools."""

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from benchmarks.science.galaxy_subjects import CLASSES, GalaxySubjects, box_ious

__all__ = ["BoxScores", "GalaxyDetections", "confusion", "exclusive", "read_truth", "score_boxes"]

# Candidates exclude each other if the smaller box is inside the other by more than this share.
OVERLAP = 0.6

# Detections are listed from this probability.
MIN_PROBABILITY = 1e-3


@dataclass(frozen=True)
class GalaxyDetections:
    """Detections in some images.

    Attributes
    ----------
    names : (n,) object array
        File of the image of each.
    boxes : (n, 4) float64 array
        Edges ``x1 y1 x2 y2`` in pixels of the annotations.
    probabilities : (n, C) float64 array
        Probability of a source of each class.
    """

    names: np.ndarray
    boxes: np.ndarray
    probabilities: np.ndarray


@dataclass(frozen=True)
class BoxScores:
    """COCO's average precision of boxes at an IoU of 0.5, and its mean from 0.5 to 0.95."""

    ap50: float
    ap: float


def exclusive(subjects: GalaxySubjects, probabilities: np.ndarray) -> GalaxyDetections:
    """Return the candidates of subjects as detections.

    An island is in one source only.  From the most probable candidate on, the probabilities of those that
    overlap with it are multiplied by the probability that it is no source.

    Parameters
    ----------
    subjects : GalaxySubjects
        All subjects of some images.
    probabilities : (K, 1 + C) array
        Of their candidates: no source, then the classes; NaN for those left out.
    """
    image = subjects.image_of[subjects.subject_of]
    left = probabilities[:, 1:].copy()
    total = left.sum(axis=1)
    for number in range(len(subjects.image_names)):
        rows = np.flatnonzero((image == number) & np.isfinite(total))
        rows = rows[np.argsort(-total[rows], kind="stable")]
        boxes = subjects.boxes[rows]
        areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
        for place in range(len(rows) - 1):
            later = slice(place + 1, None)
            low = np.maximum(boxes[place, :2], boxes[later, :2])
            high = np.minimum(boxes[place, 2:], boxes[later, 2:])
            common = np.maximum(high - low, 0).prod(axis=1) / np.minimum(areas[place], areas[later])
            left[rows[later][common > OVERLAP]] *= 1 - left[rows[place]].sum()
    listed = left.sum(axis=1) > MIN_PROBABILITY
    names = np.array(subjects.image_names, object)[image[listed]]
    return GalaxyDetections(names, subjects.boxes[listed], left[listed])


def read_truth(annotations: Path) -> COCO:
    """Return the annotations of a split as pycocotools reads them."""
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(annotations))


def score_boxes(
    truth: COCO, detections: GalaxyDetections, names: Sequence[str], *, by_class: bool
) -> BoxScores:
    """Return the scores of detections in the images of some names by pycocotools.

    Parameters
    ----------
    truth : COCO
        Annotations of the split (`read_truth`).
    detections : GalaxyDetections
        In these images, or in more.
    names : sequence of str
        Files of the images.
    by_class : bool
        Whether the class counts: the mean over the four classes.
    """
    with contextlib.redirect_stdout(io.StringIO()):
        ids = {one["file_name"]: one["id"] for one in truth.dataset["images"]}
        categories = {one["name"]: one["id"] for one in truth.dataset["categories"]}
        rows = []
        for name, box, chances in zip(
            detections.names, detections.boxes, detections.probabilities, strict=True
        ):
            own = {"image_id": ids[name], "bbox": [*box[:2].tolist(), *(box[2:] - box[:2]).tolist()]}
            if by_class:
                scored = zip(CLASSES, chances, strict=True)
                rows += [{**own, "category_id": categories[c], "score": float(p)} for c, p in scored if p > 0]
            else:
                rows.append({**own, "category_id": categories[CLASSES[0]], "score": float(chances.sum())})
        judge = COCOeval(truth, truth.loadRes(rows), "bbox")
        judge.params.imgIds = [ids[name] for name in names]
        judge.params.useCats = int(by_class)
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return BoxScores(ap50=float(judge.stats[1]), ap=float(judge.stats[0]))


def confusion(annotations: dict[str, list], detections: GalaxyDetections, threshold: float) -> np.ndarray:
    """Return the numbers of annotations by class and by most probable class of the detection of its box.

    Parameters
    ----------
    annotations : dict of str to list of CocoAnnotation
        Those of each image.
    detections : GalaxyDetections
        Those of a total probability of `threshold` or more count.
    threshold : float
        Least total probability.

    Returns
    -------
    (C + 1, C + 1) int64 array
        Rows: the classes, and detections without an annotation (IoU above 0.5).  Columns: the classes, and
        annotations without a detection.
    """
    table = np.zeros((len(CLASSES) + 1, len(CLASSES) + 1), np.int64)
    counted = detections.probabilities.sum(axis=1) >= threshold
    for name, own in annotations.items():
        rows = np.flatnonzero(counted & (detections.names == name))
        free = np.ones(len(rows), bool)
        for one in own:
            ious = np.where(free, box_ious(one.box, detections.boxes[rows]), 0.0)
            column = len(CLASSES)
            if len(rows) and ious.max() > 0.5:
                free[ious.argmax()] = False
                column = int(detections.probabilities[rows[ious.argmax()]].argmax())
            table[CLASSES.index(one.category), column] += 1
        for row in rows[free]:
            table[len(CLASSES), int(detections.probabilities[row].argmax())] += 1
    return table
