"""Radio sources of the simulated sky, cell by cell.

The sky is divided into HEALPix cells.  A cell's sources come from its own random stream, so any part of the
sky can be had without the rest.  Field sources follow the counts of FIRST, N(>S) ~ S^-0.89 in peak
flux density; extended ones are built after `claran_core.survey.simulated.recipes`.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from claran_core.survey.simulated.chains import Structure, build_chain, build_single
from claran_core.survey.simulated.gaussians import Gaussians
from claran_core.survey.simulated.geometry import cell_area_deg2, cell_positions
from claran_core.survey.simulated.recipes import BEAM_ARCSEC, RECIPES, SINGLE, SNR_UNIT_JY
from claran_core.survey.simulated.streams import Purpose, generator, quantile_draw

__all__ = ["MAX_REACH_ARCSEC", "RADIO_NSIDE", "RadioSource", "radio_cell"]

# Cells of 27 arcmin: about twenty-five sources each.
RADIO_NSIDE = 128

# No source's emission is drawn farther than this from its position.
MAX_REACH_ARCSEC = 220.0

# Field sources: number per square degree above the 5 sigma limit, that limit, and the range drawn, Jy/beam.
FIELD_DENSITY_DEG2 = 84.0
FIELD_LIMIT_JY = 7.8e-4
FIELD_SLOPE = 0.89
FIELD_RANGE_JY = (3e-4, 2.0)

# FWHM of field sources before the beam: mostly unresolved.
FIELD_SIZE_ARCSEC = 1.0

# Vega W1 magnitudes of hosts, mean and standard deviation: radio galaxies with lobes are nearer and brighter
# than the faint field.  Beyond about 17 the host is not seen.
EXTENDED_HOST_MAGNITUDE = (15.4, 1.5)
FIELD_HOST_MAGNITUDE = (16.6, 1.4)
BRIGHTEST_HOST_MAGNITUDE = 11.5


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
        What it was built as (`claran_core.survey.simulated.chains.Structure`), or ``field``.
    n_components, n_peaks : int
        What it is meant to show; the noisy image decides.
    host_magnitude : float
        W1 magnitude of its host (Vega).
    gaussians : Gaussians
        Its emission, Jy/beam, restored with the beam.
    peaks : (k, 2) array
        East and north offset of its peaks from the position, arcsec.
    component : (k,) int array
        Component each peak belongs to.
    """

    source_id: str
    ra_deg: float
    dec_deg: float
    kind: str
    n_components: int
    n_peaks: int
    host_magnitude: float
    gaussians: Gaussians
    peaks: np.ndarray
    component: np.ndarray


@lru_cache(maxsize=512)
def radio_cell(seed: int, cell: int) -> tuple[RadioSource, ...]:
    """All radio sources whose hosts lie in a nested HEALPix cell of `RADIO_NSIDE`."""
    rng = generator(seed, Purpose.RADIO_SOURCES, cell)
    structures = [*_field(rng), *_singles(rng), *_chains(rng)]
    ra, dec = cell_positions(cell, RADIO_NSIDE, rng.random(len(structures)), rng.random(len(structures)))
    return tuple(
        _source(f"sim-{cell:06d}-{k:03d}", float(ra[k]), float(dec[k]), structure, rng)
        for k, structure in enumerate(structures)
    )


def _count(rng: np.random.Generator, density_deg2: float) -> int:
    return int(rng.poisson(density_deg2 * cell_area_deg2(RADIO_NSIDE)))


def _field(rng: np.random.Generator) -> list[Structure]:
    """Field sources, from the power law between the two ends of `FIELD_RANGE_JY`."""
    low, high = ((flux / FIELD_LIMIT_JY) ** -FIELD_SLOPE for flux in FIELD_RANGE_JY)
    n = _count(rng, FIELD_DENSITY_DEG2 * (low - high))
    peak = FIELD_LIMIT_JY * rng.uniform(high, low, n) ** (-1 / FIELD_SLOPE) / SNR_UNIT_JY
    size = rng.exponential(FIELD_SIZE_ARCSEC, n)
    rows = np.column_stack(
        [
            np.zeros(n),
            np.zeros(n),
            peak,
            np.hypot(BEAM_ARCSEC, size),
            np.hypot(BEAM_ARCSEC, size * rng.random(n)),
            rng.uniform(0, 180, n),
        ]
    )
    return [Structure("field", rows[k : k + 1], np.zeros((1, 2)), np.zeros(1, int)) for k in range(n)]


def _singles(rng: np.random.Generator) -> list[Structure]:
    return [
        build_single(
            rng,
            peak_snr=quantile_draw(rng, SINGLE.peak_snr),
            size_arcsec=quantile_draw(rng, SINGLE.size_arcsec),
        )
        for _ in range(_count(rng, SINGLE.density_deg2))
    ]


def _chains(rng: np.random.Generator) -> list[Structure]:
    counts = [(recipe, _count(rng, recipe.density_deg2)) for recipe in RECIPES.values()]
    return [build_chain(rng, recipe) for recipe, count in counts for _ in range(count)]


def _source(
    source_id: str, ra_deg: float, dec_deg: float, structure: Structure, rng: np.random.Generator
) -> RadioSource:
    """Put a structure on the sky and give it a host."""
    mean, spread = FIELD_HOST_MAGNITUDE if structure.kind == "field" else EXTENDED_HOST_MAGNITUDE
    east, north, peak, major, minor, angle = structure.gaussians.T
    return RadioSource(
        source_id=source_id,
        ra_deg=ra_deg,
        dec_deg=dec_deg,
        kind=structure.kind,
        n_components=int(structure.component[-1]) + 1,
        n_peaks=len(structure.peaks),
        host_magnitude=max(BRIGHTEST_HOST_MAGNITUDE, rng.normal(mean, spread)),
        gaussians=Gaussians(
            np.full(peak.size, ra_deg),
            np.full(peak.size, dec_deg),
            east,
            north,
            peak * SNR_UNIT_JY,
            major,
            minor,
            angle,
        ),
        peaks=structure.peaks,
        component=structure.component,
    )
