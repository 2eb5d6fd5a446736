"""Region proposal network: where in the subject a source may be (paper section 4.3, Table 4 layers 18-21)."""

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
    """Proposals that enter suppression, and at most leave it."""

    before_nms: int
    after_nms: int


@dataclass(frozen=True)
class RpnOptions:
    """Settings of the region proposal network; defaults are the paper's and its published code's.

    Attributes
    ----------
    channels : int
        Filters of RPN_Conv (Table 4, layer 18).
    anchor_sizes_px : tuple of float
        Sides of the square anchors in pixels of the network's input (section 4.3.1).
    min_side_px : float
        Narrower or flatter proposals are dropped (4 px of the subject, times 600/132).
    nms_iou : float
        Overlap above which the worse of two proposals is dropped.
    train, detect : ProposalLimits
        How many proposals to keep.  Paper: 2,000 in training and 5 in detection.
    matching : AnchorMatching
        How anchors are labelled in training.
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
    """What the network says about each anchor.

    Attributes
    ----------
    scores : (N, A, 2) float tensor
        Background and source score, before the softmax (o_p).
    offsets : (N, A, 4) float tensor
        Offsets from anchor to source (d).
    anchors : (A, 4) float32 tensor
        The anchors themselves, px of the input.
    """

    scores: Tensor
    offsets: Tensor
    anchors: Tensor


@dataclass(frozen=True)
class Proposals:
    """Regions that may hold a source, padded to the same number for every subject.

    Attributes
    ----------
    boxes : (N, P, 4) float tensor
        Corners, px of the input, best first; differentiable with respect to the offsets.
    counts : list of int
        How many of each subject's rows are proposals; the rest are zeros.
    """

    boxes: Tensor
    counts: list[int]


class RegionProposalNetwork(nn.Module):
    """Scores anchors, learns from truths, and turns the best anchors into proposals.

    Parameters
    ----------
    channels_in, stride_px : int
        Channels and cell width of the feature map.
    options : RpnOptions
        Everything else.
    """

    def __init__(self, channels_in: int, stride_px: int, options: RpnOptions) -> None:
        super().__init__()
        self.options, self.stride_px = options, stride_px
        k = len(options.anchor_sizes_px)
        self.convolution = nn.Conv2d(channels_in, options.channels, 3, padding=1)
        self.score = nn.Conv2d(options.channels, 2 * k, 1)
        self.offset = nn.Conv2d(options.channels, 4 * k, 1)

    def forward(self, features: Tensor) -> AnchorScores:
        """Score every anchor on a feature map (N, C, H, W)."""
        n, _, rows, columns = features.shape
        hidden = F.relu(self.convolution(features))
        # In single precision whatever the convolutions computed in: boxes need pixels, not parts of 256.
        scores = self.score(hidden).float().permute(0, 2, 3, 1).reshape(n, -1, 2)
        offsets = self.offset(hidden).float().permute(0, 2, 3, 1).reshape(n, -1, 4)
        anchors = anchor_grid(
            self.options.anchor_sizes_px, self.stride_px, rows, columns, device=features.device
        )
        return AnchorScores(scores, offsets, anchors)

    def losses(
        self,
        said: AnchorScores,
        truths: list[Truth],
        *,
        width: int,
        height: int,
        generators: Sequence[torch.Generator],
    ) -> dict[str, Tensor]:
        """Mean over the subjects of equations 4 and 6, as ``anchor_class`` and ``anchor_box``."""
        matching = self.options.matching
        usable = inside_image(said.anchors, width, height)
        of_class, of_box = [], []
        subjects = zip(said.scores, said.offsets, truths, generators, strict=True)
        for scores, offsets, truth, generator in subjects:
            target = assign_anchors(said.anchors, usable, truth, matching, generator)
            of_class.append(class_loss(scores, target.labels))
            of_box.append(anchor_box_loss(offsets, target.offsets, target.labels, n_usable=target.n_usable))
        return {
            "anchor_class": torch.stack(of_class).mean(),
            "anchor_box": torch.stack(of_box).mean(),
        }

    def propose(self, said: AnchorScores, *, width: int, height: int, limits: ProposalLimits) -> Proposals:
        """Turn the best anchors of each subject into at most ``limits.after_nms`` proposals."""
        scores = said.scores.detach()
        # The softmax of two scores, in a tenth of the time.
        sourceness = torch.sigmoid(scores[..., 1] - scores[..., 0])
        found = [
            self._propose_one(score, offsets, said.anchors, (width, height), limits)
            for score, offsets in zip(sourceness, said.offsets, strict=True)
        ]
        padded = [F.pad(boxes, (0, 0, 0, limits.after_nms - len(boxes))) for boxes in found]
        return Proposals(torch.stack(padded), [len(boxes) for boxes in found])

    def _propose_one(
        self,
        sourceness: Tensor,
        offsets: Tensor,
        anchors: Tensor,
        size: tuple[int, int],
        limits: ProposalLimits,
    ) -> Tensor:
        """(P, 4) proposals of one subject, with the gradient of its offsets."""
        # NaN, from a diverged network, ranks last and is no proposal.
        sourceness = torch.nan_to_num(_rounded(sourceness, SCORE_DECIMALS), nan=-1.0)
        best = _best_first(sourceness, limits.before_nms)
        boxes = clip(decode(offsets[best], anchors[best]), *size)
        placed = _rounded(boxes.detach(), BOX_DECIMALS)
        # NaN compares false here, too.
        sound = ((placed[:, 2:] - placed[:, :2]) >= self.options.min_side_px).all(dim=1)
        sound &= sourceness[best] >= 0
        kept = nms(
            placed[sound],
            sourceness[best][sound],
            max_iou=self.options.nms_iou,
            limit=limits.after_nms,
        )
        return boxes[sound][kept]


def _best_first(scores: Tensor, n: int) -> Tensor:
    """Indices of the `n` best scores, best first, ties by index: a stable sort of few instead of all."""
    if n < len(scores):
        worst = torch.topk(scores, n).values[-1]
        candidates = (scores >= worst).nonzero().squeeze(1)
    else:
        candidates = torch.arange(len(scores), device=scores.device)
    order = torch.sort(scores[candidates], descending=True, stable=True).indices
    return candidates[order[:n]]


def _rounded(values: Tensor, decimals: int) -> Tensor:
    return torch.round(values, decimals=decimals)
