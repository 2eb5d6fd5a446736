"""From tables to a page: what the template is given, and how its numbers are written.

The template escapes every value by itself; nothing here makes markup.
"""

import base64
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import yaml

from claran_core.errors import InputError
from claran_core.files import write_text
from claran_core.morphology import MORPHOLOGIES
from claran_core.report import summary
from claran_core.report.gallery import make_cards
from claran_core.report.inputs import ReportInputs
from claran_core.report.scores import Score, scores

__all__ = ["render_report", "write_report"]

logger = logging.getLogger(__name__)

TEMPLATE = "page.html.j2"
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Figure:
    """A figure of one fusion method, as a data URI."""

    method: str
    image: str


def write_report(path: Path, inputs: ReportInputs) -> None:
    """Write the report as one HTML file that needs nothing beside it.

    Raises
    ------
    InputError
        If a figure or an image cannot be read.
    """
    write_text(path, render_report(inputs))
    logger.info("%s: %.1f MB, %d sources", path, path.stat().st_size / 1e6, len(inputs.catalogue))


def render_report(inputs: ReportInputs) -> str:
    """HTML text of the report; errors as `write_report`."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(fixed=_fixed, signed=_signed, thousands=_thousands)
    return environment.get_template(TEMPLATE).render(_context(inputs))


def _context(inputs: ReportInputs) -> dict[str, Any]:
    """Everything the template uses, chapter by chapter."""
    return {
        **_run(inputs),
        **_targets(inputs),
        **_cutouts(inputs),
        "flags": summary.flag_rows(inputs.fused, inputs.catalogue),
        "losses": _figures(inputs.loss_curves),
        **_catalogue(inputs),
        **_evaluation(inputs),
        **_gallery(inputs),
    }


def _run(inputs: ReportInputs) -> dict[str, Any]:
    config = inputs.config
    return {
        "config": config,
        "date": inputs.date,
        "version": inputs.version,
        "simulated": config.survey.radio.source == "simulated",
        "settings": yaml.safe_dump(config.as_dict(), sort_keys=False, allow_unicode=True),
    }


def _targets(inputs: ReportInputs) -> dict[str, Any]:
    targets = inputs.targets
    return {
        "n_subjects": len(targets),
        "n_shards": targets["shard"].nunique(),
        "width_arcmin": inputs.config.fusion.frame.width_arcsec / 60,
        "splits": summary.split_bars(targets),
        "sky": summary.sky_cells(targets),
        "ra_range": (targets["ra"].min(), targets["ra"].max()),
        "dec_range": (targets["dec"].min(), targets["dec"].max()),
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
    catalogue, options = inputs.catalogue, inputs.config.catalogue
    return {
        "n_sources": len(catalogue),
        "n_sure": int((catalogue["probability"] >= options.min_probability).sum()),
        "n_empty": len(inputs.targets) - catalogue["subject_id"].nunique(),
        "min_probability": options.min_probability,
        "model_ids": sorted(catalogue["model_id"].unique()),
        "classes": summary.class_bars(catalogue),
        "probabilities": summary.probability_bars(catalogue),
    }


def _evaluation(inputs: ReportInputs) -> dict[str, Any]:
    tables = scores(inputs.metrics)
    return {
        "scores": tables,
        "headline": _headline(tables, inputs.config.catalogue.method),
        "metrics": inputs.metrics,
        "evaluation_figures": {
            method: {name: Figure(method, _embedded(path)) for name, path in paths.items()}
            for method, paths in inputs.figures.items()
        },
    }


def _headline(tables: list[Score], method: str) -> Score | None:
    """Score of the catalogue's method, where there is one to tell."""
    found = [score for score in tables if score.method == method and score.total.ap is not None]
    return found[0] if found else None


def _gallery(inputs: ReportInputs) -> dict[str, Any]:
    groups = make_cards(inputs)
    return {
        "gallery": groups,
        "n_shown": sum(len(cards) for cards in groups.values()),
        "has_truth": inputs.labels is not None,
        "morphologies": MORPHOLOGIES,
    }


def _figures(paths: Mapping[str, Path]) -> list[Figure]:
    return [Figure(method, _embedded(path)) for method, path in paths.items()]


def _embedded(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); rerun the evaluation stage") from None
    if not content.startswith(PNG_SIGNATURE):
        raise InputError(f"{path}: not a PNG image; remove it and rerun the evaluation stage")
    return "data:image/png;base64," + base64.b64encode(content).decode("ascii")


def _fixed(value: float | None, digits: int) -> str:
    """Format a number with that many decimals; a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"


def _signed(value: float, digits: int) -> str:
    return f"{value:+.{digits}f}"


def _thousands(value: int) -> str:
    """Group digits by narrow no-break spaces, which no language reads as a decimal sign."""
    return f"{value:,}".replace(",", "\u202f")
