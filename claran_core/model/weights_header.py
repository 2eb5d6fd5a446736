"""The header of a weights file: what the weights were trained for, and whether that is what is asked.

Reading it needs no PyTorch, so a workflow can check its settings before it does anything.  Nothing that could
run code (pickle, as ``torch.save`` writes) is ever opened.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from claran_core.common.errors import WeightsError
from claran_core.common.morphology import MORPHOLOGIES
from claran_core.common.paths import resolve_path
from claran_core.settings.config import Config
from claran_core.survey.surveys import survey_named

__all__ = ["HEADER_KEY", "WeightsInfo", "check_purpose", "given_weights", "read_header", "read_info"]

# The one key of the header.  All facts are one JSON string under it, because safetensors writes several
# keys in random order, and the same training must give the same bytes.
HEADER_KEY = "claran"

# Weights are of use where the beam is as many pixels wide, up to this share, as where they were trained.
SCALE_TOLERANCE = 0.05

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
        ``description``, ``survey`` (of the radio images; FIRST if absent), ``hash``, ``n_subjects``,
        ``n_labels`` of the training set.
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


def read_info(path: Path) -> WeightsInfo:
    """Read the header alone.

    Raises
    ------
    WeightsError
        If the file is missing, truncated, a pickle, or has no header of this program.
    """
    return read_header(Path(path))[0]


def given_weights(config: Config) -> tuple[dict[str, Path], list[str]]:
    """Weights that a run has from the start.

    Weights that ship with the program (under ``resources/``) are taken where they fit the settings; those of
    the user must fit.

    Returns
    -------
    given : dict of str to Path
        By fusion method; a method that is not there is to be trained.
    unfit : list of str
        Why weights that ship are not taken, one line each.

    Raises
    ------
    ConfigError
        If the radio survey is not described.
    WeightsError
        In one line, if the user's weights cannot be read or were trained for something else.
    """
    given, unfit = {}, []
    for method in config.fusion.methods:
        name = config.model.weights.get(method)
        if not name:
            continue
        path = resolve_path(name)
        try:
            check_purpose(
                path,
                read_info(path),
                method=method,
                fusion_options=config.fusion.pixel_options,
                survey=config.survey.radio.name,
                architecture=config.model.architecture,
            )
        except WeightsError as error:
            if Path(name).parts[:1] != ("resources",):
                raise
            unfit.append(str(error))
        else:
            given[method] = path
    return given, unfit


def read_header(path: Path) -> tuple[WeightsInfo, dict[str, Any]]:
    """Header and options of the architecture; errors as `read_info`."""
    _refuse_pickle(path)
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(
            f"{path}: not a complete safetensors file ({reason}); copy it again, or train anew"
        ) from None
    return _parsed_header(path, metadata)


def _refuse_pickle(path: Path) -> None:
    try:
        with path.open("rb") as handle:
            start = handle.read(9)
    except OSError as error:
        raise WeightsError(
            f"{path}: cannot be read ({error.strerror}); check model.weights, "
            "or leave the method out there to train it"
        ) from None
    # A safetensors file starts with the length of its header, 8 bytes that may be any, and the header itself.
    if start.startswith(PICKLE_STARTS) and start[8:] != b"{":
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


def check_purpose(
    path: Path,
    info: WeightsInfo,
    *,
    method: str,
    fusion_options: Mapping[str, Any],
    survey: str = "FIRST",
    architecture: str | None = None,
) -> None:
    """Refuse weights that were not trained for this.

    Parameters
    ----------
    path : Path
        File that holds them.
    info : WeightsInfo
        Its header.
    method : str
        Fusion method of the images they are to be used on.
    fusion_options : mapping
        `FusionOptions.pixel_options` of these images.
    survey : str
        Radio survey they show: what counts is how many pixels there are to its beam.
    architecture : str, optional
        What they should be weights of; default: any.

    Raises
    ------
    WeightsError
        In one line.
    """
    if architecture not in (None, info.architecture):
        raise WeightsError(
            f"{path}: weights of {info.architecture}, but model.architecture is {architecture}; write "
            f"model.weights.{method}: null to train it, or model.architecture: {info.architecture}"
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
    # Networks are convolutional: a field may be wider than the subjects trained on (paper Fig. 15).
    for name in sorted((trained.keys() | asked.keys()) - {"size_px", "pixel_scale_arcsec"}):
        if trained.get(name) != asked.get(name):
            raise WeightsError(
                f"{path}: trained with fusion.{name} = {trained.get(name)}, asked for {asked.get(name)}; "
                "set it to the trained value, or train anew"
            )
    was_px = survey_named(info.data.get("survey", "FIRST")).beam_arcsec / trained["pixel_scale_arcsec"]
    beam_arcsec = survey_named(survey).beam_arcsec
    if abs(beam_arcsec / asked["pixel_scale_arcsec"] / was_px - 1) > SCALE_TOLERANCE:
        raise WeightsError(
            f"{path}: trained with {was_px:.2f} pixels to the beam, asked for "
            f"{beam_arcsec / asked['pixel_scale_arcsec']:.2f} of {survey}'s {beam_arcsec:g} arcsec; "
            f"write fusion.pixel_scale_arcsec: {beam_arcsec / was_px:.4g}, or train anew"
        )


def _plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as JSON gives them back, so that a tuple equals the list it was written as."""
    return json.loads(json.dumps(dict(options)))
