"""The grid of anchors."""

import torch

from claran_core.model.faster_rcnn.anchors import anchor_grid, inside_image

PAPER_SIZES = (16, 32, 64, 128, 256, 512)


def test_anchors_of_a_small_map() -> None:
    anchors = anchor_grid((4, 8), 10, rows=1, columns=2)
    expected = [[3, 3, 7, 7], [1, 1, 9, 9], [13, 3, 17, 7], [11, 1, 19, 9]]
    assert torch.equal(anchors, torch.tensor(expected, dtype=torch.float32))


def test_anchors_of_the_paper() -> None:
    # Section 4.3.1: 6 x 37^2 = 8,214 anchors, of which equation 6 counts 5,241.
    anchors = anchor_grid(PAPER_SIZES, 16, rows=37, columns=37)
    assert len(anchors) == 8214
    assert int(inside_image(anchors, 600, 600).sum()) == 5241


def test_rows_run_along_y() -> None:
    anchors = anchor_grid((2,), 4, rows=3, columns=2)
    assert anchors[:, 1].reshape(3, 2).tolist() == [[1, 1], [5, 5], [9, 9]]


def test_an_anchor_on_the_border_is_inside() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10], [-0.5, 0, 9, 9], [1, 1, 10.5, 9], [1, 1, 9, 10.5]])
    assert inside_image(boxes, 10, 10).tolist() == [True, False, False, False]
