"""The four losses against their equations, by hand."""

import math

import torch

from claran_core.model.faster_rcnn.losses import anchor_box_loss, class_loss, roi_box_loss, smooth_l1


def test_smooth_l1_by_hand() -> None:
    difference = torch.tensor([0.0, 0.5, -1.0, 3.0])
    torch.testing.assert_close(smooth_l1(difference), torch.tensor([0.0, 0.125, 0.5, 2.5]))
    # sigma 3: the knee is at 1/9.
    torch.testing.assert_close(
        smooth_l1(torch.tensor([0.1, -1.0]), sigma=3.0), torch.tensor([0.045, 1 - 0.5 / 9])
    )


def test_class_loss_is_the_mean_over_counted_rows() -> None:
    scores = torch.tensor([[math.log(3.0), 0.0], [0.0, 0.0], [50.0, -50.0]])
    expected = (math.log(4 / 3) + math.log(2)) / 2
    torch.testing.assert_close(class_loss(scores, torch.tensor([0, 1, -1])), torch.tensor(expected))


def test_anchor_box_loss_counts_positives_over_all_usable_anchors() -> None:
    offsets = torch.tensor([[1.0, 0, 0, 0], [9, 9, 9, 9], [9, 9, 9, 9]])
    loss = anchor_box_loss(offsets, torch.zeros(3, 4), torch.tensor([1, 0, -1]), n_usable=10)
    torch.testing.assert_close(loss, torch.tensor((1 - 0.5 / 9) / 10))


def test_roi_box_loss_reads_the_offsets_of_the_true_class() -> None:
    offsets = torch.full((4, 7, 4), 9.0)
    offsets[0, 2] = torch.tensor([0.5, 0, 0, 0])
    offsets[1, 6] = torch.tensor([0, 0, 3.0, 0])
    loss = roi_box_loss(offsets, torch.zeros(4, 4), torch.tensor([2, 6, 0, -1]))
    torch.testing.assert_close(loss, torch.tensor((0.125 + 2.5) / 3))


def test_without_rows_the_losses_are_zero_with_a_gradient() -> None:
    scores = torch.randn(3, 7, requires_grad=True)
    offsets = torch.randn(3, 7, 4, requires_grad=True)
    ignored = torch.full((3,), -1)
    total = class_loss(scores, ignored) + roi_box_loss(offsets, torch.zeros(3, 4), ignored)
    total = total + anchor_box_loss(offsets[:, 0], torch.zeros(3, 4), ignored, n_usable=0)
    total.backward()
    assert total.item() == 0
    assert not scores.grad.any() and not offsets.grad.any()
