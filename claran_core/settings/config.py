"""Settings: the schema, the dataclasses every stage takes, and one-line answers to mistakes.

`config.yaml` at the root of the repository holds the defaults with their reasons;
`workflow/schemas/config.schema.yaml` the types and bounds; the dataclasses here the form in which
code takes them.  A test keeps the three in step.
"""

import copy
import dataclasses
import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from claran_core.common.errors import ConfigError
from claran_core.common.frame import Frame
from claran_core.common.paths import REPOSITORY, resolve_path
from claran_core.fusion.render import Drawing
from claran_core.settings.architecture_options import chosen_options
from claran_core.survey.archive.options import FetchOptions
from claran_core.survey.archive.services import chosen_services, described_services

__all__ = [
    "ArchiveOptions",
    "CatalogueOptions",
    "ComparisonOptions",
    "Config",
    "CutoutOptions",
    "EvaluationOptions",
    "FusionOptions",
    "InferenceOptions",
    "ModelOptions",
    "ReportOptions",
    "SimulatedOptions",
    "SurveyOptions",
    "SurveysOptions",
    "TargetOptions",
    "TrainingOptions",
    "build_options",
    "check_pretrained",
    "load_config",
    "plain",
]

# Least probability of a source where none is set: more likely one than not; paper section 6.1.1.
DEFAULT_MIN_PROBABILITY = {"survey": 0.5, "paper": 0.8}

DEFAULTS = REPOSITORY / "config.yaml"
SCHEMA = REPOSITORY / "workflow" / "schemas" / "config.schema.yaml"


@dataclass(frozen=True)
class TargetOptions:
    """Section ``targets``."""

    path: str


@dataclass(frozen=True)
class SurveyOptions:
    """One of the two entries of section ``survey``: which survey, and where its pixels come from."""

    name: str
    source: str
    path: str | None = None
    pattern: str = "**/*.fits*"


@dataclass(frozen=True)
class SimulatedOptions:
    """Section ``survey.simulated``: what is on the simulated sky."""

    label_table: str | None = None


@dataclass(frozen=True)
class ArchiveOptions:
    """Section ``survey.archive``: which services are asked (`claran_core.survey.archive.services`)."""

    order: Mapping[str, Any] = field(default_factory=dict)
    services: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class SurveysOptions:
    """Section ``survey``."""

    radio: SurveyOptions
    infrared: SurveyOptions
    simulated: SimulatedOptions = SimulatedOptions()
    archive: ArchiveOptions = field(default_factory=ArchiveOptions)

    @property
    def uses_archive(self) -> bool:
        """Whether any image comes from an archive."""
        return "archive" in (self.radio.source, self.infrared.source)


@dataclass(frozen=True)
class CutoutOptions:
    """Section ``cutouts``."""

    max_failed_fraction: float
    archive: FetchOptions = field(default_factory=FetchOptions)


@dataclass(frozen=True)
class FusionOptions:
    """Section ``fusion`` (paper section 3.4)."""

    methods: tuple[str, ...] = ("D4",)
    contour_sigma: float = 5.0
    size_px: int = 132
    pixel_scale_arcsec: float = 1.375
    hull_fill: tuple[int, int, int] = (213, 45, 14)

    @property
    def pixel_options(self) -> dict[str, Any]:
        """The options that change pixels of fused images, as the header of weights holds them."""
        return {
            "contour_sigma": self.contour_sigma,
            "hull_fill": list(self.hull_fill),
            "size_px": self.size_px,
            "pixel_scale_arcsec": self.pixel_scale_arcsec,
        }

    @property
    def drawing(self) -> Drawing:
        """How contours and fill of fused images are drawn."""
        return Drawing(self.contour_sigma, self.hull_fill)

    @property
    def frame(self) -> Frame:
        """Geometry of the subjects."""
        return Frame(size_px=self.size_px, pixel_scale_arcsec=self.pixel_scale_arcsec)


@dataclass(frozen=True)
class ModelOptions:
    """Section ``model``."""

    architecture: str
    options: Mapping[str, Any] = field(default_factory=dict)
    pretrained: str | None = None
    weights: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """Section ``training``."""

    batch_size: int
    epochs: int
    learning_rate: float
    schedule: str = "cosine"
    milestones: tuple[int, ...] = (50_000, 80_000)
    weight_decay: float
    augmentation: str
    validation_fraction: float = 0.0
    patience: int = 0
    keep_apart_arcsec: float = 0.0
    precision: str = "float32"
    checkpoint_every: int


@dataclass(frozen=True)
class InferenceOptions:
    """Section ``inference``."""

    batch_size: int
    min_probability: float
    nms_iou: float
    device: str


@dataclass(frozen=True)
class CatalogueOptions:
    """Section ``catalogue`` (paper section 6.1.1)."""

    method: str
    post_filter: str = "survey"
    min_probability: float | None = None
    one_source_per_field: bool = False

    @property
    def effective_min_probability(self) -> float:
        """Least probability of a source: as set, or else what goes with the filter."""
        usual = DEFAULT_MIN_PROBABILITY[self.post_filter]
        return usual if self.min_probability is None else self.min_probability


@dataclass(frozen=True)
class ComparisonOptions:
    """Section ``evaluation.compare_with`` (paper section 5.8): the user's own catalogue, if there is one."""

    path: str | None = None
    radius_arcsec: float = 5.0
    flux_column: str | None = None
    class_column: str | None = None


@dataclass(frozen=True)
class EvaluationOptions:
    """Section ``evaluation`` (paper section 5.2)."""

    min_iou: float
    bootstrap: int
    compare_with: ComparisonOptions = ComparisonOptions()


@dataclass(frozen=True)
class ReportOptions:
    """Section ``report``; a `gallery_size` of ``all`` shows every source with pictures."""

    gallery_size: int | str


@dataclass(frozen=True)
class Config:
    """All settings of a run, checked."""

    seed: int
    shard_size: int
    targets: TargetOptions
    survey: SurveysOptions
    cutouts: CutoutOptions
    fusion: FusionOptions
    model: ModelOptions
    training: TrainingOptions
    inference: InferenceOptions
    catalogue: CatalogueOptions
    evaluation: EvaluationOptions
    report: ReportOptions

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> "Config":
        """Check merged settings and turn them into dataclasses.

        Raises
        ------
        ConfigError
            For the first unknown key, wrong type, value out of range or contradiction, in one line.
        """
        schema = _read_yaml(SCHEMA)
        settings = _with_numbers(copy.deepcopy(dict(settings)), schema)
        _check_schema(settings, schema)
        config = build_options(cls, settings)
        _check_consistency(config)
        return config

    def as_dict(self) -> dict[str, Any]:
        """Plain dictionary of all settings, as YAML and a rule's `params` want it."""
        return plain(self)


def load_config(overlay: Mapping[str, Any] | Path | None = None) -> Config:
    """Default settings with `overlay` (a mapping or a YAML file) laid over them.

    Raises
    ------
    ConfigError
        If the file cannot be read as YAML, or as `Config.from_dict`.
    """
    settings = _read_yaml(DEFAULTS)
    if isinstance(overlay, Path):
        overlay = _read_yaml(overlay)
    return Config.from_dict(_overlaid(settings, overlay or {}))


def check_pretrained(model: ModelOptions, working_directory: Path | None = None) -> list[str]:
    """File that `vgg16` starts from, if one is given: a list of one or none, as a rule's input wants it.

    Raises
    ------
    ConfigError
        If there is no such file.
    """
    if model.pretrained is None:
        return []
    path = resolve_path(model.pretrained, working_directory)
    if not path.is_file():
        raise ConfigError(
            f"config: model.pretrained: {path} is not there; give torchvision's vgg16 weights, or null"
        )
    return [str(path)]


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read as YAML ({' '.join(str(error).split())})") from None
    if not isinstance(settings, dict):
        raise ConfigError(f"{path}: must hold `key: value` settings")
    return settings


def _overlaid(base: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in overlay.items():
        old = merged.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = _overlaid(old, value) if both else value
    return merged


def _with_numbers(value: Any, schema: Mapping[str, Any]) -> Any:
    """The value, with text turned into numbers where the schema wants them.

    Snakemake hands over settings below the first level as text when they come from ``--config`` or from
    a profile.
    """
    if isinstance(value, dict):
        others = schema.get("additionalProperties")
        others = others if isinstance(others, dict) else {}
        known = schema.get("properties", {})
        return {key: _with_numbers(item, known.get(key, others)) for key, item in value.items()}
    if isinstance(value, str) and schema.get("type") in ("number", "integer"):
        try:
            number = yaml.safe_load(value)
        except yaml.YAMLError:
            return value
        return number if type(number) in (int, float) else value
    return value


def _check_schema(settings: dict[str, Any], schema: Mapping[str, Any]) -> None:
    validator = jsonschema.Draft202012Validator(schema)
    error = jsonschema.exceptions.best_match(validator.iter_errors(settings))
    if error is not None:
        raise ConfigError(_schema_message(error))


def _schema_message(error: jsonschema.ValidationError) -> str:
    where = ".".join(str(part) for part in error.absolute_path) or "the configuration"
    if error.validator == "additionalProperties":
        known = list(error.schema.get("properties", {}))
        wrong = next(key for key in error.instance if key not in known)
        close = difflib.get_close_matches(str(wrong), known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(known)}"
        return f"config: unknown key {wrong!r} in {where}; {hint}"
    if error.validator == "enum":
        allowed = ", ".join(str(value) for value in error.validator_value)
        return f"config: {where} is {error.instance!r}; write one of: {allowed}"
    description = error.schema.get("description", "")
    hint = f" ({description})" if description else ""
    return f"config: {where}: {error.message}{hint}"


def _check_consistency(config: Config) -> None:
    _check_model(config.model)
    if config.training.patience and not config.training.validation_fraction:
        raise ConfigError(
            "config: training.patience is for the error of subjects held out, and none are; "
            "give training.validation_fraction, or write patience: 0"
        )
    methods = config.fusion.methods
    if config.catalogue.method not in methods:
        raise ConfigError(
            f"config: catalogue.method is {config.catalogue.method!r}, which fusion.methods "
            f"{list(methods)} does not make; add it there or choose one of them"
        )
    if config.catalogue.one_source_per_field and config.catalogue.post_filter != "paper":
        raise ConfigError(
            "config: catalogue.one_source_per_field goes with the paper's filter; "
            "write post_filter: paper, or one_source_per_field: false"
        )
    for band in ("radio", "infrared"):
        options = getattr(config.survey, band)
        if options.source == "directory" and not options.path:
            raise ConfigError(f"config: survey.{band}.path is empty; give the folder of the FITS files")
    _check_archive(config)
    simulated = [config.survey.radio.source == "simulated", config.survey.infrared.source == "simulated"]
    if simulated == [False, True]:
        raise ConfigError(
            "config: survey.infrared.source is 'simulated' beside real radio images: "
            "the two would show different skies; use 'none', 'directory' or 'archive'"
        )
    _check_comparison(config.evaluation.compare_with)
    if config.survey.simulated.label_table is not None and not simulated[0]:
        raise ConfigError(
            "config: survey.simulated.label_table is for the simulated sky, but survey.radio.source is "
            f"{config.survey.radio.source!r}; leave it out (the table belongs in targets.path alone)"
        )


def _check_archive(config: Config) -> None:
    archive = config.survey.archive
    services = described_services(archive.services, config.cutouts.archive.limits)
    for options in (config.survey.radio, config.survey.infrared):
        if options.source == "archive":
            chosen_services(options.name, archive.order, services)


def _check_comparison(options: ComparisonOptions) -> None:
    columns = [name for name in ("flux_column", "class_column") if getattr(options, name) is not None]
    if columns and options.path is None:
        raise ConfigError(
            f"config: evaluation.compare_with.{columns[0]} is given, but no catalogue to compare with; "
            "give evaluation.compare_with.path too"
        )


def _check_model(model: ModelOptions) -> None:
    try:
        chosen_options(model.architecture, model.options)
    except ConfigError as error:
        raise ConfigError(f"config: model.options: {error}") from None
    if model.pretrained is not None and model.architecture != "vgg16":
        raise ConfigError(
            f"config: model.pretrained is for vgg16, but model.architecture is {model.architecture!r}; "
            "write model.pretrained: null"
        )
    if model.options.get("freeze_low") and model.pretrained is None:
        raise ConfigError(
            "config: model.options.freeze_low would keep random weights; give model.pretrained too"
        )


def build_options(kind: type, settings: Mapping[str, Any]) -> Any:
    """Turn a plain mapping, such as a rule's `params`, into one of the dataclasses above."""
    values = {}
    for entry in dataclasses.fields(kind):
        if entry.name not in settings:
            continue
        value = settings[entry.name]
        if dataclasses.is_dataclass(entry.type):
            value = build_options(entry.type, value)
        values[entry.name] = tuple(value) if isinstance(value, list) else value
    return kind(**values)


def plain(options: Any) -> Any:
    """Dictionaries, lists and scalars alone, of an options dataclass; inverse of `build_options`."""
    if dataclasses.is_dataclass(options):
        options = dataclasses.asdict(options)
    if isinstance(options, Mapping):
        return {key: plain(item) for key, item in options.items()}
    if isinstance(options, list | tuple):
        return [plain(item) for item in options]
    return options
