"""ST pooling: crop regions of the feature map by affine transformation and bilinear sampling (paper eq. 8).

In contrast to RoI max pooling, gradients pass to the coordinates of the boxes as well as to the features, so
the whole network is trained end to end (paper section 4.4).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["STPooling"]


class STPooling(nn.Module):
    """Sample each region on a regular grid of ``size`` x ``size`` points.

    Cell (i, j) of the feature map covers ``[j, j + 1) x [i, i + 1)`` strides; its value is that of its
    centre. The samples are the centres of ``size`` x ``size`` equal parts of a region.  Outside the outermost
    cell centres the map continues with its border value, not with zeros, so that sources at the border are
    not dimmed.

    Parameters
    ----------
    size : int
        Samples along each side (7 in paper Table 4).
    stride_px : int
        Width of a feature cell in pixels of the boxes.
    """

    def __init__(self, size: int, stride_px: int) -> None:
        super().__init__()
        self.size, self.stride_px = size, stride_px

    def forward(self, features: Tensor, boxes: Tensor) -> Tensor:
        """Return a crop of the features for each region.

        Parameters
        ----------
        features : (N, C, H, W) float tensor
            Feature maps.
        boxes : (N, R, 4) float tensor
            Corners, px of the network's input; boxes without area are allowed.

        Returns
        -------
        (N * R, C, size, size) float tensor
            Ordered by image, then region.
        """
        n, channels, height, width = features.shape
        regions = boxes.shape[1]
        grid = self._grid(boxes / self.stride_px, width, height)  # (N, R, size, size, 2)
        # All regions of an image form one tall grid, so that features are not copied per region in the
        # forward pass, nor gradients of that size in the backward pass.
        tall = grid.reshape(n, regions * self.size, self.size, 2)
        crops = F.grid_sample(features, tall, mode="bilinear", padding_mode="border", align_corners=False)
        crops = crops.reshape(n, channels, regions, self.size, self.size)
        return crops.transpose(1, 2).reshape(n * regions, channels, self.size, self.size)

    def _grid(self, boxes: Tensor, width: int, height: int) -> Tensor:
        """Return the sampling points of equation 8 in [-1, 1] across the map, for boxes in feature cells."""
        middles = (torch.arange(self.size, device=boxes.device, dtype=boxes.dtype) * 2 + 1) / self.size - 1
        x1, y1, x2, y2 = (side[..., None] for side in boxes.unbind(dim=-1))  # (N, R, 1) each
        u = (x2 - x1) / width * middles + (x1 + x2 - width) / width  # (N, R, size)
        v = (y2 - y1) / height * middles + (y1 + y2 - height) / height
        shape = (*u.shape, self.size)
        return torch.stack(
            [u[..., None, :].expand(shape), v[..., :, None].expand(shape)], dim=-1
        )  # (N, R, row, column, 2)
