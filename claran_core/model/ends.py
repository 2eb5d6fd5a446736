"""Both ends of every detector: centred images go in, rounded and selected detections come out."""

import torch
from torch import Tensor

from claran_core.model.boxes import nms
from claran_core.model.structures import Detections

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
    boxes: Tensor, probabilities: Tensor, min_probability: float, nms_iou: float
) -> Detections:
    """Detections of one subject from its regions' boxes (P, C, 4) and probabilities (P, C).

    A region is reported once for every class it may be; ties are ranked by class, then by region.
    """
    rows, classes = [], []
    for column in range(probabilities.shape[1]):
        # NaN compares false: a diverged network detects nothing.
        likely = (probabilities[:, column] > min_probability).nonzero().squeeze(1)
        likely = likely[boxes[likely, column].isfinite().all(dim=1)]
        kept = nms(boxes[likely, column], probabilities[likely, column], max_iou=nms_iou)
        rows.append(likely[kept])
        classes.append(torch.full_like(kept, column))
    row, column = torch.cat(rows), torch.cat(classes)
    best = torch.sort(probabilities[row, column], descending=True, stable=True).indices
    row, column = row[best], column[best]
    return Detections(boxes[row, column], column + 1, probabilities[row])
