"""The architectures: how each detector is assembled, and the initial weights."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from claran_core.common.morphology import MORPHOLOGIES
from claran_core.model.association.network import AssociationNetwork
from claran_core.model.faster_rcnn.heads import RecognitionHead
from claran_core.model.faster_rcnn.matcher import RoiMatching
from claran_core.model.faster_rcnn.network import FasterRCNN
from claran_core.model.faster_rcnn.rpn import RegionProposalNetwork, RpnOptions
from claran_core.model.layers.backbones import FeaturePyramid, Vgg16Backbone
from claran_core.model.layers.detector import Detector
from claran_core.model.layers.roi_pooling import STPooling
from claran_core.settings.model import (
    AssociationOptions,
    Vgg16Options,
    chosen_options,
)

__all__ = ["ARCHITECTURES", "build_detector"]

# Samples along each side of a region (paper Table 4, layer 23).
POOL_SIZE = 7

# Width of the input for which the sizes of the anchors are published.
PUBLISHED_INPUT_PX = 600

# Proposals with a shorter side, in px of the subject, are dropped (paper section 4.3.2).
MIN_SIDE_FRAME_PX = 4.0

# Standard deviation of the initial weights, of the layers of VGG-16 after the backbone (published code) and
# of all layers that predict scores.  Layers that predict box offsets start closer to zero, so that the first
# proposals are the anchors.
HEAD_STD = 0.01
OFFSET_STD = 0.001

# The standard deviations after the hidden layers of VGG-16 are those of 4,096 neurons.  After fewer neurons
# they are larger, so that the same variance passes.
PUBLISHED_FC_WIDTH = 4096
AFTER_HIDDEN = ("head.fc7", "head.score", "head.offset")

# Typical deviation of a pixel from the mean of its channel, in grey levels.  VGG-16 has no normalisation: the
# weights of its first layer are divided by this, so that the first scores are of the order of one.
PIXEL_SPREAD = 64.0


def build_detector(
    architecture: str,
    *,
    channel_means: Sequence[float],
    class_names: Sequence[str] = MORPHOLOGIES,
    frame_px: int = 132,
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
) -> Detector:
    """Return an untrained detector.

    Parameters
    ----------
    architecture : str
        A key of `ARCHITECTURES`: ``association`` or ``vgg16``.
    channel_means : sequence of three float
        Mean grey level of R, G and B over the training set.
    class_names : sequence of str
        Classes 1, 2, .. in order; the paper's by default.
    frame_px : int
        Width of a subject.
    seed : int
        Seed of the initial weights; the global generator of PyTorch is not changed.
    options : mapping, optional
        Fields of the architecture's options (`claran_core.settings.model`) that differ from
        their defaults.

    Returns
    -------
    Detector
        On the CPU, in training mode.

    Raises
    ------
    ConfigError
        As `chosen_options`.
    """
    chosen = chosen_options(architecture, options or {})
    # New layers draw default weights from the global generator.  `fork_rng` restores its state; the weights
    # are replaced below.
    common = {
        "architecture": architecture,
        "options": dict(options or {}),
        "class_names": tuple(class_names),
        "channel_means": channel_means,
    }
    with torch.random.fork_rng(devices=[]):
        detector = ARCHITECTURES[architecture](chosen, frame_px, common)
    _initialise(detector, torch.Generator().manual_seed(seed))
    return detector


def _vgg16(chosen: Vgg16Options, frame_px: int, common: dict[str, Any]) -> FasterRCNN:
    zoom = chosen.input_px / frame_px
    backbone = Vgg16Backbone(freeze_low=chosen.freeze_low)
    # Anchors that are as wide as the input never lie inside it, so training would not reject them.
    sizes = tuple(size * chosen.input_px / PUBLISHED_INPUT_PX for size in RpnOptions.anchor_sizes_px)
    rpn = RpnOptions(anchor_sizes_px=sizes, min_side_px=MIN_SIDE_FRAME_PX * zoom)
    return FasterRCNN(
        **common,
        backbone=backbone,
        rpn=RegionProposalNetwork(backbone.channels, backbone.stride_px, rpn),
        pooling=STPooling(POOL_SIZE, backbone.stride_px),
        head=RecognitionHead(
            backbone.channels,
            POOL_SIZE,
            fc_width=chosen.fc_width,
            n_classes=len(common["class_names"]),
            normalise=chosen.normalise,
        ),
        matching=RoiMatching(box_gradient=chosen.box_gradient),
        frame_px=frame_px,
        input_px=chosen.input_px,
    )


def _association(chosen: AssociationOptions, frame_px: int, common: dict[str, Any]) -> AssociationNetwork:
    del frame_px  # candidates are in frame pixels, for any width of the frame
    return AssociationNetwork(
        **common,
        backbone=FeaturePyramid(),
        pool_size=POOL_SIZE,
        width=chosen.width,
        dropout=chosen.dropout,
        blind=chosen.blind,
    )


ARCHITECTURES: Mapping[str, Callable[..., Detector]] = {
    "association": _association,
    "vgg16": _vgg16,
}


@torch.no_grad()
def _initialise(detector: Detector, generator: torch.Generator) -> None:
    """Draw all weights from `generator`.

    Layers followed by a ReLU are initialised as in He et al. (2015, arXiv:1502.01852), except the hidden
    layers after the backbone of VGG-16.  Layers that predict scores or offsets start near zero.
    """
    for name, module in detector.named_modules():
        if not isinstance(module, nn.Conv2d | nn.Linear):
            continue
        predicts = name.endswith(("score", "offset"))
        if predicts or (detector.architecture == "vgg16" and not name.startswith("backbone")):
            std = OFFSET_STD if name.endswith("offset") else HEAD_STD
            if isinstance(module, nn.Linear) and name in AFTER_HIDDEN:
                std *= math.sqrt(PUBLISHED_FC_WIDTH / module.in_features)
            nn.init.normal_(module.weight, std=std, generator=generator)
        else:
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
            if name == "backbone.layers.0":
                module.weight /= PIXEL_SPREAD
        if module.bias is not None:
            nn.init.zeros_(module.bias)
