"""Proposals from scored anchors."""

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given

from claran_core.model.faster_rcnn.rpn import (
    AnchorScores,
    ProposalLimits,
    Proposals,
    RegionProposalNetwork,
    RpnOptions,
    _best_first,
)
from claran_core.model.layers.boxes import box_iou
from claran_core.model.layers.types import Truth

OPTIONS = RpnOptions(channels=8, anchor_sizes_px=(8, 16), min_side_px=4)


@pytest.fixture
def network() -> RegionProposalNetwork:
    torch.manual_seed(0)
    return RegionProposalNetwork(4, 4, OPTIONS)


def anchor_scores(
    anchors: list[list[int]], scores: list[float], offsets: torch.Tensor | None = None
) -> AnchorScores:
    anchors = torch.tensor(anchors, dtype=torch.float32)
    source = torch.tensor([scores], dtype=torch.float32)
    pair = torch.stack([torch.zeros_like(source), source], dim=-1)
    offsets = torch.zeros(1, len(anchors), 4) if offsets is None else offsets
    return AnchorScores(pair, offsets, anchors)


def propose(network: RegionProposalNetwork, scored: AnchorScores, after: int = 3) -> Proposals:
    return network.propose(scored, width=100, height=100, limits=ProposalLimits(100, after))


def test_scores_belong_to_their_anchors(network: RegionProposalNetwork) -> None:
    # One cell and one size is made to answer; its anchor must be where that cell is.
    with torch.no_grad():
        for layer in (network.convolution, network.score, network.offset):
            layer.weight.zero_()
            layer.bias.zero_()
        network.convolution.weight[0, 0, 1, 1] = 1
        network.score.weight[3, 0] = 1  # source score of the second size
    features = torch.zeros(1, 4, 5, 6)
    features[0, 0, 2, 4] = 1
    answer = network(features)
    best = answer.scores[0, :, 1].argmax()
    assert answer.anchors[best].tolist() == [10, 2, 26, 18]  # 16 px around (4.5, 2.5) cells of 4 px
    assert answer.scores.shape == (1, 60, 2) and answer.offsets.shape == (1, 60, 4)


def test_proposals_are_ranked_suppressed_and_padded(network: RegionProposalNetwork) -> None:
    anchors = [[0, 0, 10, 10], [0, 0, 10, 9], [50, 50, 60, 60]]
    proposals = propose(network, anchor_scores(anchors, [0.2, 0.9, 0.5]), after=4)
    assert proposals.counts == [2]
    expected = [[0, 0, 10, 9], [50, 50, 60, 60], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert proposals.boxes[0].tolist() == expected


def test_proposals_are_clipped_and_small_ones_dropped(network: RegionProposalNetwork) -> None:
    anchors = [[-5, 95, 5, 105], [-7, 0, 3, 10], [10, 10, 13, 20]]
    proposals = propose(network, anchor_scores(anchors, [0.9, 0.8, 0.7]))
    assert proposals.counts == [1]
    assert proposals.boxes[0, 0].tolist() == [0, 95, 5, 100]


@pytest.mark.parametrize("what", ["scores", "offsets", "both"])
def test_nan_is_not_a_proposal(network: RegionProposalNetwork, what: str) -> None:
    good = anchor_scores([[0, 0, 10, 10], [50, 50, 60, 60]], [0.9, 0.5])
    if what in ("scores", "both"):
        good.scores[0, 0] = torch.nan
    if what in ("offsets", "both"):
        good.offsets[0, 0, 2] = torch.nan
    proposals = propose(network, good)
    assert proposals.counts == [1]
    assert proposals.boxes[0, 0].tolist() == [50, 50, 60, 60]


@given(st.lists(st.integers(0, 6), min_size=1, max_size=40), st.integers(1, 50))
def test_best_first_is_a_stable_sort(values: list[int], n: int) -> None:
    scores = torch.tensor(values, dtype=torch.float32)
    expected = sorted(range(len(values)), key=lambda k: (-values[k], k))[:n]
    assert _best_first(scores, n).tolist() == expected


def test_small_proposals_only_give_none(network: RegionProposalNetwork) -> None:
    proposals = propose(network, anchor_scores([[10, 10, 12, 12]], [0.9]))
    assert proposals.counts == [0]
    assert not proposals.boxes.any()


def test_proposals_pass_gradients_to_the_offsets(network: RegionProposalNetwork) -> None:
    offsets = torch.zeros(1, 2, 4, requires_grad=True)
    scored = anchor_scores([[10, 10, 20, 20], [50, 50, 60, 60]], [0.9, 0.5], offsets)
    (gradient,) = torch.autograd.grad(propose(network, scored).boxes[0, 0, 0], offsets)
    # x1 = x + d1 w - exp(d3) w / 2
    assert gradient[0].tolist() == [[10, 0, -5, 0], [0, 0, 0, 0]]


def test_the_network_learns_the_position_of_a_source(network: RegionProposalNetwork) -> None:
    features = torch.zeros(1, 4, 16, 16)
    features[:, :, 6:9, 6:9] = 1
    truth = Truth(torch.tensor([[22.0, 22, 38, 38]]), torch.tensor([1]))
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
    generators = [torch.Generator().manual_seed(0)]
    for _ in range(150):
        losses = network.losses(network(features), [truth], width=64, height=64, generators=generators)
        optimiser.zero_grad()
        sum(losses.values()).backward()
        optimiser.step()
    with torch.no_grad():
        best = network.propose(network(features), width=64, height=64, limits=ProposalLimits(100, 1))
    assert box_iou(best.boxes[0], truth.boxes).item() > 0.8
