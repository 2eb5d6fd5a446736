"""Compact sources fainter than FIRST's noise, for surveys that are deeper.

They are drawn in layers of flux density, each from a random stream of its own, so that all surveys see the
same ones.  Their counts continue those of FIRST's field sources, steeper as galaxies with star formation join
in; at 5 sigma LoTSS DR2 then has 790 sources per square degree (780 in Shimwell et al. 2022, A&A 659, A1).
They have no host in the infrared images.
"""

from functools import lru_cache

import numpy as np

from claran_core.simulation.field_sources import (
    FIELD_DENSITY_DEG2,
    FIELD_LIMIT_JY,
    FIELD_RANGE_JY,
    FIELD_SIZE_ARCSEC,
    FIELD_SLOPE,
    crowding,
)
from claran_core.simulation.geometry import cell_area_deg2, cell_positions
from claran_core.simulation.random_streams import Stream, generator
from claran_core.simulation.rare_sources import RADIO_NSIDE

__all__ = ["FAINT_SLOPE", "MAX_LAYERS", "FaintSources", "faint_layer", "layers_above"]

# Slope of the counts N(>S) below the faintest of FIRST's field sources.
FAINT_SLOPE = 1.05
# Each layer spans a factor of two in flux density.  The last one ends at 2.3 uJy.
MAX_LAYERS = 7

# Columns: RA and Dec (deg), flux density at 1.4 GHz (Jy), FWHM of the axes (arcsec), position angle (deg).
FaintSources = np.ndarray


def layers_above(flux_jy: float) -> int:
    """Return how many layers contain sources above a flux density at 1.4 GHz."""
    if flux_jy >= FIELD_RANGE_JY[0]:
        return 0
    return min(int(np.ceil(np.log2(FIELD_RANGE_JY[0] / flux_jy))), MAX_LAYERS)


@lru_cache(maxsize=512)
def faint_layer(seed: int, cell: int, layer: int) -> FaintSources:
    """Return the sources of one layer, from 0, of a nested HEALPix cell of `RADIO_NSIDE`; ``(n, 6)``."""
    rng = generator(seed, Stream.FAINT_SOURCES, cell, layer)
    bright = FIELD_RANGE_JY[0] / 2**layer
    above = FIELD_DENSITY_DEG2 * (FIELD_RANGE_JY[0] / FIELD_LIMIT_JY) ** -FIELD_SLOPE
    low, high = ((flux / FIELD_RANGE_JY[0]) ** -FAINT_SLOPE for flux in (bright / 2, bright))
    mean = above * crowding(cell, RADIO_NSIDE) * (low - high) * cell_area_deg2(RADIO_NSIDE)
    n = int(rng.poisson(mean))
    ra, dec = cell_positions(cell, RADIO_NSIDE, rng.random(n), rng.random(n))
    flux = FIELD_RANGE_JY[0] * rng.uniform(high, low, n) ** (-1 / FAINT_SLOPE)
    size, ratio, angle = rng.exponential(FIELD_SIZE_ARCSEC, n), rng.random(n), rng.uniform(0, 180, n)
    return np.stack([ra, dec, flux, size, size * ratio, angle], axis=1)
