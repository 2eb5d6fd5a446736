"""Section ``targets``: the positions to work on."""

from typing import Annotated, Literal

from pydantic import Field

from claran_core.common.options import GivenFile, Options, Unique

__all__ = ["TargetOptions"]


class TargetOptions(Options):
    """Section ``targets``."""

    path: GivenFile = Field(
        description="table of positions (CSV, Parquet, FITS or VOTable; `ra` and `dec`, ICRS), "
        "the RGZ label table, or labels of your own, whose boxes' centres are the targets"
    )
    scales: Annotated[tuple[Literal[1, 2, 4, 8], ...], Field(min_length=1), Unique()] = Field(
        description="how wide the views of each target are, in units of the frame; "
        "not used for a table with a column `scale`"
    )
