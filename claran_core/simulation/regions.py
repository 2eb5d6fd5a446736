"""Regions of the sky that keep training and test subjects apart.

Each region serves one split only, and subjects keep a distance from its border, so that no source and no
noise is in both.
"""

from collections.abc import Iterator

import numpy as np

from claran_core.common.sky import offset_to_sky
from claran_core.simulation.geometry import TileGrid, sky_to_cells, subcells
from claran_core.simulation.population import RADIO_NSIDE
from claran_core.simulation.random_streams import Purpose, generator

__all__ = ["BORDER_ARCSEC", "FOOTPRINT_DEC_DEG", "REGION_NSIDE", "is_inside", "regions"]

# Regions of 7.3 degrees; subjects keep this far from their borders.
REGION_NSIDE = 8
BORDER_ARCSEC = 400.0

# FIRST's declinations (deg), at every right ascension: Galaxy or not, this sky is the same, and FIRST's own
# 10,000 square degrees held no more 1C_3P, 2C_3P and 3C_3P sources than the paper took (Tables 1 and 3).
FOOTPRINT_DEC_DEG = (-8.0, 62.0)


def regions(seed: int) -> Iterator[tuple[int, np.ndarray]]:
    """Regions of the footprint in random order, each with its cells of `RADIO_NSIDE` in random order."""
    south, north = FOOTPRINT_DEC_DEG
    grid = TileGrid(nside=REGION_NSIDE, pixel_scale_arcsec=1.0, size_px=1)
    tiles = [grid.tile(index) for index in range(12 * REGION_NSIDE**2)]
    inside = [tile.index for tile in tiles if south <= tile.dec_deg <= north]
    for region in generator(seed, Purpose.SUBJECTS).permutation(inside):
        cells = subcells(int(region), REGION_NSIDE, RADIO_NSIDE)
        yield int(region), generator(seed, Purpose.SUBJECTS, int(region)).permutation(cells)


def is_inside(region: int, ra_deg: float, dec_deg: float) -> bool:
    """Whether a position keeps its distance from the border of a region, looking in 16 directions."""
    angle = np.arange(0, 2 * np.pi, np.pi / 8)
    around = BORDER_ARCSEC * np.sin(angle), BORDER_ARCSEC * np.cos(angle)
    ring = offset_to_sky(ra_deg, dec_deg, *around)
    return bool((sky_to_cells(*ring, REGION_NSIDE) == region).all())
