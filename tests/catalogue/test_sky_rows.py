"""The rows of all shards in the order of the sky, with their names."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from source_rows import random_sources, write_shard_files

from claran_core.catalogue.product.sky_order import healpix_pixels
from claran_core.catalogue.sky_rows import collect_rows

N = 90
SUBJECTS = pd.DataFrame({"subject_id": [f"s{k:03d}" for k in range(N)], "ra": 0.0, "dec": 0.0})


def rows_of(folder: Path, order: np.ndarray, n_shards: int, chunk: int = 20) -> pd.DataFrame:
    """Return the rows of the same sources, in another order and cut into shards."""
    sources = random_sources(N, seed=3)
    parts = np.array_split(order, n_shards)
    files = [
        write_shard_files(folder, f"{k:05d}", [sources[i] for i in part], SUBJECTS.iloc[part])
        for k, part in enumerate(parts)
    ]
    found = collect_rows([file.sources for file in files], folder / "rows.arrow")
    assert len(found) == N and found.longest == {"subject_id": 4, "second_grouping": 3}
    tables = [table.to_pandas() for table in found.rows(chunk)]
    assert [len(table) for table in tables[:-1]] == [chunk] * (len(tables) - 1)
    return pd.concat(tables, ignore_index=True)


@pytest.mark.parametrize("n_shards", [1, 7, 64])
def test_rows_do_not_depend_on_shards_or_their_order(tmp_path: Path, n_shards: int) -> None:
    whole = rows_of(tmp_path / "whole", np.arange(N), 1)
    order = np.random.default_rng(n_shards).permutation(N)
    pd.testing.assert_frame_equal(rows_of(tmp_path / "parts", order, n_shards, chunk=7), whole)


def test_names_are_unique_and_rows_follow_pixel_and_name(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, np.arange(N), 3)
    assert rows["source_id"].is_unique
    assert rows["source_id"].str.endswith("b").sum() > 10  # pairs of sources share a name, but for the letter
    pixel = healpix_pixels(rows["ra"].to_numpy(), rows["dec"].to_numpy())
    keys = list(zip(pixel, rows["source_id"], strict=True))
    assert keys == sorted(keys)
    # Each row is still that of its source.
    own = {row["host_w1"]: (row["ra"], row["subject_id"]) for row in random_sources(N, seed=3)}
    for row in rows.itertuples():
        assert own[row.host_w1] == (row.ra, row.subject_id)


def test_rows_are_named_by_their_number(tmp_path: Path) -> None:
    sources = random_sources(10, seed=3)
    file = write_shard_files(tmp_path, "00000", sources, SUBJECTS[:10])
    found = collect_rows([file.sources], tmp_path / "rows.arrow")
    (table,) = found.rows(20)
    by_number = dict(zip(table["host_w1"].to_pylist(), table["source_id"].to_pylist(), strict=True))
    assert found.named(np.array([4, -1, 0])).to_pylist() == [by_number[4.0], "", by_number[0.0]]


def test_no_rows(tmp_path: Path) -> None:
    found = collect_rows([], tmp_path / "rows.arrow")
    assert len(found) == 0 and list(found.rows(10)) == []
    assert found.named(np.array([-1])).to_pylist() == [""]
