"""The simulated sky as an image source: FIRST and WISE W1 cut-outs, and the truth behind them."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from claran_core.errors import ConfigError
from claran_core.survey.base import Cutout, NoImage, Survey
from claran_core.survey.simulated import infrared, population
from claran_core.survey.simulated.gaussians import Gaussians, PlacedGaussians
from claran_core.survey.simulated.geometry import Tile, TileGrid, Window, cells_near
from claran_core.survey.simulated.infrared import INFRARED_NSIDE, host_gaussians, infrared_cell
from claran_core.survey.simulated.noise import INFRARED_NOISE, RADIO_NOISE, correlated_noise
from claran_core.survey.simulated.population import RADIO_NSIDE, RadioSource, radio_cell
from claran_core.survey.simulated.streams import Purpose, generator, quantile_draw

__all__ = ["SimulatedSource", "TrueSource"]

# Tiles: a degree for FIRST, two for W1, which covers their HEALPix cells (0.48 and 0.95 degrees to a corner).
GRIDS = {
    "radio": TileGrid(nside=128, pixel_scale_arcsec=1.8, size_px=2000),
    "infrared": TileGrid(nside=64, pixel_scale_arcsec=1.375, size_px=5200),
}

# Wider windows are a mistake, and would not fit in memory.
MAX_WIDTH_ARCSEC = 7200.0

# Noise of FIRST fields, Jy/beam, at p0, p5, p25, p50, p75, p95, p100 (1,255 fields).
RADIO_RMS = (1.15e-4, 1.40e-4, 1.49e-4, 1.56e-4, 1.67e-4, 1.90e-4, 2.5e-4)

# Background of AllWISE W1 images and the noise on it, DN, at the same probabilities (12 images).
INFRARED_BACKGROUND = (1.9, 2.0, 3.8, 4.1, 4.3, 4.5, 4.6)
INFRARED_RMS = (0.07, 0.08, 0.1, 0.115, 0.135, 0.17, 0.22)

# A source reaches a window if its emission there gets this bright anywhere, Jy/beam (6 % of the noise).
REACHES_JY = 1e-5


@dataclass(frozen=True)
class TrueSource:
    """One physical radio source whose emission reaches a window.

    Attributes
    ----------
    source_id : str
        Unique on the sky and stable.
    ra_deg, dec_deg : float
        Position of its host, deg, ICRS: at the core, or between the lobes.
    image : (ny, nx) float32 array
        Emission of this source alone, free of noise, Jy/beam, on the grid of the cut-out.
    kind : str
        What it was built as: field, single, plume, double, triple, chain, core_jet, bent.
    n_components, n_peaks : int
        What it is meant to show; the contour rule on the noisy image decides.
    host_magnitude : float
        W1 magnitude of its host (Vega).
    """

    source_id: str
    ra_deg: float
    dec_deg: float
    image: np.ndarray
    kind: str
    n_components: int
    n_peaks: int
    host_magnitude: float


class SimulatedSource:
    """Images of the one simulated sky of a seed (an `ImageSource`).

    Parameters
    ----------
    survey : Survey
        FIRST gives the radio sky, WISE_W1 the infrared one; both hold the same galaxies.
    seed : int
        Which sky; not negative.

    Raises
    ------
    ConfigError
        If the seed is negative.
    """

    def __init__(self, survey: Survey, *, seed: int) -> None:
        if seed < 0:
            raise ConfigError(f"seed: {seed} is negative; the simulated sky needs 0 or more")
        self.survey = survey
        self.seed = seed
        self.grid = GRIDS[survey.band]

    def cutout(self, subject_id: str, ra_deg: float, dec_deg: float, width_arcsec: float) -> Cutout | NoImage:
        """Window of the tile a position belongs to, wide enough for a north-up square around it.

        Parameters
        ----------
        subject_id : str
            Not used: the sky depends on the position alone.
        ra_deg, dec_deg : float
            Middle of the square, deg, ICRS.
        width_arcsec : float
            Width of the square.

        Returns
        -------
        Cutout or NoImage
            The sky is complete, so only a position or width that is not one is answered without image.
        """
        wrong = _refusal(ra_deg, dec_deg, width_arcsec)
        if wrong is not None:
            return NoImage("failed", wrong)
        tile = self.grid.tile_at(ra_deg, dec_deg)
        window = tile.window(ra_deg, dec_deg, width_arcsec)
        image = self._radio(tile, window) if self.survey.band == "radio" else self._infrared(tile, window)
        return Cutout(image.astype(np.float32), tile.wcs(window), "simulated")

    def truth(self, ra_deg: float, dec_deg: float, width_arcsec: float) -> list[TrueSource]:
        """Radio sources whose emission reaches the window that `cutout` gives for the same arguments.

        Raises
        ------
        ConfigError
            If this is the infrared sky, which the labels are not made from.
        """
        if self.survey.band != "radio":
            raise ConfigError(f"survey {self.survey.name}: truth is known of the radio sky; ask that source")
        if _refusal(ra_deg, dec_deg, width_arcsec) is not None:
            return []
        tile = self.grid.tile_at(ra_deg, dec_deg)
        window = tile.window(ra_deg, dec_deg, width_arcsec)
        found = []
        for cell in _cells(tile, window, population.MAX_REACH_ARCSEC, RADIO_NSIDE):
            placed, owner = _placed_radio(self.seed, tile, cell)
            touching = placed.touching(window)
            for number in np.unique(owner[touching]):
                image = np.zeros(window.shape)
                placed.add_to(image, window, touching[owner[touching] == number])
                if image.max() >= REACHES_JY:
                    found.append(_true_source(radio_cell(self.seed, cell)[number], image))
        return found

    def _radio(self, tile: Tile, window: Window) -> np.ndarray:
        image = np.zeros(window.shape)
        for cell in _cells(tile, window, population.MAX_REACH_ARCSEC, RADIO_NSIDE):
            placed, _ = _placed_radio(self.seed, tile, cell)
            placed.add_to(image, window, placed.touching(window))
        rms = quantile_draw(generator(self.seed, Purpose.RADIO_FIELD, tile.index), RADIO_RMS)
        return image + rms * correlated_noise(self.seed, Purpose.RADIO_NOISE, tile, RADIO_NOISE, window)

    def _infrared(self, tile: Tile, window: Window) -> np.ndarray:
        image = np.zeros(window.shape)
        for cell in _cells(tile, window, infrared.MAX_REACH_ARCSEC, INFRARED_NSIDE):
            placed = _placed_infrared(self.seed, tile, cell)
            placed.add_to(image, window, placed.touching(window))
        for cell in _cells(tile, window, infrared.MAX_REACH_ARCSEC, RADIO_NSIDE):
            placed = _placed_hosts(self.seed, tile, cell)
            placed.add_to(image, window, placed.touching(window))
        rng = generator(self.seed, Purpose.INFRARED_FIELD, tile.index)
        background, rms = quantile_draw(rng, INFRARED_BACKGROUND), quantile_draw(rng, INFRARED_RMS)
        noise = correlated_noise(self.seed, Purpose.INFRARED_NOISE, tile, INFRARED_NOISE, window)
        return image + background + rms * noise


def _refusal(ra_deg: float, dec_deg: float, width_arcsec: float) -> str | None:
    """Why there cannot be an image, or None."""
    if not (np.isfinite(ra_deg) and abs(dec_deg) <= 90):
        return f"no position on the sky: ra {ra_deg}, dec {dec_deg} deg"
    if not 0 < width_arcsec <= MAX_WIDTH_ARCSEC:
        return f"width {width_arcsec} arcsec: must be above 0 and at most {MAX_WIDTH_ARCSEC:g}"
    return None


def _cells(tile: Tile, window: Window, reach_arcsec: float, nside: int) -> tuple[int, ...]:
    """Cells whose sources may reach a window, in ascending order.

    The order is that of addition, and must be the same for all windows of a tile.
    """
    ra_deg, dec_deg = tile.pixel_to_sky(window.x0 + (window.nx - 1) / 2, window.y0 + (window.ny - 1) / 2)
    radius = 0.5 * float(np.hypot(*window.shape)) * tile.grid.pixel_scale_arcsec
    return cells_near(ra_deg, dec_deg, radius + reach_arcsec, nside)


def _true_source(source: RadioSource, image: np.ndarray) -> TrueSource:
    return TrueSource(
        source_id=source.source_id,
        ra_deg=source.ra_deg,
        dec_deg=source.dec_deg,
        image=image.astype(np.float32),
        kind=source.kind,
        n_components=source.n_components,
        n_peaks=source.n_peaks,
        host_magnitude=source.host_magnitude,
    )


# Placing a whole cell at once keeps the bits of a source independent of what else is in the window.


@lru_cache(maxsize=512)
def _placed_radio(seed: int, tile: Tile, cell: int) -> tuple[PlacedGaussians, np.ndarray]:
    sources = radio_cell(seed, cell)
    owner = np.repeat(np.arange(len(sources)), [len(source.gaussians) for source in sources])
    return Gaussians.join([source.gaussians for source in sources]).place(tile), owner


@lru_cache(maxsize=512)
def _placed_hosts(seed: int, tile: Tile, cell: int) -> PlacedGaussians:
    return host_gaussians(radio_cell(seed, cell)).place(tile)


@lru_cache(maxsize=512)
def _placed_infrared(seed: int, tile: Tile, cell: int) -> PlacedGaussians:
    return infrared_cell(seed, cell).place(tile)
