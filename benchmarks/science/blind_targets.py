"""Choose the subjects of a blind survey of the simulated sky: an area, or places around chosen sources.

Used by blind_survey.py and fields.py.  The subjects are those that ``claran tile`` lists.
"""

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from claran_core.common.constants import ARCSEC_PER_DEG
from claran_core.common.frame import Frame
from claran_core.common.sky import unit_vectors
from claran_core.simulation.rare_sources import RareSource, large_sources
from claran_core.simulation.regions import regions
from claran_core.simulation.subjects import sources_near
from claran_core.targets.areas import CircleArea
from claran_core.targets.shards import assign_shards
from claran_core.targets.subject_grid import SkyGrid, tile, tile_at_scales

__all__ = ["CENTRE", "area_targets", "around", "double_places", "in_shards", "pair_places"]

CENTRE = (180.0, 30.0)

# Neighbours: both at least 10 sigma (1.6 mJy/beam), hosts closer than an arcminute.
PAIR_JY, PAIR_ARCSEC = 1.6e-3, 60.0
PAIRS_PER_DEG2 = 3.0

# Doubles: types (keys of `claran_core.simulation.large_sources.LARGE_TYPES`), sizes of 2.6 arcmin within 5 %,
# and faintest hotspot or core, in units of the noise.
DOUBLE_TYPES = ("large_double", "large_triple")
DOUBLE_ARCSEC, DOUBLE_SNR = (148.0, 164.0), 10.0

# Radius around a place that subjects of every scale cover.
AROUND_ARCSEC = 100.0


def area_targets(
    area_deg2: float, scales: Sequence[int], frame: Frame, centre: tuple[float, float] = CENTRE
) -> pd.DataFrame:
    """Return the subjects of all scales that cover a disc of this area around a position (deg)."""
    area = CircleArea(*centre, float(np.sqrt(area_deg2 / np.pi)))
    return tile_at_scales(area, SkyGrid(frame), scales).assign(split="none")


def around(places: np.ndarray, scales: Sequence[int], frame: Frame) -> pd.DataFrame:
    """Return the subjects of all scales around places (RA and Dec, deg; ``(n, 2)``), each subject once."""
    grids = [SkyGrid(frame).at_scale(scale) for scale in scales]
    radius_deg = AROUND_ARCSEC / ARCSEC_PER_DEG
    tables = [tile(CircleArea(ra, dec, radius_deg), grid) for ra, dec in places.tolist() for grid in grids]
    return pd.concat(tables).drop_duplicates("subject_id", ignore_index=True).assign(split="none")


def pair_places(n: int, seed: int) -> np.ndarray:
    """Return the middles of `n` pairs of neighbours, RA and Dec (deg); ``(n, 2)``."""
    radius = ARCSEC_PER_DEG * np.sqrt(2 * n / PAIRS_PER_DEG2 / np.pi)
    sources = [one for one in sources_near(seed, *CENTRE, radius) if one.peak_jy >= PAIR_JY]
    places = np.array([(one.ra_deg, one.dec_deg) for one in sources])
    tree = cKDTree(unit_vectors(*places.T))
    pairs = tree.query_pairs(np.deg2rad(PAIR_ARCSEC / ARCSEC_PER_DEG), output_type="ndarray")
    return np.asarray(places[pairs[np.lexsort(pairs.T)][:n]].mean(axis=1))


def double_places(n: int, seed: int) -> np.ndarray:
    """Return the hosts of `n` doubles of 2.6 arcmin, RA and Dec (deg); ``(n, 2)``."""
    return np.array([(one.ra_deg, one.dec_deg) for one in islice(_doubles(seed), n)])


def _doubles(seed: int) -> Iterator[RareSource]:
    """Yield the doubles in the footprint, in random order."""
    smallest, largest = DOUBLE_ARCSEC
    for _, cells in regions(seed):
        for cell in cells.tolist():
            for source in large_sources(seed, cell):
                is_right_size = smallest <= source.extent_arcsec <= largest
                if is_right_size and source.peak_snr >= DOUBLE_SNR:
                    if source.build().source_type in DOUBLE_TYPES:
                        yield source


def in_shards(targets: pd.DataFrame, n_shards: int) -> pd.DataFrame:
    """Return subjects in `n_shards` shards."""
    return assign_shards(targets, None, -(-len(targets) // n_shards))
