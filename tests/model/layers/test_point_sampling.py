"""Samples of feature maps at points."""

import pytest
import torch
import torch.nn.functional as F

from claran_core.model.layers.point_sampling import region_points, sample_points
from claran_core.model.layers.roi_pooling import STPooling


def maps(height: int = 9, width: int = 7) -> torch.Tensor:
    return torch.randn((3, 5, height, width), generator=torch.Generator().manual_seed(1))


def points(n: int, low: float, high: float) -> torch.Tensor:
    return low + (high - low) * torch.rand((n, 6, 2), generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("shape", [(9, 7), (1, 7), (9, 1)])
def test_samples_are_bilinear_and_continue_beyond_the_border(shape: tuple[int, int]) -> None:
    features, image, places = maps(*shape), torch.tensor([0, 2, 2, 1]), points(4, -8.0, 44.0)
    sampled = sample_points(features, image, places, 4)
    grid = places / (4 * torch.tensor([shape[1], shape[0]])) * 2 - 1
    expected = F.grid_sample(
        features[image], grid[:, None], mode="bilinear", padding_mode="border", align_corners=False
    )
    torch.testing.assert_close(sampled, expected[:, :, 0].transpose(1, 2))


def test_gradients_are_those_of_bilinear_sampling() -> None:
    features, image, places = maps(), torch.tensor([0, 2, 2, 1]), points(4, 0.0, 30.0)
    gradients = []
    for sample in (
        lambda own: sample_points(own, image, places, 4),
        lambda own: F.grid_sample(
            own[image],
            (places / torch.tensor([28, 36]) * 2 - 1)[:, None],
            padding_mode="border",
            align_corners=False,
        )[:, :, 0].transpose(1, 2),
    ):
        own = features.clone().requires_grad_()
        (sample(own) ** 2).sum().backward()
        gradients.append(own.grad)
    torch.testing.assert_close(gradients[0], gradients[1])


def test_points_of_regions_are_those_of_st_pooling() -> None:
    features, boxes = maps(), torch.tensor([[2.0, 3.0, 20.0, 27.0], [10.0, 10.0, 10.0, 10.0]])
    expected = STPooling(3, 4)(features[:1], boxes[None])
    sampled = sample_points(features, torch.zeros(2, dtype=torch.int64), region_points(boxes, 3), 4)
    torch.testing.assert_close(sampled.transpose(1, 2).reshape(2, 5, 3, 3), expected)
    assert region_points(boxes, 3)[1].eq(10.0).all()


def test_no_points_give_no_samples() -> None:
    empty = sample_points(maps(), torch.zeros(0, dtype=torch.int64), torch.zeros(0, 6, 2), 4)
    assert empty.shape == (0, 6, 5)
