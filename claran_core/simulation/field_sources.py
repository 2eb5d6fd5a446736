"""Compact field sources of a cell: fluxes, companions of extended sources, clustering and crowding.

Field sources follow the counts of FIRST, N(>S) ~ S^-0.89 in peak flux density.  Some lie near other sources,
as galaxies in groups do.  South of the footprint the sky becomes crowded, up to the density of EMU, so that
networks can be trained and tested there (`crowding`).
"""

import numpy as np

from claran_core.common.sky import offset_to_sky
from claran_core.simulation.geometry import cell_positions, sky_to_cell

__all__ = [
    "COMPANION_CHANCE",
    "CROWDED_BELOW_DEG",
    "FIELD_DENSITY_DEG2",
    "FIELD_LIMIT_JY",
    "FIELD_RANGE_JY",
    "FIELD_SIZE_ARCSEC",
    "FIELD_SLOPE",
    "crowding",
    "draw_field",
    "move_clustered",
    "move_companions",
]

# Field sources: number per square degree above the 5 sigma limit, that limit, and the range drawn, Jy/beam.
FIELD_DENSITY_DEG2 = 84.0
FIELD_LIMIT_JY = 7.8e-4
FIELD_SLOPE = 0.89
FIELD_RANGE_JY = (3e-4, 2.0)

# FWHM of field sources before the beam: mostly unresolved.
FIELD_SIZE_ARCSEC = 1.0

# Declinations (deg) between which the density of field sources rises, and the factor south of the last one:
# 3,000 per square degree above the limit (EMU at 5 sigma of 20 uJy; Norris et al. 2011, PASA 28, 215: 70
# million sources in 30,000 square degrees).
CROWDED_BELOW_DEG, MOST_CROWDED_BELOW_DEG = -40.0, -60.0
MOST_CROWDED = 36.0

# Probability of a field source near an extended one, its distance, and its faintest brightness.  Labelled
# sources of the RGZ table have 108 others per square degree at this distance; 62 are there by chance
# (benchmarks/sky/pair_counts.py).
COMPANION_CHANCE, COMPANION_ARCSEC = 0.08, (12.0, 85.0)
COMPANION_LIMIT_JY, COMPANION_FAINTEST = 1.5e-3, 0.005

# Correlation function of all sources: w = amplitude * (separation / deg)^slope, from the excess of pairs in
# the FIRST catalogue at 180 to 300 arcsec, out to the largest distance (arcsec).
CLUSTERING_AMPLITUDE, CLUSTERING_SLOPE, CLUSTERING_ARCSEC = 2.0e-3, -0.8, 300.0


def crowding(cell: int, nside: int) -> float:
    """Return the density of field sources in a nested HEALPix cell over that of FIRST.

    It is 1 north of `CROWDED_BELOW_DEG`, and rises exponentially with declination to `MOST_CROWDED`.
    """
    _, dec_deg = cell_positions(cell, nside, 0.5, 0.5)
    rise = (CROWDED_BELOW_DEG - float(dec_deg)) / (CROWDED_BELOW_DEG - MOST_CROWDED_BELOW_DEG)
    return float(MOST_CROWDED ** np.clip(rise, 0.0, 1.0))


def draw_field(rng: np.random.Generator, area_deg2: float, crowded: float) -> tuple[np.ndarray, np.ndarray]:
    """Draw the field sources of an area, `crowded` times as many as FIRST has.

    Returns
    -------
    peak : (n,) float64 array
        Peak flux density, Jy/beam.
    compact : (n, 3) float64 array
        FWHM of the axes before the beam (arcsec) and position angle (deg).
    """
    low, high = ((flux / FIELD_LIMIT_JY) ** -FIELD_SLOPE for flux in FIELD_RANGE_JY)
    n = int(rng.poisson(FIELD_DENSITY_DEG2 * crowded * (low - high) * area_deg2))
    peak = FIELD_LIMIT_JY * rng.uniform(high, low, n) ** (-1 / FIELD_SLOPE)
    size, ratio, angle = rng.exponential(FIELD_SIZE_ARCSEC, n), rng.random(n), rng.uniform(0, 180, n)
    return peak, np.stack([size, size * ratio, angle], axis=1)


def move_companions(
    rng: np.random.Generator,
    cell: int,
    nside: int,
    peak_jy: np.ndarray,
    ra_deg: np.ndarray,
    dec_deg: np.ndarray,
) -> int:
    """Move some field sources next to extended sources of their cell, and make them bright enough to detect.

    This stands for the groups and clusters in which radio galaxies live.  The field sources are those with a
    `peak_jy`; the positions of the extended ones follow.  Arrays are changed in place.  Return the number of
    field sources, the first ones, that stay where they are.
    """
    n_free = len(peak_jy)
    for k in range(len(peak_jy), len(ra_deg)):
        distance, angle = rng.uniform(*COMPANION_ARCSEC), rng.uniform(0, 2 * np.pi)
        peak = COMPANION_LIMIT_JY * rng.uniform(COMPANION_FAINTEST, 1) ** (-1 / FIELD_SLOPE)
        if rng.random() < COMPANION_CHANCE and n_free:
            ra, dec = offset_to_sky(ra_deg[k], dec_deg[k], distance * np.sin(angle), distance * np.cos(angle))
            if sky_to_cell(ra, dec, nside) == cell:
                n_free -= 1
                ra_deg[n_free], dec_deg[n_free], peak_jy[n_free] = ra, dec, peak
    return n_free


def move_clustered(
    rng: np.random.Generator, cell: int, nside: int, n_free: int, ra_deg: np.ndarray, dec_deg: np.ndarray
) -> None:
    """Move some of the first `n_free` sources of a cell next to any other one, in place.

    Pairs then exceed the random ones as in the correlation function.  The share of moved sources is that of
    FIRST's density, so crowded cells are less clustered.
    """
    low, high = ((flux / FIELD_LIMIT_JY) ** -FIELD_SLOPE for flux in FIELD_RANGE_JY)
    power = 2 + CLUSTERING_SLOPE
    # Neighbours in excess of the random ones; a moved source is a neighbour of another, and it of the source.
    neighbours = 2 * np.pi / power * CLUSTERING_AMPLITUDE * (CLUSTERING_ARCSEC / 3600) ** power
    share = 0.5 * neighbours * FIELD_DENSITY_DEG2 * (low - high)
    for k in np.flatnonzero(rng.random(n_free) < share).tolist():
        other = int(rng.integers(len(ra_deg)))
        distance, angle = CLUSTERING_ARCSEC * rng.random() ** (1 / power), rng.uniform(0, 2 * np.pi)
        offset = distance * np.sin(angle), distance * np.cos(angle)
        ra, dec = offset_to_sky(ra_deg[other], dec_deg[other], *offset)
        if other != k and sky_to_cell(ra, dec, nside) == cell:
            ra_deg[k], dec_deg[k] = ra, dec
