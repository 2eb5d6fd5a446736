"""The report: a page with the numbers, curves and pictures of a run, and the folder of its gallery.

It needs no network and no server: styles, charts and figures are inside the page, and the gallery's
data and pictures are files beside it that a page opened from disk can load.  Chapters follow the
stages.
"""

from claran_core.report.inputs import ReportInputs, read_inputs
from claran_core.report.page import render_report, write_report

__all__ = ["ReportInputs", "read_inputs", "render_report", "write_report"]
