"""Random weights in the layout of torchvision's vgg16."""

import numpy as np
import torch

__all__ = ["CHANNELS", "NUMBERS", "POOLED_AFTER", "WIDTH", "imagenet"]

# torchvision's vgg16: number of each convolution in `features`, channels in and out.
CHANNELS = (64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
NUMBERS = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
POOLED_AFTER = (2, 7, 14, 21)
WIDTH = 8


def imagenet(width: int = WIDTH) -> dict[str, torch.Tensor]:
    """Return random weights in the layout of torchvision, with a classifier of this width."""
    generator = torch.Generator().manual_seed(1)

    def drawn(*shape: int) -> torch.Tensor:
        fan_in = int(np.prod(shape[1:])) or 1
        return torch.randn(shape, generator=generator) * (2 / fan_in) ** 0.5

    tensors, before = {}, 3
    for number, channels in zip(NUMBERS, CHANNELS, strict=True):
        tensors[f"features.{number}.weight"] = drawn(channels, before, 3, 3)
        tensors[f"features.{number}.bias"] = 0.1 * drawn(channels)
        before = channels
    for number, (rows, columns) in zip(
        (0, 3, 6), ((width, 25088), (width, width), (1000, width)), strict=True
    ):
        tensors[f"classifier.{number}.weight"] = drawn(rows, columns)
        tensors[f"classifier.{number}.bias"] = drawn(rows)
    return tensors
