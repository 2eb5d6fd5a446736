"""Regions of the sky that separate training and test subjects.

Each region belongs to one split, and subjects keep a distance from its border, so the splits share neither
sources nor noise.
"""

from collections.abc import Iterator

import numpy as np

from claran_core.common.sky import offset_to_sky
from claran_core.simulation.geometry import TileGrid, sky_to_cells, subcells
from claran_core.simulation.population import RADIO_NSIDE
from claran_core.simulation.random_streams import Stream, generator

__all__ = [
    "BORDER_ARCSEC",
    "CROWDED_DEC_DEG",
    "FOOTPRINT_DEC_DEG",
    "PAIRS_DEC_DEG",
    "REGION_NSIDE",
    "TRAINING_DEC_DEG",
    "is_inside",
    "regions",
]

# Regions of 7.3 degrees, and the smallest distance of subjects from their borders.
REGION_NSIDE = 8
BORDER_ARCSEC = 400.0

# FIRST's declinations (deg), at all right ascensions.  The simulated sky has no Galactic plane, and FIRST's
# 10,000 square degrees contained no more 1C_3P, 2C_3P and 3C_3P sources than the paper used (Tables 1 and 3).
FOOTPRINT_DEC_DEG = (-8.0, 62.0)


# Declinations (deg) of the centres of other regions: those of training subjects of any kind, outside the
# footprint and two degrees from it; those with a crowded sky; and those of ambiguous pairs for tests.
TRAINING_DEC_DEG, CROWDED_DEC_DEG, PAIRS_DEC_DEG = (-38.0, -20.0), (-75.0, -48.0), (66.0, 90.0)


def regions(
    seed: int, declinations_deg: tuple[float, float] = FOOTPRINT_DEC_DEG
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield regions in random order, each with its cells of `RADIO_NSIDE` likewise.

    `declinations_deg` are the limits of the centres of the regions.
    """
    south, north = declinations_deg
    grid = TileGrid(nside=REGION_NSIDE, pixel_scale_arcsec=1.0, size_px=1)
    tiles = [grid.tile(index) for index in range(12 * REGION_NSIDE**2)]
    inside = [tile.index for tile in tiles if south <= tile.dec_deg <= north]
    for region in generator(seed, Stream.SUBJECTS).permutation(inside):
        cells = subcells(int(region), REGION_NSIDE, RADIO_NSIDE)
        yield int(region), generator(seed, Stream.SUBJECTS, int(region)).permutation(cells)


def is_inside(region: int, ra_deg: float, dec_deg: float) -> bool:
    """Return whether a position is far enough from the border of a region, tested in 16 directions."""
    angle = np.arange(0, 2 * np.pi, np.pi / 8)
    around = BORDER_ARCSEC * np.sin(angle), BORDER_ARCSEC * np.cos(angle)
    ring = offset_to_sky(ra_deg, dec_deg, *around)
    return bool((sky_to_cells(*ring, REGION_NSIDE) == region).all())
