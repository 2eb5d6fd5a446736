"""The figures are drawn for every kind of result, and are complete PNG files."""

from pathlib import Path

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from claran_core.config import EvaluationOptions
from claran_core.evaluation import Sample, evaluate, plot_losses, plot_precision_recall
from claran_core.evaluation.figures import LOSSES
from claran_core.overlap import BOX_COLUMNS

COLUMNS = ["subject_id", "morphology", *BOX_COLUMNS]


def some_metrics(n: int) -> dict:
    labels = pd.DataFrame([(f"s{i}", "1C_1P", 0, 0, 10, 10) for i in range(n)], columns=COLUMNS)
    detections = labels.assign(probability=np.linspace(0.1, 0.9, n))
    detections.loc[::3, "box_x1"] = 8
    sample = Sample("test", np.array([f"s{i}" for i in range(n)], str))
    return evaluate(detections, labels, sample, EvaluationOptions(0.5, 10), method="D4", seed=0)


def some_losses(n: int) -> pd.DataFrame:
    falling = np.exp(-np.arange(n) / 300)
    return pd.DataFrame({"iteration": np.arange(1, n + 1), **{name: falling for name in LOSSES}})


def ink(path: Path) -> float:
    """Share of pixels that are not white."""
    return float((matplotlib.image.imread(path)[..., :3].min(axis=2) < 0.99).mean())


def test_precision_recall_draws_curves(tmp_path: Path) -> None:
    plot_precision_recall(tmp_path / "some.png", some_metrics(30))
    plot_precision_recall(tmp_path / "none.png", some_metrics(0))
    assert ink(tmp_path / "some.png") > ink(tmp_path / "none.png") > 0


@pytest.mark.parametrize("n", [1, 149, 1001])
def test_losses_are_stacked(tmp_path: Path, n: int) -> None:
    plot_losses(tmp_path / "losses.png", some_losses(n))
    plot_losses(tmp_path / "empty.png", some_losses(0))
    assert ink(tmp_path / "losses.png") > ink(tmp_path / "empty.png") > 0


def test_equal_figures_are_equal_bytes_and_leave_no_other_file(tmp_path: Path) -> None:
    for name in ("one.png", "two.png"):
        plot_losses(tmp_path / name, some_losses(50))
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.png", "two.png"]
