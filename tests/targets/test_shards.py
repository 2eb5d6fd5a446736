"""Shards: their size and extent, stability when targets change, and the plan before the run."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import NoReturn

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claran_core.common.errors import InputError
from claran_core.common.files import read_table
from claran_core.common.paths import Results
from claran_core.settings.config import Config, load_config
from claran_core.targets import shards
from claran_core.targets.shards import ShardPlan, assign_shards, plan, write_targets


def random_targets(n: int, seed: int = 1) -> pd.DataFrame:
    """Return targets spread evenly over the sky."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "subject_id": [f"s{number:04d}" for number in range(n)],
            "ra": rng.uniform(0, 360, n),
            "dec": np.rad2deg(np.arcsin(rng.uniform(-1, 1, n))),
            "scale": 1,
            "split": "none",
        }
    )


def members(assigned: pd.DataFrame) -> dict[str, set[str]]:
    """Return the subjects of each shard."""
    return {str(shard): set(rows["subject_id"]) for shard, rows in assigned.groupby("shard")}


def test_all_shards_but_the_last_are_full() -> None:
    counts = assign_shards(random_targets(25), None, 10)["shard"].value_counts().to_dict()
    assert counts == {"00000": 10, "00001": 10, "00002": 5}


@given(st.randoms(use_true_random=False), st.integers(1, 60), st.integers(1, 20))
@settings(max_examples=30)
def test_shards_do_not_depend_on_the_order_of_rows(random: Random, n: int, size: int) -> None:
    targets = random_targets(n)
    order = list(range(n))
    random.shuffle(order)
    shuffled = targets.iloc[order].reset_index(drop=True)
    pd.testing.assert_frame_equal(assign_shards(targets, None, size), assign_shards(shuffled, None, size))


def test_subjects_of_a_shard_are_close_on_the_sky() -> None:
    assigned = assign_shards(random_targets(4000), None, 40)
    ra, dec = np.deg2rad(assigned["ra"].to_numpy()), np.deg2rad(assigned["dec"].to_numpy())
    vectors = np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=1)
    spread = [
        np.rad2deg(np.arccos(np.clip((group @ group[0]).min(), -1, 1)))
        for group in (vectors[assigned["shard"] == name] for name in assigned["shard"].unique())
    ]
    # 40 of 4000 subjects cover 1 % of the sky: a square 20 degrees wide.
    assert np.median(spread) < 30


def test_targets_at_one_position_are_ordered_by_id() -> None:
    same = pd.DataFrame({"subject_id": ["b", "a", "Z"], "ra": 1.0, "dec": 2.0, "scale": 1, "split": "none"})
    assert assign_shards(same, None, 2)["subject_id"].tolist() == ["Z", "a", "b"]


def test_added_targets_leave_existing_shards_unchanged() -> None:
    targets = random_targets(40)
    before = assign_shards(targets.iloc[:25], None, 10)
    after = assign_shards(targets, before, 10)
    kept = after[after["shard"].isin(before["shard"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, before)
    assert sorted(after["shard"].unique()) == ["00000", "00001", "00002", "00003", "00004"]
    assert set(after[after["shard"] >= "00003"]["subject_id"]) == set(targets["subject_id"][25:])


def test_removed_and_moved_targets_change_only_their_own_shards() -> None:
    before = assign_shards(random_targets(30), None, 10)
    removed, moved = before["subject_id"][0], before["subject_id"][12]
    targets = before[before["subject_id"] != removed].drop(columns="shard").reset_index(drop=True)
    targets.loc[targets["subject_id"] == moved, "dec"] *= 0.5
    after = members(assign_shards(targets, before, 10))
    earlier = members(before)
    assert after["00000"] == earlier["00000"] - {removed}
    assert after["00001"] == earlier["00001"] - {moved}
    assert after["00002"] == earlier["00002"]
    assert after["00003"] == {moved}


Run = tuple[Path, Results, Callable[[int], Config]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return a targets file, results, and a function that makes a configuration with a shard size."""
    path = tmp_path / "targets.csv"
    random_targets(25).to_csv(path, index=False)
    return path, Results(tmp_path / "results"), lambda size: load_config({"shard_size": size})


def test_written_shards_are_those_of_the_plan(run: Run) -> None:
    path, results, config = run
    planned = plan(config(10), path, results)
    assert not results.root.exists()
    assert planned == ShardPlan(names=("00000", "00001", "00002"), stale=("00000", "00001", "00002"))
    write_targets(config(10), path, results)
    assert plan(config(10), path, results) == ShardPlan(names=planned.names, stale=())
    targets = read_table(results.targets)
    assert targets["shard"].value_counts().to_dict() == {"00000": 10, "00001": 10, "00002": 5}
    lists = [read_table(results.shard_targets(shard)) for shard in planned.names]
    pd.testing.assert_frame_equal(pd.concat(lists, ignore_index=True), targets)


def test_only_the_process_that_plans_reads_all_bytes_of_the_targets(run: Run) -> None:
    path, results, config = run
    write_targets(config(10), path, results)
    content = bytearray(results.targets.read_bytes())
    content[40] ^= 1  # in the first page of the first column
    results.targets.write_bytes(content)
    assert plan(config(10), path, results, verify=False).names == ("00000", "00001", "00002")
    with pytest.raises(InputError, match="a byte has changed"):
        plan(config(10), path, results)
    with pytest.raises(InputError, match="a byte has changed"):  # who reads rows reads all bytes
        read_table(results.targets)


def test_added_targets_do_not_rewrite_lists_of_existing_shards(run: Run) -> None:
    path, results, config = run
    write_targets(config(10), path, results)
    before = {file.name: file.stat().st_mtime_ns for file in results.shard_targets("0").parent.iterdir()}
    old, new = random_targets(25), random_targets(6, seed=2).assign(subject_id=[f"new{n}" for n in range(6)])
    pd.concat([new, old]).to_csv(path, index=False)
    assert plan(config(10), path, results).stale == ("00003",)
    write_targets(config(10), path, results)
    after = {file.name: file.stat().st_mtime_ns for file in results.shard_targets("0").parent.iterdir()}
    assert after.keys() - before.keys() == {"00003.parquet"}
    assert {name: after[name] for name in before} == before


def test_added_scales_do_not_rewrite_lists_of_existing_shards(tmp_path: Path) -> None:
    path, results = tmp_path / "targets.csv", Results(tmp_path / "results")
    random_targets(25).drop(columns="scale").to_csv(path, index=False)
    seen = [load_config({"shard_size": 10, "targets": {"scales": scales}}) for scales in ([1], [1, 2])]
    write_targets(seen[0], path, results)
    before = read_table(results.targets)
    assert plan(seen[1], path, results).stale == ("00003", "00004", "00005")
    write_targets(seen[1], path, results)
    after = read_table(results.targets)
    pd.testing.assert_frame_equal(after[after["scale"] == 1].reset_index(drop=True), before)
    assert after["shard"][after["scale"] == 2].min() == "00003"
    assert plan(seen[1], path, results).stale == ()


def test_views_of_all_scales_are_together() -> None:
    targets = random_targets(20)
    coarse = targets.assign(subject_id=targets["subject_id"] + "_x2", scale=2)
    assigned = assign_shards(pd.concat([coarse, targets]), None, 10)
    assert assigned["scale"].tolist() == [1, 2] * 20
    assert (assigned["ra"].to_numpy()[::2] == assigned["ra"].to_numpy()[1::2]).all()


@pytest.mark.parametrize("change", ["removed", "moved", "split", "scale"])
def test_shard_with_changed_subjects_is_stale(run: Run, change: str) -> None:
    path, results, config = run
    write_targets(config(10), path, results)
    first = read_table(results.shard_targets("00001"))["subject_id"][0]
    targets = random_targets(25).set_index("subject_id")
    if change == "removed":
        targets = targets.drop(index=first)
    elif change == "moved":
        targets.loc[first, "dec"] = 1.0
    elif change == "scale":
        targets.loc[first, "scale"] = 2
    else:
        targets["split"] = "none"
        targets.loc[first, "split"] = "test"
    targets.reset_index().to_csv(path, index=False)
    stale = plan(config(10), path, results).stale
    assert stale[0] == "00001" and set(stale) <= {"00001", "00003"}
    write_targets(config(10), path, results)
    assert plan(config(10), path, results).stale == ()


def test_shard_with_a_missing_list_is_stale(run: Run) -> None:
    path, results, config = run
    write_targets(config(10), path, results)
    results.shard_targets("00001").unlink()
    assert plan(config(10), path, results).stale == ("00001",)


def test_new_shard_size_assigns_all_targets_again(run: Run) -> None:
    path, results, config = run
    write_targets(config(10), path, results)
    names = tuple(f"0000{n}" for n in range(5))
    assert plan(config(5), path, results) == ShardPlan(names=names, stale=names)
    write_targets(config(5), path, results)
    assert plan(config(5), path, results) == ShardPlan(names=names, stale=())


def test_unchanged_table_is_not_read_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    path, results, config = run
    write_targets(config(10), path, results)
    written = plan(config(10), path, results)

    def refuse(*_: object) -> NoReturn:
        raise AssertionError("the table was read")

    monkeypatch.setattr(shards, "read_targets", refuse)
    assert plan(config(10), path, results) == written
    os.utime(path, (1, 1))  # touched, but the same bytes
    assert plan(config(10), path, results) == written
    path.write_text(path.read_text().replace("s0001", "s9991"))  # the same length
    with pytest.raises(AssertionError, match="was read"):
        plan(config(10), path, results)


def test_missing_table_is_refused_in_one_line(run: Run, tmp_path: Path) -> None:
    path, results, config = run
    with pytest.raises(InputError, match="no such file"):
        plan(config(10), tmp_path / "other.csv", results)
    write_targets(config(10), path, results)
    path.unlink()
    with pytest.raises(InputError, match="targets.path"):
        plan(config(10), path, results)


def test_million_targets_are_assigned_within_a_minute() -> None:
    rng = np.random.default_rng(1)
    n = 1_000_000
    places = {"ra": rng.uniform(0, 360, n), "dec": rng.uniform(-90, 90, n)}
    targets = pd.DataFrame({**places, "scale": 1, "split": "none"})
    targets["subject_id"] = np.arange(n).astype(str)
    start = time.process_time()
    assigned = assign_shards(targets, None, 512)
    assert time.process_time() - start < 60
    assert assigned["shard"].nunique() == -(-n // 512)
