"""Options of the architectures: known without PyTorch; mistakes are reported in one line."""

import subprocess
import sys
from pathlib import Path

import pytest

from claran_core.common.errors import ConfigError
from claran_core.model.architectures import ARCHITECTURES
from claran_core.settings.config import load_config
from claran_core.settings.model import ARCHITECTURE_OPTIONS, check_pretrained, chosen_options


def test_given_options_beside_defaults() -> None:
    chosen = chosen_options("vgg16", {"fc_width": 64, "freeze_low": True, "box_gradient": 0})
    assert chosen.as_dict() == {
        "fc_width": 64,
        "input_px": 600,
        "freeze_low": True,
        "normalise": False,
        "box_gradient": 0,
    }


@pytest.mark.parametrize(
    ("architecture", "options", "says"),
    [
        ("vgg16", {"fc_widht": 3}, r"unknown key 'fc_widht' in model.options; did you mean 'fc_width'\?"),
        ("vgg16", {"depth": 3}, "known keys: fc_width, input_px, freeze_low, normalise, box_gradient"),
        ("vgg16", {"fc_width": 64.0}, "model.options.fc_width is 64.0; write a whole number from 1 to 65536"),
        ("vgg16", {"fc_width": True}, "fc_width is True; write a whole number"),
        ("vgg16", {"freeze_low": 1}, "freeze_low is 1; write true or false"),
        ("vgg16", {"box_gradient": "one"}, "box_gradient is 'one'; write a number from 0 to 1"),
        ("association", {"dropout": 1.0}, "dropout is 1.0; write a number from 0 to 0.99"),
        ("association", {"blind": float("nan")}, "blind is nan; write a number from 0 to 1"),
        ("association", {"input_px": 600}, r"unknown key 'input_px' .* \(architecture association\)"),
        ("vgg19", {}, "'vgg19' is unknown; there are: association, vgg16$"),
    ],
)
def test_mistakes_are_reported_in_one_line(architecture: str, options: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        chosen_options(architecture, options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("classes", "says"),
    [
        (["FR-I", "FR-I"], "model.classes is .*, classes 'FR-I' and 'FR-I' would both be column p_fr_i"),
        ([], r"model.classes is \[\], no class is named"),
        (["FR I"], "model.classes is .*, class 'FR I' is no name of a column"),
        ([3], "model.classes.0 is 3; write text"),
    ],
)
def test_wrong_lists_of_classes_are_one_line(classes: list[object], says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        load_config({"model": {"classes": classes}})
    assert "\n" not in str(caught.value)


def test_two_starts_of_one_training_are_refused() -> None:
    model = {"architecture": "vgg16", "pretrained": "x.pth", "start_from": {"D4": "y.safetensors"}}
    with pytest.raises(ConfigError, match=r"model\.pretrained and start_from are two starts"):
        load_config({"model": model})


def test_numbers_may_be_text() -> None:
    assert load_config({"model": {"options": {"width": "24"}}}).model.options == {"width": 24}


def test_defaults_of_every_architecture_are_within_their_bounds() -> None:
    for architecture, kind in ARCHITECTURE_OPTIONS.items():
        chosen_options(architecture, kind().as_dict())


def test_every_architecture_has_options_and_a_network() -> None:
    assert list(ARCHITECTURE_OPTIONS) == list(ARCHITECTURES)


def test_settings_need_neither_pytorch_nor_matplotlib() -> None:
    program = (
        "import sys, claran_core.settings.config; sys.exit(bool({'torch', 'matplotlib'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_pretrained_weights_must_exist(tmp_path: Path) -> None:
    assert check_pretrained(load_config().model) == []
    overlay = {"architecture": "vgg16", "pretrained": "vgg16.pth", "options": {"freeze_low": True}}
    model = load_config({"model": overlay}).model
    with pytest.raises(ConfigError, match=r"config: model\.pretrained: .*vgg16\.pth does not exist; give"):
        check_pretrained(model, tmp_path)
    (tmp_path / "vgg16.pth").touch()
    assert check_pretrained(model, tmp_path) == [str(tmp_path / "vgg16.pth")]
