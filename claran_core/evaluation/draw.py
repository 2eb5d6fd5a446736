"""Draw the figures of one method's evaluation."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from claran_core.evaluation.figures import plot_precision_recall
from claran_core.evaluation.probability_figures import plot_calibration, plot_completeness
from claran_core.evaluation.source_figures import plot_box_sizes, plot_confusion, plot_consensus

__all__ = ["plot_figures"]

logger = logging.getLogger(__name__)

# Keys are the names of `claran_core.common.paths.EVALUATION_FIGURES`.
_PLOTS: dict[str, Callable[[Path, Mapping[str, Any]], None]] = {
    "precision_recall": plot_precision_recall,
    "confusion": plot_confusion,
    "calibration": plot_calibration,
    "consensus": plot_consensus,
    "completeness": plot_completeness,
}


def plot_figures(paths: Mapping[str, Path], metrics: Mapping[str, Any], sources: pd.DataFrame) -> None:
    """Draw the requested figures.

    Parameters
    ----------
    paths : mapping
        PNG to write, by name (`claran_core.common.paths.Results.evaluation_figures`).
    metrics : mapping
        Result of `claran_core.evaluation.metrics.evaluate`.
    sources : DataFrame
        Result of `claran_core.evaluation.metrics.evaluate_sources`.
    """
    if metrics["consensus"] is None:
        logger.info("%s: no consensus levels; the consensus figure is empty", metrics["method"])
    for name, path in paths.items():
        if name == "box_sizes":
            plot_box_sizes(path, metrics, sources)
        else:
            _PLOTS[name](path, metrics)
