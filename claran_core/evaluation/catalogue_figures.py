"""Figure of the catalogue's completeness and reliability against flux density, size and class."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from claran_core.evaluation.canvas import COLOURS, new_panels, save_figure, say_nothing_to_show

__all__ = ["plot_catalogue_shares"]

# Measured against: name of the axis, and whether it is logarithmic.
AXES = {
    "flux": ("Flux density (mJy)", True),
    "angular_size": ("Angular size (arcsec)", True),
    "morphology": ("Class", False),
}
MEASURES = {"completeness": "Completeness", "reliability": "Reliability"}

# Where the first bin starts on a logarithmic axis, and the last one ends, relative to its other edge.
OPEN_BIN = 2.0


def plot_catalogue_shares(path: Path, bins: pd.DataFrame) -> None:
    """Draw completeness (above) and reliability (below) with their 95 % intervals.

    Parameters
    ----------
    path : Path
        PNG to write.
    bins : DataFrame
        Columns of `claran_core.evaluation.catalogue_scores.BINS`.
    """
    figure, panels = new_panels(len(MEASURES), len(AXES))
    for row, (measure, title) in enumerate(MEASURES.items()):
        for column, against in enumerate(AXES):
            axes = panels[row * len(AXES) + column]
            chosen = (bins["measure"] == measure) & (bins["against"] == against) & (bins["n"] > 0)
            _draw(axes, bins[chosen], against)
            if column == 0:
                axes.set_ylabel(title)
    if panels[0].containers:
        panels[0].legend(loc="lower right", frameon=False, fontsize=8)
    figure.suptitle("Catalogue against truth: whole sources alone in their row", x=0.01, ha="left")
    save_figure(figure, path)


def _draw(axes: Axes, bins: pd.DataFrame, against: str) -> None:
    if bins.empty:
        say_nothing_to_show(axes, "nothing to measure")
        return
    label, logarithmic = AXES[against]
    places = _middles(bins) if logarithmic else np.arange(len(bins), dtype=float)
    # Side by side, so that intervals can be told apart.
    beside = places * 1.04 if logarithmic else places + 0.12
    for where, prefix, colour, name in (
        (places, "share", COLOURS[0], "source"),
        (beside, "class_share", COLOURS[4], "and class"),
    ):
        share, low, high = (bins[f"{prefix}{end}"].to_numpy(float) for end in ("", "_low", "_high"))
        axes.errorbar(
            where, share, [share - low, high - share], fmt="o", ms=3, lw=1.2, color=colour, label=name
        )
    for place, n in zip(places, bins["n"], strict=True):
        axes.text(place, 1.04, str(n), ha="center", fontsize=6)
    if logarithmic:
        axes.set_xscale("log")
    else:
        axes.set_xticks(places, bins["bin"], fontsize=6, rotation=45)
    axes.set(ylim=(0, 1.12), xlabel=label)


def _middles(bins: pd.DataFrame) -> np.ndarray:
    low, high = bins["low"].to_numpy(float), bins["high"].to_numpy(float)
    low, high = np.where(low > 0, low, high / OPEN_BIN), np.where(np.isnan(high), low * OPEN_BIN, high)
    return np.sqrt(low * high)
