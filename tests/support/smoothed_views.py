"""Coarser views of made-up radio skies, with their components, for tests of measurements."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import ndimage

from claran_core.catalogue.measure.measure_subject import SubjectImage
from claran_core.catalogue.measure.stored_components import stored_components
from claran_core.common.cutout import Cutout
from claran_core.common.frame import Frame
from claran_core.common.linear_wcs import LinearWCS
from claran_core.common.subject import Subject
from claran_core.components.component_table import NOMINAL_LEVEL
from claran_core.components.find import component_tables
from claran_core.components.units import find_units
from claran_core.cutouts.coarse import coarse_cutout
from claran_core.survey.surveys import SURVEYS

__all__ = ["MJY", "SIGMA", "Blob", "View", "first_noise", "sky_image", "view_of"]

FRAME = Frame()
SURVEY = SURVEYS["FIRST"]
PIXEL = SURVEY.pixel_scale_arcsec
SIGMA = 1.5e-4  # Jy/beam
MJY = 1e3 * SIGMA
TO_SIGMA = 1 / np.sqrt(8 * np.log(2))
RA, DEC = 150.0, 20.0

# A Gaussian: offset to east and north (arcsec), peak in units of SIGMA, FWHM in units of the beam.
Blob = tuple[float, float, float, float]


@dataclass(frozen=True)
class View:
    """A subject of a larger scale, its components and its prepared image."""

    subject: Subject
    components: pd.DataFrame
    image: SubjectImage

    def ids(self, scale: int) -> list[int]:
        """Identities of the components of a scale."""
        return self.components.component_id[self.components.scale == scale].tolist()

    def source_at(self, east: float, north: float) -> tuple[list[int], list[int]]:
        """Unit and components of the source of one unit, the nearest to an offset in arcsec."""
        units, _ = self.whole()
        rows = self.components[self.components.component_id.isin(units)]
        dx = (rows.ra - RA) * np.cos(np.deg2rad(DEC)) * 3600 - east
        unit = int(rows.component_id.loc[np.hypot(dx, (rows.dec - DEC) * 3600 - north).idxmin()])
        inside = self.components.component_id[self.components.part_of == unit].tolist()
        return [unit], inside or [unit]

    def whole(self) -> tuple[list[int], list[int]]:
        """Units and components of the source that consists of everything in the view."""
        units = find_units({name: self.components[name].to_numpy() for name in self.components})
        ids = self.components.component_id.to_numpy()
        return ids[units.rows].tolist(), ids[units.members].tolist()


def first_noise(size: int, seed: int) -> np.ndarray:
    """Return noise with the correlation of FIRST's, of standard deviation SIGMA."""
    rng = np.random.default_rng(seed)
    plane = np.zeros((size, size))
    for weight, fwhm in SURVEY.noise_correlation:
        width = fwhm / PIXEL * TO_SIGMA / np.sqrt(2)
        part = ndimage.gaussian_filter(rng.standard_normal((size, size)), width, mode="wrap")
        plane += np.sqrt(weight) * part / part.std()
    return SIGMA * plane


def sky_image(
    size: int, blobs: Sequence[Blob], *, seed: int = 0, noise: float = 1.0
) -> tuple[np.ndarray, LinearWCS]:
    """Return a native image of Gaussians in FIRST's noise, and its geometry."""
    pixels = noise * first_noise(size, seed)
    rows, columns = np.indices(pixels.shape)
    middle = (size - 1) / 2
    for east, north, peak, fwhm in blobs:
        apart = (columns - middle + east / PIXEL) ** 2 + (rows - middle - north / PIXEL) ** 2
        pixels += peak * SIGMA * np.exp(-0.5 * apart / (fwhm * SURVEY.beam_arcsec / PIXEL * TO_SIGMA) ** 2)
    return pixels.astype(np.float32), Frame(size_px=size, pixel_scale_arcsec=PIXEL).wcs(RA, DEC)


def view_of(scale: int, blobs: Sequence[Blob], *, seed: int = 0, noise: float = 1.0) -> View:
    """Return the view of Gaussians."""
    size = int(np.ceil((scale * FRAME.width_arcsec + 2 * scale * SURVEY.beam_arcsec) / PIXEL))
    pixels, wcs = sky_image(size, blobs, seed=seed, noise=noise)
    cutout = Cutout(pixels, wcs, "made by hand")
    if scale > 1:
        cutout = coarse_cutout(cutout, scale, SURVEY)
    subject = Subject("s", RA, DEC, "none", FRAME.at_scale(scale), scale)
    components, noise_table = component_tables([(subject, cutout, (NOMINAL_LEVEL,))], FRAME)
    stored = {key[1]: own for key, own in stored_components(components).items()}
    sigma = float(noise_table["sigma"].iloc[0])
    return View(subject, components, SubjectImage.of(subject, cutout, stored, sigma, SURVEY))
