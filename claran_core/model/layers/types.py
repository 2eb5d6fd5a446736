"""What goes into the detector as truth and what comes out of it as detections, per subject."""

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Detections", "Truth"]


@dataclass(frozen=True)
class Truth:
    """True sources of one subject; none at all is normal.

    Attributes
    ----------
    boxes : (M, 4) float32 tensor
        Corners ``x1 y1 x2 y2`` in frame pixels.
    classes : (M,) int64 tensor
        Class k, 1..6, is ``MORPHOLOGIES[k - 1]``.
    """

    boxes: Tensor
    classes: Tensor

    def placed(self, scale: Tensor) -> "Truth":
        """The same truth on the device of `scale` (4,), its boxes multiplied by it."""
        boxes = self.boxes.to(scale.device, torch.float32).reshape(-1, 4) * scale
        return Truth(boxes, self.classes.to(scale.device, torch.int64).reshape(-1))


@dataclass(frozen=True)
class Detections:
    """What was found in one subject, one row per box and class, best first.

    Attributes
    ----------
    boxes : (K, 4) float32 tensor
        Corners ``x1 y1 x2 y2`` in frame pixels, clipped to the frame.
    classes : (K,) int64 tensor
        Class 1..6 the row is about.
    probabilities : (K, 6) float32 tensor
        Softmax over the classes of the region behind the row, without its background column: rows sum
        to at most one.
    """

    boxes: Tensor
    classes: Tensor
    probabilities: Tensor

    def __len__(self) -> int:
        return len(self.classes)

    @property
    def scores(self) -> Tensor:
        """(K,) float32 tensor: probability of each row's own class."""
        return self.probabilities.gather(1, self.classes[:, None] - 1).squeeze(1)
