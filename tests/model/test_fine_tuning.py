"""A training that starts from weights of other classes: what is copied, and what is new."""

from pathlib import Path

import pytest
import torch

from claran_core.common.errors import WeightsError
from claran_core.model.architectures import build_detector
from claran_core.model.fine_tuning import start_from
from claran_core.model.layers.detector import Detector

NARROW = {"association": {"width": 8}, "vgg16": {"fc_width": 8, "input_px": 64}}


def detector(architecture: str, seed: int, *classes: str) -> Detector:
    options = NARROW[architecture]
    return build_detector(
        architecture, channel_means=(1.0, 2.0, 3.0), class_names=classes, seed=seed, options=options
    )


@pytest.mark.parametrize("architecture", ["association", "vgg16"])
def test_shared_classes_are_copied_and_others_stay(architecture: str) -> None:
    start, new = detector(architecture, 1, "a", "b", "c"), detector(architecture, 2, "x", "c")
    before = {name: values.clone() for name, values in new.state_dict().items()}
    start_from(new, start, Path("start"))
    given, found = start.state_dict(), new.state_dict()
    heads = [f"{layer}.{kind}" for layer in new.head_layers for kind in ("weight", "bias")]
    assert set(heads) <= set(found)
    for name, values in found.items():
        if name not in heads:
            assert torch.equal(values, given[name])
    for name in heads:
        each = 4 if "offset" in name else 1
        rows = found[name].split(each), given[name].split(each), before[name].split(each)
        assert torch.equal(rows[0][0], rows[1][0])  # background
        assert torch.equal(rows[0][1], rows[2][1])  # class x is new
        assert torch.equal(rows[0][2], rows[1][3])  # class c
        assert len(rows[0]) == 3 + new.last_scores
        if new.last_scores:
            assert torch.equal(rows[0][3], rows[1][4])  # artefacts


def test_the_same_classes_give_the_same_network() -> None:
    start, new = (detector("association", seed, "a", "b") for seed in (1, 2))
    start_from(new, start, Path("start"))
    assert all(torch.equal(values, start.state_dict()[name]) for name, values in new.state_dict().items())


def test_layers_of_another_size_are_refused() -> None:
    new = build_detector("association", channel_means=(1.0, 2.0, 3.0), options={"width": 9})
    with pytest.raises(
        WeightsError, match=r"start: tensor 'region.weight' .* write model.options: \{'width'"
    ):
        start_from(new, detector("association", 1, "a"), Path("start"))
