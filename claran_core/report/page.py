"""Render the page of the report: the values of its template, chapter by chapter.

The template escapes every value; this module makes no markup.  Template, style and scripts are in `web/`.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import yaml

from claran_core.common.files import write_text
from claran_core.common.flags import DESCRIPTIONS, Flag
from claran_core.common.published import published
from claran_core.common.tables import NATIVE_SCALE
from claran_core.evaluation.catalogue_scores import catalogue_summary
from claran_core.report import summary
from claran_core.report.distributions import class_rows, histograms, host_summary
from claran_core.report.formats import FILTERS, embedded_png
from claran_core.report.gallery import SCRIPTS, Shown, shown_rows, write_gallery
from claran_core.report.inputs import ReportInputs
from claran_core.report.scores import Score, scores
from claran_core.report.sky_map import area_map, whole_sky_map

__all__ = ["render_report", "write_report"]

logger = logging.getLogger(__name__)

WEB = Path(__file__).parent / "web"
TEMPLATE = "page.html.j2"


@dataclass(frozen=True)
class Figure:
    """A figure of one fusion method, as a data URI."""

    method: str
    image: str


def write_report(path: Path, folder: Path, inputs: ReportInputs) -> None:
    """Write the folder of the gallery, then the page beside it.

    Raises
    ------
    InputError
        If a figure or an image cannot be read.
    """
    shown = shown_rows(inputs)
    text = render_report(inputs, shown=shown, folder=folder.name)
    write_gallery(folder, inputs, shown)
    write_text(path, text)
    logger.info("%s: %.1f MB, %d sources", path, path.stat().st_size / 1e6, len(inputs.catalogue))


def render_report(inputs: ReportInputs, *, shown: Shown | None = None, folder: str = "report") -> str:
    """Return the HTML text of the report, whose gallery is in `folder` beside it; errors as `write_report`.

    `shown` is the content of the gallery, if it is already selected.
    """
    shown = shown or shown_rows(inputs)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(WEB),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(FILTERS)
    return environment.get_template(TEMPLATE).render(**_context(inputs), **_gallery(inputs, shown, folder))


def _context(inputs: ReportInputs) -> dict[str, Any]:
    """Return all values of the template, chapter by chapter."""
    return {
        **_run(inputs),
        **_targets(inputs),
        **_sky(inputs),
        **_cutouts(inputs),
        "flags": summary.flag_rows(inputs.fused, inputs.catalogue),
        "losses": [Figure(method, embedded_png(path)) for method, path in inputs.loss_curves.items()],
        **_catalogue(inputs),
        **_evaluation(inputs),
    }


def _run(inputs: ReportInputs) -> dict[str, Any]:
    config = inputs.config
    return {
        "config": config,
        "date": inputs.date,
        "notices": published(list(inputs.notices)),
        "version": inputs.version,
        "simulated": config.survey.radio.source == "simulated",
        "settings": yaml.safe_dump(published(config.as_dict()), sort_keys=False, allow_unicode=True),
        "morphologies": config.model.classes,
    }


def _targets(inputs: ReportInputs) -> dict[str, Any]:
    targets = inputs.targets
    scales = np.unique(targets["scale"].to_numpy(int), return_counts=True)
    return {
        "n_subjects": len(targets),
        "n_shards": targets["shard"].nunique(),
        "views": [
            (scale, n, scale * inputs.config.fusion.frame.width_arcsec / 60)
            for scale, n in zip(*(each.tolist() for each in scales), strict=True)
        ],
        "splits": summary.split_bars(targets),
    }


def _sky(inputs: ReportInputs) -> dict[str, Any]:
    targets, catalogue = inputs.targets, inputs.catalogue
    fine = targets[targets["scale"] == NATIVE_SCALE]
    area_arcmin2 = len(fine) * (inputs.config.fusion.frame.width_arcsec / 60) ** 2
    ends = {name: (targets[name].min(), targets[name].max()) for name in ("ra", "dec") if len(targets)}
    return {
        "sky_subjects": whole_sky_map(targets["ra"].to_numpy(), targets["dec"].to_numpy()),
        "sky_sources": whole_sky_map(catalogue["ra"].to_numpy(), catalogue["dec"].to_numpy()),
        "sky_area": area_map(targets, catalogue, inputs.config.fusion.frame),
        "n_fine": len(fine),
        "area_deg2": area_arcmin2 / 3600,
        "sky_ends": ends,
    }


def _cutouts(inputs: ReportInputs) -> dict[str, Any]:
    problems, left_out = summary.ledger_problems(inputs.ledger)
    return {
        "statuses": summary.STATUSES,
        "bands": summary.band_rows(inputs.ledger),
        "problems": problems,
        "problems_left_out": left_out,
    }


def _catalogue(inputs: ReportInputs) -> dict[str, Any]:
    catalogue, classes = inputs.catalogue, inputs.config.model.classes
    return {
        "n_sources": len(catalogue),
        "n_doubtful": int(np.count_nonzero(catalogue["flags"].to_numpy(int) & int(Flag.DOUBTFUL))),
        "outcomes": summary.outcome_rows(inputs.outcomes),
        "n_components": len(inputs.outcomes),
        "n_rejected": int(inputs.outcomes["outcome"].isin(["artefact", "noise"]).sum()),
        "n_blank": len(inputs.blank),
        "min_probability": inputs.config.catalogue.min_probability,
        "model_ids": sorted(catalogue["model_id"].unique()),
        "classes": class_rows(catalogue, classes),
        "class_bars": summary.class_bars(catalogue, classes),
        "histograms": histograms(catalogue),
        "hosts": host_summary(catalogue),
    }


def _evaluation(inputs: ReportInputs) -> dict[str, Any]:
    tables = scores(inputs.metrics)
    return {
        "scores": tables,
        "headline": _headline(tables, inputs.config.catalogue.method),
        "metrics": inputs.metrics,
        "evaluation_figures": {
            method: _named_figures(method, paths) for method, paths in inputs.figures.items()
        },
        "catalogue_figures": _named_figures("catalogue", inputs.catalogue_figures),
        "against_truth": _catalogue_sentence(inputs.against_truth),
    }


def _catalogue_sentence(metrics: Mapping[str, Any] | None) -> str | None:
    """Return the summary line of the catalogue as a sentence."""
    if metrics is None:
        return None
    text = catalogue_summary(dict(metrics)).removeprefix("catalogue: ")
    return text[:1].upper() + text[1:]


def _named_figures(method: str, paths: Mapping[str, Path]) -> dict[str, Figure]:
    return {name: Figure(method, embedded_png(path)) for name, path in paths.items()}


def _headline(tables: list[Score], method: str) -> Score | None:
    """Return the score of the catalogue's method, if it was measured."""
    found = [score for score in tables if score.method == method and score.total.ap is not None]
    return found[0] if found else None


def _gallery(inputs: ReportInputs, shown: Shown, folder: str) -> dict[str, Any]:
    """Return the values of the gallery; its form offers only flags that a source has."""
    present = int(np.bitwise_or.reduce(shown.table["flags"].to_numpy(int), initial=0))
    return {
        "folder": folder,
        "scripts": SCRIPTS,
        "n_listed": len(shown.table),
        "n_pictured": len(shown.choice.sources),
        "n_blank_pictured": len(shown.choice.blank),
        "flag_choices": [(flag.value, str(flag.name), DESCRIPTIONS[flag]) for flag in Flag if present & flag],
    }
