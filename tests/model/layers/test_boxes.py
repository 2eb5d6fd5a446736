"""Overlap, offsets, clipping and suppression of boxes."""

import time

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

from claran_core.model.layers.boxes import (
    BLOCKS,
    MAX_LOG_RATIO,
    box_iou,
    clip,
    decode,
    encode,
    nms,
)

# Whole numbers make exact ties, equal boxes and flat boxes common.
CORNER = st.integers(0, 12)


# Boxes and their scores.
ScoredBoxes = tuple[torch.Tensor, torch.Tensor]


@st.composite
def scored_boxes(draw: st.DrawFn, largest: int = 40) -> ScoredBoxes:
    rows = draw(st.lists(st.tuples(CORNER, CORNER, CORNER, CORNER, st.integers(0, 5)), max_size=largest))
    table = torch.tensor(rows, dtype=torch.float32).reshape(-1, 5)
    boxes = torch.cat(
        [torch.minimum(table[:, :2], table[:, 2:4]), torch.maximum(table[:, :2], table[:, 2:4])], dim=1
    )
    return boxes, table[:, 4] / 5


def plain_iou(a: list[float], b: list[float]) -> float:
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height
    return width * height / union if union > 0 else 0.0


def plain_nms(
    boxes: torch.Tensor, scores: torch.Tensor, max_iou: float, limit: int | None = None
) -> list[int]:
    overlap = box_iou(boxes, boxes)
    kept = []
    for index in sorted(range(len(boxes)), key=lambda k: (-float(scores[k]), k)):
        if limit is not None and len(kept) == limit:
            break
        if all(not overlap[index, better] > max_iou for better in kept):
            kept.append(index)
    return kept


def clustered(n: int, clusters: int, spread: float, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(clusters, 2, generator=generator) * 500
    centres = torch.cat([corner, corner + 20 + 80 * torch.rand(clusters, 2, generator=generator)], dim=1)
    near = centres[torch.randint(clusters, (n,), generator=generator)]
    boxes = decode(torch.randn(n, 4, generator=generator) * spread, near)
    return clip(boxes, 600, 600), torch.rand(n, generator=generator)


def test_iou_of_hand_computed_pairs() -> None:
    boxes = torch.tensor([[0.0, 0, 4, 4], [0, 0, 0, 4]])
    others = torch.tensor([[2.0, 2, 6, 6], [0, 0, 4, 2], [4, 0, 8, 4], [1, 1, 1, 1]])
    expected = torch.tensor([[4 / 28, 0.5, 0, 0], [0, 0, 0, 0]])
    torch.testing.assert_close(box_iou(boxes, others), expected)
    assert box_iou(boxes, torch.zeros(0, 4)).shape == (2, 0)


@given(scored_boxes(), scored_boxes())
def test_iou_is_symmetric_and_agrees_with_the_definition(first: ScoredBoxes, second: ScoredBoxes) -> None:
    overlap = box_iou(first[0], second[0])
    assert torch.equal(overlap, box_iou(second[0], first[0]).T)
    expected = [[plain_iou(a, b) for b in second[0].tolist()] for a in first[0].tolist()]
    torch.testing.assert_close(overlap, torch.tensor(expected).reshape(overlap.shape))


def test_offsets_of_a_hand_computed_box() -> None:
    box, target = torch.tensor([10.0, 20, 20, 40]), torch.tensor([12.0, 20, 32, 30])
    expected = torch.tensor([0.7, -0.25, 0.6931472, -0.6931472])
    torch.testing.assert_close(encode(target, box), expected)
    torch.testing.assert_close(decode(expected, box), target)


sides = st.floats(0.5, 600)
places = st.floats(-100, 700)


@given(
    st.lists(st.tuples(places, places, sides, sides, places, places, sides, sides), min_size=1, max_size=9)
)
def test_decode_inverts_encode(rows: list[tuple[float, ...]]) -> None:
    values = torch.tensor(rows, dtype=torch.float64)
    boxes = torch.cat([values[:, :2], values[:, :2] + values[:, 2:4]], dim=1)
    targets = torch.cat([values[:, 4:6], values[:, 4:6] + values[:, 6:]], dim=1)
    growth = torch.log(values[:, 6:] / values[:, 2:4]).amax(dim=1)
    usable = growth < MAX_LOG_RATIO  # `decode` limits how much a box grows
    back = decode(encode(targets, boxes), boxes)
    torch.testing.assert_close(back[usable], targets[usable], atol=1e-8, rtol=1e-8)


def test_extreme_offsets_and_flat_targets_stay_finite() -> None:
    box = torch.tensor([[0.0, 0, 10, 10]])
    assert decode(torch.tensor([[0.0, 0, 1e6, 1e6]]), box).isfinite().all()
    assert encode(torch.tensor([[5.0, 5, 5, 5]]), box).isfinite().all()


def test_decode_passes_gradients_to_offsets_and_boxes() -> None:
    offsets = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    boxes = torch.tensor([[0.0, 0, 8, 4]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(decode, (offsets, boxes))


def test_clip_cuts_at_every_border() -> None:
    boxes = torch.tensor([[-5.0, -1, 140, 150], [200, 3, 210, 4]])
    expected = torch.tensor([[0.0, 0, 132, 100], [132, 3, 132, 4]])
    assert torch.equal(clip(boxes, 132, 100), expected)


@settings(max_examples=200)
@given(scored_boxes(), st.sampled_from([0.0, 0.3, 0.5, 0.7, 1.0]), st.none() | st.integers(0, 10))
def test_nms_equals_the_plain_loop(candidates: ScoredBoxes, max_iou: float, limit: int | None) -> None:
    boxes, scores = candidates
    assert nms(boxes, scores, max_iou=max_iou, limit=limit).tolist() == plain_nms(
        boxes, scores, max_iou, limit
    )


@pytest.mark.parametrize("spread", [0.05, 0.2])
@pytest.mark.parametrize("limit", [None, 300])
@pytest.mark.parametrize("blocks", [(256, 512), (400, 100), (2048, 4096)])
def test_nms_equals_the_plain_loop_across_blocks(
    spread: float, limit: int | None, blocks: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BLOCKS, "cpu", blocks)
    boxes, scores = clustered(900, 60, spread)
    scores = torch.round(scores, decimals=2)
    assert nms(boxes, scores, max_iou=0.7, limit=limit).tolist() == plain_nms(boxes, scores, 0.7, limit)


def test_nms_follows_a_chain_of_suppressions() -> None:
    # Each box overlaps its neighbours alone: every second one is kept, in as many rounds as boxes.
    left = torch.arange(40, dtype=torch.float32) * 2
    boxes = torch.stack([left, torch.zeros(40), left + 10, torch.full((40,), 10.0)], dim=1)
    kept = nms(boxes, torch.linspace(1, 0, 40), max_iou=0.6)
    assert kept.tolist() == list(range(0, 40, 2))


def test_nms_ranks_equal_scores_by_index() -> None:
    boxes = torch.tensor([[0.0, 0, 4, 4]] * 3 + [[10, 10, 14, 14]])
    assert nms(boxes, torch.full((4,), 0.5), max_iou=0.5).tolist() == [0, 3]


def test_nms_without_boxes_is_empty() -> None:
    assert nms(torch.zeros(0, 4), torch.zeros(0), max_iou=0.5).tolist() == []


def test_nms_of_12000_boxes_is_fast() -> None:
    # About 25 ms of processor time is usual; the bound leaves room for slow and busy machines.
    boxes, scores = clustered(12000, 500, 0.1)
    before = time.process_time()
    kept = nms(boxes, scores, max_iou=0.7, limit=2000)
    assert len(kept) == 2000
    assert time.process_time() - before < 1.0
