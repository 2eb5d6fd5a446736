"""Plot the comparison of two catalogues: offsets, separations, flux densities and their ratio."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Circle
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from claran_core.evaluation.figure_style import COLOURS, new_panels, save_figure, say_nothing_to_show

__all__ = ["plot_comparison"]

SEPARATION_BINS = 20

# More points than this are drawn smaller.
MANY_POINTS = 300


def plot_comparison(path: Path, metrics: Mapping[str, Any], matches: pd.DataFrame, name: str) -> None:
    """Draw the differences of two catalogues.

    Parameters
    ----------
    path : Path
        PNG to write.
    metrics, matches
        Result of `claran_core.evaluation.comparison.compare_catalogues`.
    name : str
        Name of the other catalogue.
    """
    figure, panels = new_panels(2, 2)
    counts = metrics["counts"]
    if matches.empty:
        say_nothing_to_show(panels[0], "No entries match.")
        for axes in panels[1:]:
            axes.set_axis_off()
    else:
        _offsets(panels[0], metrics, matches)
        _separations(panels[1], metrics, matches)
        _fluxes(panels[2], panels[3], metrics, matches)
    figure.suptitle(
        f"{name}: {counts['n_matched']} matches of {counts['n_catalogue']} catalogue rows "
        f"and {counts['n_other_in_area']} entries in the area",
        x=0.01,
        ha="left",
    )
    save_figure(figure, path)


def _size(matches: pd.DataFrame) -> float:
    return 2.0 if len(matches) > MANY_POINTS else 5.0


def _offsets(axes: Axes, metrics: Mapping[str, Any], matches: pd.DataFrame) -> None:
    radius, found = metrics["radius_arcsec"], metrics["offsets"]
    axes.plot(matches["east"], matches["north"], ".", color=COLOURS[0], ms=_size(matches), alpha=0.5)
    axes.add_patch(Circle((0, 0), radius, fill=False, color="black", lw=0.8))
    axes.plot(found["east_median"], found["north_median"], "+", color=COLOURS[4], ms=12, mew=2)
    # East is to the left, as on the sky.
    axes.set(xlim=(1.05 * radius, -1.05 * radius), ylim=(-1.05 * radius, 1.05 * radius), aspect="equal")
    axes.set(xlabel="East (arcsec), catalogue minus other", ylabel="North (arcsec)")
    axes.set_title(
        f"median {found['east_median']:+.2f}, {found['north_median']:+.2f}", loc="left", fontsize=9
    )


def _separations(axes: Axes, metrics: Mapping[str, Any], matches: pd.DataFrame) -> None:
    radius, chance = metrics["radius_arcsec"], metrics["chance"]["n_matched"]
    edges = np.linspace(0, radius, SEPARATION_BINS + 1)
    axes.hist(matches["separation"], edges.tolist(), color=COLOURS[0], alpha=0.75, label="matches")
    # Chance matches have a constant density over the circle.
    axes.stairs(chance * np.diff(edges**2) / radius**2, edges, color=COLOURS[4], label="chance")
    axes.set(xlabel="Separation (arcsec)", ylabel="Number", xlim=(0, radius))
    axes.legend(frameon=False, fontsize=8)


def _fluxes(left: Axes, right: Axes, metrics: Mapping[str, Any], matches: pd.DataFrame) -> None:
    known = matches[(matches["flux"] > 0) & (matches["other_flux"] > 0)]
    if known.empty:
        say_nothing_to_show(left, "No flux densities to compare.")
        right.set_axis_off()
        return
    theirs, ours = known["other_flux"].to_numpy(float), known["flux"].to_numpy(float)
    size = _size(known)
    ends = [0.8 * min(theirs.min(), ours.min()), 1.25 * max(theirs.max(), ours.max())]
    for axes in (left, right):
        _make_logarithmic(axes)
    left.plot(theirs, ours, ".", color=COLOURS[0], ms=size, alpha=0.5)
    left.plot(ends, ends, color="black", lw=0.8)
    left.set(xlim=ends, ylim=ends, xlabel="Other (mJy)", ylabel="Catalogue (mJy)")
    right.plot(theirs, ours / theirs, ".", color=COLOURS[0], ms=size, alpha=0.5)
    right.axhline(1.0, color="black", lw=0.8)
    _ratio_bins(right, metrics["flux"]["bins"], theirs)
    lowest, highest = (ours / theirs).min(), (ours / theirs).max()
    right.set(xlabel="Other (mJy)", ylabel="Catalogue / other")
    right.set_ylim(min(0.5, 0.8 * lowest), max(2.0, 1.25 * highest))
    whole = metrics["flux"]["all"]
    right.set_title(
        f"median {whole['median_ratio']:.2f}, scatter {whole['scatter']:.2f}", loc="left", fontsize=9
    )


def _make_logarithmic(axes: Axes) -> None:
    """Make the axes logarithmic, with plain numbers even if they span less than a decade."""
    axes.set(xscale="log", yscale="log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.set_minor_formatter(NullFormatter())


def _ratio_bins(axes: Axes, bins: list[Mapping[str, Any]], theirs: np.ndarray) -> None:
    """Draw the median ratio of each bin at the median of its flux densities, with its scatter."""
    for one in bins:
        if one["n"] > 1:
            high = np.inf if one["high_mjy"] is None else one["high_mjy"]
            middle = np.median(theirs[(theirs >= one["low_mjy"]) & (theirs < high)])
            median, scatter = one["median_ratio"], one["scatter"]
            bars = [[median * (1 - np.exp(-scatter))], [median * (np.exp(scatter) - 1)]]
            axes.errorbar([middle], [median], bars, fmt="s", ms=4, color=COLOURS[4], lw=1.4)
