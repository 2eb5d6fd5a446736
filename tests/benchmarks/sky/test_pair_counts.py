"""Pairs by separation: random places have the random numbers, and a clustered sample has more."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.sky.pair_counts import EDGES_ARCSEC, RINGS, first_pairs, simulated_pairs


def test_companions_at_a_separation_are_found(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    n, extra = 60_000, 400
    ra, dec = rng.uniform(120, 240, n), np.degrees(np.arcsin(rng.uniform(0, np.sin(np.radians(55)), n)))
    ra = np.append(ra, ra[:extra])
    dec = np.append(dec, dec[:extra] + 50 / 3600)
    peak = np.append(np.full(n, 4.0), np.full(extra, 1.0))
    path = tmp_path / "first.parquet"
    columns = {"ra": ra, "dec": dec, "p_sidelobe": 0 * ra, "peak_flux": peak, "major": 0 * ra}
    pq.write_table(pa.table(columns), path)
    pairs, areas, area = first_pairs(path)
    assert area == pytest.approx(5632, abs=1)
    found, chance = pairs.counts(pairs.ratio < 0.3, areas)
    at = EDGES_ARCSEC.index(45)
    assert found[at] == pytest.approx(extra + chance[at], rel=0.1) and chance[at] < 0.1 * extra
    found, chance = pairs.counts(pairs.ratio > 0.9, areas)
    assert found[-3:].sum() == pytest.approx(chance[-3:].sum(), rel=0.1)


def test_simulated_pairs_exceed_random_ones_a_little_at_large_separations() -> None:
    pairs, areas, area = simulated_pairs(1, 1)
    assert area == pytest.approx(53.7, abs=0.1)
    # The borders of a region matter more to the ring of random pairs.
    assert 1.0 < areas[-1] / RINGS[-1] < 1.1
    found, chance = pairs.counts(np.ones(len(pairs.ratio), bool), areas)
    assert found[-2:].sum() / chance[-2:].sum() == pytest.approx(1.0, abs=0.1)
