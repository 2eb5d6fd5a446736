"""Plot precision-recall curves (paper Fig. 10) and training losses (Fig. 8, 9)."""

from collections.abc import Mapping
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from claran_core.evaluation.figure_style import COLOURS, DASHES, new_figure, save_figure, say_nothing_to_show

__all__ = ["plot_losses", "plot_precision_recall"]

# Labels with the paper's equations, in the order of the stack from the bottom.
LOSSES = {
    "grouping": "grouping",
    "roi_box": "RoI box, $L_{rr}$ (eq. 10)",
    "roi_class": "RoI class, $L_{rc}$ (eq. 9)",
    "anchor_box": "anchor box, $L_{ar}$ (eq. 6)",
    "anchor_class": "anchor class, $L_{ac}$ (eq. 4)",
}

# Differs from the colours of the losses.
VALIDATION_COLOUR = COLOURS[5]

# Maximum number of bins over which iterations are averaged: single batches are noisy.
LOSS_BINS = 150


def plot_precision_recall(path: Path, metrics: Mapping[str, Any]) -> None:
    """Draw reliability against completeness of each class (paper Fig. 10).

    Parameters
    ----------
    path : Path
        PNG to write.
    metrics : mapping
        Result of `claran_core.evaluation.metrics.evaluate`.
    """
    figure, axes = new_figure()
    for name, colour, dash in zip(metrics["classes"], cycle(COLOURS), cycle(DASHES), strict=False):
        value = metrics["ap"][name]
        if value is None:
            continue
        curve = metrics["curves"][name]
        label = f"{name}  AP {value:.2f}, {metrics['counts']['sources'][name]} sources"
        axes.plot(curve["completeness"], curve["reliability"], dash, color=colour, lw=1.8, label=label)
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="Completeness (recall)", ylabel="Reliability (precision)")
    mean = metrics["ap"]["mean"]
    title = "no truth" if mean is None else f"mAP {mean:.3f}"
    axes.set_title(f"{metrics['method']}: {title}, {metrics['counts']['n_subjects']} subjects", loc="left")
    if axes.lines:
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=9)
    save_figure(figure, path)


def plot_losses(path: Path, losses: pd.DataFrame) -> None:
    """Draw the stacked training losses (paper Fig. 9); their sum is the curve of Fig. 8.

    Parameters
    ----------
    path : Path
        PNG to write.
    losses : DataFrame
        Columns of `claran_core.common.tables.LOSSES`; may be empty.  The loss on the validation subjects is
        drawn if column ``validation`` has values.
    """
    figure, axes = new_figure()
    if losses.empty:
        say_nothing_to_show(axes, "No training iterations were recorded.")
    else:
        _stack(axes, _binned(losses))
        if "validation" in losses:
            _draw_validation(axes, losses.dropna(subset="validation"))
        axes.legend(*_top_first(axes), loc="upper right", frameon=False, fontsize=9)
    save_figure(figure, path)


def _stack(axes: Axes, binned: pd.DataFrame) -> None:
    iteration = binned["iteration"].to_numpy()
    present = [name for name in LOSSES if binned[name].notna().any()]
    heights = [binned[name].to_numpy() for name in present]
    colours = [COLOURS[list(LOSSES).index(name)] for name in present]
    axes.stackplot(
        iteration, heights, labels=[LOSSES[name] for name in present], colors=colours, alpha=0.75, lw=0
    )
    total = np.sum(heights, axis=0)
    axes.plot(iteration, total, color="black", lw=1.0, label="sum (eq. 11)")
    axes.set(xlabel="Iteration", ylabel="Training loss")
    axes.set_xlim(iteration[0], max(iteration[-1], iteration[0] + 1))
    axes.set_ylim(bottom=0)
    axes.set_title(f"{iteration[-1]:.0f} iterations, final training loss {total[-1]:.3f}", loc="left")


def _draw_validation(axes: Axes, measured: pd.DataFrame) -> None:
    if measured.empty:
        return
    axes.plot(
        measured["iteration"],
        measured["validation"],
        color=VALIDATION_COLOUR,
        lw=1.5,
        marker="o",
        ms=4,
        label="validation subjects",
    )
    axes.set_ylim(bottom=0, top=max(axes.get_ylim()[1], 1.05 * measured["validation"].max()))


def _top_first(axes: Axes) -> tuple[list[Any], list[str]]:
    """Return the legend entries in the order of the stacked areas, from the top."""
    handles, labels = axes.get_legend_handles_labels()
    return handles[::-1], labels[::-1]


def _binned(losses: pd.DataFrame) -> pd.DataFrame:
    """Return means over consecutive iterations; a bin has the number of its last iteration."""
    ordered = losses.sort_values("iteration", kind="stable")
    width = -(-len(ordered) // LOSS_BINS)
    bins = np.arange(len(ordered)) // width
    columns = {name: "mean" for name in LOSSES}
    return ordered.groupby(bins).agg({"iteration": "last", **columns})
