"""The detector: images in, losses or sources out (Faster R-CNN; paper section 4, Fig. 7).

    images -> backbone -> region proposal network -> ST pooling -> recognition head

Boxes enter and leave in frame pixels.  Inside, they are in pixels of the network's input, which is
the frame magnified by a constant zoom: the paper's 600 / 132, or 1.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from claran_core.components.component_table import SubjectComponents
from claran_core.model.faster_rcnn.heads import RecognitionHead
from claran_core.model.faster_rcnn.losses import LOSS_NAMES, class_loss, roi_box_loss
from claran_core.model.faster_rcnn.matcher import RoiMatching, RoiTargets, sample_rois
from claran_core.model.faster_rcnn.rpn import Proposals, RegionProposalNetwork
from claran_core.model.layers.boxes import clip, decode
from claran_core.model.layers.processing import BOX_DECIMALS, SCORE_DECIMALS, centred, select_detections
from claran_core.model.layers.roi_pooling import STPooling
from claran_core.model.layers.types import Detections, Truth

__all__ = ["Detector"]


class Detector(nn.Module):
    """Finds radio sources in fused images and tells their morphology.

    Parameters
    ----------
    architecture : str
        Name `build_detector` makes it under.
    options : mapping
        What else `build_detector` needs to make it again.
    backbone, rpn, pooling, head : Module
        The parts.
    matching : RoiMatching
        How proposals are matched with truths in training.
    channel_means : sequence of float
        Mean of each channel of the training set, in grey levels (paper section 4.1).
    frame_px : int
        Width of the subjects it is made for.
    input_px : int
        Width to which such a subject is magnified; larger fields are magnified by the same factor.
    """

    # What `forward` returns.
    loss_names = LOSS_NAMES

    def __init__(
        self,
        *,
        architecture: str,
        options: Mapping[str, Any],
        backbone: nn.Module,
        rpn: RegionProposalNetwork,
        pooling: STPooling,
        head: RecognitionHead,
        matching: RoiMatching,
        channel_means: Sequence[float],
        frame_px: int,
        input_px: int,
    ) -> None:
        super().__init__()
        self.architecture, self.options = architecture, dict(options)
        self.backbone, self.rpn, self.pooling, self.head = backbone, rpn, pooling, head
        self.matching = matching
        self.frame_px, self.input_px = frame_px, input_px
        self.register_buffer("channel_means", torch.tensor(channel_means, dtype=torch.float32))
        self.register_buffer("offset_std", torch.tensor(matching.offset_std), persistent=False)

    def forward(
        self,
        images: Tensor,
        truths: Sequence[Truth],
        generators: Sequence[torch.Generator],
        *,
        components: Sequence[SubjectComponents] = (),
    ) -> dict[str, Tensor]:
        """Training losses of a batch.

        Parameters
        ----------
        images : (N, H, W, 3) uint8 or float tensor
            Fused RGB images, grey levels 0..255, on any device.
        truths : sequence of Truth
            True sources of each image, frame pixels.
        generators : sequence of torch.Generator
            One per image, on the CPU, for all that is random: sampling of anchors and proposals, dropout.
        components : sequence of SubjectComponents
            Not looked at: this network proposes its own regions.

        Returns
        -------
        dict of str to scalar tensor
            ``anchor_class``, ``anchor_box``, ``roi_class``, ``roi_box``: means over the batch of
            equations 4, 6, 9 and 10.  Their sum is what training minimises (equation 11).
        """
        inputs, scale = self._prepared(images)
        height, width = inputs.shape[-2:]
        truths = [truth.placed(scale) for truth in truths]
        features = self.backbone(inputs)
        said = self.rpn(features)
        losses = self.rpn.losses(said, truths, width=width, height=height, generators=generators)
        proposals = self.rpn.propose(said, width=width, height=height, limits=self.rpn.options.train)
        # The proposals keep their gradient on purpose: through ST pooling the recognition losses also
        # move the boxes of the proposal network, which is what makes the pipeline end to end (4.4).
        regions = [
            sample_rois(boxes[:count], truth, self.matching, generator)
            for boxes, count, truth, generator in zip(
                proposals.boxes, proposals.counts, truths, generators, strict=True
            )
        ]
        return losses | self._roi_losses(features, regions, generators)

    @torch.inference_mode()
    def detect(
        self,
        images: Tensor,
        *,
        min_probability: float,
        nms_iou: float,
        components: Sequence[SubjectComponents] = (),
    ) -> list[Detections]:
        """Find the sources in a batch of images.

        Parameters
        ----------
        images : (N, H, W, 3) uint8 or float tensor
            Fused RGB images, grey levels 0..255, on any device.
        min_probability : float
            A box is returned for each class more probable than this.
        nms_iou : float
            Of two boxes of one class that overlap by more, the less probable is dropped.
        components : sequence of SubjectComponents
            Not looked at.

        Returns
        -------
        list of Detections
            One per image, on the CPU; empty where nothing was found.
        """
        inputs, scale = self._prepared(images)
        height, width = inputs.shape[-2:]
        features = self.backbone(inputs)
        proposals = self.rpn.propose(
            self.rpn(features), width=width, height=height, limits=self.rpn.options.detect
        )
        boxes, probabilities = self._recognised(features, proposals, scale, images.shape[1:3])
        rows = torch.arange(boxes.shape[1]) < torch.as_tensor(proposals.counts)[:, None]
        return select_detections(boxes[rows], probabilities[rows], proposals.counts, min_probability, nms_iou)

    def _prepared(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Centred and magnified images (N, 3, h, w), and (4,) the factor from frame to input pixels."""
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
        of_subject = zip(scores.chunk(len(regions)), offsets.chunk(len(regions)), regions, strict=True)
        of_class, of_box = [], []
        for score, offset, region in of_subject:
            of_class.append(class_loss(score, region.classes))
            of_box.append(roi_box_loss(offset, region.offsets, region.classes))
        return {"roi_class": torch.stack(of_class).mean(), "roi_box": torch.stack(of_box).mean()}

    def _recognised(
        self, features: Tensor, proposals: Proposals, scale: Tensor, frame_shape: Sequence[int]
    ) -> tuple[Tensor, Tensor]:
        """Boxes (N, P, 6, 4) in frame pixels and probabilities (N, P, 6), rounded, on the CPU."""
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
