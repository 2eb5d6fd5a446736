"""Read the inputs of a report from the files of a run."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from claran_core import __version__
from claran_core.catalogue.product.schema import CATALOGUE
from claran_core.common.boxes import BOX_COLUMNS
from claran_core.common.errors import InputError
from claran_core.common.origins import Origin, check_run, check_together, origins_of, read_with_origin
from claran_core.common.paths import Results
from claran_core.common.tables import for_classes
from claran_core.components.component_table import read_noise
from claran_core.cutouts.cutout_file import read_cutouts
from claran_core.fusion.fused_images import check_images, open_shard
from claran_core.fusion.shard import make_planes
from claran_core.report.notices import read_notices
from claran_core.report.pictures import SubjectImages
from claran_core.settings.config import Config

__all__ = ["ReportInputs", "read_inputs"]

_FUSED_COLUMNS = ["subject_id", "scale", "ra", "dec", "flags"]


@dataclass(frozen=True)
class ReportInputs:
    """Everything that a report shows.

    Attributes
    ----------
    config : Config
        Settings of the run.
    targets : DataFrame
        Columns of `claran_core.common.tables.TARGETS`.
    ledger : DataFrame
        Columns of `claran_core.common.tables.LEDGER`, all shards.
    fused : DataFrame
        Columns ``subject_id, scale, ra, dec, flags`` of `claran_core.common.tables.FUSED`: all subjects, as
        fused with the catalogue's method.
    images_of : callable
        Function that yields the images of the named subjects, in the order of `fused`.
    catalogue : DataFrame
        Columns of `claran_core.catalogue.product.schema.CATALOGUE`.
    outcomes : DataFrame
        Column ``outcome`` of `claran_core.catalogue.product.schema.OUTCOMES`, one row per component of the
        sky.
    blank : frozenset of str
        Subjects whose radio image shows no component at 5.3 sigma.
    date : str
        End of the run, ISO 8601.
    labels : DataFrame, optional
        Columns of `claran_core.common.tables.LABELS`; None without truth.
    metrics : mapping, optional
        Per fusion method, the result of `claran_core.evaluation.metrics.evaluate`; empty without truth.
    figures : mapping, optional
        Per fusion method, the PNG files of its evaluation by name
        (`claran_core.common.paths.EVALUATION_FIGURES`).
    loss_curves : mapping, optional
        Per fusion method that was trained, a PNG file.
    against_truth : mapping, optional
        Result of `claran_core.evaluation.catalogue_scores.catalogue_metrics`, if the catalogue was compared
        with the simulated sky.
    catalogue_figures : mapping, optional
        PNG files of the evaluation of the catalogue, by the names ``truth``, ``calibration`` and
        ``comparison``.
    notices : sequence of str
        What is unusual about the run (`claran_core.report.notices`).
    version : str
        Version of the pipeline.
    """

    config: Config
    targets: pd.DataFrame
    ledger: pd.DataFrame
    fused: pd.DataFrame
    images_of: Callable[[Collection[str]], Iterator[SubjectImages]]
    catalogue: pd.DataFrame
    outcomes: pd.DataFrame
    blank: frozenset[str]
    date: str
    labels: pd.DataFrame | None = None
    metrics: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    figures: Mapping[str, Mapping[str, Path]] = field(default_factory=dict)
    loss_curves: Mapping[str, Path] = field(default_factory=dict)
    against_truth: Mapping[str, Any] | None = None
    catalogue_figures: Mapping[str, Path] = field(default_factory=dict)
    notices: Sequence[str] = ()
    version: str = __version__


def read_inputs(
    results: Results,
    config: Config,
    *,
    date: str,
    evaluated: Sequence[str] = (),
    trained: Sequence[str] = (),
    against_truth: bool = False,
    compared: bool = False,
) -> ReportInputs:
    """Read the inputs of a report from the files of a run.

    The caller states which files belong to the run, because a folder may hold some of an earlier run.

    Parameters
    ----------
    results : Results
        File names of the run.
    config : Config
        Settings of the run.
    date : str
        End of the run, ISO 8601.
    evaluated, trained : sequence of str
        Fusion methods that were compared with the truth, and those that were trained in this run.
    against_truth, compared : bool
        Whether the catalogue was compared with the simulated sky, and with one of the user's.

    Raises
    ------
    InputError
        If one of the files is missing or damaged.
    """
    catalogue_figures = {}
    if against_truth:
        catalogue_figures["truth"] = results.catalogue_evaluation("completeness.png")
        catalogue_figures["calibration"] = results.catalogue_evaluation("calibration.png")
    if compared:
        catalogue_figures["comparison"] = results.comparison("comparison.png")
    method = config.catalogue.method
    tables, origins = _read_run(results, config.model.classes, labelled=bool(evaluated))
    shards = [_read_shard(results, method, name) for name in tables["run_targets"]["shard"].unique()]
    check_run(origins, [shard.origins for shard in shards], {"method": method})
    fused = pd.concat([shard.fused for shard in shards], ignore_index=True)
    return ReportInputs(
        config=config,
        targets=tables["run_targets"],
        ledger=tables["run_ledger"],
        notices=read_notices(results),
        fused=fused,
        images_of=_image_reader(results, config, fused),
        catalogue=tables["catalogue"],
        outcomes=tables["outcomes"],
        blank=frozenset().union(*(shard.blank for shard in shards)),
        date=date,
        labels=tables.get("run_labels"),
        metrics={name: _read_json(results.metrics(name)) for name in evaluated},
        figures={name: results.evaluation_figures(name) for name in evaluated},
        loss_curves={name: results.loss_curves(name) for name in trained},
        against_truth=_read_json(results.catalogue_evaluation("metrics.json")) if against_truth else None,
        catalogue_figures=catalogue_figures,
    )


@dataclass(frozen=True)
class _Shard:
    """Index of the fused images of a shard, its subjects without a component, and the origins of both."""

    fused: pd.DataFrame
    blank: frozenset[str]
    origins: Mapping[str, Origin]


def _read_run(
    results: Results, classes: Sequence[str], *, labelled: bool
) -> tuple[dict[str, pd.DataFrame], dict[str, Origin]]:
    """Return the tables of the whole run, and their origins, by the names of `claran_core.common.origins`."""
    wanted: dict[str, tuple[Path, Sequence[str] | None]] = {
        "catalogue": (results.catalogue, for_classes(CATALOGUE, classes).names),
        "outcomes": (results.outcomes, ["outcome"]),
        "run_ledger": (results.catalogue_ledger, None),
        "run_targets": (results.targets, None),
    }
    if labelled:
        wanted["run_labels"] = (results.labels, ["subject_id", *BOX_COLUMNS, "morphology"])
    tables, origins = {}, {}
    for name, (path, columns) in wanted.items():
        tables[name], origins[name] = read_with_origin(path, columns)
    return tables, origins


def _read_shard(results: Results, method: str, shard: str) -> _Shard:
    index, fused = read_with_origin(results.fused_index(method, shard), _FUSED_COLUMNS)
    images, noise = read_with_origin(results.noise(shard), ["subject_id", "sigma", "n_components"])
    most = images[images["sigma"].notna()].groupby("subject_id")["n_components"].max()
    return _Shard(
        index.assign(shard=shard, row=np.arange(len(index))),
        frozenset(most.index[most == 0]),
        {"fused": fused, "noise": noise},
    )


def _image_reader(
    results: Results, config: Config, fused: pd.DataFrame
) -> Callable[[Collection[str]], Iterator[SubjectImages]]:
    def images_of(subject_ids: Collection[str]) -> Iterator[SubjectImages]:
        wanted = fused[fused["subject_id"].isin(subject_ids)]
        for shard, rows in wanted.groupby("shard", sort=False):
            yield from _shard_images(results, config, str(shard), rows)

    return images_of


def _shard_images(
    results: Results, config: Config, shard: str, rows: pd.DataFrame
) -> Iterator[SubjectImages]:
    method = config.catalogue.method
    path = results.fused(method, shard)
    index_path = results.fused_index(method, shard)
    fused, index = open_shard(path, index_path)
    with (
        read_cutouts(results.cutouts(shard, "radio")) as radio,
        read_cutouts(results.cutouts(shard, "infrared")) as infrared,
    ):
        tables = origins_of(fused=index_path, noise=results.noise(shard))
        check_together(tables | {"radio": radio.origin, "infrared": infrared.origin})
        sigma = read_noise(results.noise(shard))
        columns = (rows[name].tolist() for name in ("subject_id", "scale", "ra", "dec", "row"))
        for name, scale, ra, dec, row in zip(*columns, strict=True):
            planes = make_planes(
                radio.get(name),
                infrared.get(name),
                config.fusion.frame.at_scale(scale),
                ra_deg=ra,
                dec_deg=dec,
                sigma=sigma[name],
            )
            check_images(fused, index, [row], path)
            yield SubjectImages(name, planes, np.array(fused[row]))


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); rerun the evaluation stage") from None
