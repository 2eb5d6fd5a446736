"""Weights files: safetensors with a header that describes the training."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save
from torch import Tensor

from claran_core.common.calibration import Calibration
from claran_core.common.errors import ConfigError, WeightsError
from claran_core.common.files import atomic_path
from claran_core.model.architectures import build_detector
from claran_core.model.layers.detector import Detector
from claran_core.model.weights_header import (
    DIGEST_NAME,
    HEADER_KEY,
    WeightsInfo,
    check_compatible,
    parsed_header,
    read_header_text,
)
from claran_core.survey.surveys import Survey

__all__ = ["calibrate_weights", "load_weights", "save_weights"]


def save_weights(path: Path, detector: Detector, info: WeightsInfo) -> None:
    """Write weights and header atomically; equal input gives equal bytes.

    Numbers have the precision ``weights_precision`` of the header's training settings, single precision
    without one; the detector keeps its own.  The header holds a digest of the rest of the header and of the
    tensors, which `load_weights` checks.

    Raises
    ------
    ValueError
        If `info` does not describe `detector`, or contains NaN or infinity, which JSON does not allow.
    """
    if info.architecture != detector.architecture:
        raise ValueError(f"{path}: header says {info.architecture!r}, detector is {detector.architecture!r}")
    if info.class_names != detector.class_names:
        raise ValueError(f"{path}: header says {info.class_names}, detector has {detector.class_names}")
    header = dataclasses.asdict(info) | {"architecture_options": detector.options}
    stored = getattr(torch, info.training.get("weights_precision", "float32"))
    tensors = {
        name: tensor.detach().cpu().contiguous().to(stored if tensor.is_floating_point() else tensor.dtype)
        for name, tensor in detector.state_dict().items()
    }
    _write(Path(path), header, tensors)


def calibrate_weights(path: Path, calibration: Calibration) -> None:
    """Write the calibration of the probabilities into a weights file; everything else stays.

    Raises
    ------
    WeightsError
        As `read_info`, or if the content of the file differs from its digest.
    """
    text = read_header_text(path)
    parsed_header(path, text)
    header, tensors = json.loads(text or "{}"), load_file(path)
    _check_digest(path, header, tensors)
    _write(path, header | {"calibration": calibration.knots}, tensors)


def _write(path: Path, header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Write a header with a new digest, and the tensors."""
    # Tuples become lists, as the digest of a file that is read has them.
    plain = json.loads(json.dumps(dict(header), allow_nan=False))
    plain[DIGEST_NAME] = _content_digest(plain, tensors)
    text = json.dumps(plain, sort_keys=True, allow_nan=False)
    with atomic_path(path) as temporary:
        # `save_file` makes a file of its own, which only its owner may read.
        temporary.write_bytes(save(dict(tensors), metadata={HEADER_KEY: text}))


def load_weights(
    path: Path, *, method: str, fusion_options: Mapping[str, Any], survey: Survey
) -> tuple[Detector, WeightsInfo]:
    """Read weights that are compatible with the images of a run, and check that no byte has changed.

    Older files have no digest, and are not checked for changed bytes.

    Parameters
    ----------
    path : Path
        File written by `save_weights`.
    method : str
        Fusion method of the images.
    fusion_options : mapping
        Their ``contour_sigma``, ``hull_fill``, ``size_px`` and ``pixel_scale_arcsec``.
    survey : Survey
        Radio survey of the images.

    Returns
    -------
    detector : Detector
        On the CPU, in evaluation mode.
    info : WeightsInfo
        Header of the file.

    Raises
    ------
    WeightsError
        If the file cannot be read safely, its content differs from its digest, or the weights are not
        compatible.
    """
    path = Path(path)
    text = read_header_text(path)
    info, options = parsed_header(path, text)
    check_compatible(path, info, method=method, fusion_options=fusion_options, survey=survey)
    try:
        detector = build_detector(
            info.architecture,
            channel_means=info.channel_means,
            class_names=info.class_names,
            frame_px=info.fusion_options["size_px"],
            options=options,
        )
    except ConfigError as error:
        raise WeightsError(f"{path}: {error}; train again with this version of the program") from None
    tensors = load_file(path)
    _check_digest(path, json.loads(text or "{}"), tensors)
    _check_tensors(path, detector, tensors)
    detector.load_state_dict(tensors)
    return detector.eval(), info


def _content_digest(header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 (hex) of the header, then of the names and bytes of the tensors in order of name."""
    others = {name: value for name, value in header.items() if name != DIGEST_NAME}
    digest = hashlib.sha256(json.dumps(others, sort_keys=True, allow_nan=False).encode())
    for name in sorted(tensors):
        digest.update(name.encode())
        # As bytes, because NumPy has no bfloat16.
        digest.update(tensors[name].reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _check_digest(path: Path, header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    if header.get(DIGEST_NAME, "") not in ("", _content_digest(header, tensors)):
        raise WeightsError(
            f"{path}: its content differs from the digest in its header: a byte has changed; "
            "copy the file again, or train again"
        )


def _check_tensors(path: Path, detector: Detector, tensors: Mapping[str, Tensor]) -> None:
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
            problem = f"tensor {name!r} contains NaN or infinity"
        else:
            continue
        raise WeightsError(f"{path}: {problem}; copy the file again, or train again")
