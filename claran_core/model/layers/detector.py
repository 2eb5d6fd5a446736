"""The interface of every detector: fused images in, training losses or detections out."""

import functools
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from claran_core.components.component_batch import ComponentBatch
from claran_core.model.layers.processing import select_detections
from claran_core.model.layers.types import Candidates, Detections, Ownership, Regions, Truth

__all__ = ["LOSS_NAMES", "Detector", "total_loss"]

# Losses that a detector may have, in the order of the table of losses (paper equations 4, 6, 9 and 10;
# and how candidates that share components compare).
LOSS_NAMES = ("anchor_class", "anchor_box", "roi_class", "roi_box", "grouping")


def total_loss(losses: Mapping[str, Tensor]) -> Tensor:
    """Return the sum of the losses of a batch, which training minimises (equation 11)."""
    return functools.reduce(torch.add, losses.values())


class Detector(nn.Module, ABC):
    """Find radio sources in fused images and classify their morphology.

    Parameters
    ----------
    architecture : str
        Name under which `build_detector` makes it.
    options : mapping
        Options of the architecture that differ from their defaults.
    class_names : sequence of str
        Classes 1, 2, .. in order.
    channel_means : sequence of float
        Mean of each channel over the training set, in grey levels (paper section 4.1).

    Attributes
    ----------
    loss_names : tuple of str
        Losses that `forward` returns, a subset of `LOSS_NAMES`.
    groups_components : bool
        Whether sources are groups of the listed components.  A subject without components then has no
        source, whatever its image shows.
    head_layers : tuple of str
        Layers with rows for each column of scores, the same number for all.
    last_scores : int
        Number of columns of scores after those of the classes; one column comes before them.
    """

    loss_names: ClassVar[tuple[str, ...]]
    groups_components: ClassVar[bool]
    head_layers: ClassVar[tuple[str, ...]]
    last_scores: ClassVar[int]
    channel_means: Tensor

    def __init__(
        self,
        *,
        architecture: str,
        options: Mapping[str, Any],
        class_names: Sequence[str],
        channel_means: Sequence[float],
    ) -> None:
        super().__init__()
        self.architecture, self.options = architecture, dict(options)
        self.class_names = tuple(class_names)
        self.register_buffer("channel_means", torch.tensor(channel_means, dtype=torch.float32))

    @abstractmethod
    def forward(
        self,
        images: Tensor,
        truths: Sequence[Truth],
        generators: Sequence[torch.Generator],
        *,
        components: ComponentBatch,
        owners: Sequence[Ownership],
    ) -> dict[str, Tensor]:
        """Return the training losses of a batch.

        Parameters
        ----------
        images : (N, H, W, 3) uint8 or float tensor
            Fused RGB images, grey levels 0..255, on any device.
        truths : sequence of Truth
            True sources of each image, frame pixels.
        generators : sequence of torch.Generator
            One per image, on the CPU; all random numbers come from them.
        components : ComponentBatch
            Units of each image.
        owners : sequence of Ownership
            The true source of each unit, one entry per image.

        Returns
        -------
        dict of str to scalar tensor
            The losses of `loss_names`, means over the batch.
        """

    @abstractmethod
    def candidates(self, components: ComponentBatch) -> Candidates | None:
        """Return what `score` needs to know of the components of a batch, None if it needs nothing.

        The network is not used, so that another thread can list the candidates of the next batch.
        """

    @abstractmethod
    def score(self, images: Tensor, candidates: Candidates | None = None) -> Regions:
        """Return the regions of a batch of images with their probabilities.

        Parameters
        ----------
        images : (N, H, W, 3) uint8 or float tensor
            Fused RGB images, grey levels 0..255, on any device.
        candidates : Candidates or None
            What `candidates` returns for the components of the images.
        """

    def detect(
        self,
        images: Tensor,
        candidates: Candidates | None = None,
        *,
        min_probability: float,
        nms_iou: float,
    ) -> list[Detections]:
        """Find the sources in a batch of images: `score`, then `select_detections`.

        Returns
        -------
        list of Detections
            One per image, on the CPU; empty where nothing is found.
        """
        return select_detections(
            self.score(images, candidates), min_probability=min_probability, nms_iou=nms_iou
        )
