"""The association network, the default detector: which components form one source, and of which class.

    components -> candidates ┐
    images     -> backbone   ┴-> pooling over box, peaks and bridges -> recognition head

Candidate sources are groups of neighbouring components (`claran_core.model.association.candidates`); the
contour rule gives the box and the number of peaks of each.  From the fused image and a list of features, the
network predicts the probability that a candidate is a source of each class.  The loss is equation 9 of the
paper, with candidates as regions; ST pooling is equation 8.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from claran_core.common.morphology import MORPHOLOGIES
from claran_core.components.component_batch import ComponentBatch
from claran_core.components.component_groups import MAX_MEMBERS
from claran_core.model.association.candidates import N_FEATURES, find_candidates
from claran_core.model.layers.backbones import Backbone
from claran_core.model.layers.boxes import box_iou, clip
from claran_core.model.layers.detector import Detector
from claran_core.model.layers.dropout import keep_mask
from claran_core.model.layers.processing import BOX_DECIMALS, SCORE_DECIMALS, centred, select_detections
from claran_core.model.layers.roi_pooling import STPooling
from claran_core.model.layers.types import Candidates, Detections, Truth

__all__ = ["AssociationNetwork", "label_candidates"]

# A candidate matches a true source if their IoU is above this, and within the tolerance of the best
# candidate: a component of a few pixels more or less hardly changes the box.
TRUE_IOU = 0.5
IOU_TOLERANCE = 0.03

# Regions are pooled with some of their surroundings: the box of the DR1 rule is about 0.7 of the true extent,
# and the surroundings show whether the source continues.
CONTEXT = 1.5


class AssociationNetwork(Detector):
    """Detector that scores groups of components as candidate sources.

    Parameters
    ----------
    architecture, options, channel_means
        As for `Detector`.
    backbone : Backbone
        Feature extractor.
    pool_size : int
        Samples along each side of a region.
    width : int
        Neurons of the hidden layers.
    dropout : float
        Probability that a hidden neuron is dropped in training.
    blind : float
        Probability that the image of a candidate is hidden from the head in training, so that the head also
        learns from the features alone.
    """

    loss_names = ("roi_class",)
    groups_components = True

    def __init__(
        self,
        *,
        architecture: str,
        options: Mapping[str, Any],
        backbone: Backbone,
        pool_size: int,
        width: int,
        dropout: float,
        blind: float,
        channel_means: Sequence[float],
    ) -> None:
        super().__init__(architecture=architecture, options=options, channel_means=channel_means)
        self.dropout, self.blind = dropout, blind
        self.backbone = backbone
        self.pooling = STPooling(pool_size, backbone.stride_px)
        channels = backbone.channels
        self.region = nn.Linear(channels * pool_size**2, width)
        self.places = nn.Linear(4 * channels, width)
        self.numbers = nn.Linear(N_FEATURES, width)
        self.hidden = nn.Linear(3 * width, width)
        self.score = nn.Linear(width, len(MORPHOLOGIES) + 1)

    def forward(
        self,
        images: Tensor,
        truths: Sequence[Truth],
        generators: Sequence[torch.Generator],
        *,
        components: ComponentBatch,
    ) -> dict[str, Tensor]:
        """Return the loss ``roi_class`` as `Detector.forward`.

        It is equation 9, summed over the candidates of a subject; the mean over the subjects is returned.
        The generators draw the dropout.
        """
        candidates = find_candidates(components)
        height, width = images.shape[1:3]
        boxes = torch.split(torch.from_numpy(candidates.boxes), candidates.counts.tolist())
        labels = [
            label_candidates(subject_boxes, truth, width=width, height=height)
            for subject_boxes, truth in zip(boxes, truths, strict=True)
        ]
        scores = self._scores(images, candidates, generators)
        total = F.cross_entropy(scores, torch.cat(labels).to(scores.device), reduction="sum")
        return {"roi_class": total / len(images)}

    def candidates(self, components: ComponentBatch) -> Candidates:
        """Return the groups of neighbouring components of some subjects (`find_candidates`)."""
        return find_candidates(components)

    @torch.inference_mode()
    def detect(
        self, images: Tensor, candidates: Candidates | None, *, min_probability: float, nms_iou: float
    ) -> list[Detections]:
        """Find sources as `Detector.detect`."""
        if candidates is None:
            raise ValueError("the association network needs the candidates of the images")
        probabilities = self._scores(images, candidates, ()).softmax(dim=-1)[:, 1:]
        # Rounded before any threshold: the last bits differ between machines and batch sizes.
        probabilities = torch.round(probabilities, decimals=SCORE_DECIMALS).cpu()
        height, width = images.shape[1:3]
        boxes = clip(torch.round(torch.from_numpy(candidates.boxes), decimals=BOX_DECIMALS), width, height)
        boxes = boxes[:, None].expand(-1, probabilities.shape[1], -1)
        return select_detections(boxes, probabilities, candidates.counts, min_probability, nms_iou)

    def _scores(
        self, images: Tensor, candidates: Candidates, generators: Sequence[torch.Generator]
    ) -> Tensor:
        """Return the scores (R, 7) of all candidates of a batch before the softmax; column 0: no source."""
        device = self.channel_means.device
        counts = candidates.counts.tolist()
        features = self.backbone(centred(images, self.channel_means))
        # Regions are pooled image by image, padded with zeros to the same number in each.
        is_candidate = np.arange(max(counts, default=0)) < candidates.counts[:, None]

        def padded(values: np.ndarray) -> Tensor:
            filled = np.zeros((*is_candidate.shape, *values.shape[1:]), values.dtype)
            filled[is_candidate] = values
            return torch.from_numpy(filled).to(device)

        rows = torch.from_numpy(np.flatnonzero(is_candidate)).to(device)
        regions = self.pooling(features, _enlarged(padded(candidates.boxes), CONTEXT))[rows]
        points, is_point = padded(candidates.points), padded(candidates.is_point)
        points = _pooled_points(features, points, is_point, self.pooling.stride_px)[rows]
        numbers = torch.from_numpy(candidates.features).to(device)
        seen = torch.cat([F.relu(self.region(regions.flatten(1))), F.relu(self.places(points))], dim=1)
        if self.training and generators:
            seen = seen * keep_mask(counts, 1, self.blind, generators).to(device)
        hidden = torch.cat([seen, F.relu(self.numbers(numbers))], dim=1)
        if self.training and generators:
            kept = keep_mask(counts, hidden.shape[1], self.dropout, generators).to(device)
            hidden = hidden * kept / (1 - self.dropout)
        # In single precision, whatever the precision of the layers.
        return self.score(F.relu(self.hidden(hidden))).float()


def label_candidates(boxes: Tensor, truth: Truth, *, width: int, height: int) -> Tensor:
    """Return the class (K,) of the true source that each candidate of a subject matches, 0 without a match.

    The boxes of the candidates (K, 4) are clipped to the image of `width` by `height`, as true boxes are.
    """
    labels = torch.zeros(len(boxes), dtype=torch.int64)
    if not len(boxes) or not len(truth.classes):
        return labels
    overlap = box_iou(clip(boxes, width, height), truth.boxes)  # (K, M)
    best = overlap.max(dim=0).values
    matches = (overlap > TRUE_IOU) & (overlap >= best - IOU_TOLERANCE)
    nearest = torch.where(matches, overlap, -1.0).argmax(dim=1)
    return torch.where(matches.any(dim=1), truth.classes[nearest], labels)


def _enlarged(boxes: Tensor, factor: float) -> Tensor:
    middle, half = (boxes[..., :2] + boxes[..., 2:]) / 2, (boxes[..., 2:] - boxes[..., :2]) / 2
    return torch.cat([middle - factor * half, middle + factor * half], dim=-1)


def _pooled_points(features: Tensor, points: Tensor, is_point: Tensor, stride_px: int) -> Tensor:
    """Return mean and maximum of the features at the members' peaks and on the bridges, (N * K, 4 C)."""
    n, channels, height, width = features.shape
    n_candidates, n_points = points.shape[1:3]
    size = points.new_tensor([width, height]) * stride_px
    grid = points / size * 2 - 1
    sampled = F.grid_sample(
        features, grid, mode="bilinear", padding_mode="border", align_corners=False
    )  # (N, C, K, P)
    sampled = sampled.permute(0, 2, 1, 3).reshape(n * n_candidates, channels, n_points)
    used = is_point.reshape(n * n_candidates, 1, n_points)
    pooled = []
    for part in (slice(0, MAX_MEMBERS), slice(MAX_MEMBERS, None)):
        values, mask = sampled[..., part], used[..., part]
        count = mask.sum(dim=-1).clamp(min=1)
        pooled.append((values * mask).sum(dim=-1) / count)
        highest = values.masked_fill(~mask, -torch.inf).amax(dim=-1)
        pooled.append(torch.where(mask.any(dim=-1), highest, 0.0))
    return torch.cat(pooled, dim=1)
