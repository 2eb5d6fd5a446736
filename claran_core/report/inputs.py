"""What a report is made from, and how it is read from the files of a run."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from claran_core import __version__
from claran_core.catalogue.schema import CATALOGUE
from claran_core.config import Config
from claran_core.errors import InputError
from claran_core.files import read_array, read_table
from claran_core.overlap import BOX_COLUMNS
from claran_core.paths import Results

__all__ = ["ReportInputs", "read_inputs"]

_FUSED_COLUMNS = ["subject_id", "ra", "dec", "flags"]


@dataclass(frozen=True)
class ReportInputs:
    """Everything a report shows.

    Attributes
    ----------
    config : Config
        Settings of the run.
    targets : DataFrame
        Columns of `claran_core.tables.TARGETS`.
    ledger : DataFrame
        Columns of `claran_core.tables.LEDGER`, all shards.
    fused : DataFrame
        Columns ``subject_id, ra, dec, flags`` of `claran_core.tables.FUSED`: all subjects, as fused
        with the catalogue's method.
    image_of : callable
        Gives the fused image of a subject, (ny, nx, 3) uint8, row 0 in the north.
    catalogue : DataFrame
        Columns of `claran_core.catalogue.schema.CATALOGUE`.
    date : str
        When the run ended, ISO 8601.
    labels : DataFrame, optional
        Columns of `claran_core.tables.LABELS`; None where nothing is known of the truth.
    metrics : mapping, optional
        Per fusion method, what `claran_core.evaluation` wrote; empty without truth.
    figures : mapping, optional
        Per fusion method, the PNG files of its evaluation by name (`claran_core.paths.EVALUATION_FIGURES`).
    loss_curves : mapping, optional
        Per fusion method, a PNG file.  Methods whose weights were given have none.
    version : str
        Version of the pipeline.
    """

    config: Config
    targets: pd.DataFrame
    ledger: pd.DataFrame
    fused: pd.DataFrame
    image_of: Callable[[str], np.ndarray]
    catalogue: pd.DataFrame
    date: str
    labels: pd.DataFrame | None = None
    metrics: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    figures: Mapping[str, Mapping[str, Path]] = field(default_factory=dict)
    loss_curves: Mapping[str, Path] = field(default_factory=dict)
    version: str = __version__


def read_inputs(
    results: Results,
    config: Config,
    *,
    date: str,
    evaluated: Sequence[str] = (),
    trained: Sequence[str] = (),
) -> ReportInputs:
    """Read what a report shows from the files of a run.

    Which files belong to the run is the caller's to say: a folder may still hold some of an earlier one.

    Parameters
    ----------
    results : Results
        File names of the run.
    config : Config
        Its settings.
    date : str
        When the run ended, ISO 8601.
    evaluated, trained : sequence of str
        Fusion methods that were compared with the truth, and those that were trained in this run.

    Raises
    ------
    InputError
        If one of the files is missing or damaged.
    """
    method = config.catalogue.method
    targets = read_table(results.targets)
    fused = _read_fused(results, method, sorted(targets["shard"].unique()))
    labels = ["subject_id", *BOX_COLUMNS, "morphology"]
    return ReportInputs(
        config=config,
        targets=targets,
        ledger=read_table(results.catalogue_ledger),
        fused=fused,
        image_of=_image_reader(results, method, fused),
        catalogue=read_table(results.catalogue, CATALOGUE.names),
        date=date,
        labels=read_table(results.labels, labels) if evaluated else None,
        metrics={name: _read_json(results.metrics(name)) for name in evaluated},
        figures={name: results.evaluation_figures(name) for name in evaluated},
        loss_curves={name: results.loss_curves(name) for name in trained},
    )


def _read_fused(results: Results, method: str, shards: Sequence[str]) -> pd.DataFrame:
    """Index of all shards, with the place of each image: its shard, and its row there."""
    tables = []
    for shard in shards:
        index = read_table(results.fused_index(method, shard), _FUSED_COLUMNS)
        tables.append(index.assign(shard=shard, row=np.arange(len(index))))
    return pd.concat(tables, ignore_index=True)


def _image_reader(results: Results, method: str, fused: pd.DataFrame) -> Callable[[str], np.ndarray]:
    place = fused.set_index("subject_id")[["shard", "row"]]

    def image_of(subject_id: str) -> np.ndarray:
        shard, row = place.loc[subject_id]
        return np.array(read_array(results.fused(method, shard))[row])

    return image_of


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); rerun the evaluation stage") from None
