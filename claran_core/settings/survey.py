"""Section ``survey``: the radio and the infrared survey, and where their images come from."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from claran_core.common.cutout import Band
from claran_core.common.options import FolderName, GivenFile, OneOf, Options, Text, Unique
from claran_core.survey.archive.options import ServiceChanges
from claran_core.survey.surveys import SIMULATED, SURVEYS

__all__ = [
    "ArchiveOptions",
    "InfraredSurveyOptions",
    "RadioSurveyOptions",
    "SimulatedOptions",
    "SurveyOptions",
    "SurveysOptions",
]


def _names(band: Band) -> tuple[str, ...]:
    return tuple(name for name, survey in SURVEYS.items() if survey.band == band)


class SurveyOptions(Options):
    """One survey of either band, and where its images come from."""

    name: Annotated[str, OneOf(tuple(SURVEYS))] = Field(
        description="survey, which sets beam, unit and typical noise"
    )
    source: Literal["simulated", "directory", "archive", "none"] = Field(
        description="where the images come from"
    )
    path: FolderName | None = Field(description="folder of FITS images and mosaics, for `directory`")
    pattern: Text = Field(description="glob pattern of the image files in that folder")

    @model_validator(mode="after")
    def _check_source(self) -> Self:
        if self.source == "directory" and not self.path:
            raise ValueError("path is empty; give the folder of the FITS files")
        if self.source == "simulated" and self.name not in SIMULATED:
            raise ValueError(
                f"source is 'simulated', but the simulated sky shows {' and '.join(SIMULATED)}, "
                f"not {self.name}; write source: directory or archive"
            )
        return self


class RadioSurveyOptions(SurveyOptions):
    """Section ``survey.radio``."""

    name: Annotated[str, OneOf(_names("radio"))] = Field(
        description="radio survey, which sets beam, unit and typical noise"
    )
    source: Literal["simulated", "directory", "archive"] = Field(description="where the images come from")


class InfraredSurveyOptions(SurveyOptions):
    """Section ``survey.infrared``."""

    name: Annotated[str, OneOf(_names("infrared"))] = Field(
        description="infrared survey, which sets point-spread function, unit and zero point"
    )
    source: Literal["simulated", "directory", "archive", "none"] = Field(
        description="where the images come from; `none`: radio only"
    )


class SimulatedOptions(Options):
    """Section ``survey.simulated``: the sources of the simulated sky."""

    label_table: GivenFile | None = Field(
        description="RGZ label table whose sources the simulated sky contains; null: drawn sources"
    )


class ArchiveOptions(Options):
    """Section ``survey.archive``: the services that serve images (`claran_core.survey.archive.services`)."""

    order: Mapping[
        Annotated[str, OneOf(tuple(SURVEYS))],
        Annotated[tuple[Text, ...], Field(min_length=1), Unique()],
    ] = Field(description="services of each survey, first choice first")
    services: Mapping[str, ServiceChanges] = Field(
        description="changed fields of known services, and new services, by name"
    )


class SurveysOptions(Options):
    """Section ``survey``."""

    radio: RadioSurveyOptions
    infrared: InfraredSurveyOptions
    simulated: SimulatedOptions
    archive: ArchiveOptions

    @property
    def uses_archive(self) -> bool:
        """Whether any image comes from an archive."""
        return "archive" in (self.radio.source, self.infrared.source)

    @model_validator(mode="after")
    def _check_one_sky(self) -> Self:
        if self.infrared.source == "simulated" and self.radio.source != "simulated":
            raise ValueError(
                "infrared.source is 'simulated' beside real radio images: "
                "the two would show different skies; use 'none', 'directory' or 'archive'"
            )
        if self.simulated.label_table is not None and self.radio.source != "simulated":
            raise ValueError(
                f"simulated.label_table is for the simulated sky, but survey.radio.source is "
                f"{self.radio.source!r}; leave it out (a label table of real sources goes in targets.path)"
            )
        return self
