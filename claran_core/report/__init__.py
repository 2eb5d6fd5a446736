"""The report: one HTML file with the numbers, curves and pictures of a run.

It needs no network and no server: styles, charts and images are inside the file.  Chapters follow
the stages.
"""

from claran_core.report.inputs import ReportInputs, read_inputs
from claran_core.report.page import render_report, write_report

__all__ = ["ReportInputs", "read_inputs", "render_report", "write_report"]
