"""ImageNet weights as a start of VGG-16 (paper section 4.2), from torchvision's ``vgg16`` state dict."""

import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError  # the name only: `torch.load(weights_only=True)` raises it

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from claran_core.common.errors import WeightsError
from claran_core.model.faster_rcnn.detector import Detector
from claran_core.model.layers.backbones import Vgg16Backbone

__all__ = ["file_sha256", "load_pretrained"]

logger = logging.getLogger(__name__)

# What torchvision divides each channel by, R, G and B, after grey levels are scaled to 0..1.
IMAGENET_STD = (0.229, 0.224, 0.225)
WHITE = 255.0

# torchvision's names of the fully connected layers, and ours.
FULLY_CONNECTED = {"classifier.0": "fc6", "classifier.3": "fc7"}


def load_pretrained(detector: Detector, path: Path) -> list[str]:
    """Give a VGG-16 detector the convolutions of an ImageNet network, and FC_6 and FC_7 where they fit.

    torchvision's network takes R, G and B (the published code's takes B, G, R) in units of each channel's
    standard deviation, ``(grey / 255 - mean) / std``.  Ours takes R, G and B in grey levels around the mean
    of the training set (paper section 4.1), which is here what ImageNet's mean is there.  The first
    convolution's weights are therefore divided by ``255 std``: its response to a departure from the mean is
    then what torchvision's would be.  No channels change places, and biases stay.

    torchvision pools 7 x 7 cells of 512 channels and flattens them in the order of ours, so FC_6 and FC_7
    are taken over where their widths agree (``fc_width`` 4096); otherwise they stay as drawn.

    Parameters
    ----------
    detector : Detector
        With the backbone of ``vgg16``; changed in place.
    path : Path
        ``.safetensors``, or what ``torch.save`` wrote of the state dict, opened without running any code.

    Returns
    -------
    list of str
        Layers that were loaded: ``backbone``, and ``fc6`` and ``fc7``.

    Raises
    ------
    WeightsError
        In one line, if the file is missing or not of that layout, or the detector is another.
    """
    path = Path(path)
    if not isinstance(detector.backbone, Vgg16Backbone):
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
    layers = {
        name: getattr(detector.head, own)
        for name, own in FULLY_CONNECTED.items()
        if _fits(tensors, name, getattr(detector.head, own))
    }
    if len(layers) < len(FULLY_CONNECTED):  # one without the other has learnt nothing
        layers = {}
    _check(path, tensors, layers)
    with torch.no_grad():
        for name, layer in {**convolutions, **layers}.items():
            layer.weight.copy_(tensors[f"{name}.weight"])
            layer.bias.copy_(tensors[f"{name}.bias"])
        detector.backbone.layers[0].weight /= WHITE * torch.tensor(IMAGENET_STD)[:, None, None]
    loaded = ["backbone", *(FULLY_CONNECTED[name] for name in layers)]
    logger.info("%s: training starts from its %s", path, ", ".join(loaded))
    return loaded


def file_sha256(path: Path) -> str:
    """SHA-256 (hex) of a file of weights.

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
        raise WeightsError(f"{path}: holds a {type(tensors).__name__}; give torchvision's vgg16 state dict")
    return tensors


def _fits(tensors: Mapping[str, Tensor], name: str, layer: nn.Module) -> bool:
    weight = tensors.get(f"{name}.weight")
    return isinstance(weight, Tensor) and weight.shape == layer.weight.shape


def _check(path: Path, tensors: Mapping[str, Tensor], layers: Mapping[str, nn.Module]) -> None:
    for name, layer in layers.items():
        for kind in ("weight", "bias"):
            key, wanted = f"{name}.{kind}", tuple(getattr(layer, kind).shape)
            tensor = tensors.get(key)
            if not isinstance(tensor, Tensor):
                problem = f"{key!r} is missing"
            elif tensor.shape != wanted:
                problem = f"{key!r} has shape {tuple(tensor.shape)}, not {wanted}"
            elif not torch.isfinite(tensor).all():
                problem = f"{key!r} holds NaN or infinity"
            else:
                continue
            raise WeightsError(f"{path}: {problem}; give torchvision's vgg16 state dict")
