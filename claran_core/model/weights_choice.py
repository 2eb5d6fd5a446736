"""Which weights a run uses: those of the settings that fit the beam and the frequency of its radio survey.

The beam decides how an image looks to a network, so weights for another number of pixels per beam are refused
(`claran_core.model.weights_header`).  The frequency decides which emission it sees; weights for another one
are used with a warning.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from claran_core.common.errors import ConfigError, WeightsError
from claran_core.common.paths import resolve_path
from claran_core.model.weights_header import (
    WeightsInfo,
    check_compatible,
    read_info,
    trained_frequency_hz,
    trained_pixels_per_beam,
)
from claran_core.settings.config import Config
from claran_core.survey.surveys import Survey

__all__ = ["ChosenWeights", "given_weights", "start_weights"]

# Weights are used without a warning at frequencies within this factor of those of their training.
UNWARNED_FREQUENCY_RATIO = 1.5


@dataclass(frozen=True)
class ChosenWeights:
    """Weights of one fusion method.

    Attributes
    ----------
    path : Path
        The file.
    reason : str
        Why it is used, for the provenance of the catalogue.
    warning : str
        What is doubtful about it, with the remedy; empty if nothing is.
    """

    path: Path
    reason: str
    warning: str = ""


def given_weights(config: Config) -> tuple[dict[str, ChosenWeights], list[str]]:
    """Return the weights that the settings give for each fusion method.

    Of several files of a method, those that are not compatible are passed over, and the one whose frequencies
    are nearest to the survey's is chosen; of equal ones the first.  A single file of the user must be
    compatible; one that ships with the program (under ``resources/``) is used if it is.

    Returns
    -------
    given : dict of str to ChosenWeights
        By fusion method; methods that are missing here are trained.
    unfit : list of str
        Why weights are not used, one line each, of methods without any that fit.

    Raises
    ------
    ConfigError
        If the radio survey of a file is unknown.
    WeightsError
        If weights of the user cannot be read, or none of a method is compatible.
    """
    given, unfit = {}, []
    for method in config.fusion.methods:
        names = config.model.weights.get(method)
        if not names:
            continue
        files = (names,) if isinstance(names, str) else names
        fitting, problems = _fitting(config, method, files)
        if fitting:
            given[method] = _nearest(fitting, problems, config)
        elif all(map(_ships, files)):
            unfit += problems
        else:
            raise WeightsError("; ".join(problems))
    return given, unfit


def start_weights(config: Config, given: Collection[str]) -> dict[str, Path]:
    """Return the weights that the training of each method starts from.

    Parameters
    ----------
    config : Config
        Settings of the run.
    given : collection of str
        Methods that have weights, so that they are not trained.

    Raises
    ------
    ConfigError
        If a method is not trained, or the radio survey of a file is unknown.
    WeightsError
        If weights cannot be read, or are not compatible with the images; their classes may differ.
    """
    starts = {}
    for method, name in config.model.start_from.items():
        if method not in config.fusion.methods:
            raise ConfigError(f"config: model.start_from.{method}: fusion.methods does not make {method}")
        if method in given:
            raise ConfigError(
                f"config: model.start_from.{method}: {method} has weights and is not trained; "
                f"write model.weights.{method}: null"
            )
        path = resolve_path(name)
        check_compatible(
            path,
            read_info(path),
            method=method,
            fusion_options=config.fusion.pixel_options,
            survey=config.survey.radio.survey,
            architecture=config.model.architecture,
        )
        starts[method] = path
    return starts


def _fitting(
    config: Config, method: str, names: Sequence[str]
) -> tuple[list[tuple[Path, WeightsInfo]], list[str]]:
    """Return the files of a method that are compatible, and why the others are not."""
    fitting, problems = [], []
    for name in names:
        path, info = resolve_path(name), None
        try:
            info = read_info(path)
            check_compatible(
                path,
                info,
                method=method,
                fusion_options=config.fusion.pixel_options,
                survey=config.survey.radio.survey,
                architecture=config.model.architecture,
                classes=config.model.classes,
            )
        except WeightsError as error:
            if info is None and not _ships(name):  # missing or damaged: no other file may replace it
                raise
            problems.append(str(error))
        else:
            fitting.append((path, info))
    return fitting, problems


def _ships(name: str) -> bool:
    """Return whether weights of this name ship with the program."""
    return Path(name).parts[:1] == ("resources",)


def _nearest(
    fitting: Sequence[tuple[Path, WeightsInfo]], problems: Sequence[str], config: Config
) -> ChosenWeights:
    """Return the weights with the nearest frequencies, and why."""
    survey = config.survey.radio.survey
    path, info = min(fitting, key=lambda one: _frequency_ratio(one[1], survey))
    used = survey.beam_arcsec / config.fusion.pixel_scale_arcsec
    reason = (
        f"{path.name}: trained with {_range(trained_pixels_per_beam(info))} pixels per beam at "
        f"{_range(trained_frequency_hz(info), 1e-9)} GHz; {survey.name} has {used:.3g} at "
        f"{_range(_frequencies(survey), 1e-9)} GHz"
    )
    if len(fitting) + len(problems) > 1:
        reason += f"; the nearest of {len(fitting)} that fit, of {len(fitting) + len(problems)} given"
    if _frequency_ratio(info, survey) <= UNWARNED_FREQUENCY_RATIO:
        return ChosenWeights(path, reason)
    return ChosenWeights(
        path,
        reason,
        f"{reason}: it has not seen this emission; measure its completeness on the simulated sky of the "
        "survey (docs/surveys.md)",
    )


def _frequency_ratio(info: WeightsInfo, survey: Survey) -> float:
    """Return the factor, 1 or more, from the frequency to the nearest of the training; 1 if unknown."""
    trained = trained_frequency_hz(info)
    if trained is None or survey.frequency_hz is None:
        return 1.0
    nearest = min(max(survey.frequency_hz, trained[0]), trained[1])
    return max(survey.frequency_hz / nearest, nearest / survey.frequency_hz)


def _frequencies(survey: Survey) -> tuple[float, float] | None:
    return None if survey.frequency_hz is None else (survey.frequency_hz, survey.frequency_hz)


def _range(values: tuple[float, float] | None, unit: float = 1.0) -> str:
    if values is None:
        return "unknown"
    low, high = (f"{unit * value:.3g}" for value in values)
    return low if low == high else f"{low} to {high}"
