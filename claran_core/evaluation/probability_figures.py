"""Plot the calibration of probabilities, and the effect of a minimum probability (paper Fig. 16)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from claran_core.evaluation.completeness import FORMS, THRESHOLDS
from claran_core.evaluation.figure_style import COLOURS, DASHES, new_panels, save_figure, say_nothing_to_show

__all__ = ["plot_calibration", "plot_completeness", "plot_reliability"]

SAMPLES = {"all": "all subjects", "multi_source": "two or more true sources"}
SHARES = {"equal": "ratio 1", "fewer_true": "below 1", "more_true": "above 1"}


def plot_calibration(path: Path, metrics: Mapping[str, Any]) -> None:
    """Draw the reliability diagram of the detections of a method.

    Parameters
    ----------
    path : Path
        PNG to write.
    metrics : mapping
        Result of `claran_core.evaluation.metrics.evaluate`.
    """
    plot_reliability(path, metrics["calibration"], of=metrics["method"], counted="detections")


def plot_reliability(path: Path, measured: Mapping[str, Any], *, of: str, counted: str) -> None:
    """Draw a reliability diagram, and the number of cases of each point.

    Parameters
    ----------
    path : Path
        PNG to write.
    measured : mapping
        Result of `claran_core.evaluation.calibration.calibration`.
    of, counted : str
        What was measured, and what its cases are, for the titles.
    """
    figure, (upper, lower) = new_panels(2, 1)
    bins = [one for one in measured["bins"] if one["n"]]
    if bins:
        _reliability(upper, bins)
        centres = [(one["low"] + one["high"]) / 2 for one in bins]
        lower.bar(centres, [one["n"] for one in bins], width=0.09, color=COLOURS[0], alpha=0.75)
        lower.set_yscale("log")
        lower.set(xlim=(0, 1), ylim=(0.6, None), xlabel="Probability", ylabel=counted.capitalize())
        title = f"{of}: expected calibration error {measured['error']:.3f}, {measured['n']} {counted}"
        upper.set_title(title, loc="left")
    else:
        say_nothing_to_show(upper, f"No {counted}.")
        lower.set_axis_off()
    save_figure(figure, path)


def _reliability(axes: Axes, bins: list[dict[str, Any]]) -> None:
    mean = np.array([one["mean_probability"] for one in bins])
    share = np.array([one["share_right"] for one in bins])
    ends = np.array([one["interval_95"] or [one["share_right"]] * 2 for one in bins])
    # By rounding, a share of 1 can lie outside the interval of few samples.
    errors = np.clip(np.stack([share - ends[:, 0], ends[:, 1] - share]), 0, None)
    axes.plot([0, 1], [0, 1], color="black", lw=0.8)
    axes.errorbar(mean, share, errors, fmt="o-", color=COLOURS[0], capsize=3, lw=1.4, ms=5)
    axes.set(xlim=(0, 1), ylim=(-0.03, 1.03), ylabel="Fraction true")


def plot_completeness(path: Path, metrics: Mapping[str, Any]) -> None:
    """Draw completeness ratios (paper Fig. 16), and ratios and false classifications against probability.

    Parameters
    ----------
    path : Path
        PNG to write.
    metrics : mapping
        Result of `claran_core.evaluation.metrics.evaluate`.
    """
    rows = pd.DataFrame(metrics["thresholds"], columns=THRESHOLDS.names).convert_dtypes()
    by_form = {form: rows[rows["form"] == form] for form in FORMS}
    counted = by_form["classifications"]
    figure, (ratios, false, every, several) = new_panels(2, 2)
    _ratio_bars(ratios, metrics["completeness_ratio"]["classifications"])
    for (form, one), colour, dash in zip(by_form.items(), COLOURS, DASHES, strict=False):
        _line(false, one, "false_per_subject", dash, colour, form)
    false.set(xlabel="Minimum probability", ylabel="False per subject", ylim=(0, None))
    for axes, (sample, text) in zip((every, several), SAMPLES.items(), strict=True):
        for (share, label), colour, dash in zip(SHARES.items(), COLOURS, DASHES, strict=False):
            _line(axes, counted, f"{sample}_{share}", dash, colour, label)
        axes.set(xlabel="Minimum probability", ylabel="Fraction of subjects", ylim=(0, 1.02))
        axes.set_title(text, loc="left", fontsize=10)
    for axes in (false, every):
        if axes.lines:
            axes.legend(frameon=False, fontsize=8)
    n = metrics["completeness_ratio"]["classifications"]["all"]["n_subjects"]
    figure.suptitle(f"{metrics['method']}: classifications of {n} subjects with truth", x=0.01, ha="left")
    save_figure(figure, path)


def _line(axes: Axes, rows: pd.DataFrame, column: str, dash: str, colour: str, label: str) -> None:
    known = rows[rows[column].notna()]
    if len(known):
        axes.plot(
            known["min_probability"].to_numpy(float),
            known[column].to_numpy(float),
            dash,
            color=colour,
            lw=1.6,
            label=label,
        )


def _ratio_bars(axes: Axes, samples: Mapping[str, Any]) -> None:
    """Draw the number of subjects per ratio; the ratios that occur are evenly spaced."""
    ratios = sorted(
        {one["ratio"] for sample in SAMPLES for one in samples[sample]["distribution"]},
        key=lambda ratio: np.inf if ratio is None else ratio,
    )
    if not ratios:
        say_nothing_to_show(axes, "No subject has truth.")
        return
    for shift, (sample, text), colour in zip((-0.2, 0.2), SAMPLES.items(), COLOURS, strict=False):
        counts = {one["ratio"]: one["n_subjects"] for one in samples[sample]["distribution"]}
        places = np.arange(len(ratios)) + shift
        axes.bar(places, [counts.get(ratio, 0) for ratio in ratios], 0.4, color=colour, label=text)
    axes.set_yscale("log")
    axes.set_xticks(range(len(ratios)), ["none" if one is None else f"{one:.2g}" for one in ratios])
    axes.set_xlim(-0.6, max(len(ratios), 4) - 0.4)  # few ratios leave room for the legend
    axes.tick_params(axis="x", labelsize=7)
    axes.set(xlabel="N true / N classified, at 0.8", ylabel="Subjects", ylim=(0.6, None))
    axes.legend(frameon=False, fontsize=7)
