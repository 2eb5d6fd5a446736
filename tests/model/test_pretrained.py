"""ImageNet weights: same response as in torchvision, and refusal of other files."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torchvision_weights import NUMBERS, POOLED_AFTER, WIDTH, imagenet

from claran_core.common.errors import WeightsError
from claran_core.model.architectures import build_detector
from claran_core.model.faster_rcnn.network import FasterRCNN
from claran_core.model.layers.processing import centred
from claran_core.model.pretrained import file_sha256, load_pretrained

MEANS = (213.0, 45.0, 14.0)
STD = torch.tensor([0.229, 0.224, 0.225])


def reference(tensors: dict[str, torch.Tensor], images: torch.Tensor, depth: int) -> torch.Tensor:
    """Return the first `depth` convolutions of images (N, H, W, 3), normalised as in torchvision."""
    x = ((images / 255 - torch.tensor(MEANS) / 255) / STD).permute(0, 3, 1, 2)
    for number in NUMBERS[:depth]:
        x = F.relu(
            F.conv2d(x, tensors[f"features.{number}.weight"], tensors[f"features.{number}.bias"], padding=1)
        )
        if number in POOLED_AFTER:
            x = F.max_pool2d(x, 2)
    return x


@pytest.fixture(scope="module")
def tensors() -> dict[str, torch.Tensor]:
    return imagenet()


@pytest.fixture
def detector() -> FasterRCNN:
    return build_detector("vgg16", channel_means=MEANS, options={"fc_width": WIDTH})


@pytest.mark.parametrize("name", ["vgg16.pth", "vgg16.safetensors"])
def test_features_are_those_of_torchvision(
    tensors: dict[str, torch.Tensor], detector: FasterRCNN, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    (save_file if path.suffix == ".safetensors" else torch.save)(tensors, path)
    assert load_pretrained(detector, path) == ["backbone", "fc6", "fc7"]
    images = torch.randint(0, 256, (1, 32, 32, 3), generator=torch.Generator().manual_seed(2)).float()
    inputs = centred(images, detector.channel_means)
    with torch.no_grad():
        first = detector.backbone.layers[:2](inputs)
        torch.testing.assert_close(first, reference(tensors, images, 1), rtol=1e-5, atol=1e-5)
        all_of_them = detector.backbone(inputs)
        torch.testing.assert_close(all_of_them, reference(tensors, images, 13), rtol=1e-3, atol=1e-4)
    assert all_of_them.shape == (1, 512, 2, 2) and all_of_them.std() > 0.1


def test_first_response_by_hand(
    tensors: dict[str, torch.Tensor], detector: FasterRCNN, tmp_path: Path
) -> None:
    # One pixel deviates from the mean, in red only, by 51 grey levels: 0.2 / 0.229 in torchvision's units.
    torch.save(tensors, tmp_path / "vgg16.pth")
    load_pretrained(detector, tmp_path / "vgg16.pth")
    images = torch.tensor(MEANS).expand(1, 5, 5, 3).clone()
    images[0, 2, 2, 0] -= 51.0
    with torch.no_grad():
        response = detector.backbone.layers[0](centred(images, detector.channel_means))[0, :, 2, 2]
    weight, bias = tensors["features.0.weight"], tensors["features.0.bias"]
    torch.testing.assert_close(response, bias - weight[:, 0, 1, 1] * 0.2 / 0.229)


def test_fully_connected_layers_are_loaded_if_their_widths_agree(
    tensors: dict[str, torch.Tensor], detector: FasterRCNN, tmp_path: Path
) -> None:
    path = tmp_path / "vgg16.safetensors"
    save_file(tensors, path)
    load_pretrained(detector, path)
    assert torch.equal(detector.head.fc6.weight, tensors["classifier.0.weight"])
    assert torch.equal(detector.head.fc7.bias, tensors["classifier.3.bias"])
    narrow = build_detector("vgg16", channel_means=MEANS, options={"fc_width": 4})
    before = narrow.head.fc6.weight.clone()
    assert load_pretrained(narrow, path) == ["backbone"]
    assert torch.equal(narrow.head.fc6.weight, before)


def test_frozen_layers_are_loaded_too(tensors: dict[str, torch.Tensor], tmp_path: Path) -> None:
    path = tmp_path / "vgg16.safetensors"
    save_file(tensors, path)
    frozen = build_detector("vgg16", channel_means=MEANS, options={"fc_width": WIDTH, "freeze_low": True})
    load_pretrained(frozen, path)
    layer = frozen.backbone.layers[2]
    assert torch.equal(layer.weight, tensors["features.2.weight"]) and not layer.weight.requires_grad


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"features.5.bias": None}, r"'features\.5\.bias' is missing; give torchvision's vgg16"),
        ({"features.0.weight": torch.zeros(64, 1, 3, 3)}, r"has shape \(64, 1, 3, 3\), not \(64, 3, 3, 3\)"),
        ({"features.28.bias": torch.full((512,), torch.nan)}, r"'features\.28\.bias' contains NaN"),
        ({"classifier.3.bias": None}, r"'classifier\.3\.bias' is missing"),
    ],
)
def test_other_layouts_are_refused(
    tensors: dict[str, torch.Tensor], detector: FasterRCNN, tmp_path: Path, change: dict[str, Any], says: str
) -> None:
    changed = {name: value for name, value in {**tensors, **change}.items() if value is not None}
    torch.save(changed, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match=says) as caught:
        load_pretrained(detector, tmp_path / "other.pth")
    assert "\n" not in str(caught.value)


class Exploit:
    """A pickle that runs code when it is opened."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("opened"),))


def test_files_without_a_state_dict_are_refused(
    detector: FasterRCNN, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(Exploit(), "exploit.pth")
    torch.save([1, 2], "list.pth")
    Path("text.pth").write_text("not weights\n")
    Path("text.safetensors").write_text("not weights\n")
    Path("empty.pth").touch()
    for name in ("exploit.pth", "list.pth", "text.pth", "text.safetensors", "empty.pth"):
        with pytest.raises(WeightsError, match=rf"^{name}: .*give torchvision's vgg16 state dict$"):
            load_pretrained(detector, Path(name))
    assert not Path("opened").exists()
    for read in (file_sha256, lambda path: load_pretrained(detector, path)):
        with pytest.raises(WeightsError, match=r"^absent\.pth: .*check model\.pretrained$"):
            read(Path("absent.pth"))


def test_other_architectures_are_refused(tmp_path: Path) -> None:
    other = build_detector("association", channel_means=MEANS)
    with pytest.raises(
        WeightsError, match=r"model\.architecture is association; write model\.pretrained: null"
    ):
        load_pretrained(other, tmp_path / "any.pth")


def test_sha256_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")  # the first example of FIPS 180
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert file_sha256(tmp_path / "abc") == digest
