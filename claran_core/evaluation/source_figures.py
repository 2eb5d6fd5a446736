"""Plot the confusion matrix, box sizes (paper Fig. 13) and consensus levels (Fig. 14)."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from claran_core.evaluation.confusion import MISSED
from claran_core.evaluation.figure_style import (
    COLOURS,
    new_figure,
    new_panels,
    save_figure,
    say_nothing_to_show,
)

__all__ = ["plot_box_sizes", "plot_confusion", "plot_consensus"]

# Cells with a larger share of their row have white text, which is legible on dark blue.
DARK_SHARE = 0.55

# More points than this are drawn smaller.
MANY_POINTS = 300


def plot_confusion(path: Path, metrics: Mapping[str, Any]) -> None:
    """Draw the confusion matrix: numbers, shaded by their share of the row.

    Parameters
    ----------
    path : Path
        PNG to write.
    metrics : mapping
        Result of `claran_core.evaluation.metrics.evaluate`.
    """
    confusion, classes = metrics["confusion"], metrics["classes"]
    table = pd.DataFrame.from_dict(confusion["counts"], orient="index", columns=[*classes, MISSED])
    counts = table.to_numpy(float)
    totals = np.nansum(counts, axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
    figure, axes = new_figure()
    axes.grid(visible=False)
    axes.imshow(np.ma.masked_invalid(shares), cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), count in np.ndenumerate(counts):
        if not np.isnan(count):
            colour = "white" if shares[row, column] > DARK_SHARE else "black"
            text = f"{count:.0f}\n{_percent(shares[row, column])}" if count else "0"
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=8)
    axes.axhline(len(classes) - 0.5, color="black", lw=0.8)
    axes.axvline(len(classes) - 0.5, color="black", lw=0.8)
    axes.set_xticks(range(counts.shape[1]), table.columns)
    axes.set_yticks(range(counts.shape[0]), table.index)
    axes.set(xlabel="Listed as", ylabel="True class")
    axes.set_title(
        f"{metrics['method']}: sources of probability {confusion['min_probability']} or more; % of each row",
        loc="left",
    )
    save_figure(figure, path)


def _percent(share: float) -> str:
    return "<1 %" if share < 0.005 else f"{100 * share:.0f} %"


def plot_box_sizes(path: Path, metrics: Mapping[str, Any], sources: pd.DataFrame) -> None:
    """Draw the distribution of box sizes (paper Fig. 13), and each detected size against the true one.

    Parameters
    ----------
    path : Path
        PNG to write.
    metrics : mapping
        Result of `claran_core.evaluation.metrics.evaluate`.
    sources : DataFrame
        Columns of `claran_core.evaluation.sources.TRUE_SOURCES`.
    """
    found = sources[sources["found_width"].notna()]
    figure, (left, right) = new_panels(1, 2)
    if found.empty:
        say_nothing_to_show(left, "No source was found.")
        right.set_axis_off()
    else:
        _size_boxes(left, found, metrics["classes"])
        _size_pairs(right, found, metrics["box_width"])
    figure.suptitle(f"{metrics['method']}: {len(found)} true detections", x=0.01, ha="left")
    save_figure(figure, path)


def _size_boxes(axes: Axes, found: pd.DataFrame, classes: Sequence[str]) -> None:
    for shift, column, face in ((-0.19, "width", "white"), (0.19, "found_width", None)):
        widths = [found.loc[found["morphology"] == name, column].to_numpy() for name in classes]
        drawn = axes.boxplot(
            widths,
            positions=np.arange(len(classes)) + shift,
            widths=0.32,
            patch_artist=True,
            showfliers=False,
            manage_ticks=False,
            medianprops={"color": "black"},
        )
        for box, colour in zip(drawn["boxes"], cycle(COLOURS), strict=False):
            box.set(facecolor=face or colour, edgecolor=colour)
    axes.set_xticks(range(len(classes)), classes, fontsize=8)
    axes.set(ylabel="Box width (px)", ylim=(0, None))
    axes.set_title("true (white), detected (filled)", loc="left", fontsize=10)


def _size_pairs(axes: Axes, found: pd.DataFrame, correlations: Mapping[str, Any]) -> None:
    size = 3 if len(found) > MANY_POINTS else 7
    for (name, known), colour in zip(correlations.items(), cycle(COLOURS), strict=False):
        rows = found[found["morphology"] == name]
        r = known["correlation"]
        label = f"{name}  r {'n/a' if r is None else f'{r:.3f}'}, {len(rows)}"
        axes.plot(rows["width"], rows["found_width"], ".", color=colour, ms=size, alpha=0.5, label=label)
    top = 1.05 * float(found[["width", "found_width"]].to_numpy().max())
    axes.plot([0, top], [0, top], color="black", lw=0.8)
    axes.set(xlim=(0, top), ylim=(0, top), xlabel="True width (px)", ylabel="Detected width (px)")
    axes.legend(loc="upper left", frameon=False, fontsize=8, markerscale=9 / size, handletextpad=0.2)


def plot_consensus(path: Path, metrics: Mapping[str, Any]) -> None:
    """Draw median and quartiles of the probability per bin of the consensus level (paper Fig. 14).

    Parameters
    ----------
    path : Path
        PNG to write.
    metrics : mapping
        Result of `claran_core.evaluation.metrics.evaluate`.
    """
    levels = metrics["consensus"]
    if levels is None:
        figure, axes = new_figure()
        say_nothing_to_show(axes, "No consensus levels are known.")
    else:
        figure, panels = new_panels(-(-len(levels) // 3), 3, share_axes=True)
        for axes, name, colour in zip(panels, levels, cycle(COLOURS), strict=False):
            _level_bars(axes, levels[name], colour)
            axes.set_title(name, loc="left", fontsize=10)
        panels[0].set_ylim(0, 1.12)
        for axes in panels[::3]:
            axes.set_ylabel("Probability")
        for axes in panels[len(levels) :]:
            axes.set_axis_off()
        for axes in panels[-3:]:
            axes.set_xlabel("Consensus level")
        figure.suptitle(
            f"{metrics['method']}: true detections: median, quartiles and number", x=0.01, ha="left"
        )
    save_figure(figure, path)


def _level_bars(axes: Axes, bins: list[dict[str, Any]], colour: str) -> None:
    for place, one in enumerate(bins):
        if one["n_found"]:
            low, middle, high = one["quartile_1"], one["median"], one["quartile_3"]
            axes.bar(place, high - low, 0.6, bottom=low, color=colour, alpha=0.5, edgecolor=colour)
            axes.hlines(middle, place - 0.3, place + 0.3, color="black", lw=1.6)
        axes.text(place, 1.03, str(one["n_found"]), ha="center", fontsize=7)
    axes.set_xticks(range(len(bins)), [f"{one['low']:g}-{one['high']:g}" for one in bins], fontsize=7)
    axes.set_xlim(-0.6, len(bins) - 0.4)
