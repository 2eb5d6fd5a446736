"""Pre- and post-processing shared by all detectors: centred images in, selected detections out."""

import numpy as np
import torch
from torch import Tensor

from claran_core.common.compiled import compiled
from claran_core.model.layers.types import Detections, Regions

__all__ = ["BOX_DECIMALS", "SCORE_DECIMALS", "centred", "select_detections"]

# Decimals kept of boxes (px) and probabilities: the last bits differ between machines and batch sizes.
BOX_DECIMALS = 4
SCORE_DECIMALS = 6


def centred(images: Tensor, channel_means: Tensor) -> Tensor:
    """Subtract the channel means from images (N, H, W, 3) in grey levels.

    Pixels that are not finite are set to the mean.  Returns float32 (N, 3, H, W), on the device of the means,
    with the channels last in memory as in the images: convolutions are then faster, and nothing is copied.
    """
    around_zero = images.to(channel_means.device).float() - channel_means
    if images.is_floating_point():
        around_zero = torch.nan_to_num(around_zero, nan=0.0, posinf=0.0, neginf=0.0)
    return around_zero.permute(0, 3, 1, 2)


def select_detections(regions: Regions, *, min_probability: float, nms_iou: float) -> list[Detections]:
    """Select the detections of each subject from its regions.

    A region gives one detection for every class that is probable enough.  Equal probabilities are ranked by
    class, then by region.

    Parameters
    ----------
    regions : Regions
        A region with a box that is not finite gives no detection of that class, nor does NaN as probability.
    min_probability : float
        Detections have a probability above this.
    nms_iou : float
        Of two boxes of one class in one subject with a larger overlap, the less probable one is dropped.
    """
    chosen, sizes = _selected(
        regions.boxes.contiguous().numpy(),
        regions.probabilities.contiguous().numpy(),
        regions.counts,
        np.float32(min_probability),
        np.float32(nms_iou),
    )
    row, column = torch.from_numpy(chosen)
    first = torch.from_numpy(np.repeat(np.cumsum(regions.counts) - regions.counts, sizes))
    columns = [regions.boxes[row, column], column + 1, regions.probabilities[row], row - first]
    parts = (torch.split(values, sizes.tolist()) for values in columns)
    return [Detections(*subject_parts) for subject_parts in zip(*parts, strict=True)]


@compiled
def _selected(
    boxes: np.ndarray,
    probabilities: np.ndarray,
    counts: np.ndarray,
    min_probability: np.float32,
    nms_iou: np.float32,
) -> tuple[np.ndarray, np.ndarray]:
    """Return regions and columns (2, K) of the detections, and the number (N,) of each subject.

    This is `claran_core.model.layers.boxes.nms` for many small sets of boxes.
    """
    n_classes = probabilities.shape[1]
    chosen = np.empty((2, probabilities.size), np.int64)
    sizes = np.zeros(len(counts), np.int64)
    first = total = 0
    for subject in range(len(counts)):
        own = slice(first, first + counts[subject])
        start = total
        for column in range(n_classes):
            kept = first + _suppressed(
                boxes[own, column], probabilities[own, column], min_probability, nms_iou
            )
            chosen[0, total : total + len(kept)], chosen[1, total : total + len(kept)] = kept, column
            total += len(kept)
        likeliest = np.empty(total - start, np.float32)
        for k in range(len(likeliest)):
            likeliest[k] = probabilities[chosen[0, start + k], chosen[1, start + k]]
        order = start + np.argsort(-likeliest, kind="mergesort")
        chosen[:, start:total] = chosen[:, order]
        sizes[subject] = total - start
        first += counts[subject]
    return chosen[:, :total].copy(), sizes


@compiled
def _suppressed(
    boxes: np.ndarray, probabilities: np.ndarray, min_probability: np.float32, nms_iou: np.float32
) -> np.ndarray:
    """Return the boxes that greedy non-maximum suppression keeps, the most probable first."""
    # Comparisons with NaN are false: a diverged network detects nothing.
    likely = np.flatnonzero(probabilities > min_probability)
    order = likely[np.argsort(-probabilities[likely], kind="mergesort")]
    n_kept = 0
    for k in order:
        keep = bool(np.isfinite(boxes[k]).all())
        for other in order[:n_kept]:
            keep = keep and not _iou(boxes[k], boxes[other]) > nms_iou
        if keep:
            order[n_kept] = k
            n_kept += 1
    return order[:n_kept]


@compiled
def _iou(box: np.ndarray, other: np.ndarray) -> np.float32:
    """Return the intersection over union of two boxes, 0 if neither has an area."""
    zero = np.float32(0)
    width = max(min(box[2], other[2]) - max(box[0], other[0]), zero)
    height = max(min(box[3], other[3]) - max(box[1], other[1]), zero)
    overlap = width * height
    area = (box[2] - box[0]) * (box[3] - box[1])
    union = area + (other[2] - other[0]) * (other[3] - other[1]) - overlap
    return overlap / union if union > zero else zero
