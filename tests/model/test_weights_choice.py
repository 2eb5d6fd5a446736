"""Which of several weights a run uses, and what it says about them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from claran_core.common.errors import ConfigError, WeightsError
from claran_core.common.paths import REPOSITORY
from claran_core.model.weights_choice import given_weights, start_weights
from claran_core.model.weights_header import HEADER_KEY, read_header_text
from claran_core.settings.config import Config, load_config

SHIPPED = REPOSITORY / "resources" / "models" / "D1.safetensors"


def write_weights(path: Path, pixels_per_beam: list[float] | None, frequency_hz: list[float] | None) -> str:
    """Write a file with the header of the weights that ship, but trained on other images."""
    header = json.loads(read_header_text(SHIPPED) or "")
    header["data"] |= {"survey": "MIX", "pixels_per_beam": pixels_per_beam, "frequency_hz": frequency_hz}
    save_file({"x": np.zeros(1)}, path, metadata={HEADER_KEY: json.dumps(header)})
    return str(path)


def settings(weights: Any, name: str = "LOTSS", pixel_scale_arcsec: float = 1.528) -> Config:
    return load_config(
        {
            "survey": {
                "radio": {"name": name, "source": "directory", "path": "images"},
                "infrared": {"source": "none"},
            },
            "fusion": {"methods": ["D1"], "pixel_scale_arcsec": pixel_scale_arcsec},
            "catalogue": {"method": "D1"},
            "model": {"weights": {"D1": weights}},
        }
    )


def test_the_nearest_frequency_among_those_that_fit_the_beam(tmp_path: Path) -> None:
    files = [
        write_weights(tmp_path / "high.safetensors", [3.9, 3.9], [1.4e9, 3e9]),
        write_weights(tmp_path / "low.safetensors", [3.0, 5.0], [1.2e8, 1.6e8]),
        write_weights(tmp_path / "other_beam.safetensors", [6.0, 8.0], [1.44e8, 1.44e8]),
    ]
    given, unfit = given_weights(settings(files))
    chosen = given["D1"]
    assert chosen.path.name == "low.safetensors" and not chosen.warning and not unfit
    assert chosen.reason == (
        "low.safetensors: trained with 3 to 5 pixels per beam at 0.12 to 0.16 GHz; "
        "LOTSS has 3.93 at 0.144 GHz; the nearest of 2 that fit, of 3 given"
    )
    assert given_weights(settings(files, "VLASS", 0.637))[0]["D1"].path.name == "high.safetensors"
    # Seven pixels per beam: only the third fits, at any frequency.
    seven = given_weights(settings(files, "FIRST", 5.4 / 7))[0]["D1"]
    assert seven.path.name == "other_beam.safetensors" and "it has not seen this emission" in seven.warning


def test_of_equal_ones_the_first(tmp_path: Path) -> None:
    files = [write_weights(tmp_path / f"{name}.safetensors", [3.9, 3.9], None) for name in ("b", "a")]
    assert given_weights(settings(files))[0]["D1"].path.name == "b.safetensors"
    assert "at unknown GHz" in given_weights(settings(files))[0]["D1"].reason


def test_the_weights_that_ship_are_at_home_in_first() -> None:
    ships = "resources/models/D1.safetensors"
    at_home = given_weights(settings(ships, "FIRST", 1.375))[0]["D1"]
    assert (
        at_home.warning == ""
        and "3.93 pixels per beam at 1.4 GHz; FIRST has 3.93 at 1.4 GHz" in at_home.reason
    )
    assert given_weights(settings(ships, "NVSS", 11.46))[0]["D1"].warning == ""
    lotss = given_weights(settings(ships))[0]["D1"]
    assert lotss.path == SHIPPED and "measure its completeness on the simulated sky" in lotss.warning


def test_nothing_fits(tmp_path: Path) -> None:
    own = write_weights(tmp_path / "own.safetensors", [6.0, 8.0], None)
    wide = write_weights(tmp_path / "wide.safetensors", [9.0, 9.0], None)
    with pytest.raises(WeightsError, match=r"with 6.00 to 8.00 pixels per beam, used with 3.*; .*with 9.00 "):
        given_weights(settings([own, wide]))
    with pytest.raises(WeightsError, match=r"write fusion.pixel_scale_arcsec: 1, or train again"):
        given_weights(settings(own))
    given, unfit = given_weights(settings("resources/models/D1.safetensors", "LOTSS", 1.0))
    assert not given and "pixels per beam, used with 6.00 (LOTSS: 6 arcsec)" in unfit[0]


def test_a_file_that_cannot_be_read_is_not_passed_over(tmp_path: Path) -> None:
    own = write_weights(tmp_path / "own.safetensors", [3.0, 5.0], None)
    assert given_weights(settings(own))[0]["D1"].path == Path(own)
    with pytest.raises(WeightsError, match=r"missing.safetensors: cannot be read"):
        given_weights(settings([own, str(tmp_path / "missing.safetensors")]))


def test_null_says_no_range(tmp_path: Path) -> None:
    own = write_weights(tmp_path / "own.safetensors", None, None)
    with pytest.raises(ConfigError, match="MIX"):  # the survey must say it
        given_weights(settings(own))


@pytest.mark.parametrize("stated", [[3.9], [4.0, 3.0], [0, 3.0], [3.0, float("inf")], "wide", [1, 2, 3]])
def test_ranges_that_cannot_be_are_refused(tmp_path: Path, stated: Any) -> None:
    own = write_weights(tmp_path / "own.safetensors", stated, None)
    with pytest.raises(WeightsError, match="no header of this program"):
        given_weights(settings(own))


def start_settings(**model: Any) -> Config:
    return load_config(
        {"fusion": {"methods": ["D1"]}, "catalogue": {"method": "D1"}, "model": {"weights": {}, **model}}
    )


def test_weights_of_other_classes_are_refused_with_both_lists(tmp_path: Path) -> None:
    own = write_weights(tmp_path / "own.safetensors", [3.9, 3.9], None)
    config = start_settings(classes=["FR-I", "FR-II"], weights={"D1": own})
    with pytest.raises(WeightsError, match="its classes are 1C_1P, .*, but model.classes are FR-I, FR-II; "):
        given_weights(config)
    # Weights that ship are passed over, and others are trained.
    ships = {"D1": "resources/models/D1.safetensors"}
    given, unfit = given_weights(start_settings(classes=["FR-I", "FR-II"], weights=ships))
    assert not given and "but model.classes are FR-I, FR-II; " in unfit[0]


def test_a_start_may_have_other_classes(tmp_path: Path) -> None:
    own = write_weights(tmp_path / "own.safetensors", [3.9, 3.9], None)
    config = start_settings(classes=["FR-I", "FR-II"], start_from={"D1": own})
    assert start_weights(config, []) == {"D1": Path(own)}
    assert start_weights(start_settings(), []) == {}


def test_a_start_that_is_not_used_is_refused(tmp_path: Path) -> None:
    own = write_weights(tmp_path / "own.safetensors", [3.9, 3.9], None)
    with pytest.raises(ConfigError, match="D1 has weights and is not trained; write model.weights.D1: null"):
        start_weights(start_settings(start_from={"D1": own}), ["D1"])
    with pytest.raises(ConfigError, match="start_from.D4: fusion.methods does not make D4"):
        start_weights(start_settings(start_from={"D4": own}), [])
    with pytest.raises(WeightsError, match="with 6.00 to 8.00 pixels per beam"):
        start_weights(
            start_settings(start_from={"D1": write_weights(tmp_path / "far.safetensors", [6.0, 8.0], None)}),
            [],
        )
