"""A simulated sky that holds the sources of an RGZ label table where they are, instead of drawn ones.

The field of compact, unrelated sources is that of the drawn sky; its extended sources are left out, and
each row of the table becomes one source with the components, peaks and extent of its label
(`claran_core.simulation.labelled_sources`).  What a label does not say (brightness, form, host) is drawn from
a stream of the row's own ``catalog_id``, so that rows added to a table leave the others as they are.
"""

import hashlib
import logging
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from claran_core.common.morphology import morphology_of
from claran_core.common.sky import chord, offset_to_sky, sky_to_offset, unit_vectors
from claran_core.labels.rgz_table import read_label_table
from claran_core.simulation.forms import Structure
from claran_core.simulation.geometry import TileWindow, sky_to_cells
from claran_core.simulation.labelled_sources import LabelledSource, build_labelled
from claran_core.simulation.population import (
    BRIGHTEST_HOST_MAGNITUDE,
    EXTENDED_HOST_MAGNITUDE,
    MAX_REACH_ARCSEC,
    RADIO_NSIDE,
    REACH_BEYOND_ARCSEC,
    SIDELOBE_GAIN,
    UNCLEANED_JY,
    UNCLEANED_SCATTER,
    RadioSource,
    radio_cell,
)
from claran_core.simulation.provider import GRIDS
from claran_core.simulation.radio import RADIO_RMS, radio_rms
from claran_core.simulation.random_streams import Purpose, generator, quantile_draw
from claran_core.simulation.recipes import RECIPES, SNR_UNIT_JY

__all__ = ["PlacedPopulation", "read_population", "relative_noise"]

logger = logging.getLogger(__name__)

# Rows with a component nearer than this to one of an earlier row are the same source, seen in another
# subject.
SAME_COMPONENT_ARCSEC = 3.0

# Field sources are left out within this part of a label's extent, and this far, around its middle: what
# shone there was counted to the labelled source.
CLEAR_PER_EXTENT, CLEAR_BEYOND_ARCSEC = 0.6, 15.0

# Distance of the brightest pixel from the host over the extent, in sources of one component with two peaks
# and with more, as the drawn sky has it.  With one peak it is at the host.
BRIGHTEST_OFF_HOST = {
    2: (0.01, 0.02, 0.13, 0.19, 0.26, 0.37, 0.42),
    3: (0.01, 0.02, 0.05, 0.23, 0.31, 0.39, 0.42),
}

# Noise of the middle one of all places.
TYPICAL_RMS_JY = RADIO_RMS[3]

# Sources of a label table were bright enough for a label (`claran_core.labels.dr1_labels.LABELLED_SNR` and
# some noise), unless they are too small for that.
FAINTEST_LABELLED = 12.0

# Draws of a brightness before the faintest of these is taken.
MAX_DRAWS = 20


class PlacedPopulation:
    """The sky of a label table (a `Population`); compared and hashed by identity.

    Parameters
    ----------
    seed : int
        What the labels do not say, and the field around them.
    rows : DataFrame
        Labelled sources as `claran_core.labels.rgz_table.read_label_table` gives them.
    name : str
        Where they are from, for people.
    """

    def __init__(self, seed: int, rows: pd.DataFrame, *, name: str = "a label table") -> None:
        self.seed = seed
        distinct = _distinct(rows)
        if len(distinct) < len(rows):
            logger.info("%s: %d rows show a source of an earlier row", name, len(rows) - len(distinct))
        self._sites = [_site(seed, row) for row in distinct.itertuples()]
        self._by_cell = _by_cell(self._sites)
        self._clear = _Circles(self._sites)
        self._names = frozenset(distinct["catalog_id"])
        self._text = f"PlacedPopulation(seed={seed}, {len(distinct)} sources of {name})"

    def __repr__(self) -> str:
        return self._text

    def cell(self, index: int) -> tuple[RadioSource, ...]:
        """See `claran_core.simulation.population.Population`."""
        return _cell(self, index)

    def placed(self) -> list[RadioSource]:
        """All sources of the table, in its order; none is built yet."""
        return [_source(self.seed, site) for site in self._sites]


@lru_cache(maxsize=4)
def read_population(seed: int, path: Path) -> PlacedPopulation:
    """Population of the label table of a file, which is read once per process.

    Raises
    ------
    InputError
        If the table cannot be used; see `claran_core.labels.rgz_table.read_label_table`.
    """
    return PlacedPopulation(seed, read_label_table(path), name=path.name)


@dataclass(frozen=True)
class _Site:
    """Where the source of a row is: its host, and the middle of its component positions (deg)."""

    row: Any
    host: tuple[float, float]
    middle: tuple[float, float]


@lru_cache(maxsize=512)
def _cell(population: PlacedPopulation, index: int) -> tuple[RadioSource, ...]:
    field = [source for source in radio_cell(population.seed, index) if source.is_compact]
    # A label table of this very sky holds field sources too.
    field = [source for source in field if source.source_id not in population._names]
    kept = population._clear.outside(field)
    return (*kept, *(_source(population.seed, site) for site in population._by_cell.get(index, ())))


class _Circles:
    """Circles around labelled sources, to look up which of them hold a position."""

    def __init__(self, sites: list[_Site]) -> None:
        middles = np.array([site.middle for site in sites]).reshape(-1, 2)
        extents = np.array([site.row.ang_extent for site in sites], dtype=float)
        self.radii = chord(CLEAR_PER_EXTENT * extents + CLEAR_BEYOND_ARCSEC)
        self.middles = unit_vectors(*middles.T)
        self.tree = cKDTree(self.middles)

    def outside(self, sources: list[RadioSource]) -> list[RadioSource]:
        """Those sources that lie in none of the circles."""
        if not sources or not len(self.radii):
            return sources
        positions = unit_vectors(*np.array([(source.ra_deg, source.dec_deg) for source in sources]).T)
        near = self.tree.query_ball_point(positions, self.radii.max())
        free = [
            not (np.linalg.norm(self.middles[numbers] - position, axis=1) <= self.radii[numbers]).any()
            for position, numbers in zip(positions, near, strict=True)
        ]
        return [source for source, is_free in zip(sources, free, strict=True) if is_free]


def _distinct(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows without those that share a component with an earlier one."""
    owner = np.repeat(np.arange(len(rows)), [len(places) for places in rows["component_ra"]])
    places = unit_vectors(*(np.concatenate(rows[f"component_{axis}"].tolist()) for axis in ("ra", "dec")))
    pairs = owner[cKDTree(places).query_pairs(chord(SAME_COMPONENT_ARCSEC), output_type="ndarray")]
    earlier: dict[int, set[int]] = {}
    for a, b in np.sort(pairs, axis=1):
        if a != b:
            earlier.setdefault(int(b), set()).add(int(a))
    dropped: set[int] = set()
    for number in sorted(earlier):
        if earlier[number] - dropped:
            dropped.add(number)
    return rows.drop(index=rows.index[sorted(dropped)])


def _by_cell(sites: list[_Site]) -> dict[int, list[_Site]]:
    hosts = np.array([site.host for site in sites]).reshape(-1, 2)
    cells = sky_to_cells(*hosts.T, RADIO_NSIDE)
    by_cell: dict[int, list[_Site]] = {}
    for cell, site in zip(cells.tolist(), sites, strict=True):
        by_cell.setdefault(cell, []).append(site)
    return by_cell


def _stream(seed: int, row: Any, part: int) -> tuple[int, ...]:
    """Name of a random stream of a row's own."""
    name = int.from_bytes(hashlib.sha256(row.catalog_id.encode()).digest()[:8], "big")
    return seed, Purpose.PLACED, name, part


def _site(seed: int, row: Any) -> _Site:
    ra, dec = np.array(row.component_ra), np.array(row.component_dec)
    middle = _middle(ra, dec)
    return _Site(row, _host(seed, row, middle, ra, dec), middle)


def _source(seed: int, site: _Site) -> RadioSource:
    """A source that is not built yet, with what its row does not say drawn."""
    row, rng = site.row, generator(*_stream(seed, site.row, 1))
    places = _offsets(site.host, np.array(row.component_ra), np.array(row.component_dec))
    label = _label(rng, row, places)
    brighter = relative_noise(seed, *site.host)
    reach = float(np.hypot(*places.T).max()) + label.extent_arcsec + REACH_BEYOND_ARCSEC
    return RadioSource(
        source_id=row.catalog_id,
        ra_deg=site.host[0],
        dec_deg=site.host[1],
        kind=morphology_of(len(places), label.n_peaks)[0],
        n_components=len(places),
        n_peaks=label.n_peaks,
        host_magnitude=float(max(BRIGHTEST_HOST_MAGNITUDE, rng.normal(*EXTENDED_HOST_MAGNITUDE))),
        reach_arcsec=min(reach, MAX_REACH_ARCSEC),
        peak_jy=label.peak_snr * SNR_UNIT_JY * brighter,
        uncleaned_jy=float(UNCLEANED_JY * max(rng.normal(1, UNCLEANED_SCATTER), 0)),
        sidelobe_gain=float(rng.normal(0, SIDELOBE_GAIN)),
        build=partial(_build, _stream(seed, row, 2), label, brighter),
    )


def _build(stream: tuple[int, ...], label: LabelledSource, brighter: float) -> Structure:
    structure = build_labelled(generator(*stream), label)
    rows = structure.gaussians.copy()
    rows[:, 2] *= brighter
    return replace(structure, gaussians=rows)


def relative_noise(seed: int, ra_deg: float, dec_deg: float) -> float:
    """Noise at a position over FIRST's typical one: a label is what was seen above its own noise."""
    tile = GRIDS["radio"].tile_at(ra_deg, dec_deg)
    x, y = (int(np.rint(value)) for value in tile.sky_to_pixel(ra_deg, dec_deg))
    return float(radio_rms(seed, tile, TileWindow(x, y, 1, 1))[0, 0] / TYPICAL_RMS_JY)


def _label(rng: np.random.Generator, row: Any, places: np.ndarray) -> LabelledSource:
    counts = len(places), max(int(row.num_peaks), len(places))
    recipe = RECIPES["beyond" if max(counts) > 3 else morphology_of(*counts)[0]]
    label = LabelledSource(places, counts[1], float(row.ang_extent), 0.0, recipe)
    allowed = label.allowed_snr()
    least = min(FAINTEST_LABELLED, allowed)
    drawn = (quantile_draw(rng, recipe.peak_snr) for _ in range(MAX_DRAWS))
    snr = next((value for value in drawn if least <= value <= allowed), least)
    return LabelledSource(places, counts[1], float(row.ang_extent), snr, recipe)


def _host(
    seed: int, row: Any, middle: tuple[float, float], ra_deg: np.ndarray, dec_deg: np.ndarray
) -> tuple[float, float]:
    """Where the host is: as the table has it, at the core of a triple, or in the middle of the source."""
    if np.isfinite(row.host_ra):
        return float(row.host_ra), float(row.host_dec)
    if len(ra_deg) > 2:
        core = int(np.argmin(np.hypot(*_offsets(middle, ra_deg, dec_deg).T)))
        return float(ra_deg[core]), float(dec_deg[core])
    if np.isfinite(row.source_ra):
        return float(row.source_ra), float(row.source_dec)
    if len(ra_deg) == 1 and row.num_peaks > 1:
        rng = generator(*_stream(seed, row, 0))
        off = row.ang_extent * quantile_draw(rng, BRIGHTEST_OFF_HOST[min(int(row.num_peaks), 3)])
        angle = rng.uniform(0, 2 * np.pi)
        return _sky(*middle, off * np.sin(angle), off * np.cos(angle))
    return middle


def _middle(ra_deg: np.ndarray, dec_deg: np.ndarray) -> tuple[float, float]:
    """Middle of the box around positions."""
    if len(ra_deg) == 1:
        return float(ra_deg[0]), float(dec_deg[0])
    first = float(ra_deg[0]), float(dec_deg[0])
    places = _offsets(first, ra_deg, dec_deg)
    return _sky(*first, *(places.min(axis=0) + places.max(axis=0)) / 2)


def _offsets(centre: tuple[float, float], ra_deg: np.ndarray, dec_deg: np.ndarray) -> np.ndarray:
    """East and north offsets (arcsec) of positions from a centre; ``(n, 2)``."""
    return np.column_stack(sky_to_offset(*centre, ra_deg, dec_deg))


def _sky(ra_deg: float, dec_deg: float, east_arcsec: float, north_arcsec: float) -> tuple[float, float]:
    ra, dec = offset_to_sky(ra_deg, dec_deg, east_arcsec, north_arcsec)
    return float(ra), float(dec)
