"""The radio image of the simulated sky in a survey that is described: emission, artefacts and noise.

FIRST as it ships has noise and artefacts of its own, as measured (`claran_core.simulation.radio`).  Those of
any other survey follow from its description.  The noise is a random field with the stated autocorrelation,
whose level varies as FIRST's does.  Artefacts have FIRST's patterns, scaled to the beam and to the dynamic
range.  Negative bowls around extended sources are left out: they depend on the shortest baselines.
"""

from functools import lru_cache, partial

import numpy as np
from scipy import fft, ndimage

from claran_core.common.constants import FWHM_PER_SIGMA
from claran_core.common.frame import Frame
from claran_core.simulation.artefacts import ARTEFACTS_PX, artefact_pattern, dark_blob
from claran_core.simulation.baselines import SIDELOBES_PX, sidelobe_pattern
from claran_core.simulation.geometry import Tile, TileGrid, TileWindow
from claran_core.simulation.noise import white_noise
from claran_core.simulation.observed import FIRST, ObservedPopulation
from claran_core.simulation.radio import (
    Patterns,
    add_artefacts,
    cells_of,
    radio_rms,
    sum_of_emission,
)
from claran_core.simulation.random_streams import Stream
from claran_core.survey.surveys import Survey

__all__ = ["FIRST_GRID", "frame_of", "grid_of", "survey_image", "survey_noise"]

# Tiles of FIRST cover their HEALPix cells (0.48 deg to a corner) and the frames of 24.2 arcmin around any
# position in them.  Those of another survey have as many beams, within limits of `nside`.
FIRST_GRID = TileGrid(nside=128, pixel_scale_arcsec=1.8, size_px=2000, overlap_arcsec=800.0)
NSIDES = (4, 1024)

# Width of the Fourier transforms of noise, and of the border of a block that its kernel reaches into.
NOISE_PX, BORDER_PX = 256, 64
BLOCK_PX = NOISE_PX - 2 * BORDER_PX


def grid_of(survey: Survey) -> TileGrid:
    """Return the division of the sky into the images of a radio survey."""
    wider = survey.beam_arcsec / FIRST.beam_arcsec
    nside = int(np.clip(2 ** np.rint(np.log2(FIRST_GRID.nside / wider)), *NSIDES))
    width_arcsec = FIRST_GRID.size_px * FIRST_GRID.pixel_scale_arcsec * FIRST_GRID.nside / nside
    size_px = 2 * round(width_arcsec / survey.pixel_scale_arcsec / 2)
    return TileGrid(nside, survey.pixel_scale_arcsec, size_px, FIRST_GRID.overlap_arcsec * wider)


def frame_of(survey: Survey) -> Frame:
    """Return the frame of subjects of a radio survey: as many beams wide as those of FIRST."""
    usual = Frame()
    return Frame(usual.size_px, usual.pixel_scale_arcsec * survey.beam_arcsec / FIRST.beam_arcsec)


def survey_image(population: ObservedPopulation, tile: Tile, window: TileWindow) -> np.ndarray:
    """Return the image of a window of a tile's plane, Jy/beam; float64 ``(ny, nx)``, FITS order."""
    survey = population.survey
    patterns = scaled_patterns(survey)
    beyond_arcsec = patterns.reach_px * survey.pixel_scale_arcsec
    cells = cells_of(population, tile, window, beyond_arcsec)
    image = sum_of_emission(cells, window)
    add_artefacts(image, cells, window, patterns)
    level = survey.rms / FIRST.rms * radio_rms(population.seed, tile, window)
    return image + level * survey_noise(survey, population.seed, tile, window)


def survey_noise(survey: Survey, seed: int, tile: Tile, window: TileWindow) -> np.ndarray:
    """Return noise of unit variance with the autocorrelation of a survey.

    Returns
    -------
    (ny, nx) float64 array
        FITS order; a tile pixel has the same bits in all windows.
    """
    noise = np.empty(window.shape)
    for row in range(window.y0 // BLOCK_PX, (window.y0 + window.ny - 1) // BLOCK_PX + 1):
        for column in range(window.x0 // BLOCK_PX, (window.x0 + window.nx - 1) // BLOCK_PX + 1):
            block = TileWindow(column * BLOCK_PX, row * BLOCK_PX, BLOCK_PX, BLOCK_PX)
            own, part = window.overlap(block)
            noise[own] = _noise_block(survey, seed, tile.index, column, row)[part]
    return noise


@lru_cache(maxsize=256)
def _noise_block(survey: Survey, seed: int, tile: int, column: int, row: int) -> np.ndarray:
    outer = TileWindow(column * BLOCK_PX, row * BLOCK_PX, BLOCK_PX, BLOCK_PX).grown(BORDER_PX, BORDER_PX)
    white = white_noise(seed, Stream.SURVEY_NOISE, tile, 0, outer)
    inner = slice(BORDER_PX, BORDER_PX + BLOCK_PX)
    block: np.ndarray = fft.irfft2(fft.rfft2(white) * _noise_transfer(survey), white.shape)[inner, inner]
    return block.astype(np.float32)


@lru_cache(maxsize=16)
def _noise_transfer(survey: Survey) -> np.ndarray:
    """Return the transform (`rfft2`) that gives white noise the autocorrelation of a survey.

    The kernel has the root of its power spectrum, and ends at the border of a block.
    """
    x, y = fft.rfftfreq(NOISE_PX), fft.fftfreq(NOISE_PX)[:, None]
    angle, stretch = np.deg2rad(survey.beam_angle_deg), np.sqrt(survey.beam_axis_ratio)
    # East is towards lower columns.
    along, across = -x * np.sin(angle) + y * np.cos(angle), x * np.cos(angle) + y * np.sin(angle)
    squared = (along * stretch) ** 2 + (across / stretch) ** 2
    power = np.zeros(squared.shape)
    for weight, fwhm_arcsec in survey.noise_gaussians:
        sigma = fwhm_arcsec / survey.pixel_scale_arcsec / FWHM_PER_SIGMA
        power += weight * sigma**2 * np.exp(-2 * (np.pi * sigma) ** 2 * squared)
    kernel = fft.fftshift(fft.irfft2(np.sqrt(power), (NOISE_PX, NOISE_PX)))
    distance = np.hypot(*np.indices(kernel.shape) - NOISE_PX // 2)
    kernel *= np.clip((BORDER_PX - distance) / (BORDER_PX / 8), 0, 1)
    kernel /= np.sqrt((kernel**2).sum())
    transform: np.ndarray = fft.rfft2(fft.ifftshift(kernel)).real
    return transform


def scaled_patterns(survey: Survey) -> Patterns:
    """Return FIRST's patterns of sidelobes and artefacts at the beam and the pixels of a survey."""
    ratio = FIRST.pixel_scale_arcsec / FIRST.beam_arcsec * survey.beam_arcsec / survey.pixel_scale_arcsec
    return Patterns(
        sidelobes=partial(_scaled_sidelobes, ratio),
        blob=partial(_scaled_blob, ratio),
        artefacts=partial(_scaled_artefacts, ratio),
        reach_px=_half_px(ARTEFACTS_PX, ratio),
    )


@lru_cache(maxsize=4)
def _scaled_sidelobes(ratio: float) -> np.ndarray:
    return _scaled(sidelobe_pattern(), SIDELOBES_PX, ratio)


@lru_cache(maxsize=4)
def _scaled_blob(ratio: float) -> np.ndarray:
    pattern = dark_blob()
    return _scaled(pattern, len(pattern) // 2, ratio)


@lru_cache(maxsize=64)
def _scaled_artefacts(ratio: float, number: int) -> np.ndarray:
    return _scaled(artefact_pattern(number), ARTEFACTS_PX, ratio)


def _half_px(half_px: int, ratio: float) -> int:
    return int(np.ceil(half_px * ratio))


def _scaled(pattern: np.ndarray, half_px: int, ratio: float) -> np.ndarray:
    """Return a pattern with `ratio` times as many pixels along each axis, by linear interpolation."""
    half = _half_px(half_px, ratio)
    at = half_px + np.arange(-half, half + 1) / ratio
    places = np.stack(np.meshgrid(at, at, indexing="ij"))
    scaled: np.ndarray = ndimage.map_coordinates(pattern, places, order=1, output=np.float32)
    return scaled
