"""Section ``survey``: the radio surveys and the infrared survey, and where their images come from."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, model_validator
from typing_extensions import TypedDict

from claran_core.common.cutout import Band, Role
from claran_core.common.options import FolderName, GivenFile, OneOf, Options, Text, Unique, Within
from claran_core.survey.archive.options import ServiceChanges
from claran_core.survey.description import described_survey, survey_names
from claran_core.survey.surveys import SURVEYS, Survey

__all__ = [
    "ArchiveOptions",
    "FusedSurveysOptions",
    "InfraredSurveyOptions",
    "RadioSurveyOptions",
    "SecondRadioSurveyOptions",
    "SimulatedOptions",
    "SurveyOptions",
    "SurveysOptions",
]

# Names become parts of tables and of FITS cards.
SurveyName = Annotated[str, Field(pattern="^[A-Za-z0-9][A-Za-z0-9_.+-]*$", max_length=40)]
Length = Annotated[float, Within(gt=0, le=3600)]
Positive = Annotated[float, Within(gt=0)]
BeamAxes = tuple[Length, Length, Annotated[float, Within(ge=-360, le=360)]]


class _Description(TypedDict, total=False):
    """Fields of a survey of either band, as in `claran_core.survey.surveys.Survey`."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]  # pydantic's way for a TypedDict

    unit: Annotated[Text, Field(description="unit of images that state none, and of `rms`")]
    beam_arcsec: Annotated[
        Length | BeamAxes,
        Field(description="FWHM of the beam, arcsec; or major axis, minor axis and position angle, deg"),
    ]
    pixel_scale_arcsec: Annotated[Length, Field(description="width of a pixel, arcsec")]
    rms: Annotated[Positive, Field(description="typical noise of an image, in `unit`")]


class RadioDescription(_Description, total=False):
    """Setting ``survey.radio.description``."""

    frequency_hz: Annotated[
        float, Within(ge=1e6, le=1e13), Field(description="centre frequency, Hz; needed to simulate it")
    ]
    dynamic_range: Annotated[
        float,
        Within(ge=1, le=1e7),
        Field(description="peak of a bright source over the artefacts around it, to simulate it"),
    ]
    astrometric_error_arcsec: Annotated[
        float,
        Within(ge=0, le=3600),
        Field(description="error of its positions along each axis that does not depend on the noise, arcsec"),
    ]
    flux_scale: Annotated[
        float,
        Within(ge=0.1, le=10),
        Field(description="factor on the flux densities of its images, for the catalogue"),
    ]
    clean_bias_mjy: Annotated[
        float,
        Within(ge=0, le=1000),
        Field(description="what CLEAN took from each peak, mJy/beam; the catalogue adds it"),
    ]
    noise_correlation: Annotated[
        Literal["measure"] | Annotated[tuple[tuple[Positive, Length], ...], Field(min_length=1)],
        Field(
            description="correlation of the noise as Gaussians: weight and FWHM (arcsec) of each; `measure`: "
            "on each image"
        ),
    ]


class InfraredDescription(_Description, total=False):
    """Setting ``survey.infrared.description``."""

    magnitude_zero_point: Annotated[
        float, Within(ge=-100, le=100), Field(description="magnitude of a source of one count")
    ]
    wavelength_m: Annotated[float, Within(ge=1e-7, le=1e-3), Field(description="effective wavelength, m")]
    filter: Annotated[Text, Field(description="name of the filter")]


class SurveyOptions(Options):
    """One survey of either band, and where its images come from."""

    band: ClassVar[Band]
    role: ClassVar[Role]

    name: SurveyName = Field(description="survey, which sets beam, unit and typical noise")
    description: _Description = Field(description="what differs from the survey of that name")
    source: Literal["simulated", "directory", "archive", "none"] = Field(
        description="where the images come from"
    )
    path: FolderName | None = Field(description="folder of FITS images and mosaics, for `directory`")
    pattern: Text = Field(description="glob pattern of the image files in that folder")

    @property
    def survey(self) -> Survey:
        """The survey that name and description stand for."""
        survey = described_survey(self.name, self.band, self.description)
        return replace(survey, used_as=self.role if self.role != self.band else None)

    @model_validator(mode="after")
    def _check_description(self) -> Self:
        described_survey(self.name, self.band, self.description)
        return self

    @model_validator(mode="after")
    def _check_source(self) -> Self:
        if self.source == "archive" and self.name not in SURVEYS:
            raise ValueError(
                f"source is 'archive', but no archive serves {self.name}; write source: directory"
            )
        if self.source == "directory" and not self.path:
            raise ValueError("path is empty; give the folder of the FITS files")
        if self.source == "simulated" and self.band == "radio" and self.survey.frequency_hz is None:
            raise ValueError(
                f"source is 'simulated', which needs the frequency of {self.name}; "
                "write description.frequency_hz"
            )
        return self


class RadioSurveyOptions(SurveyOptions):
    """Section ``survey.radio``."""

    band = "radio"
    role: ClassVar[Role] = "radio"

    name: SurveyName = Field(
        description="radio survey, which sets beam, unit and typical noise: "
        f"{', '.join(survey_names('radio'))}, or a new name with a description"
    )
    description: RadioDescription = Field(
        description="what differs from the survey of that name; a new name needs beam_arcsec, "
        "pixel_scale_arcsec and rms"
    )
    source: Literal["simulated", "directory", "archive"] = Field(description="where the images come from")


class SecondRadioSurveyOptions(RadioSurveyOptions):
    """Section ``survey.second_radio``."""

    role = "second_radio"

    source: Literal["simulated", "directory", "archive", "none"] = Field(  # type: ignore[assignment]
        description="where the images come from; `none`: no second radio survey"
    )


class InfraredSurveyOptions(SurveyOptions):
    """Section ``survey.infrared``."""

    band, role = "infrared", "infrared"

    name: SurveyName = Field(
        description="infrared survey, which sets point-spread function, unit and zero point: "
        f"{', '.join(survey_names('infrared'))}, or a new name with a description"
    )
    description: InfraredDescription = Field(
        description="what differs from the survey of that name; a new name needs beam_arcsec, "
        "pixel_scale_arcsec, rms and magnitude_zero_point"
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


class FusedSurveysOptions(Options):
    """The surveys whose images are fused, and what decides their pixels."""

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


class SurveysOptions(FusedSurveysOptions):
    """Section ``survey``."""

    second_radio: SecondRadioSurveyOptions

    @property
    def entries(self) -> tuple[SurveyOptions, ...]:
        """All surveys, in the order of the roles."""
        return self.radio, self.second_radio, self.infrared

    @model_validator(mode="after")
    def _check_second_radio(self) -> Self:
        first, second = self.radio, self.second_radio
        if second.source == "none":
            return self
        if second.name == first.name:
            raise ValueError(
                f"second_radio.name is {second.name!r}, as radio.name; give another survey, or this one a "
                "name of its own (another epoch, for example)"
            )
        for options in (first, second):
            if options.survey.frequency_hz is None:
                raise ValueError(
                    f"second_radio.source is {second.source!r}, but spectral indices need the frequency of "
                    f"{options.name}; write {options.role}.description.frequency_hz"
                )
        if (first.source == "simulated") != (second.source == "simulated"):
            raise ValueError(
                f"radio.source is {first.source!r} and second_radio.source {second.source!r}: the two would "
                "show different skies; simulate both or neither, or write second_radio.source: none"
            )
        return self
