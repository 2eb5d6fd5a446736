"""The identity of a position on the sky: its pixel of the finest HEALPix grid."""

import numpy as np

from claran_core.common.healpix import nested_cells
from claran_core.common.sky import unit_vectors

__all__ = ["ORDER", "healpix_index"]

# Pixels of 0.4 milliarcsec, the smallest whose index fits in an int64.
ORDER = 29
NSIDE = 2**ORDER


def healpix_index(ra_deg: np.ndarray, dec_deg: np.ndarray) -> np.ndarray:
    """Return the index of positions (deg, ICRS) in the nested scheme of order 29; ``(n,)`` int64."""
    ra = np.asarray(ra_deg, float) % 360.0
    return nested_cells(unit_vectors(np.where(ra < 360.0, ra, 0.0), dec_deg), NSIDE)
