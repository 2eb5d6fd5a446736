"""Define the order of the catalogue's rows on the sky."""

import numpy as np
from astropy import units as u
from astropy_healpix import HEALPix

__all__ = ["HEALPIX_ORDER", "healpix_pixels"]

# Rows are sorted by nested HEALPix pixel of this order (3.4 arcmin, about one subject), so that neighbours on
# the sky are close in the file.
HEALPIX_ORDER = 10


def healpix_pixels(ra_deg: np.ndarray, dec_deg: np.ndarray, order: int = HEALPIX_ORDER) -> np.ndarray:
    """Return the nested HEALPix pixels of an order, by default that by which the catalogue is sorted."""
    grid = HEALPix(nside=2**order, order="nested")
    return grid.lonlat_to_healpix(ra_deg * u.deg, dec_deg * u.deg)
