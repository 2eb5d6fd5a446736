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
        sides = boxes / self.stride_px
        rows = self._weights(sides[..., 1], sides[..., 3], height)[:, :, :, None, :, None]
        columns = self._weights(sides[..., 0], sides[..., 2], width)[:, :, None, :, None, :]
        # One product of matrices: on a CPU several times faster than sampling point by point.
        weights = (rows * columns).reshape(n, -1, height * width)
        crops = weights @ features.flatten(2).transpose(1, 2).to(weights.dtype)
        return crops.reshape(-1, self.size, self.size, channels).permute(0, 3, 1, 2)

    def _weights(self, low: Tensor, high: Tensor, cells: int) -> Tensor:
        """Return the bilinear weights (N, R, size, cells) of the cells along one axis for each sample.

        `low` and `high` are the sides (N, R) of the regions in cells.
        """
        middles = (torch.arange(self.size, device=low.device, dtype=low.dtype) + 0.5) / self.size
        points = low[..., None] + (high - low)[..., None] * middles - 0.5  # from the centre of the first cell
        points = points.clamp(0, cells - 1)[..., None]
        return F.relu(1 - (points - torch.arange(cells, device=low.device, dtype=low.dtype)).abs())
