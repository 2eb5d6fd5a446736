"""Pre- and post-processing shared by all detectors: centred images in, selected detections out."""

from collections.abc import Sequence

import torch
from torch import Tensor

from claran_core.model.layers.boxes import nms_of_groups
from claran_core.model.layers.types import Detections

__all__ = ["BOX_DECIMALS", "SCORE_DECIMALS", "centred", "select_detections"]

# Decimals kept of boxes (px) and probabilities: the last bits differ between machines and batch sizes.
BOX_DECIMALS = 4
SCORE_DECIMALS = 6


def centred(images: Tensor, channel_means: Tensor) -> Tensor:
    """Subtract the channel means from images (N, H, W, 3) in grey levels.

    Pixels that are not finite are set to the mean.  Returns float32 (N, 3, H, W), on the device of the means.
    """
    around_zero = images.to(channel_means.device).float() - channel_means
    return torch.nan_to_num(around_zero, nan=0.0, posinf=0.0, neginf=0.0).permute(0, 3, 1, 2).contiguous()


def select_detections(
    boxes: Tensor, probabilities: Tensor, counts: Sequence[int], min_probability: float, nms_iou: float
) -> list[Detections]:
    """Select the detections of each subject from its regions.

    A region gives one detection for every class that is probable enough.  Equal probabilities are ranked by
    class, then by region.

    Parameters
    ----------
    boxes : (R, C, 4) float tensor
        Box of each region for each class, on the CPU, subject after subject.
    probabilities : (R, C) float tensor
        Probability of each class for each region.
    counts : sequence of int
        Number of regions of each subject; their sum is R.
    min_probability : float
        Detections have a probability above this.
    nms_iou : float
        Of two boxes of one class in one subject with a larger overlap, the less probable one is dropped.
    """
    n_classes = probabilities.shape[1]
    subject = torch.repeat_interleave(torch.arange(len(counts)), torch.as_tensor(counts))
    # Comparisons with NaN are false: a diverged network detects nothing.
    likely = (probabilities > min_probability) & boxes.isfinite().all(dim=2)
    column, row = likely.T.nonzero(as_tuple=True)
    group = subject[row] * n_classes + column
    kept = nms_of_groups(boxes[row, column], probabilities[row, column], group, max_iou=nms_iou)
    row, column = row[kept], column[kept]
    best = torch.sort(probabilities[row, column], descending=True, stable=True).indices
    best = best[torch.sort(subject[row[best]], stable=True).indices]
    row, column = row[best], column[best]
    sizes = torch.bincount(subject[row], minlength=len(counts)).tolist()
    parts = (torch.split(values, sizes) for values in (boxes[row, column], column + 1, probabilities[row]))
    return [Detections(*subject_parts) for subject_parts in zip(*parts, strict=True)]
