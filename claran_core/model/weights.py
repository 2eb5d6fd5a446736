"""Weights in files: safetensors with a header that says what they were trained for.

A header that does not fit what the weights are asked to do is refused in one line.  Nothing that could
run code (pickle, as ``torch.save`` writes) is ever opened.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from claran_core.errors import ConfigError, WeightsError
from claran_core.files import atomic_path
from claran_core.model.architectures import ARCHITECTURES, build_detector
from claran_core.model.association import AssociationNetwork
from claran_core.model.detector import Detector
from claran_core.morphology import MORPHOLOGIES

__all__ = ["WeightsInfo", "load_weights", "model_id", "read_info", "save_weights"]

# The one key of the header.  All facts are one JSON string under it, because safetensors writes several
# keys in random order, and the same training must give the same bytes.
HEADER_KEY = "claran"

# First bytes of a zip archive (torch.save) and of a bare pickle.
PICKLE_STARTS = (b"PK\x03\x04", b"\x80")


@dataclass(frozen=True)
class WeightsInfo:
    """What the header of a weights file says.

    Attributes
    ----------
    architecture : str
        As `build_detector` takes it.
    class_names : tuple of str
        Classes 1.. in order.
    method : str
        Fusion method of the images it was trained on.
    fusion_options : mapping
        ``contour_sigma``, ``hull_fill``, ``size_px``, ``pixel_scale_arcsec`` of those images.
    channel_means : tuple of float
        Mean grey level of R, G and B that is subtracted.
    training : mapping
        Training settings.
    seed : int
        Seed of the training.
    data : mapping
        ``description``, ``hash``, ``n_subjects``, ``n_labels`` of the training set.
    package_version : str
        Version that trained it.
    metrics : mapping
        What was measured at the end; JSON values, finite.
    """

    architecture: str
    class_names: tuple[str, ...]
    method: str
    fusion_options: Mapping[str, Any]
    channel_means: tuple[float, ...]
    training: Mapping[str, Any]
    seed: int
    data: Mapping[str, Any]
    package_version: str
    metrics: Mapping[str, Any]


def save_weights(path: Path, detector: Detector | AssociationNetwork, info: WeightsInfo) -> None:
    """Write weights and header, atomically; equal input gives equal bytes.

    Raises
    ------
    ValueError
        If `info` holds NaN or infinity, which JSON has not, or does not describe `detector`.
    """
    if info.architecture != detector.architecture:
        raise ValueError(f"{path}: header says {info.architecture!r}, detector is {detector.architecture!r}")
    header = dataclasses.asdict(info) | {"architecture_options": detector.options}
    text = json.dumps(header, sort_keys=True, allow_nan=False)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in detector.state_dict().items()}
    with atomic_path(Path(path)) as temporary:
        save_file(tensors, temporary, metadata={HEADER_KEY: text})


def read_info(path: Path) -> WeightsInfo:
    """Read the header alone.

    Raises
    ------
    WeightsError
        If the file is missing, truncated, a pickle, or has no header of this program.
    """
    return _read(Path(path), with_tensors=False)[0]


def load_weights(
    path: Path, *, method: str, fusion_options: Mapping[str, Any]
) -> tuple[Detector | AssociationNetwork, WeightsInfo]:
    """Read weights for images of `method` drawn with `fusion_options`.

    Parameters
    ----------
    path : Path
        File written by `save_weights`.
    method : str
        Fusion method of the images it is to be used on.
    fusion_options : mapping
        Their ``contour_sigma``, ``hull_fill``, ``size_px`` and ``pixel_scale_arcsec``.

    Returns
    -------
    detector : Detector
        On the CPU, in evaluation mode.
    info : WeightsInfo
        What its header says.

    Raises
    ------
    WeightsError
        In one line, if the file cannot be read safely or was trained for something else.
    """
    path = Path(path)
    info, options, tensors = _read(path, with_tensors=True)
    _check_purpose(path, info, method, fusion_options)
    try:
        detector = build_detector(
            info.architecture,
            channel_means=info.channel_means,
            frame_px=info.fusion_options["size_px"],
            options=options,
        )
    except ConfigError as error:
        raise WeightsError(f"{path}: {error}; train again with this version of the program") from None
    _check_tensors(path, detector, tensors)
    detector.load_state_dict(tensors)
    return detector.eval(), info


def model_id(path: Path) -> str:
    """Short stable name of a weights file: architecture, method, first 12 hex digits of its SHA-256.

    Raises
    ------
    WeightsError
        As `read_info`.
    """
    info = read_info(path)
    with Path(path).open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    return f"{info.architecture}-{info.method}-{digest[:12]}"


def _read(path: Path, *, with_tensors: bool) -> tuple[WeightsInfo, dict[str, Any], dict[str, Tensor]]:
    """Header, options of the architecture, and (if wanted) tensors."""
    _refuse_pickle(path)
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()} if with_tensors else {}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(
            f"{path}: not a complete safetensors file ({reason}); copy it again, or train anew"
        ) from None
    info, options = _parsed_header(path, metadata)
    return info, options, tensors


def _refuse_pickle(path: Path) -> None:
    try:
        with path.open("rb") as handle:
            start = handle.read(4)
    except OSError as error:
        raise WeightsError(
            f"{path}: cannot be read ({error.strerror}); check model.weights, "
            "or leave the method out there to train it"
        ) from None
    if start.startswith(PICKLE_STARTS):
        raise WeightsError(
            f"{path}: a pickle, which can run code and is never loaded; "
            "give the weights.safetensors that training writes"
        )


def _parsed_header(path: Path, metadata: Mapping[str, str]) -> tuple[WeightsInfo, dict[str, Any]]:
    try:
        header = json.loads(metadata[HEADER_KEY])
        options = header.pop("architecture_options")
        header["class_names"] = tuple(header["class_names"])
        header["channel_means"] = tuple(float(mean) for mean in header["channel_means"])
        return WeightsInfo(**header), dict(options)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise WeightsError(
            f"{path}: no header of this program ({type(error).__name__}: {error}); "
            "give the weights.safetensors that training writes"
        ) from None


def _check_purpose(path: Path, info: WeightsInfo, method: str, fusion_options: Mapping[str, Any]) -> None:
    if info.architecture not in ARCHITECTURES:
        raise WeightsError(
            f"{path}: architecture {info.architecture!r} is unknown; "
            f"this program has: {', '.join(ARCHITECTURES)}"
        )
    if info.class_names != MORPHOLOGIES:
        raise WeightsError(
            f"{path}: its classes are {', '.join(info.class_names)}; "
            f"this program needs {', '.join(MORPHOLOGIES)}"
        )
    if info.method != method:
        raise WeightsError(
            f"{path}: weights for {info.method} images, asked for {method}; "
            f"write them under {info.method} in model.weights, or give weights trained on {method}"
        )
    trained, asked = _plain(info.fusion_options), _plain(fusion_options)
    for name in sorted(trained.keys() | asked.keys()):
        if trained.get(name) != asked.get(name):
            raise WeightsError(
                f"{path}: trained with fusion.{name} = {trained.get(name)}, asked for {asked.get(name)}; "
                "set it to the trained value, or train anew"
            )


def _plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as JSON gives them back, so that a tuple equals the list it was written as."""
    return json.loads(json.dumps(dict(options)))


def _check_tensors(
    path: Path, detector: Detector | AssociationNetwork, tensors: Mapping[str, Tensor]
) -> None:
    wanted = detector.state_dict()
    for name in sorted(wanted.keys() | tensors.keys()):
        if name not in tensors:
            problem = f"tensor {name!r} is missing"
        elif name not in wanted:
            problem = f"tensor {name!r} is unknown"
        elif tensors[name].shape != wanted[name].shape:
            problem = (
                f"tensor {name!r} has shape {tuple(tensors[name].shape)}, not {tuple(wanted[name].shape)}"
            )
        elif not torch.isfinite(tensors[name]).all():
            problem = f"tensor {name!r} holds NaN or infinity"
        else:
            continue
        raise WeightsError(f"{path}: {problem}; copy the file again, or train anew")
