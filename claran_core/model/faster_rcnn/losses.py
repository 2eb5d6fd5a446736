"""The four losses of training (paper equations 4, 6, 9 and 10); their sum is equation 11.

Each takes one batch element or many at once: rows are anchors or regions, ignored rows count nowhere,
and a batch without any row gives a zero that gradients pass through.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from claran_core.model.faster_rcnn.matcher import BACKGROUND, IGNORED

__all__ = ["LOSS_NAMES", "anchor_box_loss", "class_loss", "roi_box_loss", "smooth_l1"]

LOSS_NAMES = ("anchor_class", "anchor_box", "roi_class", "roi_box")

# Where the smooth L1 of the anchor offsets turns from square to linear: at 1 / sigma^2 (published code).
ANCHOR_SIGMA = 3.0


def smooth_l1(difference: Tensor, *, sigma: float = 1.0) -> Tensor:
    """Huber loss of each element: ``(sigma d)^2 / 2`` up to ``|d| = 1 / sigma^2``, linear beyond."""
    knee = 1.0 / sigma**2
    size = difference.abs()
    return torch.where(size < knee, 0.5 * (sigma * difference) ** 2, size - 0.5 * knee)


def class_loss(scores: Tensor, labels: Tensor) -> Tensor:
    """Mean cross entropy over the rows that are not ignored (equations 4 and 9).

    Parameters
    ----------
    scores : (R, C) float tensor
        Before the softmax.
    labels : (R,) int64 tensor
        Column of the truth, or ``IGNORED``.

    Returns
    -------
    scalar tensor
        Zero without rows.
    """
    counted = (labels != IGNORED).nonzero().squeeze(1)
    total = F.cross_entropy(scores[counted], labels[counted], reduction="sum")
    return total / max(len(counted), 1)


def anchor_box_loss(offsets: Tensor, targets: Tensor, labels: Tensor, *, n_usable: int) -> Tensor:
    """Smooth L1 of the positive anchors' offsets, over the number of usable anchors |A'| (equation 6).

    Parameters
    ----------
    offsets, targets : (A, 4) float tensor
        Predicted and true.
    labels : (A,) int64 tensor
        Anchors labelled 1 count.
    n_usable : int
        Number of anchors not left out for crossing the border.

    Returns
    -------
    scalar tensor
        Zero without positive anchors.
    """
    positive = labels > BACKGROUND
    difference = offsets[positive] - targets[positive]
    return smooth_l1(difference, sigma=ANCHOR_SIGMA).sum() / max(n_usable, 1)


def roi_box_loss(offsets: Tensor, targets: Tensor, classes: Tensor) -> Tensor:
    """Smooth L1 of the offsets predicted for the true class, over all regions |M| (equation 10).

    Parameters
    ----------
    offsets : (R, C, 4) float tensor
        Predicted for each class, background (unused) included.
    targets : (R, 4) float tensor
        True offsets, in the same units.
    classes : (R,) int64 tensor
        True class, ``BACKGROUND`` or ``IGNORED``; only sources have a box to learn.

    Returns
    -------
    scalar tensor
        Zero without sources.
    """
    source = (classes > BACKGROUND).nonzero().squeeze(1)
    difference = offsets[source, classes[source]] - targets[source]
    return smooth_l1(difference).sum() / (classes != IGNORED).sum().clamp(min=1)
