"""The benchmark of the stages from cut-outs to catalogue rows."""

from pathlib import Path

import pandas as pd

from benchmarks.speed.path import STAGES, best, table, write_run
from claran_core.common.paths import REPOSITORY
from claran_core.settings.config import load_config


def test_run_has_the_targets_in_one_shard_without_labels(tmp_path: Path) -> None:
    write_run(tmp_path / "run", 8)
    targets = pd.read_csv(tmp_path / "run" / "targets.csv")
    assert list(targets.columns) == ["subject_id", "ra", "dec"] and len(targets) == 8
    assert load_config(tmp_path / "run" / "settings.yaml").shard_size == 8


def test_measured_stages_are_those_of_the_workflow() -> None:
    rules = {path.stem for path in (REPOSITORY / "workflow" / "rules").glob("*.smk")}
    assert set(STAGES) <= rules


def test_table_gives_ratios_to_the_yardsticks_and_the_sum() -> None:
    printed = table({"fusion": (3.0, 1.5), "inference": (1.0, 2.5)}, {"image": 2.0, "product": 4.0})
    assert "| fusion | 3.00 | 1.500 | 0.750 | 1.5 |" in printed
    assert "| all | 4.00 | 2.000 | 1.000 | 4.0 |" in printed and "image: 2.00 ms" in printed


def test_best_time_grows_with_the_work() -> None:
    assert best(lambda: sum(range(2_000_000)), 3) > best(lambda: sum(range(1000)), 3) >= 0
