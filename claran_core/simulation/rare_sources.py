"""Sources that are too rare or too large for the recipes: compact pairs, and sources of 2 to 15 arcmin.

They have random streams of their own, so a search for them need not draw the other sources of a cell.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, partial

import numpy as np

from claran_core.simulation.field_sources import FIELD_SIZE_ARCSEC
from claran_core.simulation.geometry import cell_area_deg2, cell_positions
from claran_core.simulation.large_sources import LARGE_TYPES, LARGEST_BLOB_ARCSEC, build_large
from claran_core.simulation.random_streams import Stream, StreamName, generator, quantile_draw
from claran_core.simulation.source_models import SourceModel
from claran_core.simulation.source_shapes import POINT_ARCSEC

__all__ = [
    "LARGEST_REACH_ARCSEC",
    "LARGE_ARCSEC",
    "RADIO_NSIDE",
    "RareSource",
    "compact_pairs",
    "large_sources",
]

# Cells of the radio sky, 27 arcmin wide: about forty sources each.
RADIO_NSIDE = 128

# Sources larger than 2 arcmin: number per square degree, slope of their number above a size, and smallest and
# largest size.  At this slope 0.06 per square degree are larger than 4 arcmin; Proctor (2016, ApJS 224, 18)
# lists 0.05 candidates per square degree in the NVSS.
LARGE_DENSITY_DEG2, LARGE_SLOPE, LARGE_ARCSEC = 0.3, 2.3, (120.0, 900.0)

# Distance from the host at which a large source has no emission: its size, a tenth of it for its width, and
# the reach of its largest blobs.  A pair ends a few beams beyond its size.
LARGE_REACH, LARGE_BEYOND_ARCSEC, PAIR_BEYOND_ARCSEC = 1.1, 2.3 * LARGEST_BLOB_ARCSEC, 80.0
LARGEST_REACH_ARCSEC = LARGE_REACH * LARGE_ARCSEC[1] + LARGE_BEYOND_ARCSEC

# Brightest pixel of a large source, in units of the noise: its core or a hotspot; of a source without either,
# the brightest part.  The upper half follows 60 real FIRST fields of radio galaxies of 2 to 5 arcmin brighter
# than 40 mJy (Miraghaei & Best 2017), whose p25, p50, p75 and p95 are 28, 85, 190 and 800.
LARGE_SNR = (8.0, 10.0, 20.0, 40.0, 100.0, 500.0, 5000.0)
DIFFUSE_SNR = (3.0, 4.0, 6.0, 8.0, 12.0, 25.0, 50.0)

# Doubles of two unresolved components of similar flux, as galaxies without a radio core: number per square
# degree, brightest pixel, separation (arcsec), and flux of the fainter component over the brighter one.  The
# FIRST catalogue has 0.42 pairs of such components per square degree more than random ones
# (benchmarks/sky/pair_counts.py); some are doubles of the recipes.
PAIR_DENSITY_DEG2, PAIR_RATIO = 0.35, (0.5, 1.0)
PAIR_SNR = (7.0, 7.4, 9.7, 15.3, 33.0, 200.0, 1500.0)
PAIR_ARCSEC = (10.0, 10.5, 13.0, 19.0, 31.0, 52.0, 60.0)

# Position of the host of a pair along the line from one component to the other.
PAIR_HOST = (0.38, 0.62)

# Vega W1 magnitudes of hosts, mean and standard deviation.  Large sources are near.
LARGE_HOST_MAGNITUDE, PAIR_HOST_MAGNITUDE = (14.3, 1.4), (15.4, 1.5)
BRIGHTEST_MAGNITUDE = 10.0


@dataclass(frozen=True)
class RareSource:
    """A rare source before its model is built.

    Attributes
    ----------
    kind : str
        ``pair`` or ``large``.
    ra_deg, dec_deg : float
        Position of its host, deg, ICRS.
    host_magnitude : float
        W1 magnitude of its host (Vega).
    extent_arcsec : float
        Separation of the pair, or largest angular size.
    peak_snr : float
        Brightest pixel, in units of the noise.
    n_components, n_peaks : int
        Intended counts; for large sources the smallest above three.
    build : callable
        Function that builds its model.
    """

    kind: str
    ra_deg: float
    dec_deg: float
    host_magnitude: float
    extent_arcsec: float
    peak_snr: float
    n_components: int
    n_peaks: int
    build: Callable[[], SourceModel] = field(repr=False, compare=False)

    @property
    def reach_arcsec(self) -> float:
        """Distance from the host beyond which it has no emission."""
        if self.kind == "large":
            return LARGE_REACH * self.extent_arcsec + LARGE_BEYOND_ARCSEC
        return self.extent_arcsec + PAIR_BEYOND_ARCSEC


@lru_cache(maxsize=4096)
def large_sources(seed: int, cell: int) -> tuple[RareSource, ...]:
    """Return the sources larger than 2 arcmin of a nested HEALPix cell of `RADIO_NSIDE`."""
    rng = generator(seed, Stream.LARGE_SOURCES, cell)
    found = []
    for k in range(int(rng.poisson(LARGE_DENSITY_DEG2 * cell_area_deg2(RADIO_NSIDE)))):
        ra, dec = _position(rng, cell)
        smallest, largest = LARGE_ARCSEC
        extent = smallest * rng.uniform((largest / smallest) ** -LARGE_SLOPE, 1.0) ** (-1 / LARGE_SLOPE)
        names = list(LARGE_TYPES)
        shares = np.array([LARGE_TYPES[name].share for name in names])
        name = names[int(rng.choice(len(names), p=shares / shares.sum()))]
        snr = quantile_draw(rng, LARGE_SNR if LARGE_TYPES[name].is_compact_somewhere else DIFFUSE_SNR)
        stream: StreamName = (seed, Stream.LARGE_STRUCTURE, cell, k)
        build = partial(_build_large, stream, name, snr, extent)
        magnitude = _magnitude(rng, LARGE_HOST_MAGNITUDE)
        found.append(RareSource("large", ra, dec, magnitude, extent, snr, 4, 4, build))
    return tuple(found)


@lru_cache(maxsize=4096)
def compact_pairs(seed: int, cell: int) -> tuple[RareSource, ...]:
    """Return the compact pairs, each one source, of a nested HEALPix cell of `RADIO_NSIDE`."""
    rng = generator(seed, Stream.COMPACT_PAIRS, cell)
    found = []
    for k in range(int(rng.poisson(PAIR_DENSITY_DEG2 * cell_area_deg2(RADIO_NSIDE)))):
        ra, dec = _position(rng, cell)
        extent, snr = quantile_draw(rng, PAIR_ARCSEC), quantile_draw(rng, PAIR_SNR)
        # Not k: a stream ignores zeros at the end of its name.
        stream: StreamName = (seed, Stream.COMPACT_PAIRS, cell, 1 + k)
        build = partial(_build_pair, stream, snr, extent)
        found.append(
            RareSource("pair", ra, dec, _magnitude(rng, PAIR_HOST_MAGNITUDE), extent, snr, 2, 2, build)
        )
    return tuple(found)


def _position(rng: np.random.Generator, cell: int) -> tuple[float, float]:
    ra, dec = cell_positions(cell, RADIO_NSIDE, rng.random(), rng.random())
    return float(ra), float(dec)


def _magnitude(rng: np.random.Generator, mean_and_scatter: tuple[float, float]) -> float:
    return float(max(BRIGHTEST_MAGNITUDE, rng.normal(*mean_and_scatter)))


def _build_large(stream: StreamName, name: str, snr: float, extent_arcsec: float) -> SourceModel:
    return build_large(generator(*stream), name, peak_snr=snr, extent_arcsec=extent_arcsec)


def _build_pair(stream: StreamName, snr: float, separation_arcsec: float) -> SourceModel:
    """Build two components as unresolved as field sources, with the host between them."""
    rng = generator(*stream)
    angle, at = rng.uniform(0, 2 * np.pi), rng.uniform(*PAIR_HOST)
    along = separation_arcsec * np.array([-at, 1 - at])
    peak = snr * np.array([1.0, rng.uniform(*PAIR_RATIO)])
    size = rng.exponential(FIELD_SIZE_ARCSEC, 2)
    major, minor = np.hypot(POINT_ARCSEC, size), np.hypot(POINT_ARCSEC, size * rng.random(2))
    places = np.column_stack([along * np.sin(angle), along * np.cos(angle)])
    rows = np.column_stack([places, peak, major, minor, rng.uniform(0, 180, 2)])
    return SourceModel("pair", rows, places, 2, 2)
