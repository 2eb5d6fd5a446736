"""How good the detections are where the truth is known (paper sections 5 and 6.2.2)."""

from claran_core.evaluation.catalogue_scores import catalogue_summary
from claran_core.evaluation.completeness import THRESHOLDS
from claran_core.evaluation.draw import plot_figures
from claran_core.evaluation.figures import plot_losses
from claran_core.evaluation.matching import match_detections
from claran_core.evaluation.metrics import Sample, choose_sample, evaluate, evaluate_sources, summary_line
from claran_core.evaluation.other_catalogue import find_other_catalogue
from claran_core.evaluation.published import published_values
from claran_core.evaluation.sources import TRUE_SOURCES

__all__ = [
    "THRESHOLDS",
    "TRUE_SOURCES",
    "Sample",
    "catalogue_summary",
    "choose_sample",
    "evaluate",
    "evaluate_sources",
    "find_other_catalogue",
    "match_detections",
    "plot_figures",
    "plot_losses",
    "published_values",
    "summary_line",
]
