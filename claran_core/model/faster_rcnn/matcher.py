"""Matching of anchors and proposals with true sources in training.

These are the layers Anchor_Target and RoI_Proposal_Target of paper Table 4 (sections 4.3.1 and 4.3.2).
Targets are constants: no gradient passes through them.  All random numbers come from the given generator.
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
    """Matching and sampling of anchors; defaults are those of the paper (section 4.3.1).

    Attributes
    ----------
    positive_iou : float
        An anchor with at least this overlap with a true source is positive (tau).
    negative_iou : float
        An anchor with a smaller overlap with every true source is negative (1 - tau).
    batch : int
        Anchors per subject in the loss (B).
    positive_fraction : float
        Largest fraction of positive anchors among them (1:1).
    """

    positive_iou: float = 0.7
    negative_iou: float = 0.3
    batch: int = 256
    positive_fraction: float = 0.5


@dataclass(frozen=True)
class RoiMatching:
    """Matching and sampling of proposals; defaults are those of the paper (section 4.3.2) and its code.

    Attributes
    ----------
    foreground_iou : float
        A proposal with at least this overlap with a true source is foreground.
    background_iou : float
        Background proposals have at least this overlap, and less than `foreground_iou`.  Proposals below it
        are used only if that range is empty, for example in a subject without sources.
    batch : int
        Proposals per subject in the loss (|M|).
    foreground_fraction : float
        Largest fraction of foreground proposals among them (1:3).
    offset_std : tuple of float
        Units of the offsets that the network learns (published code).
    box_gradient : float
        Factor on the gradient from the recognition losses to the coordinates of foreground proposals:
        1 is end-to-end training (section 4.4), 0 stops the gradient.
    """

    foreground_iou: float = 0.5
    background_iou: float = 0.1
    batch: int = 128
    foreground_fraction: float = 0.25
    offset_std: tuple[float, float, float, float] = (0.1, 0.1, 0.2, 0.2)
    box_gradient: float = 1.0


@dataclass(frozen=True)
class AnchorTargets:
    """Targets of the region proposal network for one subject.

    Attributes
    ----------
    labels : (A,) int64 tensor
        1: source, 0: background, -1: not in the loss.
    offsets : (A, 4) float tensor
        To the true source with the largest overlap (equation 5); zero where the label is not 1.
    n_usable : int
        Number of anchors inside the image (|A'| of equation 6).
    """

    labels: Tensor
    offsets: Tensor
    n_usable: int


@dataclass(frozen=True)
class RoiTargets:
    """Sampled proposals of one subject, and targets of the recognition network.

    Attributes
    ----------
    boxes : (R, 4) float tensor
        Proposals, foreground first and with their gradient; R is fixed, unused rows are zero.
    classes : (R,) int64 tensor
        1..6: class, 0: background, -1: unused.
    offsets : (R, 4) float tensor
        To the true source (equation 7) in units of `RoiMatching.offset_std`; zero unless foreground.
    """

    boxes: Tensor
    classes: Tensor
    offsets: Tensor


@torch.no_grad()
def assign_anchors(
    anchors: Tensor, usable: Tensor, truth: Truth, options: AnchorMatching, generator: torch.Generator
) -> AnchorTargets:
    """Label the anchors of one subject and sample those in the loss.

    Parameters
    ----------
    anchors : (A, 4) float tensor
        Corners, in the same pixels as `truth`.
    usable : (A,) bool tensor
        Anchors inside the image; the others are ignored.
    truth : Truth
        If it is empty, all usable anchors are background.
    options : AnchorMatching
        Thresholds and sample sizes.
    generator : torch.Generator
        Generator of the random sample.

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
        # The best anchors of each true source, ties included, are positive, so that every source is learned.
        top = overlap.amax(dim=0)
        positive |= ((overlap == top) & (top > 0)).any(dim=1)
    labels[positive] = SOURCE
    _subsample(labels, SOURCE, int(options.batch * options.positive_fraction), generator)
    _subsample(labels, BACKGROUND, options.batch - int((labels == SOURCE).sum()), generator)
    chosen = labels == SOURCE
    offsets[chosen] = encode(truth.boxes[nearest[chosen]], anchors[chosen])
    return AnchorTargets(labels, offsets, int(usable.sum()))


def sample_rois(
    proposals: Tensor, truth: Truth, options: RoiMatching, generator: torch.Generator
) -> RoiTargets:
    """Sample the proposals of one subject that train the recognition network, with their targets.

    Parameters
    ----------
    proposals : (P, 4) float tensor
        Corners, with an area; may be empty.
    truth : Truth
        In the same pixels; its boxes are added to the proposals.
    options : RoiMatching
        Thresholds and sample sizes.
    generator : torch.Generator
        Generator of the random sample.

    Returns
    -------
    RoiTargets
        Exactly ``options.batch`` rows.
    """
    candidates = torch.cat([proposals, truth.boxes])
    fixed = candidates.detach()
    best, nearest = _best(box_iou(fixed, truth.boxes))
    foreground = _sample(
        best >= options.foreground_iou, int(options.batch * options.foreground_fraction), generator
    )
    below = best < options.foreground_iou
    near = below & (best >= options.background_iou)
    background = _sample(near if near.any() else below, options.batch - len(foreground), generator)
    chosen = torch.cat([foreground, background])

    classes = torch.full((options.batch,), IGNORED, device=candidates.device)
    classes[: len(chosen)] = BACKGROUND
    classes[: len(foreground)] = truth.classes[nearest[foreground]]
    offsets = candidates.new_zeros(options.batch, 4)
    std = candidates.new_tensor(options.offset_std)
    wanted = encode(truth.boxes[nearest[foreground]], fixed[foreground])
    offsets[: len(foreground)] = wanted / std
    # Background boxes have no gradient: otherwise the network moves them away from every source, which makes
    # background easier to recognise, and the proposals move with them.
    movable = fixed[foreground] + options.box_gradient * (candidates - fixed)[foreground]
    unused = candidates.new_zeros(options.batch - len(chosen), 4)
    return RoiTargets(torch.cat([movable, fixed[background], unused]), classes, offsets)


def _best(overlap: Tensor) -> tuple[Tensor, Tensor]:
    """Return the largest overlap of each row, and its column; zeros if there are no columns."""
    if overlap.shape[1] == 0:
        return overlap.new_zeros(len(overlap)), torch.zeros(len(overlap), dtype=torch.int64).to(
            overlap.device
        )
    best, nearest = overlap.max(dim=1)
    return best, nearest


def _sample(wanted: Tensor, at_most: int, generator: torch.Generator) -> Tensor:
    """Return the indices of the true elements of `wanted`, a random sample of at most `at_most`."""
    indices = wanted.nonzero().squeeze(1)
    if len(indices) <= at_most:
        return indices
    shuffled = torch.randperm(len(indices), generator=generator, device=generator.device)
    return indices[shuffled[:at_most].to(indices.device)]


def _subsample(labels: Tensor, value: int, at_most: int, generator: torch.Generator) -> None:
    """Set labels of this value to `IGNORED`, in place, except for a random sample of `at_most`."""
    matching = labels == value
    kept = _sample(matching, at_most, generator)
    labels[matching] = IGNORED
    labels[kept] = value
