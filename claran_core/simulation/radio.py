"""The radio image of the simulated sky: emission, residual sidelobes and noise of FIRST.

All terms are added in a fixed order (cells ascending, sources as numbered, Gaussians as listed), pixel by
pixel on the tile's grid.  Any two windows of a tile therefore agree bit by bit where they overlap.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from claran_core.common.compiled import compiled
from claran_core.simulation.artefacts import ARTEFACTS_PX, artefact_pattern, dark_blob
from claran_core.simulation.baselines import SIDELOBES_PX, sidelobe_pattern, smoothed_rms
from claran_core.simulation.geometry import Tile, TileWindow, disc_around
from claran_core.simulation.noise import first_noise, surroundings
from claran_core.simulation.placed_cells import PlacedCell, placed_cell
from claran_core.simulation.population import Population, RadioSource, cells_reaching
from claran_core.simulation.random_streams import Stream, generator, plane_normals, quantile_draw
from claran_core.simulation.recipes import SNR_UNIT_JY

__all__ = [
    "Patterns",
    "add_artefacts",
    "add_pattern",
    "cells_of",
    "emission",
    "radio_image",
    "radio_rms",
    "sum_of_emission",
]

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

# Artefacts extend farther from a peak than the sidelobes that `cells_reaching` includes.
ARTEFACTS_BEYOND_ARCSEC = 1.8 * (ARTEFACTS_PX - np.sqrt(2) * SIDELOBES_PX)


@dataclass(frozen=True)
class Patterns:
    """Patterns around sources, in pixels of a survey.

    Attributes
    ----------
    sidelobes, blob : callable
        Return the pattern of residual sidelobes, and a dark blob; ``(2 r + 1, 2 r + 1)``.
    artefacts : callable
        Returns the pattern of artefacts with a number.
    reach_px : int
        Half of the width of the latter.
    """

    sidelobes: Callable[[], np.ndarray]
    blob: Callable[[], np.ndarray]
    artefacts: Callable[[int], np.ndarray]
    reach_px: int


FIRST_PATTERNS = Patterns(sidelobe_pattern, dark_blob, artefact_pattern, ARTEFACTS_PX)


def radio_image(population: Population, tile: Tile, window: TileWindow) -> np.ndarray:
    """Return the FIRST image of a window of a tile's plane, Jy/beam; float64 ``(ny, nx)``, FITS order."""
    cells = cells_of(population, tile, window, ARTEFACTS_BEYOND_ARCSEC)
    image = sum_of_emission(cells, window)
    add_artefacts(image, cells, window, FIRST_PATTERNS)
    near_source = _near_extended(cells, window)
    noise, smooth, white = first_noise(population.seed, tile, window)
    amount = _smoothness(population.seed, tile, window) + SMOOTHER_AT_SOURCE * near_source
    # Smoother noise has a higher rms; half of the (logarithmic) increase is kept.
    usual = smoothed_rms(np.array(SMOOTHNESS_MEAN))
    level = radio_rms(population.seed, tile, window) / np.sqrt(smoothed_rms(amount) * usual)
    noise = noise + amount * smooth + _white_amount(population.seed, tile) * white
    return image + BOWL_DEPTH_JY * near_source + level * noise


def sum_of_emission(cells: list[PlacedCell], window: TileWindow) -> np.ndarray:
    """Return the noise-free image of all sources in a window, Jy/beam; float64 ``(ny, nx)``."""
    image = np.zeros(window.shape)
    for cell in cells:
        cell.compact(window)[1].add_to(image, window)
        for _, placed in cell.extended(window):
            placed.add_to(image, window)
    return image


def emission(
    population: Population, tile: Tile, window: TileWindow
) -> Iterator[tuple[RadioSource, TileWindow, np.ndarray]]:
    """Yield the sources with emission in a window and their noise-free images, Jy/beam.

    Each image is that of the part of the window, given as a `TileWindow`, that contains all of the emission.
    """
    for cell in cells_of(population, tile, window, ARTEFACTS_BEYOND_ARCSEC):
        numbers, compact = cell.compact(window)
        one_by_one = [(number, compact.take(slice(k, k + 1))) for k, number in enumerate(numbers.tolist())]
        for number, placed in [*one_by_one, *cell.extended(window)]:
            part = placed.box().within(window)
            image = np.zeros(part.shape)
            placed.add_to(image, part)
            yield cell.source(number), part, image


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
    x0, y0 = window.x0 // NODE_PX, window.y0 // NODE_PX
    shape = (window.y0 + window.ny - 1) // NODE_PX - y0 + 2, (window.x0 + window.nx - 1) // NODE_PX - x0 + 2
    nodes = plane_normals(shape, seed, stream, tile.index, 1, x0=x0, y0=y0, block_px=1)
    field = np.empty(window.shape)
    _interpolate(field, nodes, window.x0 - x0 * NODE_PX, window.y0 - y0 * NODE_PX, NODE_PX)
    return field


@compiled
def _interpolate(field: np.ndarray, nodes: np.ndarray, left: int, bottom: int, spacing: int) -> None:
    """Interpolate nodes bilinearly; the first pixel of the field is `left, bottom` px from the first node."""
    for j in range(field.shape[0]):
        row, up = (bottom + j) // spacing, (bottom + j) % spacing / spacing
        for i in range(field.shape[1]):
            column, right = (left + i) // spacing, (left + i) % spacing / spacing
            low = nodes[row, column] * (1 - right) + nodes[row, column + 1] * right
            high = nodes[row + 1, column] * (1 - right) + nodes[row + 1, column + 1] * right
            field[j, i] = low * (1 - up) + high * up


def cells_of(
    population: Population, tile: Tile, window: TileWindow, beyond_arcsec: float
) -> list[PlacedCell]:
    """Return the cells whose sources may reach a window with emission, artefacts or negative bowls.

    Artefacts extend `beyond_arcsec` farther from a peak than the sidelobes that `cells_reaching` includes.
    """
    ra_deg, dec_deg, radius = disc_around(tile, window)
    numbers = cells_reaching(population, ra_deg, dec_deg, radius + beyond_arcsec)
    return [placed_cell(population, tile, number) for number in numbers]


def add_artefacts(image: np.ndarray, cells: list[PlacedCell], window: TileWindow, patterns: Patterns) -> None:
    """Add the residual sidelobes around the peaks of sources, and the artefacts around bright ones."""
    _add_sidelobes(image, cells, window, patterns.sidelobes())
    _add_rays_and_blobs(image, cells, window, patterns)


def _add_sidelobes(
    image: np.ndarray, cells: list[PlacedCell], window: TileWindow, pattern: np.ndarray
) -> None:
    """Add the residual sidelobes around the peaks of sources.

    The pattern is centred on whole pixels, so that it is the same in all windows.
    """
    reached = _reached(window, pattern)
    for cell in cells:
        for number, (x, y) in cell.sidelobe_peaks(reached):
            add_pattern(image, window, pattern, x, y, cell.sidelobe_strength[number])


def _add_rays_and_blobs(
    image: np.ndarray, cells: list[PlacedCell], window: TileWindow, patterns: Patterns
) -> None:
    """Add the artefacts around bright sources, centred on whole pixels as sidelobes are."""
    half = patterns.reach_px + 1
    blob = patterns.blob()
    for cell in cells:
        for number, (x, y) in cell.bright_peaks(window.grown(half, half)):
            pattern = patterns.artefacts(int(cell.artefacts.pattern[number]))
            add_pattern(image, window, pattern, x, y, cell.artefacts.gain[number] * cell.peak_jy[number])
        for (x, y), height in cell.blobs(_reached(window, blob)):
            add_pattern(image, window, blob, x, y, height)


def _near_extended(cells: list[PlacedCell], window: TileWindow) -> np.ndarray:
    """Return the sum of the patterns of negative bowls around extended sources; ``(ny, nx)``.

    The value is about 1 close to a typical extended source.
    """
    near = np.zeros(window.shape)
    shape = surroundings()
    reached = _reached(window, shape)
    for cell in cells:
        for number, (x, y) in cell.bowls(reached):
            add_pattern(near, window, shape, x, y, cell.depth[number])
    return near


def _reached(window: TileWindow, pattern: np.ndarray) -> TileWindow:
    """Return the window of possible centres of a pattern that overlaps a window."""
    half = pattern.shape[0] // 2
    return window.grown(half + 1, half + 1)


def add_pattern(
    image: np.ndarray, window: TileWindow, pattern: np.ndarray, x: int, y: int, strength: float
) -> None:
    """Add `strength` times a pattern, centred on tile pixel `x, y`, to the image of a window."""
    ny, nx = pattern.shape
    own, part = window.overlap(TileWindow(x - nx // 2, y - ny // 2, nx, ny))
    image[own] += strength * pattern[part]
