"""ST pooling: sampled positions, and gradients of features and boxes."""

import pytest
import torch

from claran_core.model.layers.roi_pooling import STPooling


def ramp(height: int, width: int, stride: int) -> torch.Tensor:
    """Return a map with the position of the cell centre as value: x + 1000 y, in input px."""
    y, x = torch.meshgrid(
        (torch.arange(height, dtype=torch.float64) + 0.5) * stride,
        (torch.arange(width, dtype=torch.float64) + 0.5) * stride,
        indexing="ij",
    )
    return (x + 1000 * y)[None, None]


@pytest.mark.parametrize(
    "box", [(30.0, 40.0, 72.0, 61.0), (16.5, 9.25, 20.0, 100.0), (50.0, 50.0, 50.0, 50.0)]
)
def test_samples_of_a_ramp_are_their_positions(box: tuple[float, ...]) -> None:
    # Equation 8 on a 37 x 29 map of stride 4; all samples lie between cell middles.
    pooled = STPooling(7, 4)(ramp(29, 37, 4), torch.tensor([[box]], dtype=torch.float64))
    part = (torch.arange(7, dtype=torch.float64) + 0.5) / 7
    x = box[0] + part * (box[2] - box[0])
    y = box[1] + part * (box[3] - box[1])
    torch.testing.assert_close(pooled[0, 0], x[None, :] + 1000 * y[:, None], atol=1e-8, rtol=0)


def test_the_whole_map_is_pooled_cell_by_cell() -> None:
    features = torch.randn(1, 3, 7, 7, dtype=torch.float64)
    pooled = STPooling(7, 16)(features, torch.tensor([[[0.0, 0, 112, 112]]], dtype=torch.float64))
    torch.testing.assert_close(pooled, features)


def test_outside_the_outermost_cell_centres_the_border_value_continues() -> None:
    features = torch.full((1, 1, 4, 4), 3.0)
    pooled = STPooling(7, 4)(features, torch.tensor([[[0.0, 0, 16, 16], [0, 0, 2, 2]]]))
    torch.testing.assert_close(pooled, torch.full((2, 1, 7, 7), 3.0))


def test_each_image_has_its_own_regions() -> None:
    features = torch.stack([torch.full((2, 5, 5), value) for value in (1.0, 2.0)])
    boxes = torch.tensor([[0.0, 0, 8, 8]]).expand(2, 3, 4)
    pooled = STPooling(7, 4)(features, boxes)
    assert pooled.shape == (6, 2, 7, 7)
    torch.testing.assert_close(pooled[:, 0, 0, 0], torch.tensor([1.0, 1, 1, 2, 2, 2]))


def test_no_regions_give_no_crops() -> None:
    assert STPooling(7, 4)(torch.zeros(2, 3, 5, 5), torch.zeros(2, 0, 4)).shape == (0, 3, 7, 7)


def test_gradients_with_respect_to_features_and_boxes() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(2, 2, 6, 5, dtype=torch.float64, generator=generator, requires_grad=True)
    # Sampling is piecewise linear: these samples lie away from its kinks, the cell middles.
    boxes = torch.tensor(
        [[[4.3, 4.7, 13.1, 17.9]], [[5.21, 3.17, 9.43, 20.03]]], dtype=torch.float64, requires_grad=True
    )
    pooling = STPooling(3, 4)
    assert torch.autograd.gradcheck(pooling, (features, boxes), eps=1e-6, atol=1e-6)
    (gradient,) = torch.autograd.grad(pooling(features, boxes).square().sum(), boxes)
    assert (gradient.abs() > 0).all()
