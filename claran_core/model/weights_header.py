"""The header of a weights file: how the weights were trained, and whether they are compatible with a run.

Reading it needs no PyTorch, so a workflow checks its settings before it starts.  Pickles, such as
``torch.save`` writes, can run code and are never opened.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from claran_core.common.calibration import Calibration
from claran_core.common.errors import InputError, WeightsError
from claran_core.common.morphology import check_classes
from claran_core.survey.surveys import Survey, survey_named

__all__ = [
    "DIGEST_NAME",
    "HEADER_KEY",
    "WeightsInfo",
    "check_compatible",
    "model_id",
    "parsed_header",
    "read_header",
    "read_header_text",
    "read_info",
    "trained_frequency_hz",
    "trained_pixels_per_beam",
]

# The only key of the header; its value is one JSON string.  safetensors writes several keys in random order,
# and the same training must give the same bytes.
HEADER_KEY = "claran"

# Entry of the header: SHA-256 (hex) of the other entries and the tensors.  Older files have none.
DIGEST_NAME = "content_sha256"

# Largest relative difference in pixels per beam between the images of a run and those of the training.
SCALE_TOLERANCE = 0.05

# What a header of other content raises.
HEADER_ERRORS = (
    LookupError,
    TypeError,
    ValueError,
    ArithmeticError,
    AttributeError,
    RecursionError,
    InputError,
)

# Red, green and blue.
N_CHANNELS = 3

# Survey of files whose header names none.
UNNAMED_SURVEY = "FIRST"

# First bytes of a zip archive (torch.save) and of a bare pickle.
PICKLE_STARTS = (b"PK\x03\x04", b"\x80")


@dataclass(frozen=True)
class WeightsInfo:
    """Header of a weights file.

    Attributes
    ----------
    architecture : str
        Architecture, as for `build_detector`.
    class_names : tuple of str
        Classes 1, 2, .. in order.
    method : str
        Fusion method of the training images.
    fusion_options : mapping
        ``contour_sigma``, ``hull_fill``, ``size_px``, ``pixel_scale_arcsec`` of the training images.
    channel_means : tuple of float
        Mean grey levels of R, G and B, which are subtracted from images.
    training : mapping
        Training settings.
    seed : int
        Seed of the training.
    data : mapping
        ``description``, ``survey`` (of the radio images; FIRST if it is absent), ``hash``, ``n_subjects``,
        ``n_labels`` of the training set; ``pixels_per_beam`` and ``frequency_hz``, the lowest and highest
        value of each (older files have neither).
    package_version : str
        Version of this package.
    metrics : mapping
        Final losses; finite numbers.
    calibration : tuple of (float, float)
        Knots of the `claran_core.common.calibration.Calibration` of the probability of a source; empty
        without one, as in older files.
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
    calibration: tuple[tuple[float, float], ...] = ()


def read_info(path: Path) -> WeightsInfo:
    """Read the header of a weights file.

    Raises
    ------
    WeightsError
        If the file is missing, truncated or a pickle, or has no header of this program.
    """
    return read_header(Path(path))[0]


def read_header(path: Path) -> tuple[WeightsInfo, dict[str, Any]]:
    """Return header and options of the architecture; errors as for `read_info`."""
    return parsed_header(path, read_header_text(path))


def read_header_text(path: Path) -> str | None:
    """Return the header as it is written, None in a file of another program; errors as for `read_info`."""
    _refuse_pickle(path)
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(
            f"{path}: not a complete safetensors file ({reason}); copy it again, or train again"
        ) from None
    return metadata.get(HEADER_KEY)


def _refuse_pickle(path: Path) -> None:
    if path.exists() and not path.is_file():  # opening a pipe waits for a writer
        raise WeightsError(f"{path}: a folder, a pipe or a device, not a file; check model.weights")
    try:
        with path.open("rb") as handle:
            start = handle.read(9)
    except OSError as error:
        raise WeightsError(
            f"{path}: cannot be read ({error.strerror}); check model.weights, "
            "or remove the method there to train it"
        ) from None
    # A safetensors file starts with the length of its header, 8 arbitrary bytes; byte 9 starts the header.
    if start.startswith(PICKLE_STARTS) and start[8:] != b"{":
        raise WeightsError(
            f"{path}: a pickle, which can run code and is never loaded; "
            "give the weights.safetensors that training writes"
        )


def parsed_header(path: Path, text: str | None) -> tuple[WeightsInfo, dict[str, Any]]:
    """Return header and options of the architecture from the text of a header; errors as for `read_info`."""
    try:
        header = json.loads(text or "{}")
        header.pop(DIGEST_NAME, None)
        options = header.pop("architecture_options")
        header["class_names"] = tuple(header["class_names"])
        header["channel_means"] = tuple(float(mean) for mean in header["channel_means"])
        header["calibration"] = Calibration.of(header.get("calibration", ())).knots
        info = WeightsInfo(**header)
        _check_values(info)
        return info, dict(options)
    except HEADER_ERRORS as error:
        raise WeightsError(
            f"{path}: no header of this program ({type(error).__name__}: {error}); "
            "give the weights.safetensors that training writes"
        ) from None


def _check_values(info: WeightsInfo) -> None:
    """Raise `ValueError` if values of a header cannot be those of a network for images."""
    kinds = {
        "architecture": str,
        "method": str,
        "package_version": str,
        "fusion_options": dict,
        "training": dict,
        "data": dict,
        "metrics": dict,
        "seed": int,
    }
    for name, kind in kinds.items():
        if not isinstance(getattr(info, name), kind):
            raise ValueError(f"{name} is no {kind.__name__}")
    if not all(isinstance(name, str) for name in (*info.class_names, info.data.get("survey", ""))):
        raise ValueError("class_names or data.survey are not texts")
    check_classes(info.class_names)
    if len(info.channel_means) != N_CHANNELS or not all(map(math.isfinite, info.channel_means)):
        raise ValueError(f"channel_means {info.channel_means} are not three finite numbers")
    for name in ("pixels_per_beam", "frequency_hz"):
        _check_range(name, info.data.get(name))
    for name in ("size_px", "pixel_scale_arcsec"):
        value = info.fusion_options[name]
        if not isinstance(value, int | float) or not 0 < value < math.inf:
            raise ValueError(f"fusion_options.{name} is {value!r}")


def _check_range(name: str, given: object) -> None:
    if given is None:
        return
    low, high = (float(value) for value in given) if isinstance(given, list) else (math.nan, math.nan)
    if not 0 < low <= high < math.inf:
        raise ValueError(f"data.{name} is {given!r}, not a lowest and a highest value")


def check_compatible(
    path: Path,
    info: WeightsInfo,
    *,
    method: str,
    fusion_options: Mapping[str, Any],
    survey: Survey,
    architecture: str | None = None,
    classes: Sequence[str] | None = None,
) -> None:
    """Raise if weights were trained for other images than those of a run.

    Parameters
    ----------
    path : Path
        File of the weights.
    info : WeightsInfo
        Header of the file.
    method : str
        Fusion method of the images.
    fusion_options : mapping
        `FusionOptions.pixel_options` of the images.
    survey : Survey
        Radio survey of the images; the number of pixels per beam must agree.
    architecture : str, optional
        Required architecture; default: any.
    classes : sequence of str, optional
        Required classes; default: any.

    Raises
    ------
    WeightsError
        In one line that says which value differs.
    """
    if architecture not in (None, info.architecture):
        raise WeightsError(
            f"{path}: weights of {info.architecture}, but model.architecture is {architecture}; write "
            f"model.weights.{method}: null to train it, or model.architecture: {info.architecture}"
        )
    if classes is not None and info.class_names != tuple(classes):
        raise WeightsError(
            f"{path}: its classes are {', '.join(info.class_names)}, but model.classes are "
            f"{', '.join(classes)}; write model.classes: [{', '.join(info.class_names)}], or "
            f"model.weights.{method}: null to train it"
        )
    if info.method != method:
        raise WeightsError(
            f"{path}: weights for {info.method} images, used for {method}; "
            f"write them under {info.method} in model.weights, or give weights trained on {method}"
        )
    trained, wanted = _plain(info.fusion_options), _plain(fusion_options)
    # Networks are convolutional: a field may be wider than the training subjects (paper Fig. 15).
    for name in sorted((trained.keys() | wanted.keys()) - {"size_px", "pixel_scale_arcsec"}):
        if trained.get(name) != wanted.get(name):
            raise WeightsError(
                f"{path}: trained with fusion.{name} = {trained.get(name)}, used with {wanted.get(name)}; "
                "set it to the trained value, or train again"
            )
    _check_pixels_per_beam(path, info, wanted["pixel_scale_arcsec"], survey)


def trained_pixels_per_beam(info: WeightsInfo) -> tuple[float, float]:
    """Return the least and the largest number of pixels per beam of the training images.

    Older files name their survey only.

    Raises
    ------
    ConfigError
        If that survey is unknown.
    """
    stated = info.data.get("pixels_per_beam")
    if stated is not None:
        return stated[0], stated[1]
    survey = survey_named(info.data.get("survey", UNNAMED_SURVEY))
    return (survey.beam_arcsec / info.fusion_options["pixel_scale_arcsec"],) * 2


def trained_frequency_hz(info: WeightsInfo) -> tuple[float, float] | None:
    """Return the lowest and the highest frequency of the training images; None if the header has none.

    Raises
    ------
    ConfigError
        If an older file names an unknown survey.
    """
    if info.data.get("pixels_per_beam") is not None:
        stated = info.data.get("frequency_hz")
        return None if stated is None else (stated[0], stated[1])
    frequency = survey_named(info.data.get("survey", UNNAMED_SURVEY)).frequency_hz
    return None if frequency is None else (frequency, frequency)


def _check_pixels_per_beam(path: Path, info: WeightsInfo, scale_arcsec: float, survey: Survey) -> None:
    low, high = trained_pixels_per_beam(info)
    used = survey.beam_arcsec / scale_arcsec
    nearest = min(max(used, low), high)
    if abs(used / nearest - 1) > SCALE_TOLERANCE:
        trained = f"{low:.2f}" if low == high else f"{low:.2f} to {high:.2f}"
        raise WeightsError(
            f"{path}: trained with {trained} pixels per beam, used with {used:.2f} "
            f"({survey.name}: {survey.beam_arcsec:g} arcsec); "
            f"write fusion.pixel_scale_arcsec: {survey.beam_arcsec / nearest:.4g}, or train again"
        )


def _plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options after a round trip through JSON, so that tuples become lists."""
    return json.loads(json.dumps(dict(options)))


def model_id(path: Path) -> str:
    """Return the name of a weights file: architecture, method, first 12 hex digits of its SHA-256.

    Raises
    ------
    WeightsError
        As `read_info`.
    """
    info = read_info(path)
    with Path(path).open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    return f"{info.architecture}-{info.method}-{digest[:12]}"
