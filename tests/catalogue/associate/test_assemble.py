"""Merging in one pass: the rows depend neither on the shards nor on the order of their files."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from source_rows import FRAME, grid_sky, source_row, write_shard_files

from claran_core.catalogue.associate import assemble as module
from claran_core.catalogue.associate.assemble import assemble, batches_of
from claran_core.catalogue.build import ShardTables
from claran_core.catalogue.product.sky_order import healpix_pixels
from claran_core.common.files import read_arrow
from claran_core.common.flags import Flag


def written_shards(
    folder: Path, subjects: pd.DataFrame, rows: list[dict[str, Any]], n: int, order: np.ndarray
) -> list[ShardTables]:
    """Write the subjects and rows as `n` shards; return their files in the given order."""
    shards = []
    for number, part in enumerate(np.array_split(np.arange(len(subjects)), n)):
        own = subjects.iloc[part]
        named = set(own["subject_id"])
        shard_rows = [row for row in rows if row["subject_id"] in named]
        numbered = [row | {"detection": at} for at, row in enumerate(shard_rows)]
        shards.append(write_shard_files(folder, f"{number:05d}", numbered, own))
    return [shards[k] for k in order if k < n]


def assembled(folder: Path, shards: list[ShardTables]) -> pd.DataFrame:
    """Return the rows of the catalogue of some shards."""
    indexes = [read_arrow(shard.index).to_pandas() for shard in shards]
    found = assemble(
        [shard.sources for shard in shards],
        [index[["ra", "dec"]].to_numpy() for index in indexes],
        frame=FRAME,
        tolerance_arcsec=2.7,
        scratch=folder / "rows.arrow",
    )
    parts = [table.to_pandas() for table in found.rows(50)]
    assert found.is_row.sum() == len(found.names)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


@pytest.mark.parametrize(("ra", "dec"), [(0.0, 0.0), (10.0, 89.95)])
def test_rows_do_not_depend_on_shards_or_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ra: float, dec: float
) -> None:
    subjects, rows = grid_sky(5, ra_deg=ra, dec_deg=dec)
    whole = assembled(tmp_path, written_shards(tmp_path / "1", subjects, rows, 1, np.arange(1)))
    assert 50 < len(whole) < 75  # 60 sources; no subject shows all of some triples
    monkeypatch.setattr(module, "BATCH_ROWS", 40)  # otherwise all is one batch
    for n in (7, 64):
        for seed in (0, 1):
            order = np.random.default_rng(seed).permutation(n)
            folder = tmp_path / f"{n}-{seed}"
            parts = assembled(tmp_path, written_shards(folder, subjects, rows, n, order))
            pd.testing.assert_frame_equal(parts, whole)


def test_groups_leave_memory_once_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fields = [grid_sky(6, side=3, n=9, ra_deg=3.0 * k) for k in range(6)]
    monkeypatch.setattr(module, "BATCH_ROWS", 1)
    waiting = []
    close = module._close

    def spied(window: pa.Table, *rest: Any) -> pa.Table:
        left = close(window, *rest)
        waiting.append(len(left))
        return left

    monkeypatch.setattr(module, "_close", spied)
    shards = []
    for k, (subjects, rows) in enumerate(fields):
        names = {name: f"{k}-{name}" for name in subjects["subject_id"]}
        rows = [row | {"subject_id": names[row["subject_id"]]} for row in rows]
        subjects = subjects.assign(subject_id=subjects["subject_id"].map(names))
        half = subjects["subject_id"].isin(subjects["subject_id"][:5])
        for part, own in enumerate((subjects[half], subjects[~half])):
            named = set(own["subject_id"])
            shard_rows = [row for row in rows if row["subject_id"] in named]
            shards.append(write_shard_files(tmp_path, f"{2 * k + part:05d}", shard_rows, own))
    assembled(tmp_path, shards)
    # The first half of each field waits for the second; then both are complete.
    assert min(waiting[0::2]) > 0 and waiting[1::2] == [0] * 6


def test_duplicates_are_counted_and_disagreement_is_flagged(tmp_path: Path) -> None:
    places = [(10.0, 5.0), (10.0, 5.01)]
    subjects = pd.DataFrame({"subject_id": ["a", "b", "c"], "ra": 10.0, "dec": 5.0})
    rows = [
        source_row("a", places, frame_quality=0.9, detection=0),
        source_row("b", places, frame_quality=0.8, detection=1),
        source_row("c", places[:1], frame_quality=0.7, detection=2),
    ]
    table = assembled(tmp_path, [write_shard_files(tmp_path, "0", rows, subjects)])
    assert table["n_merged"].tolist() == [2] and table["subject_id"].tolist() == ["a"]
    assert table["flags"].tolist() == [int(Flag.VIEWS_DISAGREE)]


def test_a_truncated_source_is_merged_into_the_one_that_contains_it(tmp_path: Path) -> None:
    subjects = pd.DataFrame({"subject_id": ["a", "b"], "ra": 10.0, "dec": [5.0, 5.0 + 85 / 3600]})
    tight: dict[str, Any] = {"tight_ra": 10.0, "tight_dec": 5.0, "tight_width": 10.0, "tight_height": 20.0}
    whole = source_row("a", [(10.0, 5.0)], frame_quality=0.9, **tight)
    cut: dict[str, Any] = {"flags": int(Flag.EDGE), "frame_quality": 0.0, "detection": 1}
    piece = source_row("b", [(10.0, 5.0 + 9 / 3600)], **cut, **tight | {"tight_dec": 5.0 + 9 / 3600})
    other = source_row("b", [(10.0, 5.0 + 30 / 3600)], **cut, **tight | {"tight_dec": 5.0 + 30 / 3600})
    for number, (rows, listed) in enumerate(
        (([whole, piece], ["a"]), ([whole, other], ["a", "b"]), ([piece], ["b"]))
    ):
        folder = tmp_path / str(number)
        table = assembled(folder, [write_shard_files(folder, "0", rows, subjects)])
        assert sorted(table["subject_id"]) == listed
        assert table["n_merged"].tolist() == [1] * len(listed)
        assert not (table["flags"] & int(Flag.VIEWS_DISAGREE)).any()


def test_rows_are_named_and_sorted_by_sky_position(tmp_path: Path) -> None:
    subjects, rows = grid_sky(7)
    table = assembled(tmp_path, written_shards(tmp_path, subjects, rows, 3, np.arange(3)))
    assert table["source_id"].is_unique
    pixel = healpix_pixels(table["ra"].to_numpy(), table["dec"].to_numpy())
    assert list(zip(pixel, table["source_id"], strict=True)) == sorted(
        zip(pixel, table["source_id"], strict=True)
    )


def test_no_sources_and_no_shards_give_an_empty_catalogue(tmp_path: Path) -> None:
    subjects = pd.DataFrame({"subject_id": ["a"], "ra": 10.0, "dec": 5.0})
    assert len(assembled(tmp_path, [write_shard_files(tmp_path, "0", [], subjects)])) == 0
    assert len(assembled(tmp_path, [])) == 0


def test_batches_hold_a_limited_number_of_rows_or_one_shard() -> None:
    assert batches_of(np.array([3, 3, 3, 9, 1]), 6) == [[0, 1], [2], [3], [4]]
    assert batches_of(np.array([], int), 6) == []
