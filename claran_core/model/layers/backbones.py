"""Feature extractors: VGG-16 as in paper Table 4, and a small feature pyramid.

Both take centred images ``(N, 3, H, W)`` and return one map ``(N, channels, H / stride, W / stride)``,
its sides rounded down (VGG-16, as in the paper) or up (feature pyramid).
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["FeaturePyramid", "Vgg16Backbone"]

# Table 4, layers 1-17: channels of the 3 x 3 convolutions, "pool" for a 2 x 2 maximum of stride 2.
VGG16_LAYERS = (64, 64, "pool", 128, 128, "pool", 256, 256, 256, "pool")
VGG16_LAYERS += (512, 512, 512, "pool", 512, 512, 512)

# Convolutions 1_1, 1_2, 2_1 and 2_2, which the paper freezes after loading ImageNet weights.
VGG16_LOW_CONVOLUTIONS = 4

# Groups of channels normalised together in the feature pyramid.
NORM_GROUPS = 8


class Vgg16Backbone(nn.Module):
    """Layers 1-17 of paper Table 4 (VGG-16, configuration D, without its last pooling).

    Parameters
    ----------
    freeze_low : bool
        Keep convolutions 1_1 to 2_2 as they are.  The paper does so with weights trained on ImageNet;
        frozen at random values they would only lose information.
    """

    channels = 512
    stride_px = 16

    def __init__(self, *, freeze_low: bool = False) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for entry in VGG16_LAYERS:
            if entry == "pool":
                layers.append(nn.MaxPool2d(2))
            else:
                layers += [nn.Conv2d(channels, int(entry), 3, padding=1), nn.ReLU(inplace=True)]
                channels = int(entry)
        self.layers = nn.Sequential(*layers)
        low = [layer for layer in layers if isinstance(layer, nn.Conv2d)][:VGG16_LOW_CONVOLUTIONS]
        for layer in low:
            layer.requires_grad_(not freeze_low)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) to (N, 512, H // 16, W // 16)."""
        return self.layers(images)


class _Convolution(nn.Module):
    """3 x 3 convolution with normalisation and ReLU.

    Groups are normalised, not batches: a subject's result must not depend on its neighbours in a batch.
    """

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels_in, channels, 3, padding=1, bias=False)
        self.norm = nn.GroupNorm(NORM_GROUPS, channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.convolution(x)))


class _Halving(nn.Module):
    """4 x 4 convolution of stride 2 with normalisation and ReLU; odd sides are rounded up.

    An even kernel keeps output cell i centred on input cells 2i and 2i + 1.  A 3 x 3 kernel would move
    the map by half a cell each time, away from where anchors and pooling take it to be.
    """

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels_in, channels, 4, stride=2, padding=1, bias=False)
        self.norm = nn.GroupNorm(NORM_GROUPS, channels)

    def forward(self, x: Tensor) -> Tensor:
        odd_height, odd_width = x.shape[-2] % 2, x.shape[-1] % 2
        if odd_height or odd_width:
            x = F.pad(x, (0, odd_width, 0, odd_height))
        return F.relu(self.norm(self.convolution(x)))


class _Residual(nn.Module):
    """Two 3 x 3 convolutions beside an identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _Convolution(channels, channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.GroupNorm(NORM_GROUPS, channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.norm(self.second(self.first(x))))


class FeaturePyramid(nn.Module):
    """Four scales down and three up again, ending in one map of stride 4.

    Sources are small (half of the 1C_1P boxes are under 12 px wide), which asks for a fine map; whether
    two lobes 60 px apart are one source can only be told from far, which asks for a coarse one.  The
    coarse maps (strides 8, 16 and 32) are therefore added back into the fine one, as in feature pyramids
    (Lin et al. 2017, arXiv:1612.03144).

    Parameters
    ----------
    widths : sequence of int
        Channels at strides 2, 4, 8, 16 and 32, multiples of 8.
    channels : int
        Channels of the map that is returned, a multiple of 8.
    """

    stride_px = 4

    def __init__(self, *, widths: Sequence[int] = (16, 32, 64, 96, 96), channels: int = 64) -> None:
        super().__init__()
        self.channels = channels
        self.stem = _Halving(3, widths[0])
        self.down = nn.ModuleList(
            nn.Sequential(_Halving(before, width), _Residual(width))
            for before, width in zip(widths, widths[1:], strict=False)
        )
        self.lateral = nn.ModuleList(nn.Conv2d(width, channels, 1) for width in widths[1:])
        self.merged = _Convolution(channels, channels)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) to (N, channels, ceil(H / 4), ceil(W / 4)); any H and W."""
        x = self.stem(images)
        levels = []
        for down, lateral in zip(self.down, self.lateral, strict=True):
            x = down(x)
            levels.append(lateral(x))
        top = levels.pop()
        while levels:
            top = _doubled(top, levels[-1].shape[-2:]) + levels.pop()
        return self.merged(top)


def _doubled(x: Tensor, shape: Sequence[int]) -> Tensor:
    """The map at twice the resolution, cut to `shape`: cell k covers cells 2k and 2k + 1 exactly."""
    x = x.repeat_interleave(2, dim=-2).repeat_interleave(2, dim=-1)
    return x[..., : shape[0], : shape[1]]
