"""Geometry of boxes: overlap, offsets between boxes, clipping, and exact non-maximum suppression.

Boxes are corners ``x1 y1 x2 y2`` with continuous edges: pixel i covers ``[i, i + 1)``, and the width is
``x2 - x1`` without "+1".
"""

import math

import torch
from torch import Tensor

__all__ = ["box_iou", "clip", "decode", "encode", "nms"]

# Largest growth of a box by `decode`, as the log of a ratio, so that an untrained or diverged network does
# not overflow the exponential.  1000/16 is usual in Faster R-CNN implementations.
MAX_LOG_RATIO = math.log(1000.0 / 16.0)

# Shorter sides (px) are set to this in `encode`, so that the logarithm of a flat box is finite.
MIN_SIDE_PX = 1e-3

# Boxes compared at once in `nms`: candidates, and kept boxes.  256 x 512 float32 (0.5 MB) fits into the L2
# cache of a CPU.  On a GPU the launch of a kernel dominates, so few large blocks are faster.
BLOCKS = {"cpu": (256, 512), "cuda": (2048, 4096)}


def box_iou(boxes: Tensor, others: Tensor) -> Tensor:
    """Return the intersection over union of every pair; 0 where both boxes have no area.

    Parameters
    ----------
    boxes : (N, 4) float tensor
        Corners.
    others : (M, 4) float tensor
        Corners.

    Returns
    -------
    (N, M) float tensor
        In [0, 1].
    """
    return _iou(_columns(boxes), _columns(others))


def encode(targets: Tensor, boxes: Tensor) -> Tensor:
    """Return the offsets that turn `boxes` into `targets` (paper equations 5 and 7).

    Parameters
    ----------
    targets, boxes : (..., 4) float tensor
        Corners; `boxes` must have an area.

    Returns
    -------
    (..., 4) float tensor
        Shift of the centre in units of the box's width and height, log ratios of width and height.
    """
    centre, side = _centre_side(boxes)
    target_centre, target_side = _centre_side(targets)
    log_ratio = torch.log(target_side.clamp(min=MIN_SIDE_PX) / side)
    return torch.cat([(target_centre - centre) / side, log_ratio], dim=-1)


def decode(offsets: Tensor, boxes: Tensor) -> Tensor:
    """Shift and scale boxes by `offsets` (paper equation 3); the inverse of `encode`.

    Parameters
    ----------
    offsets : (..., 4) float tensor
        As `encode` returns them; log ratios are limited to `MAX_LOG_RATIO`.
    boxes : (..., 4) float tensor
        Corners; broadcast against `offsets`.

    Returns
    -------
    (..., 4) float tensor
        Corners; differentiable with respect to both arguments.
    """
    centre, side = _centre_side(boxes)
    new_centre = offsets[..., :2] * side + centre
    half = offsets[..., 2:].clamp(max=MAX_LOG_RATIO).exp() * side / 2
    return torch.cat([new_centre - half, new_centre + half], dim=-1)


def clip(boxes: Tensor, width: float, height: float) -> Tensor:
    """Clip boxes to an image of `width` x `height` px; a clipped box may have no area."""
    limits = boxes.new_tensor([width, height, width, height])
    return torch.minimum(boxes.clamp(min=0), limits)


def nms(boxes: Tensor, scores: Tensor, *, max_iou: float, limit: int | None = None) -> Tensor:
    """Select boxes by greedy non-maximum suppression (paper section 4.3.2), computed block by block.

    The best box is kept, and every other box that overlaps it by more than `max_iou` is dropped; then the
    best of the remaining boxes is kept, and so on.  Equal scores are ranked by index.

    Parameters
    ----------
    boxes : (N, 4) float tensor
        Corners, finite.
    scores : (N,) float tensor
        Higher is better.
    max_iou : float
        Overlap above which the worse box is dropped.
    limit : int, optional
        Stop when this number of boxes is kept.

    Returns
    -------
    (K,) int64 tensor
        Indices of the kept boxes, best first.
    """
    limit = len(boxes) if limit is None else limit
    order = torch.sort(scores.detach(), descending=True, stable=True).indices
    columns = _columns(boxes.detach()[order])
    kept = order.new_empty(0)
    at_a_time, kept_at_a_time = BLOCKS[order.device.type]
    for start in range(0, len(order), at_a_time):
        if len(kept) >= limit:
            break
        block = torch.arange(start, min(start + at_a_time, len(order)), device=order.device)
        for first in range(0, len(kept), kept_at_a_time):
            better = columns[:, kept[first : first + kept_at_a_time]]
            block = block[_iou(columns[:, block], better).amax(dim=1) <= max_iou]
        kept = torch.cat([kept, block[_greedy(_iou(columns[:, block], columns[:, block]) > max_iou)]])
    return order[kept[:limit]]


def _greedy(overlapping: Tensor) -> Tensor:
    """Return the rows (B,) bool of a (B, B) bool tensor that greedy suppression keeps; rows are best first.

    A box is kept if no better kept box overlaps it.  The rule is iterated on all boxes at once: boxes
    converge from the best to the worst, and the fixed point is the greedy result.  The number of iterations
    is the length of the longest chain of suppressions, usually a few.
    """
    before = overlapping.triu(diagonal=1).float()
    keep = torch.ones(len(before), dtype=torch.bool, device=before.device)
    while True:
        settled = (keep.float() @ before) == 0
        if torch.equal(settled, keep):
            return keep
        keep = settled


def _columns(boxes: Tensor) -> Tensor:
    """Return x1, y1, x2, y2 and area of boxes as contiguous rows (5, N), the input of `_iou`."""
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return torch.cat([boxes.T, area[None]])


def _iou(rows: Tensor, columns: Tensor) -> Tensor:
    """Return the IoU (N, M) of boxes given as `_columns`, in few passes over memory."""
    a, b = rows[:, :, None], columns[:, None, :]
    overlap = torch.minimum(a[2], b[2]).sub_(torch.maximum(a[0], b[0])).clamp_(min=0)
    overlap *= torch.minimum(a[3], b[3]).sub_(torch.maximum(a[1], b[1])).clamp_(min=0)
    union = (a[4] + b[4]).sub_(overlap)
    return overlap.div_(union.clamp_(min=torch.finfo(union.dtype).tiny))


def _centre_side(boxes: Tensor) -> tuple[Tensor, Tensor]:
    corner, opposite = boxes[..., :2], boxes[..., 2:]
    return (corner + opposite) / 2, opposite - corner
