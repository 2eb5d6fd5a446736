"""Which anchors and which proposals stand for which true source in training.

Anchor targets and proposal targets are the layers Anchor_Target and RoI_Proposal_Target of paper
Table 4 (sections 4.3.1 and 4.3.2).  Targets are constants: no gradient passes through them.
Everything random is drawn from the generator that is handed in.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from claran_core.model.layers.boxes import box_iou, encode
from claran_core.model.layers.types import Truth

__all__ = [
    "BACKGROUND",
    "IGNORED",
    "AnchorMatching",
    "AnchorTargets",
    "RoiMatching",
    "RoiTargets",
    "assign_anchors",
    "sample_rois",
]

IGNORED = -1
BACKGROUND = 0
SOURCE = 1


@dataclass(frozen=True)
class AnchorMatching:
    """How anchors are matched and sampled; defaults are the paper's (section 4.3.1).

    Attributes
    ----------
    positive_iou : float
        From this overlap with a truth on, an anchor is positive (tau).
    negative_iou : float
        Below this overlap with every truth it is negative (1 - tau).
    batch : int
        Anchors per subject that count in the loss (B).
    positive_fraction : float
        Largest share of positive ones among them (1:1).
    """

    positive_iou: float = 0.7
    negative_iou: float = 0.3
    batch: int = 256
    positive_fraction: float = 0.5


@dataclass(frozen=True)
class RoiMatching:
    """How proposals are matched and sampled; defaults are the paper's (section 4.3.2) and its code's.

    Attributes
    ----------
    foreground_iou : float
        From this overlap on, a proposal stands for the truth it overlaps most.
    background_iou : float
        From this overlap on, and below `foreground_iou`, it is background.  Those below are used only
        where there are none in that range, a subject without sources for example.
    batch : int
        Proposals per subject that count in the loss (|M|).
    foreground_fraction : float
        Largest share of foreground among them (1:3).
    offset_std : tuple of float
        Offsets are learned in units of these (published code).
    box_gradient : float
        Factor on the gradient that the recognition losses pass to the coordinates of foreground
        proposals: 1 is end to end (section 4.4), 0 none.
    """

    foreground_iou: float = 0.5
    background_iou: float = 0.1
    batch: int = 128
    foreground_fraction: float = 0.25
    offset_std: tuple[float, float, float, float] = (0.1, 0.1, 0.2, 0.2)
    box_gradient: float = 1.0


@dataclass(frozen=True)
class AnchorTargets:
    """What the region proposal network should have said about one subject.

    Attributes
    ----------
    labels : (A,) int64 tensor
        1 source, 0 background, -1 not in the loss.
    offsets : (A, 4) float tensor
        Towards the truth each anchor overlaps most (equation 5); zero where the label is not 1.
    n_usable : int
        Number of anchors that may take part at all (|A'| of equation 6).
    """

    labels: Tensor
    offsets: Tensor
    n_usable: int


@dataclass(frozen=True)
class RoiTargets:
    """Sampled proposals of one subject and what the recognition network should say about them.

    Attributes
    ----------
    boxes : (R, 4) float tensor
        Proposals, foreground first and with its gradient; R is fixed, unused rows are zero.
    classes : (R,) int64 tensor
        Class 1..6, 0 background, -1 unused.
    offsets : (R, 4) float tensor
        Towards the truth (equation 7) in units of `RoiMatching.offset_std`; zero unless foreground.
    """

    boxes: Tensor
    classes: Tensor
    offsets: Tensor


@torch.no_grad()
def assign_anchors(
    anchors: Tensor, usable: Tensor, truth: Truth, options: AnchorMatching, generator: torch.Generator
) -> AnchorTargets:
    """Label the anchors of one subject and sample those that count.

    Parameters
    ----------
    anchors : (A, 4) float tensor
        Corners, in the same pixels as `truth`.
    usable : (A,) bool tensor
        Anchors that may take part.
    truth : Truth
        May be empty: then all usable anchors are background.
    options : AnchorMatching
        Thresholds and sample sizes.
    generator : torch.Generator
        Source of the random choice.

    Returns
    -------
    AnchorTargets
        Labels, offsets, and the number of usable anchors.
    """
    labels = torch.full((len(anchors),), IGNORED, device=anchors.device)
    offsets = torch.zeros_like(anchors)
    overlap = box_iou(anchors, truth.boxes) * usable[:, None]
    best, nearest = _best(overlap)
    labels[usable & (best < options.negative_iou)] = BACKGROUND
    positive = best >= options.positive_iou
    if len(truth.boxes):
        # Each truth has at least its best anchors, ties included, so that none goes unlearned.
        top = overlap.amax(dim=0)
        positive |= ((overlap == top) & (top > 0)).any(dim=1)
    labels[positive] = SOURCE
    _thin(labels, SOURCE, int(options.batch * options.positive_fraction), generator)
    _thin(labels, BACKGROUND, options.batch - int((labels == SOURCE).sum()), generator)
    chosen = labels == SOURCE
    offsets[chosen] = encode(truth.boxes[nearest[chosen]], anchors[chosen])
    return AnchorTargets(labels, offsets, int(usable.sum()))


def sample_rois(
    proposals: Tensor, truth: Truth, options: RoiMatching, generator: torch.Generator
) -> RoiTargets:
    """Choose the proposals of one subject that train the recognition network, with their targets.

    Parameters
    ----------
    proposals : (P, 4) float tensor
        Corners, with an area; there may be none.
    truth : Truth
        In the same pixels; its boxes are added to the proposals.
    options : RoiMatching
        Thresholds and sample sizes.
    generator : torch.Generator
        Source of the random choice.

    Returns
    -------
    RoiTargets
        Exactly ``options.batch`` rows.
    """
    candidates = torch.cat([proposals, truth.boxes])
    fixed = candidates.detach()
    best, nearest = _best(box_iou(fixed, truth.boxes))
    foreground = _choose(
        best >= options.foreground_iou, int(options.batch * options.foreground_fraction), generator
    )
    below = best < options.foreground_iou
    near = below & (best >= options.background_iou)
    background = _choose(near if near.any() else below, options.batch - len(foreground), generator)
    chosen = torch.cat([foreground, background])

    classes = torch.full((options.batch,), IGNORED, device=candidates.device)
    classes[: len(chosen)] = BACKGROUND
    classes[: len(foreground)] = truth.classes[nearest[foreground]]
    offsets = candidates.new_zeros(options.batch, 4)
    std = candidates.new_tensor(options.offset_std)
    wanted = encode(truth.boxes[nearest[foreground]], fixed[foreground])
    offsets[: len(foreground)] = wanted / std
    # A label is true of a box where it is now.  Background boxes must therefore stay: free to move, they
    # make background easier to recognise by running from every source, and take the proposals along.
    moving = fixed[foreground] + options.box_gradient * (candidates - fixed)[foreground]
    unused = candidates.new_zeros(options.batch - len(chosen), 4)
    return RoiTargets(torch.cat([moving, fixed[background], unused]), classes, offsets)


def _best(overlap: Tensor) -> tuple[Tensor, Tensor]:
    """Largest overlap of each row and its column; 0 and column 0 where there are no columns."""
    if overlap.shape[1] == 0:
        return overlap.new_zeros(len(overlap)), torch.zeros(len(overlap), dtype=torch.int64).to(
            overlap.device
        )
    best, nearest = overlap.max(dim=1)
    return best, nearest


def _choose(wanted: Tensor, at_most: int, generator: torch.Generator) -> Tensor:
    """Indices of the true elements of `wanted`, a random choice of them where there are too many."""
    indices = wanted.nonzero().squeeze(1)
    if len(indices) <= at_most:
        return indices
    shuffled = torch.randperm(len(indices), generator=generator, device=generator.device)
    return indices[shuffled[:at_most].to(indices.device)]


def _thin(labels: Tensor, value: int, at_most: int, generator: torch.Generator) -> None:
    """Set all but `at_most` random ones of the labels with this value to `IGNORED`, in place."""
    having = labels == value
    kept = _choose(having, at_most, generator)
    labels[having] = IGNORED
    labels[kept] = value
