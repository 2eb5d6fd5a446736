"""The figures are drawn for every kind of result, as complete PNG files."""

from pathlib import Path

import matplotlib.colors
import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from claran_core.common.boxes import BOX_COLUMNS
from claran_core.common.paths import EVALUATION_FIGURES, Results
from claran_core.evaluation.draw import plot_figures
from claran_core.evaluation.figures import LOSSES, VALIDATION_COLOUR, plot_losses
from claran_core.evaluation.metrics import Sample, evaluate, evaluate_sources
from claran_core.settings.evaluation import ScoringOptions

COLUMNS = ["subject_id", "morphology", *BOX_COLUMNS]


def draw(folder: Path, n: int, *, with_consensus: bool = True) -> dict[str, Path]:
    """Draw all figures of `n` subjects."""
    labels = pd.DataFrame([(f"s{i}", "1C_1P", 0, 0, 10, 10 + i) for i in range(n)], columns=COLUMNS)
    if with_consensus:
        labels["consensus"] = np.linspace(0.5, 1, n)
    detections = labels.assign(probability=np.linspace(0.1, 0.9, n))
    detections.loc[::3, "box_x1"] = 8
    sample = Sample("test", np.array([f"s{i}" for i in range(n)], str))
    options = ScoringOptions(min_iou=0.5, bootstrap=10)
    metrics = evaluate(detections, labels, sample, options, min_probability=0.5, method="D4", seed=0)
    paths = Results(folder).evaluation_figures("D4")
    plot_figures(paths, metrics, evaluate_sources(detections, labels, sample, options, min_probability=0.5))
    return paths


def some_losses(n: int) -> pd.DataFrame:
    """Return falling losses of `n` iterations."""
    falling = np.exp(-np.arange(n) / 300)
    return pd.DataFrame({"iteration": np.arange(1, n + 1), **{name: falling for name in LOSSES}})


def ink(path: Path) -> float:
    """Return how dark the figure is on average; 0 is white."""
    return float(1 - matplotlib.image.imread(path)[..., :3].mean())


def test_every_figure_is_drawn_with_and_without_data(tmp_path: Path) -> None:
    some, none = draw(tmp_path / "some", 30), draw(tmp_path / "none", 0)
    assert list(some) == list(EVALUATION_FIGURES)
    for name in EVALUATION_FIGURES:
        assert ink(some[name]) > ink(none[name]) > 0, name


def test_unknown_consensus_levels_are_logged_in_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        known = draw(tmp_path / "known", 30)
        assert "consensus" not in caplog.text
        unknown = draw(tmp_path / "unknown", 30, with_consensus=False)
    assert [record.getMessage() for record in caplog.records] == [
        "D4: no consensus levels; the consensus figure is empty"
    ]
    assert ink(known["consensus"]) > ink(unknown["consensus"]) > 0


@pytest.mark.parametrize("n", [1, 149, 1001])
def test_losses_are_stacked(tmp_path: Path, n: int) -> None:
    plot_losses(tmp_path / "losses.png", some_losses(n))
    plot_losses(tmp_path / "empty.png", some_losses(0))
    assert ink(tmp_path / "losses.png") > ink(tmp_path / "empty.png") > 0


def test_the_validation_loss_is_drawn_where_it_was_measured(tmp_path: Path) -> None:
    none, some = some_losses(40).assign(validation=np.nan), some_losses(40).assign(validation=np.nan)
    some.loc[[9, 19, 29, 39], "validation"] = [6.0, 5.0, 4.5, 5.5]  # higher than the training error ever was
    for name, losses in (("without", some_losses(40)), ("none", none), ("some", some)):
        plot_losses(tmp_path / name, losses)
    assert (tmp_path / "none").read_bytes() == (tmp_path / "without").read_bytes()
    pixels = matplotlib.image.imread(tmp_path / "some", format="png")[..., :3]
    drawn = np.abs(pixels - matplotlib.colors.to_rgb(VALIDATION_COLOUR)).max(axis=2) < 0.02
    rows, columns = np.nonzero(drawn)
    assert np.ptp(rows) > 50 and np.ptp(columns) > 0.5 * pixels.shape[1]


def test_equal_figures_are_equal_bytes_and_leave_no_other_file(tmp_path: Path) -> None:
    for name in ("one.png", "two.png"):
        plot_losses(tmp_path / name, some_losses(50))
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.png", "two.png"]
