"""The association network, the default detector: which components form one source, and of which class.

    components -> candidates ┐
    images     -> backbone   ┴-> pooling over box, peaks and bridges -> recognition head

Candidate sources are groups of neighbouring components (`claran_core.model.association.candidates`); the
contour rule gives the box and the number of peaks of each.  From the fused image and a list of features, the
network predicts the probability that a candidate is exactly one source, of each class, and that a single
component is an artefact or noise.  The loss is equation 9 of the paper, with candidates as regions; ST
pooling is equation 8.
"""

from collections.abc import Mapping, Sequence
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
from claran_core.model.layers.point_sampling import region_points, sample_points
from claran_core.model.layers.processing import BOX_DECIMALS, SCORE_DECIMALS, centred
from claran_core.model.layers.types import Candidates, Ownership, Regions, Truth

__all__ = ["AssociationNetwork"]

# Candidates of a subject with full weight in the loss; the weights of more add up to this, so that a crowded
# subject does not outweigh all others.
FULL_WEIGHT = 64

# Least sum of the probabilities of the candidates with one unit.
MIN_TOTAL = 1e-12

# Candidates that are sampled at once: 20 kB each.
SEEN_AT_ONCE = 4096

# Regions are pooled with some of their surroundings: the box of the DR1 rule is about 0.7 of the true extent,
# and the surroundings show whether the source continues.
CONTEXT = 1.5


class AssociationNetwork(Detector):
    """Detector that scores groups of components as candidate sources.

    Parameters
    ----------
    architecture, options, class_names, channel_means
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

    loss_names = ("roi_class", "grouping")
    groups_components = True
    head_layers = ("class_score",)
    last_scores = 1

    def __init__(
        self,
        *,
        architecture: str,
        options: Mapping[str, Any],
        class_names: Sequence[str],
        backbone: Backbone,
        pool_size: int,
        width: int,
        dropout: float,
        blind: float,
        channel_means: Sequence[float],
    ) -> None:
        super().__init__(
            architecture=architecture, options=options, class_names=class_names, channel_means=channel_means
        )
        self.dropout, self.blind = dropout, blind
        self.backbone = backbone
        self.pool_size = pool_size
        channels = backbone.channels
        self.region = nn.Linear(channels * pool_size**2, width)
        self.places = nn.Linear(4 * channels, width)
        self.numbers = nn.Linear(N_FEATURES, width)
        self.hidden = nn.Linear(3 * width, width)
        self.class_score = nn.Linear(width, 1 + len(self.class_names) + 1)

    def forward(
        self,
        images: Tensor,
        truths: Sequence[Truth],
        generators: Sequence[torch.Generator],
        *,
        components: ComponentBatch,
        owners: Sequence[Ownership],
    ) -> dict[str, Tensor]:
        """Return the losses ``roi_class`` and ``grouping`` as `Detector.forward`.

        The first is equation 9, summed over the candidates of a subject (`FULL_WEIGHT`).  The second compares
        the candidates of one unit with each other (`_grouping_loss`).  Means over the subjects are returned.
        `owners` gives the classes of the candidates (`label_candidates`); the generators draw the dropout.
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
        truth = torch.from_numpy(np.where(labels == ARTEFACT_LABEL, scores.shape[1] - 1, labels))
        truth = truth.to(scores.device)
        each = F.cross_entropy(scores, truth, reduction="none", ignore_index=IGNORED_LABEL)
        weight = np.minimum(1.0, FULL_WEIGHT / np.maximum(candidates.counts, 1)).astype(np.float32)
        weights = torch.from_numpy(np.repeat(weight, candidates.counts)).to(each.device)
        members = candidates.members + np.repeat(components.starts[:-1], candidates.counts)[:, None]
        units = torch.from_numpy(np.where(candidates.members >= 0, members, -1)).to(each.device)
        grouping = _grouping_loss(scores, truth, units, int(components.starts[-1]), weights)
        return {"roi_class": (each * weights).sum() / len(images), "grouping": grouping / len(images)}

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
        classes, artefact = probabilities[:, 1:-1], probabilities[:, -1]
        is_single = torch.from_numpy((candidates.members >= 0).sum(axis=1) == 1)
        boxes = boxes[:, None].expand(-1, classes.shape[1], -1)
        return Regions(candidates.counts, boxes, classes, torch.where(is_single, artefact, 0.0))

    def _scores(
        self, images: Tensor, candidates: Candidates, generators: Sequence[torch.Generator]
    ) -> Tensor:
        """Return the scores (R, C + 2) of all candidates of a batch before the softmax, for C classes.

        The first column: not a source; then the classes; the last: an artefact or noise.
        """
        device = self.channel_means.device
        counts = candidates.counts.tolist()
        features = self.backbone(centred(images, self.channel_means))
        image = torch.from_numpy(np.repeat(np.arange(len(counts)), candidates.counts)).to(device)
        seen = torch.cat(
            [
                features.new_zeros((0, 2 * self.region.out_features)),
                *(
                    self._seen(features, candidates, image, slice(first, first + SEEN_AT_ONCE))
                    for first in range(0, len(image), SEEN_AT_ONCE)
                ),
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

    def _seen(self, features: Tensor, candidates: Candidates, image: Tensor, rows: slice) -> Tensor:
        """Return what the network sees of some candidates in the images, (K, 2 width).

        Parameters
        ----------
        features : (N, C, h, w) tensor
            Features of all images.
        candidates : Candidates
            All candidates.
        image : (R,) int64 tensor
            Image of each candidate.
        rows : slice
            The candidates.
        """
        boxes, points, is_point = (
            torch.from_numpy(values[rows]).to(image.device)
            for values in (candidates.boxes, candidates.points, candidates.is_point)
        )
        regions = region_points(_enlarged(boxes, CONTEXT), self.pool_size)
        sampled = sample_points(
            features, image[rows], torch.cat([regions, points], dim=1), self.backbone.stride_px
        )
        inside, places = torch.split(sampled, [regions.shape[1], points.shape[1]], dim=1)
        pooled = _pooled(places, is_point)
        return torch.cat([F.relu(self.region(inside.flatten(1))), F.relu(self.places(pooled))], dim=1)


def _grouping_loss(scores: Tensor, truth: Tensor, units: Tensor, n_units: int, weights: Tensor) -> Tensor:
    """Return how improbable the true candidates are among all with one of their units.

    A unit is in exactly one source, or it is an artefact.  The loss of a unit is minus the logarithm of the
    probability of the candidate that is its source, as a share of the sum over all candidates that contain it
    and of the probability that it is an artefact.  Units whose source is no candidate have none.

    Parameters
    ----------
    scores : (R, C + 2) tensor
        Before the softmax.
    truth : (R,) int64 tensor
        Column of the true score of each candidate, or `IGNORED_LABEL`.
    units : (R, MAX_MEMBERS) int64 tensor
        Units of each candidate, -1 in unused columns.
    n_units : int
        Number of units.
    weights : (R,) tensor
        Weight of each candidate.

    Returns
    -------
    () tensor
        Sum over the units.
    """
    logs = scores.log_softmax(dim=1)
    of_artefact = scores.shape[1] - 1
    source, artefact = logs[:, 1:of_artefact].logsumexp(dim=1), logs[:, of_artefact]
    candidate, column = torch.nonzero(units >= 0, as_tuple=True)
    unit = units[candidate, column]
    is_single = (units[:, 1] < 0) & (units[:, 0] >= 0)
    total = scores.new_zeros(n_units).index_add(0, unit, source.exp()[candidate])
    total = total.index_add(0, units[is_single, 0], artefact.exp()[is_single])
    is_source = (truth > 0) & (truth < of_artefact)
    own = torch.where(is_source, source, artefact)
    is_true = (is_source | (truth == of_artefact))[candidate]
    candidate, unit = candidate[is_true], unit[is_true]
    return ((total[unit].clamp(min=MIN_TOTAL).log() - own[candidate]) * weights[candidate]).sum()


def _enlarged(boxes: Tensor, factor: float) -> Tensor:
    middle, half = (boxes[..., :2] + boxes[..., 2:]) / 2, (boxes[..., 2:] - boxes[..., :2]) / 2
    return torch.cat([middle - factor * half, middle + factor * half], dim=-1)


def _pooled(sampled: Tensor, is_point: Tensor) -> Tensor:
    """Return mean and maximum of features (K, P, C) at the members' peaks and on the bridges, (K, 4 C)."""
    pooled = []
    for part in (slice(0, MAX_MEMBERS), slice(MAX_MEMBERS, None)):
        values, mask = sampled[:, part], is_point[:, part, None]
        count = mask.sum(dim=1).clamp(min=1)
        pooled.append((values * mask).sum(dim=1) / count)
        highest = values.masked_fill(~mask, -torch.inf).amax(dim=1)
        pooled.append(torch.where(mask.any(dim=1), highest, 0.0))
    return torch.cat(pooled, dim=1)
