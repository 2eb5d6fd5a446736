"""Feature extractors: shapes, alignment, independence of the batch."""

import pytest
import torch

from claran_core.model.layers.backbones import FeaturePyramid, Vgg16Backbone


def test_vgg16_halves_600_px_to_37_cells() -> None:
    # Table 4 gives 37 x 37 x 512; the meta device computes shapes without numbers.
    with torch.device("meta"):
        features = Vgg16Backbone()(torch.zeros(1, 3, 600, 600))
    assert features.shape == (1, 512, 37, 37)


def test_freeze_low_freezes_the_first_four_convolutions() -> None:
    with torch.device("meta"):
        free, frozen = Vgg16Backbone(), Vgg16Backbone(freeze_low=True)
    assert all(p.requires_grad for p in free.parameters())
    fixed = [p for p in frozen.parameters() if not p.requires_grad]
    # Table 4's layers 1, 2, 4 and 5.  (The caption of Fig. 8 has 259,716; these rows sum to 259,776.)
    assert sum(p.numel() for p in fixed if p.dim() == 4) == 1728 + 36864 + 73728 + 147456
    assert len(fixed) == 8


@pytest.mark.parametrize(("side", "cells"), [(132, 33), (400, 100), (131, 33), (37, 10), (8, 2)])
def test_feature_pyramid_takes_any_size(side: int, cells: int) -> None:
    backbone = FeaturePyramid()
    assert backbone(torch.zeros(1, 3, side, side)).shape == (1, backbone.channels, cells, cells)
    assert backbone(torch.zeros(1, 3, side, 2 * side)).shape[2] == cells


def test_feature_pyramid_is_centred() -> None:
    # With mirrored weights a mirrored image must give the mirrored map: no half-cell shift.
    torch.manual_seed(0)
    backbone = FeaturePyramid().double()
    with torch.no_grad():
        for weight in backbone.parameters():
            if weight.dim() == 4:
                weight.copy_((weight + weight.flip(3)) / 2)
    image = torch.randn(1, 3, 64, 64, dtype=torch.float64)
    torch.testing.assert_close(backbone(image.flip(3)), backbone(image).flip(3))


def test_features_do_not_depend_on_the_batch() -> None:
    torch.manual_seed(0)
    backbone = FeaturePyramid()
    images = torch.randn(3, 3, 60, 60)
    together = backbone(images)
    for k in range(3):
        torch.testing.assert_close(backbone(images[k : k + 1])[0], together[k], atol=1e-5, rtol=1e-5)
