"""Section ``catalogue``: the catalogue and its doubtful rows."""

from typing import Annotated

from pydantic import Field

from claran_core.common.options import Options, Text, Within
from claran_core.settings.fusion import FusionMethod

__all__ = ["CatalogueOptions"]


class CatalogueOptions(Options):
    """Section ``catalogue``."""

    method: FusionMethod = Field(description="fusion method whose candidates become the catalogue")
    min_probability: Annotated[float, Within(ge=0, le=1)] = Field(
        description="sources that are less probable are flagged `DOUBTFUL`"
    )
    match_radius_arcsec: Annotated[float, Within(gt=0, le=3600)] = Field(
        description="a source is near a target if its position or a component is within this angle"
    )
    creator: Text | None = Field(description="who makes the catalogue, for the headers of its files")
    rights: Text | None = Field(description="what others may do with it, such as a licence")
    citation: Text | None = Field(description="how to cite it; null: the paper of the method")
