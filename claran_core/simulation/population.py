"""Radio sources of the simulated sky, cell by cell.

The sky is divided into HEALPix cells.  A cell's sources come from its own random stream, so any part of the
sky can be computed alone.  Field sources are compact and follow the counts of FIRST, N(>S) ~ S^-0.89 in peak
flux density; extended sources follow `claran_core.simulation.recipes`.  The model of a source is built on
first access.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial
from typing import Protocol

import numpy as np

from claran_core.common.sky import offset_to_sky
from claran_core.simulation.gaussians import Gaussians
from claran_core.simulation.geometry import cell_area_deg2, cell_positions, sky_to_cell
from claran_core.simulation.random_streams import Stream, StreamName, generator, quantile_draw
from claran_core.simulation.recipes import RECIPES, SNR_UNIT_JY, SourceRecipe
from claran_core.simulation.source_models import SourceModel, build_compact, build_extended
from claran_core.simulation.source_shapes import POINT_ARCSEC

__all__ = [
    "MAX_REACH_ARCSEC",
    "RADIO_NSIDE",
    "UNCLEANED_JY",
    "DrawnPopulation",
    "Population",
    "RadioSource",
    "compact_gaussians",
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
        east, north, peak, major, minor, angle = self.model.gaussians.T
        everything = Gaussians(
            np.full(peak.size, self.ra_deg),
            np.full(peak.size, self.dec_deg),
            east,
            north,
            peak * SNR_UNIT_JY,
            major,
            minor,
            angle,
        )
        return everything.take(everything.reach_arcsec() <= self.reach_arcsec)


@lru_cache(maxsize=512)
def radio_cell(seed: int, cell: int) -> tuple[RadioSource, ...]:
    """Return all radio sources with hosts in a nested HEALPix cell of `RADIO_NSIDE`, field sources first."""
    rng = generator(seed, Stream.RADIO_SOURCES, cell)
    drafts = [*_field(rng), *_extended(rng, seed, cell)]
    ra, dec = cell_positions(cell, RADIO_NSIDE, rng.random(len(drafts)), rng.random(len(drafts)))
    _move_companions(rng, cell, drafts, ra, dec)
    magnitude = _host_magnitudes(rng, [draft.kind for draft in drafts])
    uncleaned = UNCLEANED_JY * np.maximum(rng.normal(1, UNCLEANED_SCATTER, len(drafts)), 0)
    gain = SIDELOBE_GAIN * rng.standard_t(3, len(drafts))
    return tuple(
        RadioSource(
            source_id=f"sim-{cell:06d}-{k:03d}",
            ra_deg=float(ra[k]),
            dec_deg=float(dec[k]),
            kind=draft.kind,
            n_components=draft.n_components,
            n_peaks=draft.n_peaks,
            host_magnitude=float(magnitude[k]),
            reach_arcsec=draft.reach_arcsec,
            peak_jy=draft.peak_jy,
            uncleaned_jy=float(uncleaned[k]),
            sidelobe_gain=float(gain[k]),
            compact=draft.compact,
            build=draft.build,
        )
        for k, draft in enumerate(drafts)
    )


def compact_gaussians(rows: np.ndarray) -> Gaussians:
    """Return the Gaussians of compact sources, one per source.

    Parameters
    ----------
    rows : (n, 6) array
        RA and Dec (deg), peak (Jy/beam), FWHM of the axes before the beam (arcsec), position angle (deg).
    """
    ra, dec, peak, major, minor, angle = rows.T
    major, minor, zero = np.hypot(POINT_ARCSEC, major), np.hypot(POINT_ARCSEC, minor), np.zeros(len(rows))
    return Gaussians(ra, dec, zero, zero, peak, major, minor, angle)


class Population(Protocol):
    """The radio sources of a sky; hashable, because images are cached by population."""

    @property
    def seed(self) -> int:
        """Seed of the sky."""
        ...

    def __hash__(self) -> int: ...

    def cell(self, index: int) -> tuple[RadioSource, ...]:
        """Return all radio sources with hosts in a nested HEALPix cell of `RADIO_NSIDE`, in fixed order."""
        ...


@dataclass(frozen=True)
class DrawnPopulation:
    """The sources drawn with a seed."""

    seed: int

    def cell(self, index: int) -> tuple[RadioSource, ...]:
        """See `Population`."""
        return radio_cell(self.seed, index)


@dataclass
class _Draft:
    """The properties of a source before its position, host and sidelobes are drawn; as in `RadioSource`."""

    kind: str
    n_components: int
    n_peaks: int
    reach_arcsec: float
    peak_jy: float
    compact: tuple[float, float, float] | None = None
    build: Callable[[], SourceModel] | None = None


def _count(rng: np.random.Generator, density_deg2: float) -> int:
    """Draw the number of sources in a cell."""
    return int(rng.poisson(density_deg2 * cell_area_deg2(RADIO_NSIDE)))


def _field(rng: np.random.Generator) -> list[_Draft]:
    """Draw the field sources of a cell from the power law within `FIELD_RANGE_JY`."""
    low, high = ((flux / FIELD_LIMIT_JY) ** -FIELD_SLOPE for flux in FIELD_RANGE_JY)
    n = _count(rng, FIELD_DENSITY_DEG2 * (low - high))
    peak = FIELD_LIMIT_JY * rng.uniform(high, low, n) ** (-1 / FIELD_SLOPE)
    size, ratio, angle = rng.exponential(FIELD_SIZE_ARCSEC, n), rng.random(n), rng.uniform(0, 180, n)
    columns = (values.tolist() for values in (peak, size, size * ratio, angle))
    return [
        _Draft("field", 1, 1, FIELD_REACH_ARCSEC, height, compact=(major, minor, position_angle))
        for height, major, minor, position_angle in zip(*columns, strict=True)
    ]


def _extended(rng: np.random.Generator, seed: int, cell: int) -> list[_Draft]:
    """Draw the extended sources of a cell from `RECIPES`."""
    drafts = []
    for number, (name, recipe) in enumerate(RECIPES.items()):
        for k in range(_count(rng, recipe.density_deg2)):
            snr = quantile_draw(rng, recipe.peak_snr)
            extent = quantile_draw(rng, recipe.extent_arcsec)
            stream: StreamName = (seed, Stream.RADIO_STRUCTURE, cell, number, k)
            drafts.append(
                _Draft(
                    kind=name,
                    n_components=recipe.n_components,
                    n_peaks=recipe.n_peaks,
                    reach_arcsec=extent + REACH_BEYOND_ARCSEC,
                    peak_jy=snr * SNR_UNIT_JY,
                    build=partial(_build, stream, recipe, snr, extent),
                )
            )
    return drafts


def _move_companions(
    rng: np.random.Generator, cell: int, drafts: list[_Draft], ra_deg: np.ndarray, dec_deg: np.ndarray
) -> None:
    """Move some field sources next to extended sources of their cell, and make them bright enough to detect.

    This stands for the clustering of radio galaxies in groups and clusters.
    """
    free = [k for k, draft in enumerate(drafts) if draft.compact is not None]
    for k in (k for k, draft in enumerate(drafts) if draft.compact is None):
        distance, angle = rng.uniform(*COMPANION_ARCSEC), rng.uniform(0, 2 * np.pi)
        peak = COMPANION_LIMIT_JY * rng.uniform(COMPANION_FAINTEST, 1) ** (-1 / FIELD_SLOPE)
        if rng.random() < COMPANION_CHANCE and free:
            ra, dec = offset_to_sky(ra_deg[k], dec_deg[k], distance * np.sin(angle), distance * np.cos(angle))
            if sky_to_cell(ra, dec, RADIO_NSIDE) == cell:
                moved = free.pop()
                ra_deg[moved], dec_deg[moved] = ra, dec
                drafts[moved].peak_jy = float(peak)


def _build(stream: StreamName, recipe: SourceRecipe, peak_snr: float, extent_arcsec: float) -> SourceModel:
    return build_extended(generator(*stream), recipe, peak_snr=peak_snr, extent_arcsec=extent_arcsec)


def _host_magnitudes(rng: np.random.Generator, kinds: list[str]) -> np.ndarray:
    field_source = np.array([kind == "field" for kind in kinds], dtype=bool)
    mean, spread = (
        np.where(field_source, *pair)
        for pair in zip(FIELD_HOST_MAGNITUDE, EXTENDED_HOST_MAGNITUDE, strict=True)
    )
    return np.maximum(BRIGHTEST_HOST_MAGNITUDE, rng.normal(mean, spread))
