"""Section ``model``: the detector, and the options of each architecture.  No PyTorch is needed here."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo, field_validator, model_validator

from claran_core.common.errors import ConfigError
from claran_core.common.morphology import check_classes
from claran_core.common.options import FileName, GivenFile, OneOf, Options, Switch, Text, Unique, Within
from claran_core.common.paths import resolve_path
from claran_core.settings.fusion import FusionMethod
from claran_core.settings.messages import first_problem

__all__ = [
    "ARCHITECTURE_OPTIONS",
    "ArchitectureOptions",
    "AssociationOptions",
    "ModelOptions",
    "NetworkOptions",
    "Vgg16Options",
    "check_pretrained",
    "chosen_options",
]


class ArchitectureOptions(Options):
    """Options of one architecture.

    Unlike the sections of ``config.yaml``, these have defaults here: they are part of the architecture, as
    published or as measured, and ``model.options`` names only what differs.
    """


class AssociationOptions(ArchitectureOptions):
    """Options of the association network."""

    width: Annotated[int, Within(ge=1, le=65536)] = Field(
        default=128, description="neurons of each hidden layer of the head"
    )
    dropout: Annotated[float, Within(ge=0, le=0.99)] = Field(
        default=0.2, description="share of these neurons that are dropped in training"
    )
    blind: Annotated[float, Within(ge=0, le=1)] = Field(
        default=0.3, description="share of the candidates whose image is hidden in training"
    )


class Vgg16Options(ArchitectureOptions):
    """Options of the paper's network."""

    fc_width: Annotated[int, Within(ge=1, le=65536)] = Field(
        default=4096,
        description="neurons of FC_6 and FC_7; 256 and 64 in the smaller models of paper section 6.3",
    )
    input_px: Annotated[int, Within(ge=32, le=8192)] = Field(
        default=600, description="width to which a subject is magnified (paper section 4.1)"
    )
    freeze_low: Switch = Field(
        default=False,
        description="freeze the first four convolutions (paper section 4.2); needs `pretrained`",
    )
    normalise: Switch = Field(
        default=False,
        description="layer normalisation of FC_6 and FC_7, without which few neurons do not learn; "
        "not in the published network",
    )
    box_gradient: Annotated[float, Within(ge=0, le=1)] = Field(
        default=1.0,
        description="factor on the gradient of the recognition losses that reaches the proposals; "
        "1: end to end (paper section 4.4)",
    )


ARCHITECTURE_OPTIONS: Mapping[str, type[ArchitectureOptions]] = {
    "association": AssociationOptions,
    "vgg16": Vgg16Options,
}


def chosen_options(architecture: str, options: Mapping[str, Any]) -> ArchitectureOptions:
    """Return the options of an architecture: those given, defaults for the others.

    Parameters
    ----------
    architecture : str
        A key of `ARCHITECTURE_OPTIONS`.
    options : mapping
        Options that differ from their defaults.

    Raises
    ------
    ConfigError
        For an unknown architecture, an unknown option, a wrong type or a value out of range, in one line.
    """
    if architecture not in ARCHITECTURE_OPTIONS:
        known = ", ".join(ARCHITECTURE_OPTIONS)
        raise ConfigError(f"architecture {architecture!r} is unknown; there are: {known}")
    kind = ARCHITECTURE_OPTIONS[architecture]
    try:
        return kind.model_validate(options)
    except ValidationError as error:
        problem = first_problem(error, kind.model_json_schema(), section="model.options")
        raise ConfigError(f"{problem} (architecture {architecture})") from None


def _checked_classes(classes: tuple[str, ...]) -> tuple[str, ...]:
    check_classes(classes)
    return classes


class NetworkOptions(Options):
    """The network to train."""

    architecture: Annotated[str, OneOf(tuple(ARCHITECTURE_OPTIONS))] = Field(description="detector")
    classes: Annotated[tuple[Text, ...], AfterValidator(_checked_classes)] = Field(
        description="classes that the detector tells apart, in their order; "
        "those of the paper for the simulated sky and the RGZ label table"
    )
    options: Mapping[str, Any] = Field(
        description="options of the architecture that differ from their defaults"
    )
    pretrained: GivenFile | None = Field(
        description="weights that `vgg16` starts from (.safetensors or .pth; docs/detector.md); "
        "null: random weights"
    )

    @field_validator("options")
    @classmethod
    def _check_options(cls, options: Mapping[str, Any], info: ValidationInfo) -> Mapping[str, Any]:
        if "architecture" not in info.data:  # refused already
            return options
        try:
            return chosen_options(info.data["architecture"], options).model_dump(exclude_unset=True)
        except ConfigError as error:
            raise ConfigError(f"config: {error}") from None

    @model_validator(mode="after")
    def _check_pretrained(self) -> Self:
        if self.pretrained is not None and self.architecture != "vgg16":
            raise ValueError(
                f"pretrained is for vgg16, but model.architecture is {self.architecture!r}; "
                "write model.pretrained: null"
            )
        if self.options.get("freeze_low") and self.pretrained is None:
            raise ValueError("options.freeze_low would keep random weights; give model.pretrained too")
        return self


class ModelOptions(NetworkOptions):
    """Section ``model``."""

    start_from: Mapping[FusionMethod, GivenFile] = Field(
        description="weights of each fusion method that its training starts from; "
        "the scores of classes that they do not have start at random"
    )

    weights: Mapping[
        FusionMethod, FileName | Annotated[tuple[GivenFile, ...], Field(min_length=1), Unique()] | None
    ] = Field(
        description="weights of each fusion method, or several files, of which the one that fits beam and "
        "frequency of the survey best is used; a method without any is trained first"
    )

    @model_validator(mode="after")
    def _check_start(self) -> Self:
        if self.start_from and self.pretrained is not None:
            raise ValueError(
                "pretrained and start_from are two starts of one training; write pretrained: null"
            )
        return self


def check_pretrained(model: NetworkOptions, working_directory: Path | None = None) -> list[str]:
    """Return the file that `vgg16` starts from as a list, empty if none is given, for a rule's input.

    Raises
    ------
    ConfigError
        If the file does not exist.
    """
    if model.pretrained is None:
        return []
    path = resolve_path(model.pretrained, working_directory)
    if not path.is_file():
        raise ConfigError(
            f"config: model.pretrained: {path} does not exist; give the vgg16 weights of torchvision or of "
            "`claran convert-vgg16`, or null"
        )
    return [str(path)]
