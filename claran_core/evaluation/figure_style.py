"""Style shared by all figures of an evaluation: size, colours and PNG output.

Figures are `matplotlib.figure.Figure` objects, without pyplot and its global state.
"""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from claran_core.common.files import atomic_path

__all__ = ["COLOURS", "DASHES", "new_figure", "new_panels", "save_figure", "say_nothing_to_show"]

SIZE_INCHES = (7.2, 5.0)
DPI = 140

# Okabe & Ito's palette, for colour-blind readers; the dashes distinguish curves without colours.  More
# classes than these use them again.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9")
DASHES = ("-", "--", "-.", "-", "--", "-.")


def new_figure() -> tuple[Figure, Axes]:
    """Return a figure with one panel."""
    figure, axes = new_panels(1, 1)
    return figure, axes[0]


def new_panels(n_rows: int, n_columns: int, *, share_axes: bool = False) -> tuple[Figure, np.ndarray]:
    """Return a figure with several panels, (n_rows * n_columns,), row by row."""
    figure = Figure(figsize=SIZE_INCHES, dpi=DPI, layout="constrained")
    panels = figure.subplots(n_rows, n_columns, squeeze=False, sharex=share_axes, sharey=share_axes).ravel()
    for axes in panels:
        axes.grid(alpha=0.25, lw=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    return figure, panels


def say_nothing_to_show(axes: Axes, text: str) -> None:
    """Show a line of text instead of a plot."""
    axes.set_axis_off()
    axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes)


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG."""
    with atomic_path(path) as temporary:
        # The program's name and version are left out: equal figures have equal bytes.
        figure.savefig(temporary, format="png", metadata={"Software": None})
