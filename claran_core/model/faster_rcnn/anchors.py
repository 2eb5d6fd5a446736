"""Anchors: a fixed grid of square boxes, the reference of the proposals (paper section 4.3.1)."""

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["anchor_grid", "inside_image"]


def anchor_grid(
    sizes_px: Sequence[float], stride_px: int, rows: int, columns: int, *, device: torch.device | str = "cpu"
) -> Tensor:
    """Return square anchors of every size, centred on every cell of a feature map.

    Parameters
    ----------
    sizes_px : sequence of float
        Sides in pixels of the network's input.
    stride_px : int
        Width of a feature cell in those pixels: cell (i, j) is centred at ``(j + 1/2, i + 1/2)`` strides.
    rows, columns : int
        Shape of the feature map.
    device : torch.device
        Device of the result.

    Returns
    -------
    (rows * columns * len(sizes_px), 4) float32 tensor
        Corners, ordered by row, column, size.
    """
    y = (torch.arange(rows, dtype=torch.float32, device=device) + 0.5) * stride_px
    x = (torch.arange(columns, dtype=torch.float32, device=device) + 0.5) * stride_px
    centre_y, centre_x = torch.meshgrid(y, x, indexing="ij")
    centre = torch.stack([centre_x, centre_y], dim=-1)[:, :, None, :]  # (rows, columns, 1, 2)
    half = torch.tensor(sizes_px, dtype=torch.float32, device=device)[:, None] / 2  # (sizes, 1)
    return torch.cat([centre - half, centre + half], dim=-1).reshape(-1, 4)


def inside_image(anchors: Tensor, width: float, height: float) -> Tensor:
    """Return which anchors (A,) do not cross the border of an image of `width` x `height` px."""
    limits = anchors.new_tensor([width, height])
    return (anchors[:, :2] >= 0).all(dim=1) & (anchors[:, 2:] <= limits).all(dim=1)
