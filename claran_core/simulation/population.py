"""Radio sources of the simulated sky, cell by cell.

The sky is divided into HEALPix cells.  A cell's sources come from its own random stream, so any part of the
sky can be had without the rest.  Field sources are compact and follow the counts of FIRST, N(>S) ~ S^-0.89
in peak flux density; extended ones follow `claran_core.simulation.recipes`.  Their structure is only
built when somebody looks.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial
from typing import Protocol

import numpy as np

from claran_core.common.sky import offset_to_sky
from claran_core.simulation.forms import POINT_ARCSEC, Structure, build_compact, build_extended
from claran_core.simulation.gaussians import Gaussians
from claran_core.simulation.geometry import cell_area_deg2, cell_positions, sky_to_cell
from claran_core.simulation.random_streams import Purpose, generator, quantile_draw
from claran_core.simulation.recipes import RECIPES, SNR_UNIT_JY, SourceRecipe

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

# No source is felt farther than this from its position: by its emission, by the sidelobes of its peaks
# (214 arcsec at a corner of their pattern, from up to 130 arcsec away), or by its surroundings.
MAX_REACH_ARCSEC = 345.0

# Emission of an extended source is cut off at its extent and this, which blobs of the outer ends need to
# fade.
REACH_BEYOND_ARCSEC = 80.0

# Field sources: number per square degree above the 5 sigma limit, that limit, and the range drawn, Jy/beam.
FIELD_DENSITY_DEG2 = 84.0
FIELD_LIMIT_JY = 7.8e-4
FIELD_SLOPE = 0.89
FIELD_RANGE_JY = (3e-4, 2.0)

# How often a field source is near an extended one, at what distance, and from what brightness on: so that
# sources that share a subject of the RGZ label table are as near to each other as they are there.
COMPANION_CHANCE, COMPANION_ARCSEC = 0.14, (12.0, 85.0)
COMPANION_LIMIT_JY, COMPANION_FAINTEST = 1.5e-3, 0.005

# FWHM of field sources before the beam: mostly unresolved.
FIELD_SIZE_ARCSEC = 1.0
FIELD_REACH_ARCSEC = 60.0

# Residual sidelobes around 155 real sources of 20 to 1,000 times the noise, fitted with the beam's: they are
# those of a peak of 5.5 +- 3.5 times the noise however bright the source is (CLEAN stops there), and of some
# 0.9 % of its peak, of either sign, from errors of calibration (benchmarks/sky/first_sidelobes.py).
UNCLEANED_JY, UNCLEANED_SCATTER = 5.5 * SNR_UNIT_JY, 0.6
SIDELOBE_GAIN = 0.009

# Vega W1 magnitudes of hosts, mean and standard deviation: radio galaxies with lobes are nearer and brighter
# than the faint field.  Beyond about 17 the host is not seen.
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
        What it is meant to show; the noisy image decides.
    host_magnitude : float
        W1 magnitude of its host (Vega).
    reach_arcsec : float
        Distance beyond which it has no emission.
    peak_jy : float
        Its brightest pixel, Jy/beam.
    uncleaned_jy : float
        Height down to which its peaks were deconvolved; what is below has the sidelobes of the beam.
    sidelobe_gain : float
        Part of its brightness that calibration errors left with sidelobes; of either sign.
    compact : tuple of 3 float, optional
        FWHM of the axes before the beam (arcsec) and position angle (deg) of a source of one Gaussian.
    build : callable, optional
        Makes the structure of any other.
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
    build: Callable[[], Structure] | None = field(default=None, repr=False, compare=False)

    @property
    def is_compact(self) -> bool:
        """Whether it is one Gaussian that costs nothing to build: a field source."""
        return self.compact is not None

    @property
    def peak_reach_arcsec(self) -> float:
        """Distance within which its peaks lie."""
        return 0.0 if self.is_compact else self.reach_arcsec - REACH_BEYOND_ARCSEC

    @cached_property
    def structure(self) -> Structure:
        """What it is made of, built when first asked for."""
        return build_compact(self.peak_jy / SNR_UNIT_JY, *self.compact) if self.is_compact else self.build()

    @property
    def peaks(self) -> np.ndarray:
        """East and north offset of its peaks from the position, arcsec; ``(k, 2)``, brightest first."""
        return self.structure.peaks

    @cached_property
    def gaussians(self) -> Gaussians:
        """Its emission, Jy/beam, restored with the beam."""
        east, north, peak, major, minor, angle = self.structure.gaussians.T
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
    """All radio sources whose hosts lie in a nested HEALPix cell of `RADIO_NSIDE`, field sources first."""
    rng = generator(seed, Purpose.RADIO_SOURCES, cell)
    parts = [*_field(rng), *_extended(rng, seed, cell)]
    ra, dec = cell_positions(cell, RADIO_NSIDE, rng.random(len(parts)), rng.random(len(parts)))
    _move_companions(rng, cell, parts, ra, dec)
    magnitude = _host_magnitudes(rng, [part["kind"] for part in parts])
    uncleaned = UNCLEANED_JY * np.maximum(rng.normal(1, UNCLEANED_SCATTER, len(parts)), 0)
    gain = SIDELOBE_GAIN * rng.standard_t(3, len(parts))
    return tuple(
        RadioSource(
            source_id=f"sim-{cell:06d}-{k:03d}",
            ra_deg=float(ra[k]),
            dec_deg=float(dec[k]),
            host_magnitude=float(magnitude[k]),
            uncleaned_jy=float(uncleaned[k]),
            sidelobe_gain=float(gain[k]),
            **part,
        )
        for k, part in enumerate(parts)
    )


def compact_gaussians(rows: np.ndarray) -> Gaussians:
    """Gaussians of sources that have one each.

    Parameters
    ----------
    rows : (n, 6) array
        RA and Dec (deg), peak (Jy/beam), FWHM of the axes before the beam (arcsec), position angle (deg).
    """
    ra, dec, peak, major, minor, angle = rows.T
    major, minor, zero = np.hypot(POINT_ARCSEC, major), np.hypot(POINT_ARCSEC, minor), np.zeros(len(rows))
    return Gaussians(ra, dec, zero, zero, peak, major, minor, angle)


class Population(Protocol):
    """Whose sources are on a sky; hashable, since images are cached by it."""

    seed: int

    def cell(self, index: int) -> tuple[RadioSource, ...]:
        """All radio sources whose hosts lie in a nested HEALPix cell of `RADIO_NSIDE`, in fixed order."""
        ...


@dataclass(frozen=True)
class DrawnPopulation:
    """The sky of a seed."""

    seed: int

    def cell(self, index: int) -> tuple[RadioSource, ...]:
        """See `Population`."""
        return radio_cell(self.seed, index)


def _count(rng: np.random.Generator, density_deg2: float) -> int:
    return int(rng.poisson(density_deg2 * cell_area_deg2(RADIO_NSIDE)))


def _field(rng: np.random.Generator) -> list[dict]:
    """Field sources, from the power law between the two ends of `FIELD_RANGE_JY`."""
    low, high = ((flux / FIELD_LIMIT_JY) ** -FIELD_SLOPE for flux in FIELD_RANGE_JY)
    n = _count(rng, FIELD_DENSITY_DEG2 * (low - high))
    peak = FIELD_LIMIT_JY * rng.uniform(high, low, n) ** (-1 / FIELD_SLOPE)
    size, ratio, angle = rng.exponential(FIELD_SIZE_ARCSEC, n), rng.random(n), rng.uniform(0, 180, n)
    return [
        {
            "kind": "field",
            "n_components": 1,
            "n_peaks": 1,
            "reach_arcsec": FIELD_REACH_ARCSEC,
            "peak_jy": height,
            "compact": tuple(shape),
        }
        for height, *shape in zip(*(v.tolist() for v in (peak, size, size * ratio, angle)), strict=True)
    ]


def _extended(rng: np.random.Generator, seed: int, cell: int) -> list[dict]:
    parts = []
    for number, (name, recipe) in enumerate(RECIPES.items()):
        for k in range(_count(rng, recipe.density_deg2)):
            snr = quantile_draw(rng, recipe.peak_snr)
            extent = quantile_draw(rng, recipe.extent_arcsec)
            stream = (seed, Purpose.RADIO_STRUCTURE, cell, number, k)
            parts.append(
                {
                    "kind": name,
                    "n_components": recipe.n_components,
                    "n_peaks": recipe.n_peaks,
                    "reach_arcsec": extent + REACH_BEYOND_ARCSEC,
                    "peak_jy": snr * SNR_UNIT_JY,
                    "build": partial(_build, stream, recipe, snr, extent),
                }
            )
    return parts


def _move_companions(
    rng: np.random.Generator, cell: int, parts: list[dict], ra_deg: np.ndarray, dec_deg: np.ndarray
) -> None:
    """Put some field sources near extended ones of their cell, bright enough to be seen beside them.

    Radio galaxies live in groups and clusters.
    """
    free = [k for k, part in enumerate(parts) if "compact" in part]
    for k in (k for k, part in enumerate(parts) if "compact" not in part):
        distance, angle = rng.uniform(*COMPANION_ARCSEC), rng.uniform(0, 2 * np.pi)
        peak = COMPANION_LIMIT_JY * rng.uniform(COMPANION_FAINTEST, 1) ** (-1 / FIELD_SLOPE)
        if rng.random() < COMPANION_CHANCE and free:
            there = offset_to_sky(ra_deg[k], dec_deg[k], distance * np.sin(angle), distance * np.cos(angle))
            if sky_to_cell(*there, RADIO_NSIDE) == cell:
                moved = free.pop()
                ra_deg[moved], dec_deg[moved] = there
                parts[moved]["peak_jy"] = float(peak)


def _build(stream: tuple[int, ...], recipe: SourceRecipe, peak_snr: float, extent_arcsec: float) -> Structure:
    return build_extended(generator(*stream), recipe, peak_snr=peak_snr, extent_arcsec=extent_arcsec)


def _host_magnitudes(rng: np.random.Generator, kinds: list[str]) -> np.ndarray:
    field_source = np.array([kind == "field" for kind in kinds], dtype=bool)
    mean, spread = (
        np.where(field_source, *pair)
        for pair in zip(FIELD_HOST_MAGNITUDE, EXTENDED_HOST_MAGNITUDE, strict=True)
    )
    return np.maximum(BRIGHTEST_HOST_MAGNITUDE, rng.normal(mean, spread))
