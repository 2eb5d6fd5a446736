"""Faster R-CNN detectors small enough for a test: on a feature pyramid, or a narrow `vgg16`."""

import torch

from claran_core.common.morphology import MORPHOLOGIES
from claran_core.model.architectures import MIN_SIDE_FRAME_PX, POOL_SIZE
from claran_core.model.faster_rcnn.heads import RecognitionHead
from claran_core.model.faster_rcnn.matcher import AnchorMatching, RoiMatching
from claran_core.model.faster_rcnn.network import FasterRCNN
from claran_core.model.faster_rcnn.rpn import ProposalLimits, RegionProposalNetwork, RpnOptions
from claran_core.model.layers.backbones import FeaturePyramid
from claran_core.model.layers.roi_pooling import STPooling

__all__ = ["NARROW_VGG16", "pyramid_detector"]

# Options of `vgg16` for subjects of 64 px.
NARROW_VGG16 = {"fc_width": 8, "input_px": 64}


def pyramid_detector(channel_means: tuple[float, float, float], *, seed: int = 3) -> FasterRCNN:
    """Assemble a detector on a feature pyramid, with random weights; 90 steps teach it squares."""
    rpn = RpnOptions(
        channels=64,
        anchor_sizes_px=(9, 14, 20, 30, 46, 68, 102),
        min_side_px=MIN_SIDE_FRAME_PX,
        train=ProposalLimits(300, 80),
        detect=ProposalLimits(400, 40),
        matching=AnchorMatching(batch=128),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        backbone = FeaturePyramid()
        return FasterRCNN(
            architecture="pyramid",
            options={},
            class_names=MORPHOLOGIES,
            backbone=backbone,
            rpn=RegionProposalNetwork(backbone.channels, backbone.stride_px, rpn),
            pooling=STPooling(POOL_SIZE, backbone.stride_px),
            head=RecognitionHead(
                backbone.channels, POOL_SIZE, fc_width=192, n_classes=len(MORPHOLOGIES), dropout=0.2
            ),
            matching=RoiMatching(background_iou=0.0, batch=48),
            channel_means=channel_means,
            frame_px=132,
            input_px=132,
        )
