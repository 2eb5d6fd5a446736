"""Shards: size, closeness, stability, and a plan that is known before the run."""

import os
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claran_core.common.errors import InputError
from claran_core.common.files import read_table
from claran_core.common.paths import Results
from claran_core.settings.config import load_config
from claran_core.targets import shards
from claran_core.targets.shards import ShardPlan, assign_shards, plan, write_targets


def sky(n, seed=1):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "subject_id": [f"s{number:04d}" for number in range(n)],
            "ra": rng.uniform(0, 360, n),
            "dec": np.rad2deg(np.arcsin(rng.uniform(-1, 1, n))),
            "split": "none",
        }
    )


def members(assigned):
    return {shard: set(rows["subject_id"]) for shard, rows in assigned.groupby("shard")}


def test_shards_are_full_but_for_the_last():
    counts = assign_shards(sky(25), None, 10)["shard"].value_counts().to_dict()
    assert counts == {"00000": 10, "00001": 10, "00002": 5}


@given(st.randoms(use_true_random=False), st.integers(1, 60), st.integers(1, 20))
@settings(max_examples=30)
def test_the_order_of_rows_does_not_matter(random, n, size):
    targets = sky(n)
    order = list(range(n))
    random.shuffle(order)
    shuffled = targets.iloc[order].reset_index(drop=True)
    pd.testing.assert_frame_equal(assign_shards(targets, None, size), assign_shards(shuffled, None, size))


def test_subjects_of_a_shard_are_close():
    assigned = assign_shards(sky(4000), None, 40)
    ra, dec = np.deg2rad(assigned["ra"].to_numpy()), np.deg2rad(assigned["dec"].to_numpy())
    vectors = np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=1)
    spread = [
        np.rad2deg(np.arccos(np.clip((group @ group[0]).min(), -1, 1)))
        for group in (vectors[assigned["shard"] == name] for name in assigned["shard"].unique())
    ]
    # 40 of 4000 are 1 % of the sky: 20 degrees across if square.
    assert np.median(spread) < 30


def test_targets_at_one_position_are_ordered_by_id():
    same = pd.DataFrame({"subject_id": ["b", "a", "Z"], "ra": 1.0, "dec": 2.0, "split": "none"})
    assert assign_shards(same, None, 2)["subject_id"].tolist() == ["Z", "a", "b"]


def test_added_targets_leave_shards_alone():
    targets = sky(40)
    before = assign_shards(targets.iloc[:25], None, 10)
    after = assign_shards(targets, before, 10)
    kept = after[after["shard"].isin(before["shard"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, before)
    assert sorted(after["shard"].unique()) == ["00000", "00001", "00002", "00003", "00004"]
    assert set(after[after["shard"] >= "00003"]["subject_id"]) == set(targets["subject_id"][25:])


def test_removed_and_moved_targets_change_only_their_shards():
    before = assign_shards(sky(30), None, 10)
    gone, moved = before["subject_id"][0], before["subject_id"][12]
    targets = before[before["subject_id"] != gone].drop(columns="shard").reset_index(drop=True)
    targets.loc[targets["subject_id"] == moved, "dec"] *= 0.5
    after = members(assign_shards(targets, before, 10))
    was = members(before)
    assert after["00000"] == was["00000"] - {gone}
    assert after["00001"] == was["00001"] - {moved}
    assert after["00002"] == was["00002"]
    assert after["00003"] == {moved}


@pytest.fixture
def run(tmp_path):
    """Targets file, results and a function that plans with a shard size."""
    path = tmp_path / "targets.csv"
    sky(25).to_csv(path, index=False)
    return path, Results(tmp_path / "results"), lambda size: load_config({"shard_size": size})


def test_the_plan_is_what_is_written(run):
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


def test_added_targets_leave_the_lists_of_old_shards_alone(run):
    path, results, config = run
    write_targets(config(10), path, results)
    before = {file.name: file.stat().st_mtime_ns for file in results.shard_targets("0").parent.iterdir()}
    old, new = sky(25), sky(6, seed=2).assign(subject_id=[f"new{n}" for n in range(6)])
    pd.concat([new, old]).to_csv(path, index=False)
    assert plan(config(10), path, results).stale == ("00003",)
    write_targets(config(10), path, results)
    after = {file.name: file.stat().st_mtime_ns for file in results.shard_targets("0").parent.iterdir()}
    assert after.keys() - before.keys() == {"00003.parquet"}
    assert {name: after[name] for name in before} == before


@pytest.mark.parametrize("change", ["removed", "moved", "split"])
def test_a_shard_whose_subjects_changed_is_stale(run, change):
    path, results, config = run
    write_targets(config(10), path, results)
    first = read_table(results.shard_targets("00001"))["subject_id"][0]
    targets = sky(25).set_index("subject_id")
    if change == "removed":
        targets = targets.drop(index=first)
    elif change == "moved":
        targets.loc[first, "dec"] = 1.0
    else:
        targets["split"] = "none"
        targets.loc[first, "split"] = "test"
    targets.reset_index().to_csv(path, index=False)
    stale = plan(config(10), path, results).stale
    assert stale[0] == "00001" and set(stale) <= {"00001", "00003"}
    write_targets(config(10), path, results)
    assert plan(config(10), path, results).stale == ()


def test_a_lost_list_is_written_again(run):
    path, results, config = run
    write_targets(config(10), path, results)
    results.shard_targets("00001").unlink()
    assert plan(config(10), path, results).stale == ("00001",)


def test_a_new_shard_size_cuts_everything_again(run):
    path, results, config = run
    write_targets(config(10), path, results)
    names = tuple(f"0000{n}" for n in range(5))
    assert plan(config(5), path, results) == ShardPlan(names=names, stale=names)
    write_targets(config(5), path, results)
    assert plan(config(5), path, results) == ShardPlan(names=names, stale=())


def test_an_unchanged_table_is_not_read_again(run, monkeypatch):
    path, results, config = run
    write_targets(config(10), path, results)
    written = plan(config(10), path, results)

    def refuse(*_):
        raise AssertionError("the table was read")

    monkeypatch.setattr(shards, "read_targets", refuse)
    assert plan(config(10), path, results) == written
    os.utime(path, (1, 1))  # touched, but the same bytes
    assert plan(config(10), path, results) == written
    path.write_text(path.read_text().replace("s0001", "s9991"))  # the same length
    with pytest.raises(AssertionError, match="was read"):
        plan(config(10), path, results)


def test_a_missing_or_bad_table_is_one_line(run, tmp_path):
    path, results, config = run
    with pytest.raises(InputError, match="no such file"):
        plan(config(10), tmp_path / "other.csv", results)
    write_targets(config(10), path, results)
    path.unlink()
    with pytest.raises(InputError, match="targets.path"):
        plan(config(10), path, results)


def test_a_million_targets_are_cut_in_seconds():
    rng = np.random.default_rng(1)
    n = 1_000_000
    targets = pd.DataFrame({"ra": rng.uniform(0, 360, n), "dec": rng.uniform(-90, 90, n), "split": "none"})
    targets["subject_id"] = np.arange(n).astype(str)
    start = time.process_time()
    assigned = assign_shards(targets, None, 512)
    assert time.process_time() - start < 60
    assert assigned["shard"].nunique() == -(-n // 512)
