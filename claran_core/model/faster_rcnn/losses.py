"""The losses of the Faster R-CNN (paper equations 4, 6, 9 and 10); their sum is equation 11.

Rows are anchors or regions, of one subject or of several.  Ignored rows do not count.  Without rows a loss is
zero, and gradients pass through it.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from claran_core.model.faster_rcnn.matcher import BACKGROUND, IGNORED

__all__ = ["anchor_box_loss", "class_loss", "roi_box_loss", "smooth_l1"]

# The smooth L1 loss of the anchor offsets is quadratic up to 1 / sigma^2 (published code).
ANCHOR_SIGMA = 3.0


def smooth_l1(difference: Tensor, *, sigma: float = 1.0) -> Tensor:
    """Return the Huber loss of each element: ``(sigma d)^2 / 2`` up to ``|d| = 1 / sigma^2``, then linear."""
    knee = 1.0 / sigma**2
    size = difference.abs()
    return torch.where(size < knee, 0.5 * (sigma * difference) ** 2, size - 0.5 * knee)


def class_loss(scores: Tensor, labels: Tensor) -> Tensor:
    """Return the mean cross entropy over the rows that are not ignored (equations 4 and 9).

    Parameters
    ----------
    scores : (R, C) float tensor
        Before the softmax.
    labels : (R,) int64 tensor
        Column of the true class, or ``IGNORED``.

    Returns
    -------
    scalar tensor
        Zero without rows.
    """
    counted = (labels != IGNORED).nonzero().squeeze(1)
    total = F.cross_entropy(scores[counted], labels[counted], reduction="sum")
    return total / max(len(counted), 1)


def anchor_box_loss(offsets: Tensor, targets: Tensor, labels: Tensor, *, n_usable: int) -> Tensor:
    """Return the smooth L1 loss of the positive anchors, over the number of usable anchors (equation 6).

    Parameters
    ----------
    offsets, targets : (A, 4) float tensor
        Predicted and true.
    labels : (A,) int64 tensor
        Anchors with label 1 count.
    n_usable : int
        Number of anchors inside the image, |A'|.

    Returns
    -------
    scalar tensor
        Zero without positive anchors.
    """
    positive = labels > BACKGROUND
    difference = offsets[positive] - targets[positive]
    return smooth_l1(difference, sigma=ANCHOR_SIGMA).sum() / max(n_usable, 1)


def roi_box_loss(offsets: Tensor, targets: Tensor, classes: Tensor) -> Tensor:
    """Return the smooth L1 loss for the true class, divided by the number of regions |M| (equation 10).

    Parameters
    ----------
    offsets : (R, C, 4) float tensor
        Predicted for each class; the background, column 0, is unused.
    targets : (R, 4) float tensor
        True offsets, in the same units.
    classes : (R,) int64 tensor
        True class, ``BACKGROUND`` or ``IGNORED``; only sources count.

    Returns
    -------
    scalar tensor
        Zero without sources.
    """
    source = (classes > BACKGROUND).nonzero().squeeze(1)
    difference = offsets[source, classes[source]] - targets[source]
    return smooth_l1(difference).sum() / (classes != IGNORED).sum().clamp(min=1)
