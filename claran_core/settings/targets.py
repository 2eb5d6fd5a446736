"""Section ``targets``: the positions to work on."""

from pydantic import Field

from claran_core.common.options import Options, Text

__all__ = ["TargetOptions"]


class TargetOptions(Options):
    """Section ``targets``."""

    path: Text = Field(
        description="table of positions (CSV, Parquet, FITS or VOTable; `ra` and `dec` in deg, ICRS), "
        "or the RGZ label table"
    )
