"""Both ends of every detector: centred images go in, rounded and selected detections come out."""

from collections.abc import Sequence

import torch
from torch import Tensor

from claran_core.model.layers.boxes import nms_of_groups
from claran_core.model.layers.types import Detections

__all__ = ["BOX_DECIMALS", "SCORE_DECIMALS", "centred", "select_detections"]

# Decimals of boxes (px) and probabilities that count: the last bits differ between machines and batch sizes.
BOX_DECIMALS = 4
SCORE_DECIMALS = 6


def centred(images: Tensor, channel_means: Tensor) -> Tensor:
    """Images (N, H, W, 3) in grey levels as float (N, 3, H, W) around zero, on the device of the means."""
    around_zero = images.to(channel_means.device).float() - channel_means
    # A pixel without a value is an average pixel.
    return torch.nan_to_num(around_zero, nan=0.0, posinf=0.0, neginf=0.0).permute(0, 3, 1, 2).contiguous()


def select_detections(
    boxes: Tensor, probabilities: Tensor, counts: Sequence[int], min_probability: float, nms_iou: float
) -> list[Detections]:
    """Detections of each subject from its regions.

    A region is reported once for every class it may be; ties are ranked by class, then by region.

    Parameters
    ----------
    boxes : (R, C, 4) float tensor
        Box of each region for each class, on the CPU, the regions of one subject together.
    probabilities : (R, C) float tensor
        Of each region for each class.
    counts : sequence of int
        Regions of each subject; their sum is R.
    min_probability : float
        Only what is more probable is reported.
    nms_iou : float
        Of two boxes of one class in a subject that overlap by more, the less probable is dropped.
    """
    n_classes = probabilities.shape[1]
    subject = torch.repeat_interleave(torch.arange(len(counts)), torch.as_tensor(counts))
    # NaN compares false: a diverged network detects nothing.
    likely = (probabilities > min_probability) & boxes.isfinite().all(dim=2)
    column, row = likely.T.nonzero(as_tuple=True)
    group = subject[row] * n_classes + column
    kept = nms_of_groups(boxes[row, column], probabilities[row, column], group, max_iou=nms_iou)
    row, column = row[kept], column[kept]
    best = torch.sort(probabilities[row, column], descending=True, stable=True).indices
    best = best[torch.sort(subject[row[best]], stable=True).indices]
    row, column = row[best], column[best]
    sizes = torch.bincount(subject[row], minlength=len(counts)).tolist()
    found = boxes[row, column].split(sizes), (column + 1).split(sizes), probabilities[row].split(sizes)
    return [Detections(*one) for one in zip(*found, strict=True)]
