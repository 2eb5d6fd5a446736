"""The association network, the default detector: which components form one source, and of which class.

    components -> candidates ┐
    images     -> backbone   ┴-> pooling over box, peaks and bridges -> recognition head

Candidate sources are groups of neighbouring components (`claran_core.model.association.candidates`); the
contour rule gives the box and the number of peaks of each.  From the fused image and a list of features, the
network predicts the probability that a candidate is exactly one source, of each class, and that a single
component is an artefact or noise.  The loss is equation 9 of the paper, with candidates as regions; ST
pooling is equation 8.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from claran_core.components.component_batch import ComponentBatch
from claran_core.components.component_groups import MAX_MEMBERS
from claran_core.model.association.candidates import N_FEATURES, find_candidates
from claran_core.model.association.labelling import ARTEFACT_LABEL, IGNORED_LABEL, label_candidates
from claran_core.model.layers.backbones import Backbone
from claran_core.model.layers.boxes import clip
from claran_core.model.layers.detector import Detector
from claran_core.model.layers.dropout import keep_mask
from claran_core.model.layers.processing import BOX_DECIMALS, SCORE_DECIMALS, centred
from claran_core.model.layers.roi_pooling import STPooling
from claran_core.model.layers.types import Candidates, Ownership, Regions, Truth

__all__ = ["AssociationNetwork"]

# Candidates of a subject with full weight in the loss; the weights of more add up to this, so that a crowded
# subject does not outweigh all others.
FULL_WEIGHT = 64

# Subjects with up to so many candidates are pooled together; of one with more, so many candidates at once.
POOLED_TOGETHER, POOLED_AT_ONCE = 256, 2048

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
        self.class_score = nn.Linear(width, ARTEFACT_LABEL + 1)

    def forward(
        self,
        images: Tensor,
        truths: Sequence[Truth],
        generators: Sequence[torch.Generator],
        *,
        components: ComponentBatch,
        owners: Sequence[Ownership],
    ) -> dict[str, Tensor]:
        """Return the loss ``roi_class`` as `Detector.forward`.

        It is equation 9, summed over the candidates of a subject (`FULL_WEIGHT`); the mean over the subjects
        is returned.  `owners` gives the classes of the candidates (`label_candidates`); the generators draw
        the dropout.
        """
        del truths
        candidates = find_candidates(components)
        labels = label_candidates(
            candidates.members,
            candidates.counts,
            usable=components.usable,
            starts=components.starts,
            owners=owners,
        )
        scores = self._scores(images, candidates, generators)
        each = F.cross_entropy(
            scores, torch.from_numpy(labels).to(scores.device), reduction="none", ignore_index=IGNORED_LABEL
        )
        weight = np.minimum(1.0, FULL_WEIGHT / np.maximum(candidates.counts, 1))
        weights = torch.from_numpy(np.repeat(weight, candidates.counts).astype(np.float32))
        return {"roi_class": (each * weights.to(each.device)).sum() / len(images)}

    def candidates(self, components: ComponentBatch) -> Candidates:
        """Return the groups of neighbouring components of some subjects (`find_candidates`)."""
        return find_candidates(components)

    @torch.inference_mode()
    def score(self, images: Tensor, candidates: Candidates | None = None) -> Regions:
        """Return the candidates of each image with their probabilities, as `Detector.score`."""
        if candidates is None:
            raise ValueError("the association network needs the candidates of the images")
        probabilities = self._scores(images, candidates, ()).softmax(dim=-1)
        # Rounded before any threshold: the last bits differ between machines and batch sizes.
        probabilities = torch.round(probabilities, decimals=SCORE_DECIMALS).cpu()
        height, width = images.shape[1:3]
        boxes = clip(torch.round(torch.from_numpy(candidates.boxes), decimals=BOX_DECIMALS), width, height)
        classes, artefact = probabilities[:, 1:ARTEFACT_LABEL], probabilities[:, ARTEFACT_LABEL]
        is_single = torch.from_numpy((candidates.members >= 0).sum(axis=1) == 1)
        boxes = boxes[:, None].expand(-1, classes.shape[1], -1)
        return Regions(candidates.counts, boxes, classes, torch.where(is_single, artefact, 0.0))

    def _scores(
        self, images: Tensor, candidates: Candidates, generators: Sequence[torch.Generator]
    ) -> Tensor:
        """Return the scores (R, 8) of all candidates of a batch before the softmax.

        Column 0: not a source; 1 to 6: its class; 7: an artefact or noise.
        """
        device = self.channel_means.device
        counts = candidates.counts.tolist()
        features = self.backbone(centred(images, self.channel_means))
        seen = torch.cat(
            [
                features.new_zeros((0, 2 * self.region.out_features)),
                *(self._seen(features, candidates, *part) for part in _parts(candidates.counts)),
            ]
        )
        numbers = torch.from_numpy(candidates.features).to(device)
        if self.training and generators:
            seen = seen * keep_mask(counts, 1, self.blind, generators).to(device)
        hidden = torch.cat([seen, F.relu(self.numbers(numbers))], dim=1)
        if self.training and generators:
            kept = keep_mask(counts, hidden.shape[1], self.dropout, generators).to(device)
            hidden = hidden * kept / (1 - self.dropout)
        # In single precision, whatever the precision of the layers.
        return self.class_score(F.relu(self.hidden(hidden))).float()

    def _seen(self, features: Tensor, candidates: Candidates, subjects: slice, rows: slice) -> Tensor:
        """Return what the network sees of some candidates in the images, (K, 2 width).

        Parameters
        ----------
        features : (N, C, h, w) tensor
            Features of all images.
        candidates : Candidates
            All candidates.
        subjects, rows : slice
            Subjects, and their candidates or a part of those of one subject (`_parts`).
        """
        device = features.device
        counts = np.minimum(candidates.counts[subjects], rows.stop - rows.start)
        # Regions are pooled image by image, padded with zeros to the same number in each.
        is_candidate = np.arange(max(counts, default=0)) < counts[:, None]

        def padded(values: np.ndarray) -> Tensor:
            filled = np.zeros((*is_candidate.shape, *values.shape[1:]), values.dtype)
            filled[is_candidate] = values[rows]
            return torch.from_numpy(filled).to(device)

        own = features[subjects]
        places = torch.from_numpy(np.flatnonzero(is_candidate)).to(device)
        regions = self.pooling(own, _enlarged(padded(candidates.boxes), CONTEXT))[places]
        points, is_point = padded(candidates.points), padded(candidates.is_point)
        points = _pooled_points(own, points, is_point, self.pooling.stride_px)[places]
        return torch.cat([F.relu(self.region(regions.flatten(1))), F.relu(self.places(points))], dim=1)


def _parts(counts: np.ndarray) -> Iterator[tuple[slice, slice]]:
    """Yield consecutive subjects, and their candidates, that are pooled together.

    Subjects are padded to the same number of candidates: one with many is alone, and in pieces.
    """
    ends = np.cumsum(counts)
    first = 0
    while first < len(counts):
        last = first + 1
        start = ends[first] - counts[first]
        if counts[first] > POOLED_TOGETHER:
            for piece in range(start, ends[first], POOLED_AT_ONCE):
                yield slice(first, last), slice(piece, min(piece + POOLED_AT_ONCE, ends[first]))
        else:
            while last < len(counts) and counts[last] <= POOLED_TOGETHER:
                last += 1
            yield slice(first, last), slice(start, ends[last - 1])
        first = last


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
