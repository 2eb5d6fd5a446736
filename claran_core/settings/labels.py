"""Section ``labels``: labels of a user's own."""

from pydantic import Field

from claran_core.common.options import FolderName, GivenFile, Options

__all__ = ["LabelOptions"]


class LabelOptions(Options):
    """Section ``labels``."""

    path: GivenFile | None = Field(
        description="boxes on the sky (CSV, Parquet, FITS or VOTable) or COCO annotations (.json), to train "
        "and evaluate with; null: the labels of the simulated sky or of the RGZ label table, if there are any"
    )
    images: FolderName | None = Field(
        description="folder of the FITS images that COCO annotations name; null: that of the annotations"
    )
