"""The architectures: sizes and initial weights."""

from typing import Any

import numpy as np
import pytest
import torch
from small_detectors import NARROW_VGG16

from claran_core.common.errors import ConfigError
from claran_core.model.architectures import ARCHITECTURES, build_detector
from claran_core.model.faster_rcnn.anchors import anchor_grid, inside_image
from claran_core.model.layers.detector import Detector

MEANS = (213.0, 45.0, 14.0)


def counted_as_table_4(detector: Detector) -> int:
    """Return the number of parameters without the biases of convolutions, as Table 4 counts."""
    convolution_biases = sum(
        module.bias.numel()
        for module in detector.modules()
        if isinstance(module, torch.nn.Conv2d) and module.bias is not None
    )
    return sum(parameter.numel() for parameter in detector.parameters()) - convolution_biases


@pytest.fixture(scope="module")
def vgg16() -> Detector:
    return build_detector("vgg16", channel_means=MEANS)


def test_vgg16_has_the_parameters_of_table_4(vgg16: Detector) -> None:
    assert counted_as_table_4(vgg16) == 136_777_443
    # Layers 18 and 19: RPN_Conv, Anchor_Cls_Conv, Anchor_Reg_Conv.
    rpn = {name: layer.weight.numel() for name, layer in vgg16.rpn.named_children()}
    assert rpn == {"convolution": 2_359_296, "score": 6_144, "offset": 12_288}


def test_vgg16_magnifies_a_subject_to_600_px(vgg16: Detector) -> None:
    inputs, scale = vgg16._magnified(torch.zeros(1, 132, 132, 3, dtype=torch.uint8))
    assert inputs.shape == (1, 3, 600, 600)
    torch.testing.assert_close(scale, torch.full((4,), 600 / 132))


def test_vgg16_has_the_initial_weights_of_the_published_code(vgg16: Detector) -> None:
    assert abs(vgg16.head.fc7.weight.std().item() - 0.01) < 1e-4
    assert not vgg16.head.fc6.bias.any()


def test_narrow_hidden_layers_pass_the_variance_of_wide_ones() -> None:
    # Section 6.3: 64 neurons.  Eight times 0.01, because they are a sixty-fourth of 4,096.
    narrow = build_detector("vgg16", channel_means=MEANS, options={"fc_width": 64}).head
    for layer, std in ((narrow.fc6, 0.01), (narrow.fc7, 0.08), (narrow.score, 0.08), (narrow.offset, 0.008)):
        assert layer.weight.std().item() == pytest.approx(std, rel=0.1)


@pytest.mark.parametrize("input_px", [132, 264, 600])
def test_anchors_are_as_large_as_published_in_pixels_of_the_subject(input_px: int) -> None:
    detector = build_detector("vgg16", channel_means=MEANS, options={"fc_width": 8, "input_px": input_px})
    sizes = np.array(detector.rpn.options.anchor_sizes_px) * 132 / input_px
    assert sizes == pytest.approx(np.array([16, 32, 64, 128, 256, 512]) * 132 / 600)
    # Training rejects every size somewhere: anchors that are never inside the image would be proposed.
    cells = input_px // 16
    anchors = anchor_grid(detector.rpn.options.anchor_sizes_px, 16, cells, cells)
    assert inside_image(anchors, input_px, input_px).reshape(-1, 6).any(dim=0).all()


def test_first_scores_of_vgg16_are_near_zero(vgg16: Detector) -> None:
    image = torch.randint(0, 255, (1, 132, 132, 3), generator=torch.Generator().manual_seed(0)).float()
    inputs, _ = vgg16._magnified(image)
    with torch.no_grad():
        features = vgg16.backbone(inputs[..., 200:328, 200:328])
        assert vgg16.rpn(features).scores.abs().max() < 2
        assert vgg16.head(features[..., :7, :7])[0].abs().max() < 2


def test_vgg16_with_smaller_layers() -> None:
    # Section 6.3: 23 and 18 million parameters.
    for width, millions in ((256, 23), (64, 18)):
        detector = build_detector("vgg16", channel_means=MEANS, options={"fc_width": width})
        assert round(counted_as_table_4(detector) / 1e6) == pytest.approx(millions, abs=1)
        assert detector.options == {"fc_width": width}


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"'vgg19' is unknown; there are: association, vgg16$"):
        build_detector("vgg19", channel_means=MEANS)
    with pytest.raises(ConfigError, match=r"unknown key 'fc_widht' .*; did you mean 'fc_width'"):
        build_detector("vgg16", channel_means=MEANS, options={"fc_widht": 3})


def test_weights_depend_on_the_seed_alone() -> None:
    before = torch.random.get_rng_state()
    first, again, other = (
        build_detector("association", channel_means=MEANS, seed=seed).state_dict() for seed in (1, 1, 2)
    )
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["region.weight"], other["region.weight"])


@pytest.mark.parametrize(("architecture", "options"), [("association", {}), ("vgg16", NARROW_VGG16)])
def test_every_convolution_and_dense_layer_is_drawn(architecture: str, options: dict[str, Any]) -> None:
    # A layer left with torch's default weights would depend on the global generator.
    torch.manual_seed(0)
    first = build_detector(architecture, channel_means=MEANS, options=options).state_dict()
    torch.manual_seed(1)
    second = build_detector(architecture, channel_means=MEANS, options=options).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_detectors_have_the_name_of_their_architecture() -> None:
    for name in ARCHITECTURES:
        options = NARROW_VGG16 if name == "vgg16" else {}
        assert build_detector(name, channel_means=MEANS, options=options).architecture == name
