"""The Faster R-CNN of the paper (section 4, Fig. 7).

    images -> backbone -> region proposal network -> ST pooling -> recognition head

Boxes enter and leave in frame pixels.  Inside, they are in pixels of the network's input: the frame
magnified by ``input_px / frame_px``, in the paper 600 / 132.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from claran_core.components.component_batch import ComponentBatch
from claran_core.model.faster_rcnn.heads import RecognitionHead
from claran_core.model.faster_rcnn.losses import class_loss, roi_box_loss
from claran_core.model.faster_rcnn.matcher import RoiMatching, RoiTargets, sample_rois
from claran_core.model.faster_rcnn.rpn import Proposals, RegionProposalNetwork
from claran_core.model.layers.backbones import Backbone
from claran_core.model.layers.boxes import clip, decode
from claran_core.model.layers.detector import Detector
from claran_core.model.layers.processing import BOX_DECIMALS, SCORE_DECIMALS, centred
from claran_core.model.layers.roi_pooling import STPooling
from claran_core.model.layers.types import Candidates, Ownership, Regions, Truth

__all__ = ["FasterRCNN"]


class FasterRCNN(Detector):
    """Detector that proposes regions with a network and recognises each.

    Parameters
    ----------
    architecture, options, class_names, channel_means
        As for `Detector`.
    backbone, rpn, pooling, head : Module
        The parts of the network.
    matching : RoiMatching
        How training matches proposals with true sources.
    frame_px : int
        Width of a subject.
    input_px : int
        Width of a subject in the network's input; larger fields are magnified by the same factor.
    """

    loss_names = ("anchor_class", "anchor_box", "roi_class", "roi_box")
    groups_components = False
    head_layers = ("head.score", "head.offset")
    last_scores = 0
    offset_std: Tensor

    def __init__(
        self,
        *,
        architecture: str,
        options: Mapping[str, Any],
        class_names: Sequence[str],
        backbone: Backbone,
        rpn: RegionProposalNetwork,
        pooling: STPooling,
        head: RecognitionHead,
        matching: RoiMatching,
        channel_means: Sequence[float],
        frame_px: int,
        input_px: int,
    ) -> None:
        super().__init__(
            architecture=architecture, options=options, class_names=class_names, channel_means=channel_means
        )
        self.backbone, self.rpn, self.pooling, self.head = backbone, rpn, pooling, head
        self.matching = matching
        self.frame_px, self.input_px = frame_px, input_px
        self.register_buffer("offset_std", torch.tensor(matching.offset_std), persistent=False)

    def forward(
        self,
        images: Tensor,
        truths: Sequence[Truth],
        generators: Sequence[torch.Generator],
        *,
        components: ComponentBatch | None = None,
        owners: Sequence[Ownership] = (),
    ) -> dict[str, Tensor]:
        """Return the losses of `Detector.forward`: all four, equations 4, 6, 9 and 10.

        The generators draw the samples of anchors and proposals, and the dropout; `components` and `owners`
        are unused.
        """
        inputs, scale = self._magnified(images)
        height, width = inputs.shape[-2:]
        truths = [truth.rescaled(scale) for truth in truths]
        features = self.backbone(inputs)
        anchors = self.rpn(features)
        losses = self.rpn.losses(anchors, truths, width=width, height=height, generators=generators)
        proposals = self.rpn.propose(anchors, width=width, height=height, limits=self.rpn.options.train)
        # The proposals keep their gradient: through ST pooling the recognition losses also move the boxes
        # of the proposal network, which makes the training end to end (section 4.4).
        regions = [
            sample_rois(boxes[:count], truth, self.matching, generator)
            for boxes, count, truth, generator in zip(
                proposals.boxes, proposals.counts, truths, generators, strict=True
            )
        ]
        return losses | self._roi_losses(features, regions, generators)

    def candidates(self, components: ComponentBatch) -> None:
        """Return nothing: the network proposes its own regions."""
        del components

    @torch.inference_mode()
    def score(self, images: Tensor, candidates: Candidates | None = None) -> Regions:
        """Return the proposals of each image as `Detector.score`; `candidates` is unused."""
        inputs, scale = self._magnified(images)
        height, width = inputs.shape[-2:]
        features = self.backbone(inputs)
        proposals = self.rpn.propose(
            self.rpn(features), width=width, height=height, limits=self.rpn.options.detect
        )
        boxes, probabilities = self._recognised(features, proposals, scale, images.shape[1:3])
        is_proposal = torch.arange(boxes.shape[1]) < torch.as_tensor(proposals.counts)[:, None]
        artefact = torch.zeros(int(is_proposal.sum()))
        return Regions(np.array(proposals.counts), boxes[is_proposal], probabilities[is_proposal], artefact)

    def _magnified(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return centred, magnified images (N, 3, h, w), and the factors (4,) from frame to input pixels."""
        inputs = centred(images, self.channel_means)
        height, width = inputs.shape[-2:]
        zoom = self.input_px / self.frame_px
        new_height, new_width = round(height * zoom), round(width * zoom)
        if (new_height, new_width) != (height, width):
            inputs = F.interpolate(inputs, (new_height, new_width), mode="bilinear", align_corners=False)
        return inputs, inputs.new_tensor([new_width / width, new_height / height] * 2)

    def _roi_losses(
        self, features: Tensor, regions: list[RoiTargets], generators: Sequence[torch.Generator]
    ) -> dict[str, Tensor]:
        pooled = self.pooling(features, torch.stack([region.boxes for region in regions]))
        scores, offsets = self.head(pooled, generators)
        subjects = zip(scores.chunk(len(regions)), offsets.chunk(len(regions)), regions, strict=True)
        class_losses, box_losses = [], []
        for score, offset, region in subjects:
            class_losses.append(class_loss(score, region.classes))
            box_losses.append(roi_box_loss(offset, region.offsets, region.classes))
        return {"roi_class": torch.stack(class_losses).mean(), "roi_box": torch.stack(box_losses).mean()}

    def _recognised(
        self, features: Tensor, proposals: Proposals, scale: Tensor, frame_shape: Sequence[int]
    ) -> tuple[Tensor, Tensor]:
        """Return boxes (N, P, C, 4) in frame pixels and probabilities (N, P, C), rounded, on the CPU."""
        scores, offsets = self.head(self.pooling(features, proposals.boxes))
        n, p = proposals.boxes.shape[:2]
        probabilities = scores.softmax(dim=-1)[:, 1:].reshape(n, p, -1)
        offsets = (offsets[:, 1:] * self.offset_std).reshape(n, p, -1, 4)
        height, width = frame_shape
        boxes = clip(decode(offsets, proposals.boxes[:, :, None]) / scale, width, height)
        # Rounded before any threshold: the last bits differ between machines and batch sizes.
        return torch.round(boxes, decimals=BOX_DECIMALS).cpu(), torch.round(
            probabilities, decimals=SCORE_DECIMALS
        ).cpu()
