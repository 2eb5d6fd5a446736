"""The radio sources of a cell on the pixels of a tile: where their emission and their artefacts are.

Whole cells are placed at once, so that the bits of a source do not depend on the window.
"""

from functools import lru_cache

import numpy as np

from claran_core.common.sky import offset_to_sky
from claran_core.simulation.artefacts import ARTEFACTS_ABOVE_JY, drawn_artefacts
from claran_core.simulation.gaussians import PixelGaussians, boxes_touch
from claran_core.simulation.geometry import Tile, TileWindow
from claran_core.simulation.population import UNCLEANED_JY, Population, RadioSource
from claran_core.simulation.recipes import SNR_UNIT_JY

__all__ = ["PlacedCell", "placed_cell"]

# Residual sidelobes of weaker peaks are omitted: the strongest sidelobe is a fifth of the peak.
SIDELOBES_ABOVE_JY = 1.0 * SNR_UNIT_JY

# Sidelobes of brighter peaks are not stronger, because these are calibrated on themselves.
SIDELOBES_BELOW_JY = 1000 * SNR_UNIT_JY

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
    peak_jy : (n,) float64 array
        Brightest pixels, Jy/beam.
    depth : (n,) float64 array
        Depth of the negative bowls, 1 on average; half of it scales with the CLEAN limit.
    artefacts : Artefacts
        What calibration and deconvolution leave around the sources above `ARTEFACTS_ABOVE_JY`.
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
        self.sidelobe_strength = np.minimum(
            sources.uncleaned_jy, sources.peak_jy
        ) + sources.sidelobe_gain * np.minimum(sources.peak_jy, SIDELOBES_BELOW_JY * sources.noisier)
        self._strong = np.flatnonzero(np.abs(self.sidelobe_strength) >= SIDELOBES_ABOVE_JY * sources.noisier)
        self.peak_jy = sources.peak_jy
        in_first = sources.peak_jy / sources.noisier
        self._bright = np.flatnonzero(in_first >= ARTEFACTS_ABOVE_JY)
        drawn = drawn_artefacts(population.seed, cell, in_first, sources.peak_reach_arcsec)
        self.artefacts = drawn.stronger(sources.artefact_gain)
        self._blob_reach = np.ceil(self.artefacts.blob_reach_arcsec / pixel) + MARGIN_PX
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

    def bright_peaks(self, window: TileWindow) -> list[tuple[int, tuple[int, int]]]:
        """Return the brightest peak of sources with artefacts in or near a window: number, pixel ``x y``."""
        near = self._near(self._bright, self._peak_reach, window)
        return [(number, self._peak_pixels(number)[0]) for number in near]

    def blobs(self, window: TileWindow) -> list[tuple[tuple[int, int], float]]:
        """Return the dark blobs around bright extended sources near a window: pixel ``x y``, Jy/beam."""
        found = []
        for number in self._near(self._bright, self._blob_reach, window):
            east, north, height = self.artefacts.blobs[number].T
            for place, part in zip(self._pixels(number, east, north), height.tolist(), strict=True):
                found.append((place, part * self.peak_jy[number]))
        return found

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
        return self._pixels(number, *peaks.T)

    def _pixels(self, number: int, east: np.ndarray, north: np.ndarray) -> list[tuple[int, int]]:
        """Return the pixels at offsets (arcsec) from the host of a source."""
        sky = offset_to_sky(self._sources.ra_deg[number], self._sources.dec_deg[number], east, north)
        pixels = np.stack(self._tile.sky_to_pixel(*sky), axis=1)
        return [(x, y) for x, y in np.rint(pixels).astype(int).tolist()]


@lru_cache(maxsize=512)
def placed_cell(population: Population, tile: Tile, cell: int) -> PlacedCell:
    """Return a cell on a tile; those used last are kept."""
    return PlacedCell(population, tile, cell)
