"""Matching of anchors and proposals with true sources."""

import pytest
import torch

from claran_core.model.faster_rcnn.matcher import AnchorMatching, RoiMatching, assign_anchors, sample_rois
from claran_core.model.layers.boxes import decode
from claran_core.model.layers.types import Truth

NONE = Truth(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def truth(*rows: tuple[int, ...]) -> Truth:
    boxes = torch.tensor([row[:4] for row in rows], dtype=torch.float32)
    return Truth(boxes, torch.tensor([row[4] for row in rows]))


def everywhere(anchors: torch.Tensor) -> torch.Tensor:
    return torch.ones(len(anchors), dtype=torch.bool)


def scattered(n: int, seed: int = 0) -> torch.Tensor:
    corner = torch.rand(n, 2, generator=generator(seed)) * 100
    return torch.cat([corner, corner + 10], dim=1)


def test_labels_follow_the_overlap() -> None:
    # Overlaps with the truth 0 0 10 10: 0.8, 0.5, 0.2, 0.
    anchors = torch.tensor([[0.0, 0, 10, 8], [0, 0, 10, 5], [0, 0, 10, 2], [50, 50, 60, 60]])
    targets = assign_anchors(
        anchors, everywhere(anchors), truth((0, 0, 10, 10, 3)), AnchorMatching(), generator()
    )
    assert targets.labels.tolist() == [1, -1, 0, 0]
    torch.testing.assert_close(decode(targets.offsets[:1], anchors[:1]), torch.tensor([[0.0, 0, 10, 10]]))
    assert not targets.offsets[1:].any()


def test_the_best_anchors_of_a_source_are_positive_below_the_threshold() -> None:
    anchors = torch.tensor([[0.0, 0, 10, 5], [0, 5, 10, 10], [0, 0, 10, 4], [50, 50, 60, 60]])
    targets = assign_anchors(
        anchors, everywhere(anchors), truth((0, 0, 10, 10, 1)), AnchorMatching(), generator()
    )
    assert targets.labels.tolist() == [1, 1, -1, 0]


def test_a_source_without_overlapping_anchors_makes_no_anchor_positive() -> None:
    anchors = torch.tensor([[0.0, 0, 10, 10], [20, 0, 30, 10]])
    targets = assign_anchors(
        anchors, everywhere(anchors), truth((80, 80, 90, 90, 1)), AnchorMatching(), generator()
    )
    assert targets.labels.tolist() == [0, 0]


def test_unusable_anchors_have_no_label() -> None:
    anchors = torch.tensor([[0.0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60]])
    usable = torch.tensor([False, True, False])
    targets = assign_anchors(anchors, usable, truth((0, 0, 10, 10, 1)), AnchorMatching(), generator())
    assert targets.labels.tolist() == [-1, 1, -1]
    assert targets.n_usable == 1


def test_anchors_are_sampled_one_to_one_up_to_the_batch() -> None:
    anchors = torch.cat([torch.tensor([[0.0, 0, 10, 10]]).repeat(300, 1), scattered(900) + 20])
    targets = assign_anchors(
        anchors, everywhere(anchors), truth((0, 0, 10, 10, 1)), AnchorMatching(), generator()
    )
    assert int((targets.labels == 1).sum()) == 128
    assert int((targets.labels == 0).sum()) == 128


def test_negative_anchors_fill_the_rest_of_the_sample() -> None:
    anchors = torch.cat([torch.tensor([[0.0, 0, 10, 10]]), scattered(900) + 20])
    targets = assign_anchors(
        anchors, everywhere(anchors), truth((0, 0, 10, 10, 1)), AnchorMatching(), generator()
    )
    assert [int((targets.labels == value).sum()) for value in (0, 1)] == [255, 1]


def test_without_sources_all_sampled_anchors_are_background() -> None:
    anchors = scattered(500)
    targets = assign_anchors(anchors, everywhere(anchors), NONE, AnchorMatching(), generator())
    assert targets.labels.unique().tolist() == [-1, 0]
    assert int((targets.labels == 0).sum()) == 256


def test_the_sample_depends_only_on_the_generator() -> None:
    anchors, where = scattered(2000), everywhere(scattered(2000))
    first, again, other = (
        assign_anchors(anchors, where, NONE, AnchorMatching(), generator(seed)).labels for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_regions_have_class_and_offsets_of_the_source_with_the_largest_overlap() -> None:
    proposals = torch.tensor([[0.0, 0, 10, 10], [1, 0, 11, 10], [40, 40, 62, 60], [0, 6, 10, 16]])
    sources = truth((0, 0, 10, 10, 2), (40, 40, 60, 60, 5))
    regions = sample_rois(proposals, sources, RoiMatching(batch=12, foreground_fraction=0.5), generator())
    foreground = int((regions.classes > 0).sum())
    assert foreground == 5  # three proposals and the two truths themselves
    std = torch.tensor([0.1, 0.1, 0.2, 0.2])
    recovered = decode(regions.offsets[:foreground] * std, regions.boxes[:foreground])
    expected = sources.boxes[(regions.classes[:foreground] == 5).long()]
    torch.testing.assert_close(recovered, expected, atol=1e-4, rtol=0)
    # The last proposal overlaps the first truth by 40/160: background; the rest of the rows is unused.
    assert regions.classes[foreground:].tolist() == [0] + [-1] * 6
    assert torch.equal(regions.boxes[foreground], proposals[3])
    assert not regions.offsets[foreground:].any()


def test_a_quarter_of_the_regions_is_foreground() -> None:
    sources = truth((0, 0, 10, 10, 1))
    near = torch.tensor([[0.0, 0, 10, 10]]).repeat(200, 1)
    far = torch.tensor([[0.0, 6, 10, 16]]).repeat(200, 1)
    regions = sample_rois(torch.cat([near, far]), sources, RoiMatching(), generator())
    assert [int((regions.classes == value).sum()) for value in (0, 1)] == [96, 32]


def test_background_near_the_sources_is_preferred() -> None:
    proposals = torch.cat([torch.tensor([[0.0, 6, 10, 16]]), scattered(100) + 20])
    regions = sample_rois(proposals, truth((0, 0, 10, 10, 1)), RoiMatching(), generator())
    assert int((regions.classes == 0).sum()) == 1


@pytest.mark.parametrize("proposals", [scattered(300), torch.zeros(0, 4)])
def test_without_sources_all_regions_are_background(proposals: torch.Tensor) -> None:
    regions = sample_rois(proposals, NONE, RoiMatching(), generator())
    assert int((regions.classes == 0).sum()) == min(len(proposals), 128)
    assert not (regions.classes > 0).any()


def test_without_proposals_the_true_boxes_are_the_foreground() -> None:
    regions = sample_rois(torch.zeros(0, 4), truth((5, 5, 20, 20, 4)), RoiMatching(), generator())
    assert regions.classes[0] == 4
    assert regions.boxes.shape == (128, 4)
    assert int((regions.classes == -1).sum()) == 127


@pytest.mark.parametrize("factor", [1.0, 0.25, 0.0])
def test_only_foreground_boxes_have_a_gradient(factor: float) -> None:
    proposals = torch.tensor([[1.0, 0, 11, 10], [0, 6, 10, 16]], requires_grad=True)
    options = RoiMatching(box_gradient=factor)
    regions = sample_rois(proposals, truth((0, 0, 10, 10, 1)), options, generator())
    (gradient,) = torch.autograd.grad(regions.boxes.sum(), proposals)
    assert gradient.tolist() == [[factor] * 4, [0.0] * 4]
    torch.testing.assert_close(regions.boxes[regions.classes == 0], proposals[1:].detach())
