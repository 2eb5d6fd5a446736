"""Pairs of the FIRST catalogue and of the simulated sky, by separation and flux ratio.

python -m benchmarks.sky.pair_counts ../shared/data/first_catalogue.parquet

FIRST lists components, and most close pairs are parts of one source.  Pairs are compared with the random
expectation (the density of pairs at 900 to 1,200 arcsec, and the borders of the area) in several samples: all
pairs, by ratio of the peaks, and unresolved components of similar peaks.  What is left of the excess at 180
to 300 arcsec, where few sources are as large, is the clustering of galaxies.  The simulated sky lists
sources, so its pairs are unrelated; `--regions` sets its area.
"""

import argparse
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from scipy.spatial import cKDTree

from claran_core.common.sky import chord, chord_angle, unit_vectors
from claran_core.simulation.geometry import cell_area_deg2, cell_positions
from claran_core.simulation.population import RADIO_NSIDE, radio_cell
from claran_core.simulation.regions import regions

# The part of FIRST that is compared (deg), and the catalogue's limits: probability of a sidelobe, and
# deconvolved major axis (arcsec) of an unresolved component.
RA_DEG, DEC_DEG = (120.0, 240.0), (0.0, 55.0)
MOST_SIDELOBE, UNRESOLVED_ARCSEC = 0.1, 3.5

# Peaks of the simulated sky are compared above the limit of the catalogue, mJy/beam.
LIMIT_MJY = 1.0

EDGES_ARCSEC = (5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 300)
FAR_ARCSEC = (900.0, 1200.0)
# Random places per cell that measure the borders of the simulated regions.
N_RANDOM = 60

RATIOS = ((0.5, 1.0), (0.2, 0.5), (0.05, 0.2), (0.0, 0.05))


class Pairs:
    """All pairs of a list of positions (deg) within the largest separation.

    Attributes
    ----------
    separation : (n,) float64 array
        Separations, arcsec.
    ratio : (n,) float64 array
        Fainter over brighter peak.
    both : (n,) bool array
        Whether both are unresolved.
    """

    def __init__(
        self, ra_deg: np.ndarray, dec_deg: np.ndarray, peak: np.ndarray, compact: np.ndarray
    ) -> None:
        vectors = unit_vectors(ra_deg, dec_deg)
        pairs = cKDTree(vectors).query_pairs(chord(FAR_ARCSEC[1]), output_type="ndarray")
        one, other = pairs.T
        self.separation = chord_angle(np.linalg.norm(vectors[one] - vectors[other], axis=1))
        self.ratio = np.minimum(peak[one], peak[other]) / np.maximum(peak[one], peak[other])
        self.both = compact[one] & compact[other]

    def counts(self, chosen: np.ndarray, areas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the numbers of the chosen pairs per interval of separation, and the random ones.

        `areas` are those of the rings, as seen from all places, over that of the ring of random pairs.
        """
        separation = self.separation[chosen]
        found = np.histogram(separation, EDGES_ARCSEC)[0]
        far = ((separation >= FAR_ARCSEC[0]) & (separation < FAR_ARCSEC[1])).sum()
        return found, far * areas


RINGS = np.diff(np.square(EDGES_ARCSEC, dtype=float)) / (FAR_ARCSEC[1] ** 2 - FAR_ARCSEC[0] ** 2)


def first_pairs(path: Path) -> tuple[Pairs, np.ndarray, float]:
    """Return the pairs of the FIRST catalogue, the relative areas of rings, and its area (square degrees)."""
    names = ["ra", "dec", "p_sidelobe", "peak_flux", "major"]
    table = pq.read_table(path, columns=names).to_pandas()
    inside = table["ra"].between(*RA_DEG) & table["dec"].between(*DEC_DEG)
    table = table[inside & (table["p_sidelobe"] < MOST_SIDELOBE)]
    height = np.degrees(np.diff(np.sin(np.radians(DEC_DEG)))).item()
    columns = (table[name].to_numpy(float) for name in ("ra", "dec", "peak_flux"))
    pairs = Pairs(*columns, (table["major"] < UNRESOLVED_ARCSEC).to_numpy())
    # The area is so large that its borders do not matter.
    return pairs, RINGS, height * (RA_DEG[1] - RA_DEG[0])


def simulated_pairs(seed: int, n_regions: int) -> tuple[Pairs, np.ndarray, float]:
    """Return the same for simulated sources above the limit in some regions of the sky."""
    rows, places, rng = [], [], np.random.default_rng(seed)
    for (_, cells), _ in zip(regions(seed), range(n_regions), strict=False):
        for cell in cells.tolist():
            one = radio_cell(seed, cell)
            rows.append(np.stack([one.ra_deg, one.dec_deg, 1e3 * one.peak_jy, one.is_compact], axis=1))
            places.append(cell_positions(cell, RADIO_NSIDE, *rng.random((2, N_RANDOM))))
    ra, dec, peak, compact = np.concatenate(rows).T
    bright = peak >= LIMIT_MJY
    pairs = Pairs(ra[bright], dec[bright], peak[bright], compact[bright] > 0)
    vectors = unit_vectors(*np.concatenate(places, axis=1))
    steps = chord(np.array([*EDGES_ARCSEC, *FAR_ARCSEC], dtype=float))
    tree = cKDTree(vectors)
    rings = np.diff(tree.count_neighbors(tree, steps))
    # Few random pairs are close, and borders hardly matter to them: all rings have the share of the last one.
    share = rings[len(EDGES_ARCSEC) - 2] / rings[-1]
    return pairs, RINGS * share / RINGS[-1], len(rows) * cell_area_deg2(RADIO_NSIDE)


def report(title: str, pairs: Pairs, areas: np.ndarray, area_deg2: float) -> None:
    """Print the pairs per square degree, the random ones and the ratio of both, in each sample."""
    print(f"\n{title}, {area_deg2:.0f} square degrees")
    samples = {"all": np.ones(len(pairs.ratio), bool)}
    samples |= {f"ratio {low}-{high}": (pairs.ratio > low) & (pairs.ratio <= high) for low, high in RATIOS}
    samples["unresolved, ratio 0.5-1"] = pairs.both & (pairs.ratio > RATIOS[0][0])
    print("| arcsec | " + " | ".join(samples) + " |")
    print("|---" * (1 + len(samples)) + "|")
    columns = [pairs.counts(chosen, areas) for chosen in samples.values()]
    for k, (low, high) in enumerate(zip(EDGES_ARCSEC, EDGES_ARCSEC[1:], strict=False)):
        cells = [
            f"{found[k] / area_deg2:.3f} / {chance[k] / area_deg2:.3f} = {found[k] / chance[k]:.2f}"
            for found, chance in columns
        ]
        print(f"| {low}-{high} | " + " | ".join(cells) + " |")


def main() -> None:
    """Print the pairs of both skies: found / random = ratio, per square degree."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("catalogue", type=Path, help="FIRST catalogue (Parquet)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the simulated sky (1)")
    parser.add_argument("--regions", type=int, default=20, help="regions of 53 square degrees (20)")
    options = parser.parse_args()
    report("FIRST, components", *first_pairs(options.catalogue))
    report("simulated sky, sources", *simulated_pairs(options.seed, options.regions))


if __name__ == "__main__":
    main()
