"""The association network: which components are one source, and of which class (the default detector).

    components -> candidates ┐
    images     -> backbone   ┴-> pooling over box, peaks and bridges -> recognition head

Regions are not proposed by a network but by the contour rule: every combination of neighbouring components
is a candidate (`claran_core.model.association.candidates`), whose box and count of peaks are those a label
would have. The network looks at each in the fused image, beside numbers about it, and says how probably it
is a source of each class.  The head's loss is the paper's equation 9, with the candidates as regions; ST
pooling is its equation 8.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from claran_core.common.morphology import MORPHOLOGIES
from claran_core.components.component_groups import MAX_MEMBERS
from claran_core.components.component_table import SubjectComponents
from claran_core.model.association.candidates import N_FEATURES, Candidates, find_candidates
from claran_core.model.layers.boxes import box_iou, clip
from claran_core.model.layers.dropout import keep_mask
from claran_core.model.layers.processing import BOX_DECIMALS, SCORE_DECIMALS, centred, select_detections
from claran_core.model.layers.roi_pooling import STPooling
from claran_core.model.layers.types import Detections, Truth

__all__ = ["AssociationNetwork", "label_candidates"]

# A candidate is a true source when their boxes overlap by more than this, and by no less than the best
# candidate does up to a tolerance: an island of a few pixels more or less hardly moves the box.
TRUE_IOU = 0.5
IOU_TOLERANCE = 0.03

# Regions are looked at with some of their surroundings: the box of the DR1 rule is about 0.7 of the true
# extent (facts of DR1's corners), and what lies beside a source tells whether it ends there.
CONTEXT = 1.5


class AssociationNetwork(nn.Module):
    """Scores candidate sources in fused images.

    Parameters
    ----------
    architecture : str
        Name `build_detector` makes it under.
    options : mapping
        What else `build_detector` needs to make it again.
    backbone : Module
        Images (N, 3, H, W) to features (N, ``channels``, H / ``stride_px``, W / ``stride_px``).
    pool_size : int
        Samples along each side of a region.
    width : int
        Neurons of the hidden layers.
    dropout : float
        Share of hidden neurons silenced in training.
    blind : float
        Share of candidates whose image is hidden from the head in training, so that it does not forget what
        the numbers alone say.
    channel_means : sequence of float
        Mean of each channel of the training set, in grey levels (paper section 4.1).
    """

    # What `forward` returns, of `claran_core.model.faster_rcnn.losses.LOSS_NAMES`.
    loss_names = ("roi_class",)

    def __init__(
        self,
        *,
        architecture: str,
        options: Mapping[str, Any],
        backbone: nn.Module,
        pool_size: int,
        width: int,
        dropout: float,
        blind: float,
        channel_means: Sequence[float],
    ) -> None:
        super().__init__()
        self.architecture, self.options = architecture, dict(options)
        self.dropout, self.blind = dropout, blind
        self.backbone = backbone
        self.pooling = STPooling(pool_size, backbone.stride_px)
        channels = backbone.channels
        self.region = nn.Linear(channels * pool_size**2, width)
        self.places = nn.Linear(4 * channels, width)
        self.numbers = nn.Linear(N_FEATURES, width)
        self.hidden = nn.Linear(3 * width, width)
        self.score = nn.Linear(width, len(MORPHOLOGIES) + 1)
        self.register_buffer("channel_means", torch.tensor(channel_means, dtype=torch.float32))

    def forward(
        self,
        images: Tensor,
        truths: Sequence[Truth],
        generators: Sequence[torch.Generator],
        *,
        components: Sequence[SubjectComponents],
    ) -> dict[str, Tensor]:
        """Training loss of a batch.

        Parameters
        ----------
        images : (N, H, W, 3) uint8 or float tensor
            Fused RGB images, grey levels 0..255, on any device.
        truths : sequence of Truth
            True sources of each image, frame pixels.
        generators : sequence of torch.Generator
            One per image, on the CPU; they draw the dropout.
        components : sequence of SubjectComponents
            Components of each image.

        Returns
        -------
        dict of str to scalar tensor
            ``roi_class``: the mean over the subjects of equation 9, summed over a subject's candidates.
        """
        candidates = find_candidates(components)
        height, width = images.shape[1:3]
        boxes = torch.from_numpy(candidates.boxes).split(candidates.counts.tolist())
        labels = [
            label_candidates(own, truth, width=width, height=height)
            for own, truth in zip(boxes, truths, strict=True)
        ]
        scores = self._scores(images, candidates, generators)
        total = F.cross_entropy(scores, torch.cat(labels).to(scores.device), reduction="sum")
        return {"roi_class": total / len(images)}

    @torch.inference_mode()
    def detect(
        self,
        images: Tensor,
        *,
        min_probability: float,
        nms_iou: float,
        components: Sequence[SubjectComponents],
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
            Components of each image.

        Returns
        -------
        list of Detections
            One per image, on the CPU; empty where nothing was found.
        """
        candidates = find_candidates(components)
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
        """Scores (R, 7) of all candidates of a batch before the softmax; column 0: no source."""
        device = self.channel_means.device
        counts = candidates.counts.tolist()
        features = self.backbone(centred(images, self.channel_means))
        # Regions are pooled image by image: the same number of them in each, filled up with zeros.
        real = np.arange(max(counts, default=0)) < candidates.counts[:, None]

        def padded(values: np.ndarray) -> Tensor:
            filled = np.zeros((*real.shape, *values.shape[1:]), values.dtype)
            filled[real] = values
            return torch.from_numpy(filled).to(device)

        places = torch.from_numpy(np.flatnonzero(real)).to(device)
        regions = self.pooling(features, _enlarged(padded(candidates.boxes), CONTEXT))[places]
        points, is_point = padded(candidates.points), padded(candidates.is_point)
        points = _pooled_points(features, points, is_point, self.pooling.stride_px)[places]
        numbers = torch.from_numpy(candidates.features).to(device)
        seen = torch.cat([F.relu(self.region(regions.flatten(1))), F.relu(self.places(points))], dim=1)
        if self.training and generators:
            seen = seen * keep_mask(counts, 1, self.blind, generators).to(device)
        hidden = torch.cat([seen, F.relu(self.numbers(numbers))], dim=1)
        if self.training and generators:
            kept = keep_mask(counts, hidden.shape[1], self.dropout, generators).to(device)
            hidden = hidden * kept / (1 - self.dropout)
        # In single precision whatever the layers computed in.
        return self.score(F.relu(self.hidden(hidden))).float()


def label_candidates(boxes: Tensor, truth: Truth, *, width: int, height: int) -> Tensor:
    """Class (K,) of each candidate of a subject: that of the true source it is, 0 where it is none.

    Truths are clipped to the image of `width` by `height`, and so are the candidates' boxes (K, 4) for this.
    """
    labels = torch.zeros(len(boxes), dtype=torch.int64)
    if not len(boxes) or not len(truth.classes):
        return labels
    overlap = box_iou(clip(boxes, width, height), truth.boxes)  # (K, M)
    best = overlap.max(dim=0).values
    true = (overlap > TRUE_IOU) & (overlap >= best - IOU_TOLERANCE)
    whose = torch.where(true, overlap, -1.0).argmax(dim=1)
    return torch.where(true.any(dim=1), truth.classes[whose], labels)


def _enlarged(boxes: Tensor, factor: float) -> Tensor:
    middle, half = (boxes[..., :2] + boxes[..., 2:]) / 2, (boxes[..., 2:] - boxes[..., :2]) / 2
    return torch.cat([middle - factor * half, middle + factor * half], dim=-1)


def _pooled_points(features: Tensor, points: Tensor, is_point: Tensor, stride_px: int) -> Tensor:
    """Mean and maximum of the features at the members' peaks and on the bridges: (N * K, 4 C)."""
    n, channels, height, width = features.shape
    candidates, places = points.shape[1:3]
    size = points.new_tensor([width, height]) * stride_px
    grid = points / size * 2 - 1
    sampled = F.grid_sample(
        features, grid, mode="bilinear", padding_mode="border", align_corners=False
    )  # (N, C, K, P)
    sampled = sampled.permute(0, 2, 1, 3).reshape(n * candidates, channels, places)
    used = is_point.reshape(n * candidates, 1, places)
    pooled = []
    for part in (slice(0, MAX_MEMBERS), slice(MAX_MEMBERS, None)):
        values, mask = sampled[..., part], used[..., part]
        count = mask.sum(dim=-1).clamp(min=1)
        pooled.append((values * mask).sum(dim=-1) / count)
        highest = values.masked_fill(~mask, -torch.inf).amax(dim=-1)
        pooled.append(torch.where(mask.any(dim=-1), highest, 0.0))
    return torch.cat(pooled, dim=1)
