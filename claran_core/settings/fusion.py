"""Section ``fusion``: the fused images (paper section 3.4)."""

from typing import Annotated, Any

from pydantic import Field

from claran_core.common.frame import Frame
from claran_core.common.options import OneOf, Options, Unique, Within
from claran_core.fusion.render import METHODS, Drawing

__all__ = ["FusionMethod", "FusionOptions", "ImageOptions"]

FusionMethod = Annotated[str, OneOf(METHODS)]

GreyLevel = Annotated[int, Within(ge=0, le=255)]


class ImageOptions(Options):
    """Everything that decides how a fused image of one method looks."""

    contour_sigma: Annotated[float, Within(gt=0, le=100)] = Field(
        description="base contour in units of the noise"
    )
    size_px: Annotated[int, Within(ge=32, le=4096)] = Field(description="width of a subject, px")
    pixel_scale_arcsec: Annotated[float, Within(gt=0, le=60)] = Field(description="width of a pixel, arcsec")
    hull_fill: tuple[GreyLevel, GreyLevel, GreyLevel] = Field(
        description="red, green and blue outside the hull of D4"
    )

    @property
    def pixel_options(self) -> dict[str, Any]:
        """The options that change pixels of fused images, as the header of weights holds them."""
        return {
            "contour_sigma": self.contour_sigma,
            "hull_fill": list(self.hull_fill),
            "size_px": self.size_px,
            "pixel_scale_arcsec": self.pixel_scale_arcsec,
        }

    @property
    def drawing(self) -> Drawing:
        """How contours and fill of fused images are drawn."""
        return Drawing(self.contour_sigma, self.hull_fill)

    @property
    def frame(self) -> Frame:
        """Geometry of the subjects."""
        return Frame(size_px=self.size_px, pixel_scale_arcsec=self.pixel_scale_arcsec)


class _MethodOptions(Options):
    methods: Annotated[tuple[FusionMethod, ...], Field(min_length=1), Unique()] = Field(
        description="fused images to make"
    )


# The fields of the last base come first, as in config.yaml.
class FusionOptions(ImageOptions, _MethodOptions):
    """Section ``fusion``."""
