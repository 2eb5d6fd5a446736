"""Radio sources of the simulated sky, cell by cell.

The sky is divided into HEALPix cells.  A cell's sources come from its own random stream, so any part of the
sky can be computed alone.  They are field sources (`claran_core.simulation.field_sources`), extended sources
of `claran_core.simulation.recipes`, and those of `claran_core.simulation.rare_sources`.  A source and its
model are built on first access.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial
from typing import Protocol

import numpy as np

from claran_core.simulation.field_sources import crowding, draw_field, move_clustered, move_companions
from claran_core.simulation.gaussians import Gaussians
from claran_core.simulation.geometry import cell_area_deg2, cell_positions, cells_near
from claran_core.simulation.random_streams import Stream, StreamName, generator, quantile_draw
from claran_core.simulation.rare_sources import (
    LARGEST_REACH_ARCSEC,
    RADIO_NSIDE,
    RareSource,
    compact_pairs,
    large_sources,
)
from claran_core.simulation.recipes import RECIPES, SNR_UNIT_JY
from claran_core.simulation.source_models import SourceModel, build_compact, build_extended
from claran_core.simulation.source_shapes import POINT_ARCSEC

__all__ = [
    "MAX_REACH_ARCSEC",
    "RADIO_NSIDE",
    "UNCLEANED_JY",
    "DrawnPopulation",
    "Population",
    "RadioCell",
    "RadioSource",
    "cells_reaching",
    "radio_cell",
]

# Largest distance at which a source affects the image: by its emission, by the sidelobes of its peaks (214
# arcsec at a corner of the pattern, from peaks up to 130 arcsec away), or by its negative bowl.  Sources
# larger than 2 arcmin reach farther.
MAX_REACH_ARCSEC = 345.0
FAR_REACH_ARCSEC = LARGEST_REACH_ARCSEC + 215.0

CELL_DEG2 = cell_area_deg2(RADIO_NSIDE)

# Emission of an extended source is cut off this far beyond its extent; the outer Gaussians fade within it.
REACH_BEYOND_ARCSEC = 80.0

# Distance beyond which a field source has no emission.
FIELD_REACH_ARCSEC = 60.0

# Residual sidelobes, fitted with those of the beam around 155 real sources of 20 to 1,000 times the noise.
# They are those of a peak of 5.5 +- 3.5 times the noise for any source, because CLEAN stops there, plus about
# 0.9 % of the peak, of either sign, from calibration errors (benchmarks/sky/first_sidelobes.py).
UNCLEANED_JY, UNCLEANED_SCATTER = 5.5 * SNR_UNIT_JY, 0.6
SIDELOBE_GAIN = 0.009

# Vega W1 magnitudes of hosts, mean and standard deviation.  Radio galaxies with lobes are nearer and brighter
# than the faint field.  Hosts fainter than about 17 are not detected.
EXTENDED_HOST_MAGNITUDE = (15.4, 1.5)
FIELD_HOST_MAGNITUDE = (16.6, 1.4)
BRIGHTEST_HOST_MAGNITUDE = 10.0


@dataclass(frozen=True)
class RadioSource:
    """One physical source.

    Attributes
    ----------
    source_id : str
        Unique on the sky and stable: cell and number.
    ra_deg, dec_deg : float
        Position of its host, deg, ICRS.
    kind : str
        ``field``, the key of its recipe, ``pair`` or ``large``.
    n_components, n_peaks : int
        Intended counts; those measured on the noisy image may differ.
    host_magnitude : float
        W1 magnitude of its host (Vega).
    reach_arcsec : float
        Distance beyond which it has no emission.
    peak_jy : float
        Brightest pixel, Jy/beam.
    uncleaned_jy : float
        Level down to which CLEAN deconvolved its peaks; fainter emission has the sidelobes of the beam.
    sidelobe_gain : float
        Fraction of its peak that calibration errors leave with sidelobes; of either sign.
    compact : tuple of 3 float, optional
        FWHM of the axes before the beam (arcsec) and position angle (deg) of a source of one Gaussian.
    build : callable, optional
        Function that builds the model of any other source.
    """

    source_id: str
    ra_deg: float
    dec_deg: float
    kind: str
    n_components: int
    n_peaks: int
    host_magnitude: float
    reach_arcsec: float
    peak_jy: float
    uncleaned_jy: float
    sidelobe_gain: float
    compact: tuple[float, float, float] | None = None
    build: Callable[[], SourceModel] | None = field(default=None, repr=False, compare=False)

    @property
    def is_compact(self) -> bool:
        """Whether the source is one Gaussian: a field source."""
        return self.compact is not None

    @property
    def peak_reach_arcsec(self) -> float:
        """Largest distance of its peaks from the host."""
        return 0.0 if self.is_compact else self.reach_arcsec - REACH_BEYOND_ARCSEC

    @cached_property
    def model(self) -> SourceModel:
        """Model of its emission, built on first access."""
        if self.compact is not None:
            return build_compact(self.peak_jy / SNR_UNIT_JY, *self.compact)
        assert self.build is not None  # every source that is not compact has a builder
        return self.build()

    @property
    def peaks(self) -> np.ndarray:
        """East and north offset of its peaks from the host, arcsec; ``(k, 2)``, brightest first."""
        return self.model.peaks

    @cached_property
    def gaussians(self) -> Gaussians:
        """Its emission, Jy/beam, after convolution with the beam."""
        rows = np.empty((len(self.model.gaussians), 8))
        rows[:, :2], rows[:, 2:] = (self.ra_deg, self.dec_deg), self.model.gaussians
        rows[:, 4] *= SNR_UNIT_JY
        everything = Gaussians(rows)
        return everything.take(everything.reach_arcsec() <= self.reach_arcsec)


class RadioCell:
    """The radio sources of a cell: their properties as columns, and each source on demand.

    Parameters
    ----------
    columns : (n, 7) float64 array
        RA and Dec, deg; ``peak_jy``, ``uncleaned_jy``, ``sidelobe_gain``, ``reach_arcsec`` and
        ``host_magnitude`` of `RadioSource`.
    compact : (n, 3) float64 array
        ``compact`` of `RadioSource`; NaN for other sources.
    source : callable
        Returns the source with a number.

    Attributes
    ----------
    noisier : float
        Noise of the images over FIRST's.
    artefact_gain : float
        Strength of artefacts over FIRST's.
    """

    noisier = 1.0
    artefact_gain = 1.0

    def __init__(
        self, columns: np.ndarray, compact: np.ndarray, source: Callable[[int], RadioSource]
    ) -> None:
        self.ra_deg, self.dec_deg, self.peak_jy, self.uncleaned_jy, self.sidelobe_gain = columns.T[:5]
        self.reach_arcsec, self.host_magnitude = columns.T[5:]
        self.compact = compact
        self.is_compact = np.isfinite(compact[:, 0])
        self._source = source
        self._built: dict[int, RadioSource] = {}

    @staticmethod
    def of(sources: Sequence[RadioSource]) -> "RadioCell":
        """Return a cell with these sources."""
        columns = [
            (
                one.ra_deg,
                one.dec_deg,
                one.peak_jy,
                one.uncleaned_jy,
                one.sidelobe_gain,
                one.reach_arcsec,
                one.host_magnitude,
            )
            for one in sources
        ]
        compact = [one.compact or (np.nan,) * 3 for one in sources]
        return RadioCell(
            np.array(columns, float).reshape(-1, 7),
            np.array(compact, float).reshape(-1, 3),
            list(sources).__getitem__,
        )

    def __len__(self) -> int:
        return len(self.ra_deg)

    def __iter__(self) -> Iterator[RadioSource]:
        return (self[number] for number in range(len(self)))

    def __getitem__(self, number: int) -> RadioSource:
        if number not in self._built:
            self._built[number] = self._source(number)
        return self._built[number]

    @property
    def is_shown(self) -> np.ndarray:
        """Which sources images may show, ``(n,)`` bool: all of them."""
        return np.ones(len(self), bool)

    @property
    def peak_reach_arcsec(self) -> np.ndarray:
        """`RadioSource.peak_reach_arcsec` of all sources."""
        return np.where(self.is_compact, 0.0, self.reach_arcsec - REACH_BEYOND_ARCSEC)

    def gaussians(self) -> Gaussians:
        """Return one Gaussian per source: the emission of a compact source, a point at the host of others."""
        rows, sizes = np.zeros((len(self), 8)), np.nan_to_num(self.compact)
        rows[:, 0], rows[:, 1], rows[:, 4], rows[:, 7] = self.ra_deg, self.dec_deg, self.peak_jy, sizes[:, 2]
        rows[:, 5:7] = np.hypot(POINT_ARCSEC, sizes[:, :2])
        return Gaussians(rows)


@lru_cache(maxsize=512)
def radio_cell(seed: int, cell: int) -> RadioCell:
    """Return all radio sources with hosts in a nested HEALPix cell of `RADIO_NSIDE`, field sources first."""
    rng = generator(seed, Stream.RADIO_SOURCES, cell)
    peak, compact = draw_field(rng, CELL_DEG2, crowding(cell, RADIO_NSIDE))
    extended = _extended(rng, seed, cell)
    n_field, n = len(peak), len(peak) + len(extended)
    ra, dec = cell_positions(cell, RADIO_NSIDE, rng.random(n), rng.random(n))
    n_free = move_companions(rng, cell, RADIO_NSIDE, peak, ra, dec)
    move_clustered(generator(seed, Stream.RADIO_CLUSTERING, cell), cell, RADIO_NSIDE, n_free, ra, dec)
    magnitude = _host_magnitudes(rng, n_field, n)
    rare = [*compact_pairs(seed, cell), *large_sources(seed, cell)]
    drafts: list[_Extended | RareSource] = [*extended, *rare]
    places = np.array([(one.ra_deg, one.dec_deg, one.host_magnitude) for one in rare]).reshape(-1, 3)
    n_all = n + len(rare)
    columns = np.empty((n_all, 7))
    columns[:n, 0], columns[:n, 1], columns[:n, 6] = ra, dec, magnitude
    columns[n:, [0, 1, 6]] = places
    columns[:, 2] = np.append(peak, [draft.peak_snr * SNR_UNIT_JY for draft in drafts])
    columns[:, 3] = UNCLEANED_JY * np.maximum(rng.normal(1, UNCLEANED_SCATTER, n_all), 0)
    columns[:, 4] = SIDELOBE_GAIN * rng.standard_t(3, n_all)
    columns[:n_field, 5] = FIELD_REACH_ARCSEC
    columns[n_field:, 5] = [draft.reach_arcsec for draft in drafts]
    compact = np.concatenate([compact, np.full((len(drafts), 3), np.nan)])
    return RadioCell(columns, compact, partial(_source, cell, columns, compact, drafts))


@dataclass(frozen=True)
class _Extended:
    """An extended source before its position, host and sidelobes are drawn; `stream` is that of its model."""

    kind: str
    stream: StreamName
    peak_snr: float
    extent_arcsec: float

    @property
    def reach_arcsec(self) -> float:
        return self.extent_arcsec + REACH_BEYOND_ARCSEC

    @property
    def n_components(self) -> int:
        return RECIPES[self.kind].n_components

    @property
    def n_peaks(self) -> int:
        return RECIPES[self.kind].n_peaks

    def build(self) -> SourceModel:
        rng, recipe = generator(*self.stream), RECIPES[self.kind]
        return build_extended(rng, recipe, peak_snr=self.peak_snr, extent_arcsec=self.extent_arcsec)


def _source(
    cell: int, columns: np.ndarray, compact: np.ndarray, drafts: list[_Extended | RareSource], number: int
) -> RadioSource:
    """Return one source of a cell whose last sources are those of the drafts, which are not compact."""
    ra, dec, peak, uncleaned, gain, reach, magnitude = columns[number].tolist()
    of_draft = number - (len(columns) - len(drafts))
    draft = drafts[of_draft] if of_draft >= 0 else None
    return RadioSource(
        source_id=f"sim-{cell:06d}-{number:03d}",
        ra_deg=ra,
        dec_deg=dec,
        kind=draft.kind if draft else "field",
        n_components=draft.n_components if draft else 1,
        n_peaks=draft.n_peaks if draft else 1,
        host_magnitude=magnitude,
        reach_arcsec=reach,
        peak_jy=peak,
        uncleaned_jy=uncleaned,
        sidelobe_gain=gain,
        compact=None if draft else tuple(compact[number].tolist()),
        build=draft.build if draft else None,
    )


class Population(Protocol):
    """The radio sources of a sky; hashable, because images are cached by population."""

    @property
    def seed(self) -> int:
        """Seed of the sky."""
        ...

    def __hash__(self) -> int: ...

    def cell(self, index: int) -> RadioCell:
        """Return all radio sources with hosts in a nested HEALPix cell of `RADIO_NSIDE`, in fixed order."""
        ...

    def has_large(self, index: int) -> bool:
        """Return whether a source of a cell may reach farther than `MAX_REACH_ARCSEC`."""
        ...


@dataclass(frozen=True)
class DrawnPopulation:
    """The sources drawn with a seed."""

    seed: int

    def cell(self, index: int) -> RadioCell:
        """See `Population`."""
        return radio_cell(self.seed, index)

    def has_large(self, index: int) -> bool:
        """See `Population`."""
        return bool(large_sources(self.seed, index))


def cells_reaching(population: Population, ra_deg: float, dec_deg: float, radius_arcsec: float) -> list[int]:
    """Return the cells whose sources may reach a disc (deg, ICRS), ascending.

    Sources are added to images in this order, which is the same for all windows of a tile.
    """
    near = cells_near(ra_deg, dec_deg, radius_arcsec + MAX_REACH_ARCSEC, RADIO_NSIDE)
    far = cells_near(ra_deg, dec_deg, radius_arcsec + FAR_REACH_ARCSEC, RADIO_NSIDE)
    return sorted({*near, *(cell for cell in far if population.has_large(cell))})


def _extended(rng: np.random.Generator, seed: int, cell: int) -> list[_Extended]:
    """Draw the extended sources of a cell from `RECIPES`."""
    drafts = []
    for number, (name, recipe) in enumerate(RECIPES.items()):
        for k in range(int(rng.poisson(recipe.density_deg2 * CELL_DEG2))):
            snr = quantile_draw(rng, recipe.peak_snr)
            extent = quantile_draw(rng, recipe.extent_arcsec)
            stream: StreamName = (seed, Stream.RADIO_STRUCTURE, cell, number, k)
            drafts.append(_Extended(name, stream, snr, extent))
    return drafts


def _host_magnitudes(rng: np.random.Generator, n_field: int, n: int) -> np.ndarray:
    """Draw the magnitudes of the hosts of `n` sources, of which the first are field sources."""
    is_field = np.arange(n) < n_field
    mean, spread = (
        np.where(is_field, *pair) for pair in zip(FIELD_HOST_MAGNITUDE, EXTENDED_HOST_MAGNITUDE, strict=True)
    )
    return np.maximum(BRIGHTEST_HOST_MAGNITUDE, rng.normal(mean, spread))
