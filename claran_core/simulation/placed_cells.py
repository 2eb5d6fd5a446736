"""The radio sources of a cell on the pixels of a tile: where their emission, sidelobes and bowls are.

Whole cells are placed at once, so that the bits of a source do not depend on the window.
"""

from functools import lru_cache

import numpy as np

from claran_core.common.sky import offset_to_sky
from claran_core.simulation.gaussians import PixelGaussians, boxes_touch
from claran_core.simulation.geometry import Tile, TileWindow
from claran_core.simulation.population import UNCLEANED_JY, Population, RadioSource
from claran_core.simulation.recipes import SNR_UNIT_JY

__all__ = ["PlacedCell", "placed_cell"]

# Residual sidelobes of weaker peaks are omitted: the strongest sidelobe is a fifth of the peak.
SIDELOBES_ABOVE_JY = 1.0 * SNR_UNIT_JY

# Largest number of peaks with sidelobes per source.
MAX_SIDELOBES = 4

# Pixels by which the reach of a source is rounded up.
MARGIN_PX = 2


class PlacedCell:
    """The radio sources of a cell in pixels of a tile.

    Attributes
    ----------
    sidelobe_strength : (n,) float64 array
        Height (Jy/beam) of the peaks whose sidelobes deconvolution and calibration leave.
    depth : (n,) float64 array
        Depth of the negative bowls, 1 on average; half of it scales with the CLEAN limit.
    """

    def __init__(self, population: Population, tile: Tile, cell: int) -> None:
        self._sources, self._tile = population.cell(cell), tile
        sources, pixel = self._sources, tile.grid.pixel_scale_arcsec
        points = sources.gaussians().place(tile)
        self._compact, self._extended = (
            np.flatnonzero(sources.is_compact),
            np.flatnonzero(~sources.is_compact),
        )
        self._compact_gaussians = points.take(self._compact)
        self._middle = points.rows[:, :2]
        self._reach = np.ceil(sources.reach_arcsec / pixel) + MARGIN_PX
        self._peak_reach = np.ceil(sources.peak_reach_arcsec / pixel) + MARGIN_PX
        self.sidelobe_strength = (
            np.minimum(sources.uncleaned_jy, sources.peak_jy) + sources.sidelobe_gain * sources.peak_jy
        )
        self._strong = np.flatnonzero(np.abs(self.sidelobe_strength) >= SIDELOBES_ABOVE_JY)
        self.depth = 0.5 + 0.5 * sources.uncleaned_jy / UNCLEANED_JY
        self._gaussians: dict[int, PixelGaussians] = {}
        self._peaks: dict[int, list[tuple[int, int]]] = {}

    def source(self, number: int) -> RadioSource:
        """Return one of the sources of the cell."""
        return self._sources[number]

    def compact(self, window: TileWindow) -> tuple[np.ndarray, PixelGaussians]:
        """Return the numbers of the compact sources with emission in a window, and their Gaussians."""
        own = self._compact_gaussians.touching(window)
        return self._compact[own], self._compact_gaussians.take(own)

    def extended(self, window: TileWindow) -> list[tuple[int, PixelGaussians]]:
        """Return the numbers of the extended sources with emission in a window, and the Gaussians in it."""
        found = []
        for number in self._near(self._extended, self._reach, window):
            if number not in self._gaussians:
                self._gaussians[number] = self._sources[number].gaussians.place(self._tile)
            placed = self._gaussians[number]
            own = placed.touching(window)
            if own.size:
                found.append((number, placed.take(own)))
        return found

    def sidelobe_peaks(self, window: TileWindow) -> list[tuple[int, tuple[int, int]]]:
        """Return the peaks with sidelobes in or near a window: number of the source, pixel ``x y``."""
        near = self._near(self._strong, self._peak_reach, window)
        return [(number, pixel) for number in near for pixel in self._peak_pixels(number)]

    def bowls(self, window: TileWindow) -> list[tuple[int, tuple[int, int]]]:
        """Return the extended sources in a window: number, pixel ``x y`` of the host."""
        near = self._near(self._extended, np.zeros(len(self._reach)), window)
        return [(number, self._host_pixel(number)) for number in near]

    def _near(self, numbers: np.ndarray, reach_px: np.ndarray, window: TileWindow) -> list[int]:
        """Return which of the sources lie within their reach of a window."""
        boxes = np.column_stack([self._middle[numbers], reach_px[numbers]])
        return list(numbers[boxes_touch(boxes, window)].tolist())

    def _host_pixel(self, number: int) -> tuple[int, int]:
        x, y = np.rint(self._middle[number]).astype(int).tolist()
        return x, y

    def _peak_pixels(self, number: int) -> list[tuple[int, int]]:
        if number not in self._peaks:
            self._peaks[number] = self._found_peaks(number)
        return self._peaks[number]

    def _found_peaks(self, number: int) -> list[tuple[int, int]]:
        source = self._sources[number]
        if source.is_compact:
            return [self._host_pixel(number)]
        peaks = source.peaks[np.hypot(*source.peaks.T) <= source.peak_reach_arcsec][:MAX_SIDELOBES]
        sky = offset_to_sky(source.ra_deg, source.dec_deg, *peaks.T)
        pixels = np.stack(self._tile.sky_to_pixel(*sky), axis=1)
        return [(x, y) for x, y in np.rint(pixels).astype(int).tolist()]


@lru_cache(maxsize=512)
def placed_cell(population: Population, tile: Tile, cell: int) -> PlacedCell:
    """Return a cell on a tile; those used last are kept."""
    return PlacedCell(population, tile, cell)
