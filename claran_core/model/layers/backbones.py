"""Feature extractors: VGG-16 as in paper Table 4, and a small feature pyramid.

Both take centred images ``(N, 3, H, W)`` and return one map ``(N, channels, H / stride, W / stride)``.
VGG-16 rounds the sides of the map down, as in the paper; the feature pyramid rounds them up.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from claran_core.model.layers.normalisation import NormalisedReLU

__all__ = ["Backbone", "FeaturePyramid", "Vgg16Backbone"]

# Table 4, layers 1-17: channels of the 3 x 3 convolutions of each block.  A 2 x 2 max pooling of stride 2
# separates two blocks.
VGG16_BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))

# Convolutions 1_1, 1_2, 2_1 and 2_2, which the paper freezes after loading ImageNet weights.
VGG16_LOW_CONVOLUTIONS = 4

# Groups of channels for the group normalisation of the feature pyramid.
NORM_GROUPS = 8


class Backbone(nn.Module):
    """Feature extractor.

    Attributes
    ----------
    channels : int
        Channels of the feature map.
    stride_px : int
        Width of a cell of the feature map, in pixels of the image.
    """

    channels: int
    stride_px: int


class Vgg16Backbone(Backbone):
    """Layers 1-17 of paper Table 4 (VGG-16, configuration D, without its last pooling).

    Parameters
    ----------
    freeze_low : bool
        Freeze convolutions 1_1 to 2_2.  The paper does so with weights trained on ImageNet.  Do not freeze
        random weights: they lose information.
    """

    channels = 512
    stride_px = 16

    def __init__(self, *, freeze_low: bool = False) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for number, block in enumerate(VGG16_BLOCKS):
            if number > 0:
                layers.append(nn.MaxPool2d(2))
            for width in block:
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
                channels = width
        self.layers = nn.Sequential(*layers)
        low = [layer for layer in layers if isinstance(layer, nn.Conv2d)][:VGG16_LOW_CONVOLUTIONS]
        for layer in low:
            layer.requires_grad_(not freeze_low)

    def forward(self, images: Tensor) -> Tensor:
        """Return features (N, 512, H // 16, W // 16) of images (N, 3, H, W)."""
        return self.layers(images)


class _Convolution(nn.Module):
    """3 x 3 convolution with group normalisation and ReLU.

    Batch normalisation would make the result of a subject depend on the other subjects of its batch.
    """

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels_in, channels, 3, padding=1, bias=False)
        self.norm = NormalisedReLU(NORM_GROUPS, channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.convolution(x))


class _Downsampling(nn.Module):
    """4 x 4 convolution of stride 2 with group normalisation and ReLU; odd sides are rounded up.

    An even kernel keeps output cell i centred on input cells 2i and 2i + 1.  A 3 x 3 kernel would shift the
    map by half a cell at each level, and anchors and pooling would be misaligned with it.
    """

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels_in, channels, 4, stride=2, padding=1, bias=False)
        self.norm = NormalisedReLU(NORM_GROUPS, channels)

    def forward(self, x: Tensor) -> Tensor:
        odd_height, odd_width = x.shape[-2] % 2, x.shape[-1] % 2
        if odd_height or odd_width:
            x = F.pad(x, (0, odd_width, 0, odd_height))
        return self.norm(self.convolution(x))


class _Residual(nn.Module):
    """Residual block of two 3 x 3 convolutions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _Convolution(channels, channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = NormalisedReLU(NORM_GROUPS, channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.second(self.first(x)), skip=x)


class FeaturePyramid(Backbone):
    """Feature pyramid (Lin et al. 2017, arXiv:1612.03144) that returns its finest map, of stride 4.

    Small sources (half of the 1C_1P boxes are narrower than 12 px) need a fine map; to recognise two lobes 60
    px apart as one source needs a large receptive field.  The maps of strides 8, 16 and 32 are therefore
    upsampled and added to that of stride 4.

    Parameters
    ----------
    widths : sequence of int
        Channels at strides 2, 4, 8, 16 and 32, multiples of 8.
    channels : int
        Channels of the returned map, a multiple of 8.
    """

    stride_px = 4

    def __init__(self, *, widths: Sequence[int] = (16, 32, 64, 96, 96), channels: int = 64) -> None:
        super().__init__()
        self.channels = channels
        self.stem = _Downsampling(3, widths[0])
        self.down = nn.ModuleList(
            nn.Sequential(_Downsampling(before, width), _Residual(width))
            for before, width in zip(widths, widths[1:], strict=False)
        )
        self.lateral = nn.ModuleList(nn.Conv2d(width, channels, 1) for width in widths[1:])
        self.merged = _Convolution(channels, channels)

    def forward(self, images: Tensor) -> Tensor:
        """Return features (N, channels, ceil(H / 4), ceil(W / 4)) of images (N, 3, H, W) of any size."""
        x = self.stem(images)
        levels = []
        for down, lateral in zip(self.down, self.lateral, strict=True):
            x = down(x)
            levels.append(lateral(x))
        top = levels.pop()
        while levels:
            finer = levels.pop()
            top = finer.add_(_upsampled(top, finer.shape[-2:]))
        return self.merged(top)


def _upsampled(x: Tensor, shape: Sequence[int]) -> Tensor:
    """Return the map at twice the resolution, cut to `shape`: cell k fills cells 2k and 2k + 1."""
    return F.interpolate(x, scale_factor=2, mode="nearest")[..., : shape[0], : shape[1]]
