"""The configuration of a run: the models of all sections, with `config.yaml` as their only defaults.

Each section has its typed model in a module of its name beside this one.  `config.yaml` at the root of the
repository holds a value for every key, with its reason; the models hold type, bounds and a short description,
from which the reference page and the JSON schema are generated (`claran_core.settings.reference`).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from claran_core.common.errors import ConfigError
from claran_core.common.options import Options, Within
from claran_core.common.paths import REPOSITORY
from claran_core.settings.catalogue import CatalogueOptions
from claran_core.settings.cutouts import CutoutOptions
from claran_core.settings.evaluation import EvaluationOptions
from claran_core.settings.fusion import FusionOptions
from claran_core.settings.inference import InferenceOptions
from claran_core.settings.labels import LabelOptions
from claran_core.settings.messages import first_problem
from claran_core.settings.model import ModelOptions
from claran_core.settings.report import ReportOptions
from claran_core.settings.schema import PlainSchema
from claran_core.settings.survey import SurveysOptions
from claran_core.settings.targets import TargetOptions
from claran_core.settings.training import TrainingOptions
from claran_core.survey.archive.services import chosen_services, described_services

__all__ = ["DEFAULTS", "Config", "load_config", "read_yaml"]

DEFAULTS = REPOSITORY / "config.yaml"


class Config(Options):
    """All settings of a run, validated."""

    seed: Annotated[int, Within(ge=0, le=2**32 - 1)] = Field(
        description="seed of everything random: the simulated sky, training, bootstrap"
    )
    shard_size: Annotated[int, Within(ge=1, le=100_000)] = Field(description="subjects per shard")
    targets: TargetOptions
    survey: SurveysOptions
    cutouts: CutoutOptions
    fusion: FusionOptions
    labels: LabelOptions
    model: ModelOptions
    training: TrainingOptions
    inference: InferenceOptions
    catalogue: CatalogueOptions
    evaluation: EvaluationOptions
    report: ReportOptions

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> Self:
        """Validate merged settings.

        Raises
        ------
        ConfigError
            For the first unknown key, wrong type, value out of range or contradiction, in one line.
        """
        try:
            return cls.model_validate(dict(settings))
        except ValidationError as error:
            schema = cls.model_json_schema(schema_generator=PlainSchema)
            raise ConfigError(f"config: {first_problem(error, schema)}") from None

    @model_validator(mode="after")
    def _check_method(self) -> Self:
        if self.catalogue.method not in self.fusion.methods:
            raise ValueError(
                f"catalogue.method is {self.catalogue.method!r}, which fusion.methods "
                f"{list(self.fusion.methods)} does not make; add it there or choose one of them"
            )
        return self

    @model_validator(mode="after")
    def _check_archive(self) -> Self:
        archive = self.survey.archive
        services = described_services(archive.services, self.cutouts.archive.limits)
        for options in self.survey.entries:
            if options.source == "archive":
                chosen_services(options.name, archive.order, services)
        return self


def load_config(overlay: Mapping[str, Any] | Path | None = None) -> Config:
    """Return the default settings with `overlay` (a mapping or a YAML file) laid over them.

    Raises
    ------
    ConfigError
        If the file cannot be read as YAML, or as `Config.from_dict`.
    """
    changes: Mapping[str, Any] = read_yaml(overlay) if isinstance(overlay, Path) else (overlay or {})
    try:
        merged = _overlaid(read_yaml(DEFAULTS), changes)
    except RecursionError:
        raise ConfigError("config: a mapping contains itself (YAML `&name` and `*name`)") from None
    return Config.from_dict(merged)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a file of settings.

    Raises
    ------
    ConfigError
        If it cannot be read as YAML, or does not contain `key: value` settings.
    """
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read as YAML ({' '.join(str(error).split())})") from None
    if not isinstance(settings, dict):
        raise ConfigError(f"{path}: must contain `key: value` settings")
    return settings


def _overlaid(base: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in overlay.items():
        old = merged.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            merged[key] = _overlaid(old, value)
        else:
            merged[key] = value
    return merged
