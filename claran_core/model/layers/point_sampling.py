"""Bilinear samples of feature maps at points, without gradients to the points."""

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["region_points", "sample_points"]


def region_points(boxes: Tensor, size: int) -> Tensor:
    """Return the centres of ``size`` x ``size`` equal parts of regions (paper eq. 8).

    Parameters
    ----------
    boxes : (R, 4) float tensor
        Corners.
    size : int
        Parts along each side.

    Returns
    -------
    (R, size * size, 2) float tensor
        x and y, row by row.
    """
    middles = (torch.arange(size, device=boxes.device, dtype=boxes.dtype) + 0.5) / size
    x1, y1, x2, y2 = (side[:, None] for side in boxes.unbind(dim=-1))
    x, y = x1 + (x2 - x1) * middles, y1 + (y2 - y1) * middles
    shape = (len(boxes), size, size)
    return torch.stack([x[:, None, :].expand(shape), y[:, :, None].expand(shape)], dim=-1).flatten(1, 2)


def sample_points(features: Tensor, image: Tensor, points: Tensor, stride_px: int) -> Tensor:
    """Return the features at some points.

    The value of a feature cell is that of its centre.  Outside the outermost cell centres the map continues
    with its border value, as in `claran_core.model.layers.roi_pooling.STPooling`.

    Parameters
    ----------
    features : (N, C, H, W) tensor
        Feature maps.
    image : (K,) int64 tensor
        Map of each row of points.
    points : (K, P, 2) float tensor
        x and y, px of the network's input.
    stride_px : int
        Width of a feature cell in these pixels.

    Returns
    -------
    (K, P, C) tensor
    """
    channels, height, width = features.shape[1:]
    cells = points / stride_px - 0.5
    x, y = cells[..., 0].clamp(0, width - 1), cells[..., 1].clamp(0, height - 1)
    left, top = x.floor().clamp(max=max(width - 2, 0)), y.floor().clamp(max=max(height - 2, 0))
    right, below = x - left, y - top
    corner = image[:, None] * (height * width) + (top * width + left).long()
    # A map of a single row or column has no next one: its weight is zero.
    east, south = int(width > 1), width * int(height > 1)
    corners = torch.stack([corner, corner + east, corner + south, corner + east + south], dim=-1)
    weights = torch.stack(
        [(1 - right) * (1 - below), right * (1 - below), (1 - right) * below, right * below], dim=-1
    )
    # In single precision, whatever the precision of the features: the weights are fractions of a cell.
    table = features.permute(0, 2, 3, 1).reshape(-1, channels).float()
    sampled = F.embedding_bag(
        corners.reshape(-1, 4), table, mode="sum", per_sample_weights=weights.reshape(-1, 4)
    )
    return sampled.reshape(*points.shape[:2], channels)
