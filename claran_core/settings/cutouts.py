"""Section ``cutouts``: how many may fail, and how archives are asked."""

from typing import Annotated

from pydantic import Field

from claran_core.common.options import Options, Within
from claran_core.survey.archive.options import FetchOptions

__all__ = ["CutoutOptions"]


class CutoutOptions(Options):
    """Section ``cutouts``."""

    max_failed_fraction: Annotated[float, Within(ge=0, le=1)] = Field(
        description="highest share of failed (subject, survey) rows for which a catalogue is built"
    )
    archive: FetchOptions
