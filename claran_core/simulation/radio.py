"""The radio image of the simulated sky: emission, residual sidelobes and noise of FIRST.

All terms are added in a fixed order (cells ascending, sources as numbered, Gaussians as listed), pixel by
pixel on the tile's grid.  Any two windows of a tile therefore agree bit by bit where they overlap.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np

from claran_core.common.sky import offset_to_sky
from claran_core.simulation.baselines import sidelobe_pattern, smoothed_rms
from claran_core.simulation.gaussians import PixelGaussians
from claran_core.simulation.geometry import Tile, TileWindow, cells_around
from claran_core.simulation.noise import first_noise, surroundings
from claran_core.simulation.population import (
    MAX_REACH_ARCSEC,
    RADIO_NSIDE,
    UNCLEANED_JY,
    Population,
    RadioSource,
    compact_gaussians,
)
from claran_core.simulation.random_streams import Stream, generator, grid_normals, quantile_draw
from claran_core.simulation.recipes import SNR_UNIT_JY

__all__ = ["add_pattern", "emission", "radio_image", "radio_rms"]

# Noise level of tiles, Jy/beam, at p0, p5, p25, p50, p75, p95, p100.  With its variation within tiles it
# reproduces that of FIRST (1,255 fields: .140, .156 and .190 mJy/beam at 5, 50 and 95 %).
RADIO_RMS = (1.2e-4, 1.42e-4, 1.49e-4, 1.54e-4, 1.62e-4, 1.76e-4, 2.2e-4)

# Relative scatter of the noise level within a tile, and the length over which it varies (3 arcmin).
RMS_SCATTER, NODE_PX = 0.05, 100

# Smoothness of the noise (`first_noise`): mean, scatter, limits, and the increase around extended sources;
# from the autocorrelation of source-free fields and of 151 cut-outs around such sources.
SMOOTHNESS_MEAN, SMOOTHNESS_SCATTER, SMOOTHNESS_LIMITS = 0.3, 0.45, (-0.4, 2.5)
SMOOTHER_AT_SOURCE = 0.3

# Additional white noise, relative to the rest: mean and scatter of its natural logarithm (power beyond the
# longest baselines in 151 cut-outs).
WHITE_LOG = (-6.0, 1.0)

# Depth of the negative bowl around extended sources, caused by missing short baselines: background within
# 2 arcmin of 159 sources.
BOWL_DEPTH_JY = -0.14 * SNR_UNIT_JY

# Residual sidelobes of weaker peaks are omitted: the strongest sidelobe is a fifth of the peak.
SIDELOBES_ABOVE_JY = 1.0 * SNR_UNIT_JY

# Largest number of peaks with sidelobes per source.
MAX_SIDELOBES = 4


def radio_image(population: Population, tile: Tile, window: TileWindow) -> np.ndarray:
    """Return the FIRST image of a window of a tile's plane, Jy/beam; float64 ``(ny, nx)``, FITS order."""
    image = np.zeros(window.shape)
    for _, placed, own in _emitters(population, tile, window):
        placed.add_to(image, window, own)
    _add_sidelobes(image, population, tile, window)
    near_source = _near_extended(population, tile, window)
    noise, smooth, white = first_noise(population.seed, tile, window)
    amount = _smoothness(population.seed, tile, window) + SMOOTHER_AT_SOURCE * near_source
    # Smoother noise has a higher rms; half of the (logarithmic) increase is kept.
    usual = smoothed_rms(np.array(SMOOTHNESS_MEAN))
    level = radio_rms(population.seed, tile, window) / np.sqrt(smoothed_rms(amount) * usual)
    noise = noise + amount * smooth + _white_amount(population.seed, tile) * white
    return image + BOWL_DEPTH_JY * near_source + level * noise


def emission(
    population: Population, tile: Tile, window: TileWindow
) -> Iterator[tuple[RadioSource, np.ndarray]]:
    """Yield the sources with emission in a window, and each one's noise-free image, Jy/beam, ``(ny, nx)``."""
    for sources, placed, own in _emitters(population, tile, window):
        for source, parts in zip(sources, own.reshape(len(sources), -1), strict=True):
            image = np.zeros(window.shape)
            placed.add_to(image, window, parts)
            yield source, image


def radio_rms(seed: int, tile: Tile, window: TileWindow) -> np.ndarray:
    """Return the noise level at each pixel of a window, Jy/beam; it varies smoothly within a tile."""
    level = quantile_draw(generator(seed, Stream.RADIO_FIELD, tile.index), RADIO_RMS)
    return level * np.exp(RMS_SCATTER * _smooth_field(seed, Stream.RADIO_RMS, tile, window))


def _white_amount(seed: int, tile: Tile) -> float:
    """Return the amplitude of the white noise of a tile relative to the rest."""
    return float(np.exp(generator(seed, Stream.RADIO_WHITE, tile.index).normal(*WHITE_LOG)))


def _smoothness(seed: int, tile: Tile, window: TileWindow) -> np.ndarray:
    """Return the amount of smooth noise at each pixel of a window (`first_noise`)."""
    of_tile = generator(seed, Stream.RADIO_SMOOTHNESS, tile.index).standard_normal()
    of_place = _smooth_field(seed, Stream.RADIO_SMOOTHNESS, tile, window)
    amount = SMOOTHNESS_MEAN + SMOOTHNESS_SCATTER * (of_tile + of_place) / np.sqrt(2)
    return np.clip(amount, *SMOOTHNESS_LIMITS)


def _smooth_field(seed: int, stream: Stream, tile: Tile, window: TileWindow) -> np.ndarray:
    """Return a random field with unit variance at its nodes, interpolated bilinearly; ``(ny, nx)``."""
    x, y = ((start + np.arange(n)) / NODE_PX for start, n in ((window.x0, window.nx), (window.y0, window.ny)))
    x_node, y_node = np.floor(x).astype(int), np.floor(y).astype(int)
    nodes = np.array(
        [
            [_node(seed, stream, tile.index, i, j) for i in range(x_node[0], x_node[-1] + 2)]
            for j in range(y_node[0], y_node[-1] + 2)
        ]
    )
    # Pixel by pixel, because the last bits of a matrix product would depend on the window's size.
    right, up = x - x_node, (y - y_node)[:, None]
    column, row = x_node - x_node[0], y_node - y_node[0]
    of_nodes = nodes[:, column] * (1 - right) + nodes[:, column + 1] * right
    return of_nodes[row] * (1 - up) + of_nodes[row + 1] * up


@lru_cache(maxsize=4096)
def _node(seed: int, stream: Stream, tile: int, i: int, j: int) -> float:
    return float(grid_normals((), seed, stream, tile, 1, x=i, y=j))


def _emitters(
    population: Population, tile: Tile, window: TileWindow
) -> Iterator[tuple[list[RadioSource], PixelGaussians, np.ndarray]]:
    """Yield sources with emission in a window, their Gaussians, and the indices of those in the window.

    Each item is either several compact sources with one Gaussian each, or one extended source.
    """
    for cell in _cells(tile, window):
        compact, placed = _placed_compact(population, tile, cell)
        own = placed.touching(window)
        if own.size:
            yield [compact[number] for number in own], placed, own
        sources, position, reach = _extended(population, tile, cell)
        for number in np.flatnonzero(_is_near(window, position, reach)):
            placed = _placed_extended(population, tile, cell, int(number))
            own = placed.touching(window)
            if own.size:
                yield [sources[number]], placed, own


@lru_cache(maxsize=64)
def _cells(tile: Tile, window: TileWindow) -> tuple[int, ...]:
    """Return the cells whose sources may reach a window with emission, sidelobes or negative bowls."""
    return cells_around(tile, window, MAX_REACH_ARCSEC, RADIO_NSIDE)


def _is_near(window: TileWindow, position: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """Return which of the positions ``(n, 2)`` (tile px) lie within their reach of a window."""
    low, high = np.array([window.x0, window.y0]), np.array([window.x0 + window.nx, window.y0 + window.ny])
    return ((position + reach[:, None] >= low) & (position - reach[:, None] < high)).all(axis=1)


def _add_sidelobes(image: np.ndarray, population: Population, tile: Tile, window: TileWindow) -> None:
    """Add the residual sidelobes around the peaks of sources.

    The pattern is centred on whole pixels, so that it is the same in all windows.
    """
    pattern = sidelobe_pattern()
    reached = _reached(window, pattern)
    for cell in _cells(tile, window):
        sources, position, reach = _with_sidelobes(population, tile, cell)
        for number in np.flatnonzero(_is_near(reached, position, reach)).tolist():
            for x, y in _peak_pixels(population, tile, cell, number):
                add_pattern(image, window, pattern, x, y, _sidelobe_strength(sources[number]))


def _near_extended(population: Population, tile: Tile, window: TileWindow) -> np.ndarray:
    """Return the sum of the patterns of negative bowls around extended sources; ``(ny, nx)``.

    The value is about 1 close to a typical extended source.
    """
    near = np.zeros(window.shape)
    shape = surroundings()
    reached = _reached(window, shape)
    for cell in _cells(tile, window):
        sources, position, _ = _extended(population, tile, cell)
        for number in np.flatnonzero(_is_near(reached, position, np.zeros(len(sources)))).tolist():
            x, y = np.rint(position[number]).astype(int).tolist()
            add_pattern(near, window, shape, x, y, _depth(sources[number]))
    return near


def _reached(window: TileWindow, pattern: np.ndarray) -> TileWindow:
    """Return the window of possible centres of a pattern that overlaps a window."""
    half = pattern.shape[0] // 2
    return window.grown(half + 1, half + 1)


def _depth(source: RadioSource) -> float:
    """Return the depth of a source's negative bowl, 1 on average; half of it scales with the CLEAN limit."""
    return 0.5 + 0.5 * source.uncleaned_jy / UNCLEANED_JY


def add_pattern(
    image: np.ndarray, window: TileWindow, pattern: np.ndarray, x: int, y: int, strength: float
) -> None:
    """Add `strength` times a pattern, centred on tile pixel `x, y`, to the image of a window."""
    ny, nx = pattern.shape
    own, part = window.overlap(TileWindow(x - nx // 2, y - ny // 2, nx, ny))
    image[own] += strength * pattern[part]


@lru_cache(maxsize=512)
def _tile_pixels(population: Population, tile: Tile, cell: int) -> np.ndarray:
    """Return the tile pixels of all sources of a cell; ``(n, 2)``."""
    positions = np.array([(source.ra_deg, source.dec_deg) for source in population.cell(cell)]).reshape(-1, 2)
    return np.stack(tile.sky_to_pixel(*positions.T), axis=1)


def _some(
    population: Population, tile: Tile, cell: int, select: Callable[[RadioSource], bool]
) -> tuple[tuple[RadioSource, ...], np.ndarray]:
    """Return the selected sources of a cell, and their tile pixels ``(n, 2)``."""
    sources = population.cell(cell)
    numbers = [number for number, source in enumerate(sources) if select(source)]
    return tuple(sources[number] for number in numbers), _tile_pixels(population, tile, cell)[numbers]


@lru_cache(maxsize=512)
def _with_sidelobes(
    population: Population, tile: Tile, cell: int
) -> tuple[tuple[RadioSource, ...], np.ndarray, np.ndarray]:
    """Return the sources of a cell with residual sidelobes, their tile pixels, and reach of peaks (px)."""
    sources, position = _some(
        population, tile, cell, lambda source: abs(_sidelobe_strength(source)) >= SIDELOBES_ABOVE_JY
    )
    reach = np.array([source.peak_reach_arcsec for source in sources]) / tile.grid.pixel_scale_arcsec
    return sources, position, np.ceil(reach) + 2


def _sidelobe_strength(source: RadioSource) -> float:
    """Return the height (Jy/beam) of the peak whose sidelobes deconvolution and calibration leave."""
    return min(source.uncleaned_jy, source.peak_jy) + source.sidelobe_gain * source.peak_jy


@lru_cache(maxsize=8192)
def _peak_pixels(population: Population, tile: Tile, cell: int, number: int) -> tuple[tuple[int, int], ...]:
    """Return the tile pixels ``x y`` of the peaks of one of the sources `_with_sidelobes`."""
    sources, position, _ = _with_sidelobes(population, tile, cell)
    source, pixels = sources[number], position[[number]]
    if not source.is_compact:
        peaks = source.peaks[np.hypot(*source.peaks.T) <= source.peak_reach_arcsec][:MAX_SIDELOBES]
        sky = offset_to_sky(source.ra_deg, source.dec_deg, *peaks.T)
        pixels = np.stack(tile.sky_to_pixel(*sky), axis=1)
    return tuple((x, y) for x, y in np.rint(pixels).astype(int).tolist())


# Whole cells are placed at once, so that the bits of a source do not depend on the window.


@lru_cache(maxsize=512)
def _placed_compact(
    population: Population, tile: Tile, cell: int
) -> tuple[tuple[RadioSource, ...], PixelGaussians]:
    sources = tuple(source for source in population.cell(cell) if source.is_compact)
    rows = [
        (source.ra_deg, source.dec_deg, source.peak_jy, *source.compact)
        for source in sources
        if source.compact is not None
    ]
    return sources, compact_gaussians(np.array(rows).reshape(-1, 6)).place(tile)


@lru_cache(maxsize=512)
def _extended(
    population: Population, tile: Tile, cell: int
) -> tuple[tuple[RadioSource, ...], np.ndarray, np.ndarray]:
    """Return the extended sources of a cell, their tile pixels ``(n, 2)``, and reach (px)."""
    sources, position = _some(population, tile, cell, lambda source: not source.is_compact)
    reach = np.array([source.reach_arcsec for source in sources]) / tile.grid.pixel_scale_arcsec
    return sources, position, np.ceil(reach) + 2


@lru_cache(maxsize=4096)
def _placed_extended(population: Population, tile: Tile, cell: int, number: int) -> PixelGaussians:
    return _extended(population, tile, cell)[0][number].gaussians.place(tile)
