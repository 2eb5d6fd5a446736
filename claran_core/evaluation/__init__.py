"""How good the detections are where the truth is known (paper section 5)."""

from claran_core.evaluation.figures import plot_losses, plot_precision_recall
from claran_core.evaluation.matching import match_detections
from claran_core.evaluation.metrics import Sample, choose_sample, evaluate, summary_line

__all__ = [
    "Sample",
    "choose_sample",
    "evaluate",
    "match_detections",
    "plot_losses",
    "plot_precision_recall",
    "summary_line",
]
