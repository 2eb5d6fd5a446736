"""Image provider of the simulated sky: cut-outs of any described survey, and the true sources in them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np

from claran_core.common.cutout import Cutout, NoImage
from claran_core.common.errors import ConfigError
from claran_core.common.linear_wcs import LinearWCS
from claran_core.simulation import infrared
from claran_core.simulation.gaussians import PixelGaussians
from claran_core.simulation.geometry import Tile, TileWindow, cells_around
from claran_core.simulation.infrared import INFRARED_NSIDE, InfraredView, host_gaussians, infrared_cell
from claran_core.simulation.noise import correlated_noise
from claran_core.simulation.observed import ObservedPopulation, is_first
from claran_core.simulation.population import RADIO_NSIDE, DrawnPopulation, Population, RadioSource
from claran_core.simulation.radio import emission, radio_image
from claran_core.simulation.random_streams import Stream, generator
from claran_core.simulation.survey_image import FIRST_GRID, grid_of, survey_image
from claran_core.survey.surveys import SURVEYS, Survey

__all__ = ["SimulatedProvider", "RenderedSource"]

# Number of infrared cells in a radio cell.
INFRARED_OF_RADIO = (INFRARED_NSIDE // RADIO_NSIDE) ** 2

# Wider windows would not fit in memory.
MAX_WIDTH_PX = 4000.0

# A source reaches a window if its emission there is at least this bright, Jy/beam (6 % of the noise of FIRST;
# of another survey, as much of its noise).
REACHES_JY = 1e-5


@dataclass(frozen=True)
class RenderedSource:
    """One physical radio source and its emission in a window (a `TrueSource`).

    Attributes
    ----------
    source_id : str
        Unique on the sky and stable.
    ra_deg, dec_deg : float
        Position of its host, deg, ICRS: at the core, or between the lobes.
    wcs : LinearWCS
        Geometry of the cut-out.
    part : tuple of 2 slice
        Rows and columns of the cut-out that contain all of its emission.
    emission : (ny, nx) float32 array
        Noise-free emission of this source alone in these pixels, Jy/beam.
    shape : tuple of int
        Shape of the cut-out.
    kind : str
        ``field``, or the key of its recipe (`claran_core.simulation.recipes`).
    n_components, n_peaks : int
        Intended counts; those of the contour rule on the noisy image may differ.
    host_magnitude : float
        W1 magnitude of its host (Vega).
    """

    source_id: str
    ra_deg: float
    dec_deg: float
    wcs: LinearWCS
    part: tuple[slice, slice]
    emission: np.ndarray
    shape: tuple[int, int]
    kind: str
    n_components: int
    n_peaks: int
    host_magnitude: float

    @property
    def image(self) -> np.ndarray:
        """The emission in all pixels of the cut-out, float32 ``(ny, nx)``."""
        image = np.zeros(self.shape, np.float32)
        image[self.part] = self.emission
        return image


class SimulatedProvider:
    """Images of the simulated sky of a seed (an `ImageProvider`).

    Parameters
    ----------
    survey : Survey
        Any radio survey with a frequency, or infrared survey with a zero point; all see the same galaxies.
    seed : int
        Seed of the sky, not negative.
    population : Population, optional
        Sources of the sky as FIRST sees them; default those drawn with the seed.

    Raises
    ------
    ConfigError
        If the survey lacks a frequency or zero point, or the seed is negative.
    """

    def __init__(self, survey: Survey, *, seed: int, population: Population | None = None) -> None:
        if seed < 0:
            raise ConfigError(f"seed: {seed} is negative; the simulated sky needs 0 or more")
        self.survey = survey
        self.seed = seed
        self.population: Population = population or DrawnPopulation(seed)
        self._draw: Callable[[Tile, TileWindow], np.ndarray]
        if survey.band == "infrared":
            view = InfraredView.of(survey)
            self.grid, self._draw = view.grid, partial(_infrared_image, self.population, view)
        elif is_first(survey):
            self.grid, self._draw = FIRST_GRID, partial(radio_image, self.population)
        else:
            observed = ObservedPopulation(self.population, survey)
            self.grid, self._draw = grid_of(survey), partial(survey_image, observed)
            self.population = observed

    @property
    def workers(self) -> int:
        """One: rendering is limited by the CPU."""
        return 1

    @property
    def identity(self) -> None:
        """None: images are cheap to render again."""
        return None

    def stop(self) -> None:
        """Do nothing: no request is ever pending."""

    def cutout(self, subject_id: str, ra_deg: float, dec_deg: float, width_arcsec: float) -> Cutout | NoImage:
        """Return a window of the position's tile that covers a north-up square around it.

        Parameters
        ----------
        subject_id : str
            Not used: the sky depends only on the position.
        ra_deg, dec_deg : float
            Centre of the square, deg, ICRS.
        width_arcsec : float
            Width of the square.

        Returns
        -------
        Cutout or NoImage
            Pixels beyond the tile are NaN.  The sky is complete, so there is always an image, except for an
            invalid position or width.
        """
        wrong = self._refusal(ra_deg, dec_deg, width_arcsec)
        if wrong is not None:
            return NoImage("failed", wrong)
        tile = self.grid.tile_at(ra_deg, dec_deg)
        window = tile.window(ra_deg, dec_deg, width_arcsec)
        image = np.full(window.shape, np.nan, np.float32)
        inside, _ = window.overlap(tile.limits)
        image[inside] = self.render(tile, window)[inside]
        beam = self.survey.beam if self.survey.band == "radio" else None
        return Cutout(image, tile.wcs(window), "simulated", unit=self.survey.unit, beam=beam)

    def render(self, tile: Tile, window: TileWindow) -> np.ndarray:
        """Return the image of a window of a tile's plane, float64 ``(ny, nx)``.

        The window may extend beyond the limits of the tile.
        """
        return self._draw(tile, window)

    def truth(self, ra_deg: float, dec_deg: float, width_arcsec: float) -> list[RenderedSource]:
        """Return the radio sources whose emission reaches the cut-out of the same arguments.

        Raises
        ------
        ConfigError
            For an infrared survey, which has no labels.
        """
        if self.survey.band != "radio":
            raise ConfigError(f"survey {self.survey.name}: only the radio survey has known truth")
        if self._refusal(ra_deg, dec_deg, width_arcsec) is not None:
            return []
        tile = self.grid.tile_at(ra_deg, dec_deg)
        window = tile.window(ra_deg, dec_deg, width_arcsec)
        wcs, found = tile.wcs(window), []
        faintest = REACHES_JY * (self.survey.rms / SURVEYS["FIRST"].rms)
        for source, part, image in emission(self.population, tile, window):
            if image.max() >= faintest:
                found.append(_true_source(source, wcs, window, part, image))
        return found

    def _refusal(self, ra_deg: float, dec_deg: float, width_arcsec: float) -> str | None:
        """Return why there is no image, or None."""
        if not (np.isfinite(ra_deg) and abs(dec_deg) <= 90):
            return f"no position on the sky: ra {ra_deg}, dec {dec_deg} deg"
        widest = MAX_WIDTH_PX * max(self.survey.pixel_scale_arcsec, FIRST_GRID.pixel_scale_arcsec)
        if not 0 < width_arcsec <= widest:
            return f"width {width_arcsec} arcsec: must be above 0 and at most {widest:g}"
        return None


def _true_source(
    source: RadioSource, wcs: LinearWCS, window: TileWindow, part: TileWindow, image: np.ndarray
) -> RenderedSource:
    return RenderedSource(
        source_id=source.source_id,
        ra_deg=source.ra_deg,
        dec_deg=source.dec_deg,
        wcs=wcs,
        part=window.overlap(part)[0],
        emission=image.astype(np.float32),
        shape=window.shape,
        kind=source.kind,
        n_components=source.n_components,
        n_peaks=source.n_peaks,
        host_magnitude=source.host_magnitude,
    )


def _infrared_image(population: Population, view: InfraredView, tile: Tile, window: TileWindow) -> np.ndarray:
    seed, image = population.seed, np.zeros(window.shape)
    reach_arcsec = infrared.MAX_REACH_ARCSEC * max(view.wider, 1.0)
    cells = cells_around(tile, window, reach_arcsec, INFRARED_NSIDE)
    for cell in cells:
        _placed_infrared(seed, tile, cell, view).add_to(image, window)
    for cell in sorted({cell // INFRARED_OF_RADIO for cell in cells}):
        _placed_hosts(population, tile, cell, view).add_to(image, window)
    rng = generator(seed, Stream.INFRARED_FIELD, tile.index)
    background, rms = (view.noisier * level for level in infrared.field(rng))
    noise = correlated_noise(seed, Stream.INFRARED_NOISE, tile, view.noise_layers, window)
    return image + background + rms * noise


# Whole cells are placed at once, so that the bits of a source do not depend on the window.


@lru_cache(maxsize=512)
def _placed_hosts(population: Population, tile: Tile, cell: int, view: InfraredView) -> PixelGaussians:
    sources = population.cell(cell)
    hosts = host_gaussians(sources.ra_deg, sources.dec_deg, sources.host_magnitude, view.wider)
    return view.seen(hosts).place(tile, view.drawn_to)


@lru_cache(maxsize=512)
def _placed_infrared(seed: int, tile: Tile, cell: int, view: InfraredView) -> PixelGaussians:
    return view.seen(infrared_cell(seed, cell, view.wider)).place(tile, view.drawn_to)
