"""Section ``report``."""

from typing import Annotated, Literal

from pydantic import Field

from claran_core.common.options import Options, Within

__all__ = ["ReportOptions"]


class ReportOptions(Options):
    """Section ``report``."""

    gallery_size: Annotated[int, Within(ge=0, le=1_000_000)] | Literal["all"] = Field(
        description="number of sources shown with pictures"
    )
