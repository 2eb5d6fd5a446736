"""A simulated sky with the sources of an RGZ label table at their positions, instead of drawn ones.

The compact field sources are those of the drawn sky.  Its extended sources are omitted, and each row of the
table becomes one source with the components, peaks and extent of its label
(`claran_core.simulation.labelled_sources`).  Properties that a label lacks (brightness, source type, host)
are drawn from a stream of the row's ``catalog_id``, so added rows do not change other sources.
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
    RadioCell,
    RadioSource,
    radio_cell,
)
from claran_core.simulation.radio import RADIO_RMS, radio_rms
from claran_core.simulation.random_streams import Stream, StreamName, generator, quantile_draw
from claran_core.simulation.recipes import RECIPES, SNR_UNIT_JY
from claran_core.simulation.source_models import SourceModel
from claran_core.simulation.survey_image import FIRST_GRID

__all__ = ["LabelTablePopulation", "read_population", "relative_noise"]

logger = logging.getLogger(__name__)

# A row with a component within this distance of one of an earlier row is the same source in another subject.
SAME_COMPONENT_ARCSEC = 3.0

# Field sources are omitted within this multiple of a label's extent plus this distance from its centre,
# because emission there belongs to the labelled source.
CLEAR_PER_EXTENT, CLEAR_BEYOND_ARCSEC = 0.6, 15.0

# Distance of the brightest pixel from the host over the extent, in sources of one component with two and with
# more peaks, as in the drawn sky.  With one peak it is at the host.
BRIGHTEST_OFF_HOST = {
    2: (0.01, 0.02, 0.13, 0.19, 0.26, 0.37, 0.42),
    3: (0.01, 0.02, 0.05, 0.23, 0.31, 0.39, 0.42),
}

# Median noise of the tiles.
TYPICAL_RMS_JY = RADIO_RMS[3]

# Smallest brightness of a labelled source (`claran_core.labels.dr1_labels.LABELLED_SNR` plus a margin for
# noise), unless its extent requires less.
FAINTEST_LABELLED = 12.0

# Draws of a brightness before the smallest allowed one is used.
MAX_DRAWS = 20


class LabelTablePopulation:
    """The sources of a label table (a `Population`); compared and hashed by identity.

    Parameters
    ----------
    seed : int
        Seed of the field sources and of properties that the labels lack.
    rows : DataFrame
        Labelled sources from `claran_core.labels.rgz_table.read_label_table`.
    name : str
        Name of the table, for messages.
    """

    def __init__(self, seed: int, rows: pd.DataFrame, *, name: str = "a label table") -> None:
        self.seed = seed
        distinct = _distinct(rows)
        if len(distinct) < len(rows):
            logger.info("%s: %d rows repeat a source of an earlier row", name, len(rows) - len(distinct))
        self._sites = [_site(seed, row) for row in distinct.itertuples()]
        self._by_cell = _by_cell(self._sites)
        self._clear = _Circles(self._sites)
        self._names = frozenset(distinct["catalog_id"])
        self._text = f"LabelTablePopulation(seed={seed}, {len(distinct)} sources of {name})"

    def __repr__(self) -> str:
        return self._text

    def cell(self, index: int) -> RadioCell:
        """Return the sources of a cell; see `claran_core.simulation.population.Population`."""
        return _cell(self, index)

    def has_large(self, index: int) -> bool:
        """Return False: no source of a label table reaches so far."""
        return False

    def sources(self) -> list[RadioSource]:
        """Return all sources of the table, in its order; their models are not built yet."""
        return [_source(self.seed, site) for site in self._sites]


@lru_cache(maxsize=4)
def read_population(seed: int, path: Path) -> LabelTablePopulation:
    """Return the population of a label table; a file is read once per process.

    Raises
    ------
    InputError
        If the table is invalid; see `claran_core.labels.rgz_table.read_label_table`.
    """
    return LabelTablePopulation(seed, read_label_table(path), name=path.name)


@dataclass(frozen=True)
class _Site:
    """A row with the positions of its host and of the centre of its components (deg)."""

    row: Any
    host: tuple[float, float]
    middle: tuple[float, float]


@lru_cache(maxsize=512)
def _cell(population: LabelTablePopulation, index: int) -> RadioCell:
    field = [source for source in radio_cell(population.seed, index) if source.is_compact]
    # A label table of the same simulated sky contains field sources too.
    field = [source for source in field if source.source_id not in population._names]
    kept = population._clear.outside(field)
    labelled = (_source(population.seed, site) for site in population._by_cell.get(index, ()))
    return RadioCell.of([*kept, *labelled])


class _Circles:
    """Circles around labelled sources in which there are no field sources."""

    def __init__(self, sites: list[_Site]) -> None:
        middles = np.array([site.middle for site in sites]).reshape(-1, 2)
        extents = np.array([site.row.ang_extent for site in sites], dtype=float)
        self.radii = chord(CLEAR_PER_EXTENT * extents + CLEAR_BEYOND_ARCSEC)
        self.middles = unit_vectors(*middles.T)
        self.tree = cKDTree(self.middles)

    def outside(self, sources: list[RadioSource]) -> list[RadioSource]:
        """Return the sources outside all circles."""
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
    """Return the rows that do not share a component with an earlier row."""
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
    """Group the sources by the cell of their host."""
    ra, dec = np.array([site.host for site in sites]).reshape(-1, 2).T
    cells = sky_to_cells(ra, dec, RADIO_NSIDE)
    by_cell: dict[int, list[_Site]] = {}
    for cell, site in zip(cells.tolist(), sites, strict=True):
        by_cell.setdefault(cell, []).append(site)
    return by_cell


def _stream(seed: int, row: Any, part: int) -> StreamName:
    """Return the name of a random stream of one row."""
    name = int.from_bytes(hashlib.sha256(row.catalog_id.encode()).digest()[:8], "big")
    return seed, Stream.LABEL_TABLE, name, part


def _site(seed: int, row: Any) -> _Site:
    ra, dec = np.array(row.component_ra), np.array(row.component_dec)
    middle = _middle(ra, dec)
    return _Site(row, _host(seed, row, middle, ra, dec), middle)


def _source(seed: int, site: _Site) -> RadioSource:
    """Return the source of a row; properties that the label lacks are drawn."""
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


def _build(stream: StreamName, label: LabelledSource, brighter: float) -> SourceModel:
    """Build the model of a labelled source, scaled by the relative noise at its position."""
    model = build_labelled(generator(*stream), label)
    rows = model.gaussians.copy()
    rows[:, 2] *= brighter
    return replace(model, gaussians=rows)


def relative_noise(seed: int, ra_deg: float, dec_deg: float) -> float:
    """Return the noise at a position over the typical noise; labels depend on the local signal to noise."""
    tile = FIRST_GRID.tile_at(ra_deg, dec_deg)
    x, y = (int(np.rint(value)) for value in tile.sky_to_pixel(ra_deg, dec_deg))
    return float(radio_rms(seed, tile, TileWindow(x, y, 1, 1))[0, 0] / TYPICAL_RMS_JY)


def _label(rng: np.random.Generator, row: Any, places: np.ndarray) -> LabelledSource:
    """Return the label of a row with a drawn brightness that is compatible with it."""
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
    """Return the position of the host: that of the table, the core of a triple, or the source's centre."""
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
    """Return the centre of the box around positions."""
    if len(ra_deg) == 1:
        return float(ra_deg[0]), float(dec_deg[0])
    first = float(ra_deg[0]), float(dec_deg[0])
    places = _offsets(first, ra_deg, dec_deg)
    return _sky(*first, *(places.min(axis=0) + places.max(axis=0)) / 2)


def _offsets(centre: tuple[float, float], ra_deg: np.ndarray, dec_deg: np.ndarray) -> np.ndarray:
    """Return the east and north offsets (arcsec) of positions from a centre; ``(n, 2)``."""
    return np.column_stack(sky_to_offset(*centre, ra_deg, dec_deg))


def _sky(ra_deg: float, dec_deg: float, east_arcsec: float, north_arcsec: float) -> tuple[float, float]:
    ra, dec = offset_to_sky(ra_deg, dec_deg, east_arcsec, north_arcsec)
    return float(ra), float(dec)
