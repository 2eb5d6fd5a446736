"""Round sources in a small image with noise, and their true emission."""

from dataclasses import dataclass

import numpy as np

from claran_core.common.cutout import Cutout
from claran_core.common.linear_wcs import LinearWCS

__all__ = ["SIZE", "Source", "gaussian", "native_wcs", "observe"]

SIZE = 106  # native pixels of 1.8 arcsec: a little more than the frame


@dataclass(frozen=True)
class Source:
    """A `TrueSource` with its image; it has no emission outside the part that is not zero."""

    source_id: str
    image: np.ndarray
    ra_deg: float = 150.001
    dec_deg: float = 20.002
    host_magnitude: float = 15.0

    @property
    def wcs(self) -> LinearWCS:
        """Geometry of the image."""
        return native_wcs(len(self.image))

    @property
    def part(self) -> tuple[slice, slice]:
        """Rows and columns with emission."""
        rows, columns = np.nonzero(self.image)
        if not len(rows):
            return slice(0, 0), slice(0, 0)
        return slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)

    @property
    def emission(self) -> np.ndarray:
        """The image in this part."""
        return np.ascontiguousarray(self.image[self.part], np.float32)


def native_wcs(size: int = SIZE) -> LinearWCS:
    """Return the geometry of an image of `size` pixels at the position of the subject."""
    return LinearWCS("TAN", 150.0, 20.0, (size - 1) / 2, (size - 1) / 2, (-5e-4, 0.0, 0.0, 5e-4))


def gaussian(x: float, y: float, peak: float, fwhm: float = 3.0, size: int = SIZE) -> np.ndarray:
    """Return the image of a round Gaussian; what is below a thousandth of the noise is 0."""
    rows, columns = np.indices((size, size))
    image = peak * np.exp(-4 * np.log(2) * ((columns - x) ** 2 + (rows - y) ** 2) / fwhm**2)
    return np.where(image > 1e-3, image, 0.0)


def observe(*models: np.ndarray) -> Cutout:
    """Return a cut-out with the sum of models and noise of 1."""
    size = len(models[0])
    noise = np.random.default_rng(3).normal(0, 1.0, (size, size))
    return Cutout((noise + sum(models)).astype(np.float32), native_wcs(size), "made")
