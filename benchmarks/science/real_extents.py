"""Measure how far the emission of large real radio galaxies reaches, whatever components are joined.

    python -m benchmarks.science.real_extents ../shared

Of each field of ``large``, all emission within the size that astronomers give (and a margin) is taken as one
galaxy: at levels of 3, 4 and 5.3 sigma, in the image and smoothed to 2, 4 and 8 beams.  The galaxy can be
found whole only if the largest extent of that emission is 0.75 of its size
(`benchmarks.science.real_scores`).  This limit of the score is generous: unrelated sources and peaks of the
noise inside the circle count.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.distance import pdist

from benchmarks.science.real_pictures import pixel_arcsec, read_image
from benchmarks.science.real_scores import SIZES_ARCSEC, WHOLE_SIZE
from claran_core.catalogue.measure.faint_emission import FAINT_SIGMA
from claran_core.catalogue.measure.gaussian_filter import smoothed
from claran_core.common.constants import FWHM_PER_SIGMA, GAUSSIAN_AREA
from claran_core.common.noise import noise_sigma
from claran_core.components.contour_rule import COMPONENT_SIGMA
from claran_core.components.islands import label_islands
from claran_core.survey.surveys import SURVEYS

LEVELS_SIGMA, BEAMS = (FAINT_SIGMA, 4.0, COMPONENT_SIGMA), (1, 2, 4, 8)
# Emission counts within half the size and this, arcsec; a piece has at least the area of this many beams.
BEYOND_ARCSEC, LEAST_BEAMS = 15.0, 1.0
# A smoothed contour lies farther out on either side by about this part of the added width of the beam.
SPREAD = 0.3


def extent_arcsec(image: np.ndarray, inside: np.ndarray, pixel: float, level: float, beams: int) -> float:
    """Return the largest extent of the emission above a level in a part of an image, arcsec.

    Parameters
    ----------
    image : (ny, nx) float array
        Radio image; NaN where there are no data.
    inside : (ny, nx) bool array
        Pixels that count.
    pixel : float
        Width of a pixel, arcsec.
    level : float
        In units of the noise of the smoothed image.
    beams : int
        Beam of the smoothed image, in beams of FIRST.
    """
    beam, known = SURVEYS["FIRST"].beam_arcsec, np.isfinite(image)
    data = np.where(known, image, 0.0)
    if beams > 1:
        width = np.sqrt(beams**2 - 1) * beam / FWHM_PER_SIGMA / pixel
        data = smoothed(data, width, truncate=3.0)
    pieces, count = label_islands(np.where(known, data, 0.0), level * noise_sigma(data[known]))
    least = LEAST_BEAMS * GAUSSIAN_AREA * (beams * beam / pixel) ** 2
    is_large = np.bincount(pieces.ravel(), minlength=count + 1) >= least
    is_large[0] = False
    points = np.argwhere(is_large[pieces] & inside) * pixel
    return max(_largest(points) - 2 * SPREAD * (beams - 1) * beam, 0.0)


def _largest(points: np.ndarray) -> float:
    """Return the largest distance of two points; 0 if there are fewer."""
    if len(points) < 2:
        return 0.0
    try:
        points = points[ConvexHull(points).vertices]
    except QhullError:  # all on one line
        pass
    return float(pdist(points).max())


def limits(fields: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Return extents over the size of each field, in columns of level and beams such as ``4_2``."""
    rows = []
    for field in fields.itertuples():
        image, wcs = read_image(folder / str(field.file))
        pixel, size = pixel_arcsec(wcs), field.largest_angular_size_arcsec
        x, y = wcs.wcs_world2pix([field.ra], [field.dec], 0)
        row, column = np.indices(image.shape)
        inside = np.hypot(column - x[0], row - y[0]) * pixel < size / 2 + BEYOND_ARCSEC
        found = {
            f"{level:g}_{beams}": extent_arcsec(image, inside, pixel, level, beams) / size
            for level in LEVELS_SIGMA
            for beams in BEAMS
        }
        rows.append({"file": field.file, "size": size} | found)
    return pd.DataFrame(rows)


def main() -> None:
    """Print which part of the fields can be whole."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("shared", type=Path, help="folder with data/large")
    data = parser.parse_args().shared / "data/large"
    found = limits(pd.read_csv(data / "fields.csv"), data / "radio")
    for low, high in SIZES_ARCSEC:
        part = found[found["size"].between(low, high, inclusive="left")]
        for level in LEVELS_SIGMA:
            reach = part[[f"{level:g}_{beams}" for beams in BEAMS]].max(axis=1)
            share = (reach >= WHOLE_SIZE[0]).mean()
            print(f"{low}-{high} arcsec, {level:g} sigma: {share:.3f} of {len(part)} fields can be whole")


if __name__ == "__main__":
    main()
