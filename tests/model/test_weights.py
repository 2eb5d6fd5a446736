"""Weights files: round trip, reproducible bytes, and refusals in one line."""

import dataclasses
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from component_images import components
from safetensors.torch import load_file, save_file

from claran_core.common.calibration import Calibration
from claran_core.common.errors import WeightsError
from claran_core.common.morphology import MORPHOLOGIES
from claran_core.components.component_batch import ComponentBatch
from claran_core.model.architectures import build_detector
from claran_core.model.layers.detector import Detector
from claran_core.model.weights import calibrate_weights, load_weights, save_weights
from claran_core.model.weights_header import (
    DIGEST_NAME,
    WeightsInfo,
    check_compatible,
    model_id,
    read_header_text,
    read_info,
)
from claran_core.survey.surveys import SURVEYS

FIRST = SURVEYS["FIRST"]
FUSION = {"contour_sigma": 5.0, "hull_fill": (213, 45, 14), "size_px": 132, "pixel_scale_arcsec": 1.375}
INFO = WeightsInfo(
    architecture="association",
    class_names=MORPHOLOGIES,
    method="D4",
    fusion_options=FUSION,
    channel_means=(212.5, 45.25, 14.0),
    training={"epochs": 3, "learning_rate": 0.001},
    seed=7,
    data={"description": "simulated", "hash": "abc", "n_subjects": 12, "n_labels": 15},
    package_version="0.1.0",
    metrics={"training_error": 0.5},
)

KNOTS = ((-1.0, 0.25), (2.0, 0.75))


@pytest.fixture(scope="module")
def detector() -> Detector:
    return build_detector("association", channel_means=INFO.channel_means, seed=7).eval()


@pytest.fixture
def path(tmp_path: Path, detector: Detector) -> Path:
    save_weights(tmp_path / "weights.safetensors", detector, INFO)
    return tmp_path / "weights.safetensors"


def refusal(path: Path, *, method: str = "D4", fusion_options: Mapping[str, Any] = FUSION) -> str:
    """Return the message with which loading is refused; it is one line with the path."""
    with pytest.raises(WeightsError) as caught:
        load_weights(path, method=method, fusion_options=fusion_options, survey=FIRST)
    message = str(caught.value)
    assert "\n" not in message and str(path) in message
    return message


def rewritten(path: Path, **changes: Any) -> Path:
    """Write the same tensors with a changed header."""
    header = dataclasses.asdict(INFO) | {"architecture_options": {}} | changes
    save_file(load_file(path), path, metadata={"claran": json.dumps(header)})
    return path


def test_round_trip(path: Path, detector: Detector) -> None:
    loaded, info = load_weights(path, method="D4", fusion_options=FUSION, survey=FIRST)
    assert not loaded.training
    assert info.class_names == MORPHOLOGIES and info.channel_means == INFO.channel_means
    assert (info.seed, info.method, info.metrics, info.data) == (7, "D4", INFO.metrics, INFO.data)
    expected = detector.state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in loaded.state_dict().items())
    image = torch.randint(0, 255, (1, 132, 132, 3), dtype=torch.uint8)
    own = ComponentBatch.of([components((40, 50))])
    (one,), (other,) = (
        model.detect(image, model.candidates(own), min_probability=0.01, nms_iou=0.3)
        for model in (loaded, detector)
    )
    assert len(one) > 0 and torch.equal(one.boxes, other.boxes)


def test_permissions_follow_the_umask(tmp_path: Path, path: Path) -> None:
    (tmp_path / "other").touch()
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode


def test_a_calibration_is_added_and_nothing_else_changes(path: Path) -> None:
    before, calibration = load_weights(path, method="D4", fusion_options=FUSION, survey=FIRST), KNOTS
    calibrate_weights(path, Calibration(calibration))
    detector, info = load_weights(path, method="D4", fusion_options=FUSION, survey=FIRST)
    assert info == dataclasses.replace(before[1], calibration=calibration)
    for name, tensor in before[0].state_dict().items():
        assert torch.equal(tensor, detector.state_dict()[name])


def test_weights_without_a_calibration_have_no_knots(path: Path) -> None:
    assert read_info(path).calibration == ()


def test_a_calibration_that_does_not_rise_is_refused(tmp_path: Path, detector: Detector) -> None:
    wrong = dataclasses.replace(INFO, calibration=((0.0, 0.5), (1.0, 0.4)))
    save_weights(tmp_path / "weights.safetensors", detector, wrong)
    with pytest.raises(WeightsError, match=r"weights.safetensors: .*knots of a calibration must rise"):
        read_info(tmp_path / "weights.safetensors")


def test_options_of_the_architecture_are_restored(tmp_path: Path) -> None:
    small = build_detector("association", channel_means=INFO.channel_means, options={"width": 24})
    save_weights(tmp_path / "w.safetensors", small, INFO)
    loaded, _ = load_weights(tmp_path / "w.safetensors", method="D4", fusion_options=FUSION, survey=FIRST)
    assert loaded.options == {"width": 24} and loaded.hidden.out_features == 24


def test_equal_weights_are_equal_bytes_and_one_id(tmp_path: Path, path: Path, detector: Detector) -> None:
    again = tmp_path / "again.safetensors"
    save_weights(again, detector, INFO)
    assert again.read_bytes() == path.read_bytes()
    assert model_id(again) == model_id(path)
    assert model_id(path).startswith("association-D4-") and len(model_id(path)) == len("association-D4-") + 12
    save_weights(again, detector, dataclasses.replace(INFO, seed=8))
    assert model_id(again) != model_id(path)


def test_weights_are_stored_in_half_the_bytes(tmp_path: Path, path: Path, detector: Detector) -> None:
    info = dataclasses.replace(INFO, training={**INFO.training, "weights_precision": "bfloat16"})
    half = tmp_path / "half.safetensors"
    save_weights(half, detector, info)
    assert half.stat().st_size < 0.55 * path.stat().st_size
    loaded, read = load_weights(half, method="D4", fusion_options=FUSION, survey=FIRST)
    assert read.training["weights_precision"] == "bfloat16"
    for name, tensor in detector.state_dict().items():
        found = loaded.state_dict()[name]
        assert found.dtype == tensor.dtype  # the detector computes in single precision
        torch.testing.assert_close(found, tensor, rtol=2**-8, atol=0)
    calibrate_weights(half, Calibration(KNOTS))
    assert load_weights(half, method="D4", fusion_options=FUSION, survey=FIRST)[1].calibration == KNOTS


def test_the_header_is_read_without_the_weights(path: Path) -> None:
    assert read_info(path).architecture == "association"


def test_another_method_is_refused(path: Path) -> None:
    assert "weights for D4 images, used for D1" in refusal(path, method="D1")


@pytest.mark.parametrize(
    ("name", "value"),
    [("contour_sigma", 4.0), ("hull_fill", (0, 0, 0))],
)
def test_other_fusion_options_are_refused(path: Path, name: str, value: object) -> None:
    message = refusal(path, fusion_options=FUSION | {name: value})
    assert f"fusion.{name} = " in message and "train again" in message


def test_pixels_per_beam_must_agree(path: Path) -> None:
    message = refusal(path, fusion_options=FUSION | {"pixel_scale_arcsec": 1.8})
    assert "3.93 pixels per beam, used with 3.00 (FIRST: 5.4 arcsec)" in message
    assert "write fusion.pixel_scale_arcsec: 1.375" in message
    emu = FUSION | {"pixel_scale_arcsec": 3.82}
    load_weights(path, method="D4", fusion_options=emu, survey=SURVEYS["EMU"])
    refusal(path, fusion_options=emu)
    # Weights trained on another survey with the same number of pixels per beam are compatible with FIRST.
    rewritten(path, fusion_options=emu, data={**INFO.data, "survey": "EMU"})
    load_weights(path, method="D4", fusion_options=FUSION, survey=FIRST)


def test_colours_as_lists_and_tuples_are_equal(path: Path) -> None:
    load_weights(path, method="D4", fusion_options=FUSION | {"hull_fill": [213, 45, 14]}, survey=FIRST)


def test_classes_that_are_not_those_of_the_tensors_are_refused(path: Path) -> None:
    assert "'class_score.bias' has shape (8,), not (4,)" in refusal(
        rewritten(path, class_names=["FRI", "FRII"])
    )
    assert "'FR I' is no name of a column" in refusal(rewritten(path, class_names=["FR I"]))


def test_another_architecture_is_refused(path: Path) -> None:
    assert "'resnet' is unknown" in refusal(rewritten(path, architecture="resnet"))


def test_unknown_options_of_the_architecture_are_refused(path: Path) -> None:
    assert "layers" in refusal(rewritten(path, architecture_options={"layers": 9}))


@pytest.mark.parametrize("length", [0, 5, 2000, -100])
def test_a_truncated_file_is_refused(path: Path, length: int) -> None:
    path.write_bytes(path.read_bytes()[:length])
    assert "not a complete safetensors file" in refusal(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert "cannot be read (No such file or directory)" in refusal(tmp_path / "none.safetensors")


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_is_refused_without_reading_it(tmp_path: Path, detector: Detector, zipped: bool) -> None:
    path = tmp_path / "weights.pt"
    torch.save(detector.state_dict(), path, _use_new_zipfile_serialization=zipped)
    assert "never loaded" in refusal(path)


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}, {"claran": "{"}, {"claran": '{"method": 1}'}])
def test_weights_of_another_program_are_refused(path: Path, metadata: dict[str, str] | None) -> None:
    save_file(load_file(path), path, metadata=metadata)
    assert "no header of this program" in refusal(path)


def changed_tensors(path: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> str:
    """Change the tensors of a file, and return the message with which loading is refused."""
    tensors = load_file(path)
    change(tensors)
    header = dataclasses.asdict(INFO) | {"architecture_options": {}}
    save_file(tensors, path, metadata={"claran": json.dumps(header)})
    return refusal(path)


def test_tensors_must_be_those_of_the_architecture(path: Path) -> None:
    name = "class_score.bias"
    original = load_file(path)
    cases = {
        "is missing": lambda tensors: tensors.pop(name),
        "is unknown": lambda tensors: tensors.update(extra=torch.zeros(2)),
        "has shape (3,), not (8,)": lambda tensors: tensors.update({name: torch.zeros(3)}),
        "contains NaN": lambda tensors: tensors.update({name: torch.full((8,), torch.nan)}),
    }
    for problem, change in cases.items():
        save_file(original, path)
        assert problem in changed_tensors(path, change)


def test_a_changed_byte_is_refused(path: Path) -> None:
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    means = content.index(b"212.5")
    for place in (start, start + 4321, len(content) - 1, means + 2, means + 4):
        damaged = bytearray(content)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        assert "a byte has changed" in refusal(path)


def test_weights_without_a_digest_are_loaded(path: Path) -> None:
    rewritten(path)
    loaded, _ = load_weights(path, method="D4", fusion_options=FUSION, survey=FIRST)
    assert torch.equal(loaded.state_dict()["class_score.bias"], load_file(path)["class_score.bias"])


@pytest.mark.parametrize("method", ["D1", "D4"])
def test_the_shipped_weights_have_a_digest(method: str) -> None:
    path = Path(__file__).parents[2] / "resources" / "models" / f"{method}.safetensors"
    load_weights(path, method=method, fusion_options=FUSION, survey=FIRST)
    assert DIGEST_NAME in (read_header_text(path) or "")


def test_values_that_json_does_not_allow_are_refused_before_writing(
    tmp_path: Path, detector: Detector
) -> None:
    with pytest.raises(ValueError, match="JSON"):
        save_weights(tmp_path / "w", detector, dataclasses.replace(INFO, metrics={"x": float("nan")}))
    with pytest.raises(ValueError, match="header says 'vgg16'"):
        save_weights(tmp_path / "w", detector, dataclasses.replace(INFO, architecture="vgg16"))
    assert list(tmp_path.iterdir()) == []


def test_weights_of_another_architecture_are_not_compatible(path: Path) -> None:
    facts = {"method": "D4", "fusion_options": read_info(path).fusion_options, "survey": FIRST}
    check_compatible(path, read_info(path), **facts, architecture="association")
    with pytest.raises(
        WeightsError, match=r"weights of association, but .* is vgg16; .*D4: null to train it"
    ):
        check_compatible(path, read_info(path), **facts, architecture="vgg16")


def test_fields_may_have_another_width(path: Path) -> None:
    load_weights(path, method="D4", fusion_options={**FUSION, "size_px": 264}, survey=FIRST)


@pytest.mark.parametrize("length", range(0, 256, 8))
def test_a_header_of_any_length_is_not_taken_for_a_pickle(path: Path, length: int) -> None:
    # The first byte of the file is the lowest of the header's length: 0x80 once in 32 files.
    read_info(rewritten(path, data={"description": "x" * length}))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"fusion_options": {"size_px": 132}}, "'pixel_scale_arcsec'"),
        ({"fusion_options": FUSION | {"pixel_scale_arcsec": 0}}, "fusion_options.pixel_scale_arcsec is 0"),
        ({"fusion_options": FUSION | {"size_px": "wide"}}, "fusion_options.size_px is 'wide'"),
        ({"fusion_options": [1]}, "fusion_options is no dict"),
        ({"class_names": [1, 2]}, "class_names or data.survey are not texts"),
        ({"data": {"survey": ["FIRST"]}}, "class_names or data.survey are not texts"),
        ({"data": "simulated"}, "data is no dict"),
        ({"channel_means": [1e400, 0, 0]}, "are not three finite numbers"),
        ({"channel_means": [10**400, 0, 0]}, "OverflowError"),
        ({"channel_means": [1.0]}, "are not three finite numbers"),
        ({"seed": "seven"}, "seed is no int"),
    ],
)
def test_a_header_that_lies_is_refused(path: Path, changes: dict[str, Any], said: str) -> None:
    message = refusal(rewritten(path, **changes))
    assert "no header of this program" in message and said in message


def test_a_header_of_nested_brackets_and_a_pipe_are_refused(path: Path) -> None:
    save_file(load_file(path), path, metadata={"claran": "[" * 100_000})
    assert "no header of this program (RecursionError" in refusal(path)
    pipe = path.with_name("pipe.safetensors")
    os.mkfifo(pipe)
    assert "a pipe or a device, not a file" in refusal(pipe)  # opening it would wait for ever
