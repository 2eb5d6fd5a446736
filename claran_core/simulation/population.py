"""Radio sources of the simulated sky, cell by cell.

The sky is divided into HEALPix cells.  A cell's sources come from its own random stream, so any part of the
sky can be computed alone.  Field sources are compact and follow the counts of FIRST, N(>S) ~ S^-0.89 in peak
flux density; extended sources follow `claran_core.simulation.recipes`.  A source and its model are built on
first access.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial
from typing import Protocol

import numpy as np

from claran_core.common.sky import offset_to_sky
from claran_core.simulation.gaussians import Gaussians
from claran_core.simulation.geometry import cell_area_deg2, cell_positions, sky_to_cell
from claran_core.simulation.random_streams import Stream, StreamName, generator, quantile_draw
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
    "radio_cell",
]

# Cells of 27 arcmin: about forty sources each.
RADIO_NSIDE = 128

# Largest distance at which a source affects the image: by its emission, by the sidelobes of its peaks (214
# arcsec at a corner of the pattern, from peaks up to 130 arcsec away), or by its negative bowl.
MAX_REACH_ARCSEC = 345.0

# Emission of an extended source is cut off this far beyond its extent; the outer Gaussians fade within it.
REACH_BEYOND_ARCSEC = 80.0

# Field sources: number per square degree above the 5 sigma limit, that limit, and the range drawn, Jy/beam.
FIELD_DENSITY_DEG2 = 84.0
FIELD_LIMIT_JY = 7.8e-4
FIELD_SLOPE = 0.89
FIELD_RANGE_JY = (3e-4, 2.0)

# Probability of a field source near an extended one, its distance, and its faintest brightness.  They
# reproduce the separations of sources that share a subject in the RGZ label table.
COMPANION_CHANCE, COMPANION_ARCSEC = 0.14, (12.0, 85.0)
COMPANION_LIMIT_JY, COMPANION_FAINTEST = 1.5e-3, 0.005

# FWHM of field sources before the beam: mostly unresolved.
FIELD_SIZE_ARCSEC = 1.0
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
        ``field``, or the key of its recipe.
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
    """

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
    peak, compact = _field(rng)
    extended = _extended(rng, seed, cell)
    n_field, n = len(peak), len(peak) + len(extended)
    ra, dec = cell_positions(cell, RADIO_NSIDE, rng.random(n), rng.random(n))
    _move_companions(rng, cell, peak, ra, dec)
    magnitude = _host_magnitudes(rng, n_field, n)
    uncleaned = UNCLEANED_JY * np.maximum(rng.normal(1, UNCLEANED_SCATTER, n), 0)
    gain = SIDELOBE_GAIN * rng.standard_t(3, n)
    peak = np.append(peak, [draft.peak_snr * SNR_UNIT_JY for draft in extended])
    reach = np.append(
        np.full(n_field, FIELD_REACH_ARCSEC),
        [draft.extent_arcsec + REACH_BEYOND_ARCSEC for draft in extended],
    )
    columns = np.stack([ra, dec, peak, uncleaned, gain, reach, magnitude], axis=1)
    compact = np.concatenate([compact, np.full((len(extended), 3), np.nan)])
    return RadioCell(columns, compact, partial(_source, cell, columns, compact, extended))


@dataclass(frozen=True)
class _Extended:
    """An extended source before its position, host and sidelobes are drawn; `stream` is that of its model."""

    kind: str
    stream: StreamName
    peak_snr: float
    extent_arcsec: float

    def build(self) -> SourceModel:
        rng, recipe = generator(*self.stream), RECIPES[self.kind]
        return build_extended(rng, recipe, peak_snr=self.peak_snr, extent_arcsec=self.extent_arcsec)


def _source(
    cell: int, columns: np.ndarray, compact: np.ndarray, extended: list[_Extended], number: int
) -> RadioSource:
    """Return one source of a cell whose last sources are extended."""
    ra, dec, peak, uncleaned, gain, reach, magnitude = columns[number].tolist()
    of_extended = number - (len(columns) - len(extended))
    draft = extended[of_extended] if of_extended >= 0 else None
    recipe = RECIPES[draft.kind] if draft else None
    return RadioSource(
        source_id=f"sim-{cell:06d}-{number:03d}",
        ra_deg=ra,
        dec_deg=dec,
        kind=draft.kind if draft else "field",
        n_components=recipe.n_components if recipe else 1,
        n_peaks=recipe.n_peaks if recipe else 1,
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


@dataclass(frozen=True)
class DrawnPopulation:
    """The sources drawn with a seed."""

    seed: int

    def cell(self, index: int) -> RadioCell:
        """See `Population`."""
        return radio_cell(self.seed, index)


def _count(rng: np.random.Generator, density_deg2: float) -> int:
    """Draw the number of sources in a cell."""
    return int(rng.poisson(density_deg2 * cell_area_deg2(RADIO_NSIDE)))


def _field(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw the field sources of a cell from the power law within `FIELD_RANGE_JY`: peak, compact."""
    low, high = ((flux / FIELD_LIMIT_JY) ** -FIELD_SLOPE for flux in FIELD_RANGE_JY)
    n = _count(rng, FIELD_DENSITY_DEG2 * (low - high))
    peak = FIELD_LIMIT_JY * rng.uniform(high, low, n) ** (-1 / FIELD_SLOPE)
    size, ratio, angle = rng.exponential(FIELD_SIZE_ARCSEC, n), rng.random(n), rng.uniform(0, 180, n)
    return peak, np.stack([size, size * ratio, angle], axis=1)


def _extended(rng: np.random.Generator, seed: int, cell: int) -> list[_Extended]:
    """Draw the extended sources of a cell from `RECIPES`."""
    drafts = []
    for number, (name, recipe) in enumerate(RECIPES.items()):
        for k in range(_count(rng, recipe.density_deg2)):
            snr = quantile_draw(rng, recipe.peak_snr)
            extent = quantile_draw(rng, recipe.extent_arcsec)
            stream: StreamName = (seed, Stream.RADIO_STRUCTURE, cell, number, k)
            drafts.append(_Extended(name, stream, snr, extent))
    return drafts


def _move_companions(
    rng: np.random.Generator, cell: int, peak_jy: np.ndarray, ra_deg: np.ndarray, dec_deg: np.ndarray
) -> None:
    """Move some field sources next to extended sources of their cell, and make them bright enough to detect.

    This stands for the clustering of radio galaxies in groups and clusters.  The field sources are those with
    a `peak_jy`; the positions of the extended ones follow.
    """
    n_free = len(peak_jy)
    for k in range(len(peak_jy), len(ra_deg)):
        distance, angle = rng.uniform(*COMPANION_ARCSEC), rng.uniform(0, 2 * np.pi)
        peak = COMPANION_LIMIT_JY * rng.uniform(COMPANION_FAINTEST, 1) ** (-1 / FIELD_SLOPE)
        if rng.random() < COMPANION_CHANCE and n_free:
            ra, dec = offset_to_sky(ra_deg[k], dec_deg[k], distance * np.sin(angle), distance * np.cos(angle))
            if sky_to_cell(ra, dec, RADIO_NSIDE) == cell:
                n_free -= 1
                ra_deg[n_free], dec_deg[n_free], peak_jy[n_free] = ra, dec, peak


def _host_magnitudes(rng: np.random.Generator, n_field: int, n: int) -> np.ndarray:
    """Draw the magnitudes of the hosts of `n` sources, of which the first are field sources."""
    is_field = np.arange(n) < n_field
    mean, spread = (
        np.where(is_field, *pair) for pair in zip(FIELD_HOST_MAGNITUDE, EXTENDED_HOST_MAGNITUDE, strict=True)
    )
    return np.maximum(BRIGHTEST_HOST_MAGNITUDE, rng.normal(mean, spread))
