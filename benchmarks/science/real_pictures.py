"""Pictures of real fields with the rows of a catalogue: image, contours, tight boxes, true sizes."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning
from astropy.wcs import WCS

from claran_core.common.noise import noise_sigma

mpl.use("Agg")

from matplotlib import pyplot as plt  # noqa: E402 - after the choice of the backend
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.patches import Circle, Rectangle  # noqa: E402

__all__ = ["Picture", "write_pictures"]

PER_PAGE, COLUMNS = 12, 4
CONTOURS = (5.3, 20.0, 80.0, 320.0, 1280.0)
DOUBTFUL = 0.5
# Lines of the boxes of one catalogue after the other.
STYLES = ("solid", "dashed")


@dataclass(frozen=True)
class Picture:
    """A part of a real image.

    Attributes
    ----------
    image : Path
        FITS file.
    ra_deg, dec_deg, radius_arcsec : float
        Middle of the picture and half its width.
    title : str
    size_arcsec : float
        True size, drawn as a circle; 0 for none.
    marks : sequence of 2 float
        Positions to mark, deg.
    """

    image: Path
    ra_deg: float
    dec_deg: float
    radius_arcsec: float
    title: str
    size_arcsec: float = 0.0
    marks: Sequence[tuple[float, float]] = ()


def write_pictures(
    folder: Path, name: str, pictures: Sequence[Picture], *catalogues: pd.DataFrame, dpi: int = 60
) -> None:
    """Write pages ``name_00.png`` ... of pictures with the rows of one or two catalogues.

    Boxes of the first catalogue are solid, those of the second dashed.  A picture is four times `dpi` pixels
    wide.  Pages of an earlier run are removed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(f"{name}_[0-9][0-9].png"):
        old.unlink()
    for page, first in enumerate(range(0, len(pictures), PER_PAGE)):
        part = pictures[first : first + PER_PAGE]
        rows = -(-len(part) // COLUMNS)
        figure, axes = plt.subplots(rows, COLUMNS, figsize=(4 * COLUMNS, 4.2 * rows), squeeze=False)
        for axis in axes.flat:
            axis.axis("off")
        for axis, picture in zip(axes.flat, part, strict=False):
            _draw_image(axis, picture, catalogues)
        figure.subplots_adjust(0.01, 0.01, 0.99, 0.97, 0.03, 0.08)
        figure.savefig(folder / f"{name}_{page:02d}.png", dpi=dpi)
        plt.close(figure)


def _draw_image(axis: Axes, picture: Picture, catalogues: Sequence[pd.DataFrame]) -> None:
    image, wcs = read_image(picture.image)
    scale = pixel_arcsec(wcs)
    sigma = noise_sigma(image)
    axis.imshow(np.arcsinh(image / sigma / 2), origin="lower", cmap="gray_r", vmin=-1.5, vmax=4)
    heights = [level * sigma for level in CONTOURS if level * sigma < np.nanmax(image)]
    if heights:
        axis.contour(image, levels=heights, colors="tab:blue", linewidths=0.6)
    x, y = wcs.wcs_world2pix([picture.ra_deg], [picture.dec_deg], 0)
    if picture.size_arcsec:
        radius = picture.size_arcsec / 2 / scale
        axis.add_patch(Circle((x[0], y[0]), radius, fill=False, color="tab:green", ls="--"))
    for catalogue, style in zip(catalogues, STYLES, strict=False):
        _draw_rows(axis, picture, catalogue, wcs, style)
    for ra, dec in picture.marks:
        axis.plot(*wcs.wcs_world2pix([ra], [dec], 0), "x", color="tab:purple")
    half = picture.radius_arcsec / scale
    axis.set_xlim(x[0] - half, x[0] + half)
    axis.set_ylim(y[0] - half, y[0] + half)
    axis.set_title(picture.title, fontsize=8)


def _draw_rows(axis: Axes, picture: Picture, catalogue: pd.DataFrame, wcs: WCS, style: str) -> None:
    """Draw the tight boxes of rows with class and probability."""
    scale = pixel_arcsec(wcs)
    near = catalogue[(catalogue["tight_dec"] - picture.dec_deg).abs() < 2 * picture.radius_arcsec / 3600]
    for row in near.itertuples():
        across, up = row.tight_width / scale, row.tight_height / scale
        place = wcs.wcs_world2pix([row.tight_ra], [row.tight_dec], 0)
        corner = float(place[0][0]) - across / 2, float(place[1][0]) - up / 2
        if np.isfinite(corner).all():
            doubtful = row.source_probability < DOUBTFUL
            colour = "tab:orange" if doubtful else "tab:red"
            axis.add_patch(Rectangle(corner, across, up, fill=False, color=colour, ls=style))
            axis.text(
                corner[0],
                corner[1] + (0 if style == STYLES[0] else up),
                f"{row.morphology} {row.source_probability:.2f}",
                color=colour,
                fontsize=7,
                clip_on=True,
            )


def read_image(path: Path) -> tuple[np.ndarray, WCS]:
    """Return the first image of a FITS file and its celestial WCS."""
    with fits.open(path) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyWarning)
        hdu = next(one for one in file if one.data is not None)
        return np.squeeze(hdu.data).astype(float), WCS(hdu.header).celestial


def pixel_arcsec(wcs: WCS) -> float:
    """Return the width of a pixel, arcsec."""
    return float(np.sqrt(abs(np.linalg.det(wcs.pixel_scale_matrix))) * 3600)
