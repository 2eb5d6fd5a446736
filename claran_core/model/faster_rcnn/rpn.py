"""Region proposal network (paper section 4.3, Table 4 layers 18-21)."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from claran_core.model.faster_rcnn.anchors import anchor_grid, inside_image
from claran_core.model.faster_rcnn.losses import anchor_box_loss, class_loss
from claran_core.model.faster_rcnn.matcher import AnchorMatching, assign_anchors
from claran_core.model.layers.boxes import clip, decode, nms
from claran_core.model.layers.processing import BOX_DECIMALS, SCORE_DECIMALS
from claran_core.model.layers.types import Truth

__all__ = ["AnchorScores", "ProposalLimits", "Proposals", "RegionProposalNetwork", "RpnOptions"]


@dataclass(frozen=True)
class ProposalLimits:
    """Largest number of proposals before and after non-maximum suppression."""

    before_nms: int
    after_nms: int


@dataclass(frozen=True)
class RpnOptions:
    """Settings of the region proposal network; defaults are those of the paper and its published code.

    Attributes
    ----------
    channels : int
        Filters of RPN_Conv (Table 4, layer 18).
    anchor_sizes_px : tuple of float
        Sides of the square anchors in pixels of the network's input of 600 px (section 4.3.1); they scale
        with another input.
    min_side_px : float
        Proposals with a shorter side are dropped (4 px of the subject, times 600/132).
    nms_iou : float
        Overlap above which the worse of two proposals is dropped.
    train, detect : ProposalLimits
        Numbers of proposals.  Paper: 2,000 in training and 5 in detection.
    matching : AnchorMatching
        Matching of anchors with true sources in training.
    """

    channels: int = 512
    anchor_sizes_px: tuple[float, ...] = (16, 32, 64, 128, 256, 512)
    min_side_px: float = 4 * 600 / 132
    nms_iou: float = 0.7
    train: ProposalLimits = ProposalLimits(12000, 2000)
    detect: ProposalLimits = ProposalLimits(6000, 5)
    matching: AnchorMatching = field(default_factory=AnchorMatching)


@dataclass(frozen=True)
class AnchorScores:
    """Output of the network for each anchor.

    Attributes
    ----------
    scores : (N, A, 2) float tensor
        Scores of background and source, before the softmax (o_p).
    offsets : (N, A, 4) float tensor
        Offsets from anchor to source (d).
    anchors : (A, 4) float32 tensor
        Corners, px of the input.
    """

    scores: Tensor
    offsets: Tensor
    anchors: Tensor


@dataclass(frozen=True)
class Proposals:
    """Regions that may contain a source, padded to the same number for every subject.

    Attributes
    ----------
    boxes : (N, P, 4) float tensor
        Corners, px of the input, best first; differentiable with respect to the offsets.
    counts : list of int
        Number of proposals of each subject; the other rows are zero.
    """

    boxes: Tensor
    counts: list[int]


class RegionProposalNetwork(nn.Module):
    """Score anchors, and turn the best into proposals.

    Parameters
    ----------
    channels_in, stride_px : int
        Channels and cell width of the feature map.
    options : RpnOptions
        Settings of the network.
    """

    def __init__(self, channels_in: int, stride_px: int, options: RpnOptions) -> None:
        super().__init__()
        self.options, self.stride_px = options, stride_px
        k = len(options.anchor_sizes_px)
        self.convolution = nn.Conv2d(channels_in, options.channels, 3, padding=1)
        self.score = nn.Conv2d(options.channels, 2 * k, 1)
        self.offset = nn.Conv2d(options.channels, 4 * k, 1)

    def forward(self, features: Tensor) -> AnchorScores:
        """Return score and offset of every anchor for feature maps (N, C, H, W)."""
        n, _, rows, columns = features.shape
        hidden = F.relu(self.convolution(features))
        # In single precision, whatever the precision of the convolutions: bfloat16 has 8 bits, too few for
        # boxes.
        scores = self.score(hidden).float().permute(0, 2, 3, 1).reshape(n, -1, 2)
        offsets = self.offset(hidden).float().permute(0, 2, 3, 1).reshape(n, -1, 4)
        anchors = anchor_grid(
            self.options.anchor_sizes_px, self.stride_px, rows, columns, device=features.device
        )
        return AnchorScores(scores, offsets, anchors)

    def losses(
        self,
        predicted: AnchorScores,
        truths: Sequence[Truth],
        *,
        width: int,
        height: int,
        generators: Sequence[torch.Generator],
    ) -> dict[str, Tensor]:
        """Return ``anchor_class`` and ``anchor_box``: equations 4 and 6, means over the subjects."""
        usable = inside_image(predicted.anchors, width, height)
        class_losses, box_losses = [], []
        subjects = zip(predicted.scores, predicted.offsets, truths, generators, strict=True)
        for scores, offsets, truth, generator in subjects:
            target = assign_anchors(predicted.anchors, usable, truth, self.options.matching, generator)
            class_losses.append(class_loss(scores, target.labels))
            box_losses.append(
                anchor_box_loss(offsets, target.offsets, target.labels, n_usable=target.n_usable)
            )
        return {
            "anchor_class": torch.stack(class_losses).mean(),
            "anchor_box": torch.stack(box_losses).mean(),
        }

    def propose(
        self, predicted: AnchorScores, *, width: int, height: int, limits: ProposalLimits
    ) -> Proposals:
        """Turn the best anchors of each subject into at most ``limits.after_nms`` proposals."""
        scores = predicted.scores.detach()
        # Equal to the softmax of the two scores, and ten times as fast.
        objectness = torch.sigmoid(scores[..., 1] - scores[..., 0])
        found = [
            self._propose_one(score, offsets, predicted.anchors, (width, height), limits)
            for score, offsets in zip(objectness, predicted.offsets, strict=True)
        ]
        padded = [F.pad(boxes, (0, 0, 0, limits.after_nms - len(boxes))) for boxes in found]
        return Proposals(torch.stack(padded), [len(boxes) for boxes in found])

    def _propose_one(
        self,
        objectness: Tensor,
        offsets: Tensor,
        anchors: Tensor,
        size: tuple[int, int],
        limits: ProposalLimits,
    ) -> Tensor:
        """Return the proposals (P, 4) of one subject, with the gradient of its offsets."""
        # A diverged network predicts NaN: ranked last, and dropped below.
        objectness = torch.nan_to_num(_rounded(objectness, SCORE_DECIMALS), nan=-1.0)
        best = _best_first(objectness, limits.before_nms)
        boxes = clip(decode(offsets[best], anchors[best]), *size)
        rounded = _rounded(boxes.detach(), BOX_DECIMALS)
        # Comparisons with NaN are false.
        valid = ((rounded[:, 2:] - rounded[:, :2]) >= self.options.min_side_px).all(dim=1)
        valid &= objectness[best] >= 0
        kept = nms(
            rounded[valid],
            objectness[best][valid],
            max_iou=self.options.nms_iou,
            limit=limits.after_nms,
        )
        return boxes[valid][kept]


def _best_first(scores: Tensor, n: int) -> Tensor:
    """Return the indices of the `n` best scores, best first, ties by index, without sorting all."""
    if n < len(scores):
        worst = torch.topk(scores, n).values[-1]
        candidates = (scores >= worst).nonzero().squeeze(1)
    else:
        candidates = torch.arange(len(scores), device=scores.device)
    order = torch.sort(scores[candidates], descending=True, stable=True).indices
    return candidates[order[:n]]


def _rounded(values: Tensor, decimals: int) -> Tensor:
    return torch.round(values, decimals=decimals)
