"""The base of all settings models, and the types of their fields.

Every section of the configuration is a subclass of `Options`.  Numbers and switches may also come as text,
because Snakemake passes values below the first level of ``--config`` and of profiles as text.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
)
from pydantic_core import PydanticCustomError, core_schema

from claran_core.common.text import has_control

__all__ = ["FileName", "FolderName", "GivenFile", "OneOf", "Options", "Switch", "Text", "Unique", "Within"]


# Characters that Snakemake replaces in the names of inputs.
PLACEHOLDERS = "{}<>"


class Options(BaseModel):
    """A frozen group of settings that refuses unknown keys.

    Fields have no default values: the defaults of a run stand in ``config.yaml`` alone
    (`claran_core.settings.config.load_config`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    def as_dict(self, *, exclude: Collection[str] = ()) -> dict[str, Any]:
        """Return the settings as dictionaries, lists and scalars, for YAML, JSON and a rule's `params`.

        Parameters
        ----------
        exclude : collection of str
            Fields to leave out.
        """
        return self.model_dump(mode="json", exclude=set(exclude))

    def changed(self, **changes: Any) -> Self:
        """Return a copy with other values for some fields, validated like the original."""
        return type(self).model_validate({**dict(self), **changes})


@dataclass(frozen=True)
class OneOf:
    """Annotation of a text field: the value is one of `names`."""

    names: Sequence[str]

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Return the schema that pydantic validates with."""
        return core_schema.literal_schema(list(self.names))


@dataclass(frozen=True, kw_only=True)
class Within:
    """Annotation of an `int` or `float` field: a finite number within bounds; text is converted.

    Attributes
    ----------
    ge, gt, le, lt : float, optional
        Lowest value (inclusive, exclusive) and highest value (inclusive, exclusive).
    """

    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Return the schema that pydantic validates with; strict, so that true and false are no numbers."""
        bounds: dict[str, Any] = {name: bound for name, bound in vars(self).items() if bound is not None}
        inner: core_schema.CoreSchema
        if source is int:
            inner = core_schema.int_schema(strict=True, **bounds)
        else:
            inner = core_schema.float_schema(strict=True, allow_inf_nan=False, **bounds)
        return core_schema.no_info_before_validator_function(_converter(source), inner)


@dataclass(frozen=True)
class Unique:
    """Annotation of a tuple field: no value occurs twice."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Return the schema that pydantic validates with."""
        return core_schema.no_info_after_validator_function(_check_unique, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Return the JSON schema."""
        return {**handler(schema), "uniqueItems": True}


def _converter(kind: Any) -> Any:
    def convert(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return kind(value)
        except ValueError:
            return value

    return convert


def _check_unique(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(set(values)) < len(values):
        raise PydanticCustomError("not_unique", "values must differ from each other")
    return values


def _read_switch(value: Any) -> Any:
    words: Mapping[str, bool] = {"true": True, "false": False}
    return words.get(value.lower(), value) if isinstance(value, str) else value


def _check_path(path: str) -> str:
    if has_control(path):
        raise ValueError("which has control characters; rename the file or folder")
    return path


def _check_workflow_file(path: str) -> str:
    if set(path) & set(PLACEHOLDERS):
        raise ValueError(
            f"but Snakemake takes {' '.join(PLACEHOLDERS)} in names of files for placeholders; rename it"
        )
    return path


# True or false.
Switch = Annotated[bool, Field(strict=True), BeforeValidator(_read_switch)]

# Text that is not empty.
Text = Annotated[str, Field(min_length=1)]

# Name of a folder, and of a file that is an input of the workflow; either may be empty.
FolderName = Annotated[str, AfterValidator(_check_path)]
FileName = Annotated[FolderName, AfterValidator(_check_workflow_file)]

# Name of such a file that is not empty.
GivenFile = Annotated[FileName, Field(min_length=1)]
