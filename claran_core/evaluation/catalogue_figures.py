"""Plot the catalogue's completeness and reliability against flux density, size and class."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from claran_core.evaluation.figure_style import COLOURS, new_panels, save_figure, say_nothing_to_show

__all__ = ["plot_catalogue_shares"]

# Columns on the horizontal axes, with axis labels.
AXES = {
    "flux": "Flux density (mJy)",
    "angular_size": "Angular size (arcsec)",
    "morphology": "Class",
}
MEASURES = {"completeness": "Completeness", "reliability": "Reliability"}

# Horizontal distance of the two intervals of one bin.
INTERVAL_SPACING = 0.2


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
            chosen = (bins["measure"] == measure) & (bins["against"] == against)
            _draw(axes, bins[chosen], AXES[against])
            if column == 0:
                axes.set_ylabel(title)
    if panels[0].containers:
        panels[0].legend(loc="lower right", frameon=False, fontsize=8)
    figure.suptitle("Catalogue against truth: rows that hold exactly one whole source", x=0.01, ha="left")
    save_figure(figure, path)


def _draw(axes: Axes, bins: pd.DataFrame, label: str) -> None:
    if not bins["n"].any():
        say_nothing_to_show(axes, "no data")
        return
    for shift, prefix, colour, name in (
        (-INTERVAL_SPACING / 2, "share", COLOURS[0], "source"),
        (INTERVAL_SPACING / 2, "class_share", COLOURS[4], "source and class"),
    ):
        share, low, high = (bins[f"{prefix}{end}"].to_numpy(float) for end in ("", "_low", "_high"))
        known = np.flatnonzero(np.isfinite(share))
        bars = np.stack([share - low, high - share])[:, known]
        axes.errorbar(known + shift, share[known], bars, fmt="o", ms=3, lw=1.2, color=colour, label=name)
    for place, n in enumerate(bins["n"]):
        axes.text(place, 1.04, str(n), ha="center", fontsize=6)
    axes.set_xticks(range(len(bins)), bins["bin"], fontsize=6, rotation=45)
    axes.set(ylim=(0, 1.12), xlim=(-0.6, len(bins) - 0.4), xlabel=label)
