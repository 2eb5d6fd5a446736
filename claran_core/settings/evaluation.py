"""Section ``evaluation``: comparison with the truth (paper section 5.2) and with a catalogue of the user."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from claran_core.common.options import GivenFile, Options, Text, Within

__all__ = ["ComparisonOptions", "EvaluationOptions", "ScoringOptions"]


class ScoringOptions(Options):
    """How detections are compared with the truth."""

    min_iou: Annotated[float, Within(ge=0, le=1)] = Field(
        description="overlap (IoU) with the truth above which a detection is true"
    )
    bootstrap: Annotated[int, Within(ge=0, le=100_000)] = Field(
        description="bootstrap samples of the subjects behind each interval"
    )


class ComparisonOptions(Options):
    """Section ``evaluation.compare_with`` (paper section 5.8): a catalogue of the user."""

    path: GivenFile | None = Field(description="table of positions (ICRS) to compare the catalogue with")
    radius_arcsec: Annotated[float, Within(gt=0, le=600)] = Field(
        description="largest separation of a match, arcsec"
    )
    flux_column: Text | None = Field(description="its column of flux density")
    flux_unit: Literal["Jy", "mJy", "uJy"] = Field(
        description="unit of that column, where the table states none"
    )
    class_column: Text | None = Field(description="its column of classes")

    @model_validator(mode="after")
    def _check_columns(self) -> Self:
        columns = [name for name in ("flux_column", "class_column") if getattr(self, name) is not None]
        if columns and self.path is None:
            raise ValueError(
                f"{columns[0]} is given, but no catalogue to compare with; "
                "give evaluation.compare_with.path too"
            )
        return self


class EvaluationOptions(ScoringOptions):
    """Section ``evaluation``."""

    compare_with: ComparisonOptions
