"""Options of the architectures: known without PyTorch, and mistakes answered in one line."""

import dataclasses
import subprocess
import sys

import pytest
import yaml

from claran_core.common.errors import ConfigError
from claran_core.model.architectures import ARCHITECTURES
from claran_core.settings.architecture_options import ARCHITECTURE_OPTIONS, chosen_options
from claran_core.settings.config import SCHEMA


def test_given_options_beside_defaults():
    chosen = chosen_options("vgg16", {"fc_width": 64, "freeze_low": True, "box_gradient": 0})
    assert dataclasses.asdict(chosen) == {
        "fc_width": 64,
        "input_px": 600,
        "freeze_low": True,
        "box_gradient": 0,
    }


@pytest.mark.parametrize(
    ("architecture", "options", "says"),
    [
        (
            "vgg16",
            {"fc_widht": 3},
            r"'fc_widht' of architecture 'vgg16' is unknown; it knows: fc_width \(4096\), ",
        ),
        ("vgg16", {"fc_width": 64.0}, "'fc_width' .* is 64.0, not int; it knows"),
        ("vgg16", {"fc_width": True}, "is True, not int"),
        ("vgg16", {"freeze_low": 1}, "is 1, not true or false"),
        ("vgg16", {"box_gradient": "1"}, "is '1', not float"),
        ("association", {"dropout": 1.0}, "is 1.0, not within 0 to 0.99"),
        ("association", {"blind": float("nan")}, "is nan, not within 0 to 1"),
        ("vgg16", {"fc_width": 0}, "is 0, not within 1 to 65536"),
        ("association", {"input_px": 600}, "'input_px' of architecture 'association' is unknown"),
        ("vgg19", {}, "'vgg19' is unknown; there are: association, vgg16$"),
    ],
)
def test_mistakes_are_answered_in_one_line(architecture, options, says):
    with pytest.raises(ConfigError, match=says) as caught:
        chosen_options(architecture, options)
    assert "\n" not in str(caught.value)


def test_every_default_is_of_its_type_and_within_its_bounds():
    for architecture, kind in ARCHITECTURE_OPTIONS.items():
        chosen_options(architecture, dataclasses.asdict(kind()))


def test_same_architectures_everywhere():
    schema = yaml.safe_load(SCHEMA.read_text())
    listed = schema["properties"]["model"]["properties"]["architecture"]["enum"]
    assert listed == list(ARCHITECTURE_OPTIONS) == list(ARCHITECTURES)


def test_settings_are_checked_without_pytorch():
    program = "import sys, claran_core.settings.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
