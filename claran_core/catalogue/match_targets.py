"""Write the table of targets: the user's own rows and columns, with what was found near each.

One row per target, in the order of the user's table, whatever the number of its views and shards.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from scipy.spatial import cKDTree

from claran_core.catalogue.product.schema import KIND_KEY, TARGETS_KIND
from claran_core.catalogue.product.target_columns import MATCHED, own_columns
from claran_core.catalogue.product.voparquet import votable_metadata
from claran_core.common.errors import InputError
from claran_core.common.external_tables import read_whole_table
from claran_core.common.files import read_arrow, read_metadata, read_table, write_arrow
from claran_core.common.frame import Frame
from claran_core.common.origins import check_run, origins_of
from claran_core.common.sky import chord, chord_angle, unit_vectors
from claran_core.labels.own_labels import is_coco
from claran_core.targets.shards import refuse_other_table
from claran_core.targets.target_table import targets_of_rows

__all__ = ["CataloguedSources", "find_near", "match_targets"]

logger = logging.getLogger(__name__)

# Status of radio images that were searched.
SEARCHED = ("ok", "partial")
# Targets whose neighbours are in memory at a time.
BLOCK = 100_000
SOURCE_COLUMNS = ["source_id", "ra", "dec", "component_ra", "component_dec"]
DESCRIPTION = "Targets of the run with what was found near each, and the columns of the user's table"


@dataclass(frozen=True)
class CataloguedSources:
    """Names of sources, and the points that stand for them on the sky.

    Attributes
    ----------
    names : pyarrow.ChunkedArray
        Name of each source.
    points : (m, 3) float array
        Vectors towards the position of each source, then towards each component.
    owner : (m,) int array
        Number of the source that each point belongs to.
    """

    names: pa.ChunkedArray
    points: np.ndarray
    owner: np.ndarray

    @classmethod
    def of(cls, catalogue: Path) -> "CataloguedSources":
        """Read the sources of a catalogue."""
        table = read_arrow(catalogue, SOURCE_COLUMNS)
        lists = [table[name].combine_chunks() for name in ("component_ra", "component_dec")]
        component_ra, component_dec = (column.flatten().to_numpy() for column in lists)
        counts = np.diff(lists[0].offsets.to_numpy())
        rows = np.arange(len(table))
        points = [
            unit_vectors(table["ra"].to_numpy(), table["dec"].to_numpy()),
            unit_vectors(component_ra, component_dec),
        ]
        return cls(
            table["source_id"], np.concatenate(points), np.concatenate([rows, np.repeat(rows, counts)])
        )

    def __len__(self) -> int:
        return len(self.names)

    def named(self, numbers: np.ndarray) -> pa.Array:
        """Return the names of sources; empty for number -1."""
        taken = self.names.take(pa.array(numbers, pa.int64(), mask=numbers < 0))
        return taken.combine_chunks().fill_null("")


def match_targets(
    path: Path,
    table_path: Path,
    *,
    targets_path: Path,
    catalogue_path: Path,
    ledger_path: Path,
    scales: tuple[int, ...],
    frame: Frame,
    radius_arcsec: float,
    images: Path | None = None,
) -> None:
    """Write the table of targets of a run.

    Parameters
    ----------
    path : Path
        Output file, with the columns `MATCHED` and those of the user.
    table_path : Path
        The user's table of targets.
    targets_path, catalogue_path, ledger_path : Path
        Targets, catalogue and ledger of the run.
    scales, images
        See `claran_core.targets.target_table.read_targets`.
    frame : Frame
        Geometry of subjects of scale 1.
    radius_arcsec : float
        A source is near a target within this angle, arcsec.

    Raises
    ------
    InputError
        If the user's table is not the one that the run was made from, or a file of the run is missing or
        belongs to another run.
    """
    made_from = check_run(
        origins_of(catalogue=catalogue_path, run_targets=targets_path, run_ledger=ledger_path), []
    )
    refuse_other_table(targets_path, table_path)
    targets = targets_of_rows(table_path, scales, images)
    sources = CataloguedSources.of(catalogue_path)
    found = find_near(targets, sources, frame, radius_arcsec)
    found |= _statuses(targets, ledger_path)
    found["found"] = _found(found)
    numbers, own = _own_rows(table_path, targets["row"].to_numpy())
    found |= {
        "subject_id": targets["subject_id"].to_numpy(),
        "target_ra": targets["ra"].to_numpy(),
        "target_dec": targets["dec"].to_numpy(),
        "target_row": numbers,
    }
    ours = pa.Table.from_arrays([pa.array(found[f.name], f.type) for f in MATCHED], schema=MATCHED)
    own = own_columns(own, MATCHED.names)
    columns = pa.Table.from_arrays(
        [*ours.columns, *own.columns], schema=pa.schema([*ours.schema, *own.schema])
    )
    described = _described(columns)
    metadata = _facts(catalogue_path, radius_arcsec)
    write_arrow(path, columns.replace_schema_metadata(described), metadata=metadata, made_from=made_from)
    logger.info(
        "%s: %d targets, %d with a source near", path, len(columns), (found["found"] == "source").sum()
    )


def find_near(
    targets: pd.DataFrame, sources: CataloguedSources, frame: Frame, radius_arcsec: float
) -> dict[str, Any]:
    """Find the sources near each target.

    Parameters
    ----------
    targets : DataFrame
        Columns ``ra``, ``dec`` (deg, ICRS) and ``scale``.
    sources : CataloguedSources
        The sources.
    frame : Frame
        Geometry of subjects of scale 1.
    radius_arcsec : float
        A source is near a target within this angle, arcsec.

    Returns
    -------
    dict
        Columns of `MATCHED`: ``n_sources_near``, ``n_sources_in_image``, ``source_id``, ``separation``,
        ``component_source_id`` and ``component_separation``.
    """
    n = len(targets)
    columns = {name: np.zeros(n, np.int64) for name in ("n_sources_near", "n_sources_in_image")}
    columns |= {name: np.full(n, -1) for name in ("source_id", "component_source_id")}
    columns |= {name: np.full(n, np.nan) for name in ("separation", "component_separation")}
    tree = cKDTree(sources.points) if len(sources) else None
    scale = targets["scale"].to_numpy()
    for size in np.unique(scale) if tree is not None else ():
        view = frame.at_scale(int(size))
        reach = max(radius_arcsec, view.width_arcsec / np.sqrt(2))
        rows = np.flatnonzero(scale == size)
        for start in range(0, len(rows), BLOCK):
            block = rows[start : start + BLOCK]
            place = targets.iloc[block][["ra", "dec"]].to_numpy(float)
            for name, values in _block(place, tree, sources, view, radius_arcsec, reach).items():
                columns[name][block] = values
    named = {name: sources.named(columns[name]) for name in ("source_id", "component_source_id")}
    return columns | named


def _block(
    place: np.ndarray,
    tree: cKDTree,
    sources: CataloguedSources,
    frame: Frame,
    radius_arcsec: float,
    reach_arcsec: float,
) -> dict[str, np.ndarray]:
    """Return the columns of `find_near` of targets (n, 2) of one frame; names as numbers of sources."""
    n, n_sources = len(place), len(sources)
    vectors = unit_vectors(place[:, 0], place[:, 1])
    near = cKDTree(vectors).sparse_distance_matrix(tree, chord(reach_arcsec), output_type="ndarray")
    target, point = near["i"], near["j"]
    apart = chord_angle(near["v"])
    is_source = point < n_sources
    owner = sources.owner[point]
    within = apart <= radius_arcsec
    pairs = np.unique(np.stack([target[within], owner[within]], axis=1), axis=0)
    inside = np.zeros(len(near), bool)
    inside[is_source] = _in_frame(place[target[is_source]], sources.points[point[is_source]], frame)
    columns = {
        "n_sources_near": np.bincount(pairs[:, 0], minlength=n),
        "n_sources_in_image": np.bincount(target[inside], minlength=n),
    }
    for prefix, chosen in (("", is_source), ("component_", ~is_source)):
        # Of equally near sources the first of the catalogue.
        order = np.lexsort((owner[chosen], apart[chosen], target[chosen]))
        rows, first = np.unique(target[chosen][order], return_index=True)
        best = order[first]
        numbers, separation = np.full(n, -1), np.full(n, np.nan)
        numbers[rows], separation[rows] = owner[chosen][best], apart[chosen][best]
        columns |= {f"{prefix}source_id": numbers, f"{prefix}separation": separation}
    return columns


def _in_frame(place: np.ndarray, vectors: np.ndarray, frame: Frame) -> np.ndarray:
    """Return whether vectors (k, 3) point into the frames centred at positions (k, 2), deg."""
    ra, dec = np.rad2deg(np.arctan2(vectors[:, 1], vectors[:, 0])), np.rad2deg(np.arcsin(vectors[:, 2]))
    x, y = frame.sky_to_frame(place[:, 0], place[:, 1], ra, dec)
    return (x >= 0) & (x <= frame.size_px) & (y >= 0) & (y <= frame.size_px)


def _statuses(targets: pd.DataFrame, ledger_path: Path) -> dict[str, Any]:
    """Return status and reason of the images of each target."""
    ledger = read_table(ledger_path, ["subject_id", "band", "status", "reason"])
    bands = {}
    for band in ("radio", "infrared"):
        rows = ledger[ledger["band"] == band].set_index("subject_id")
        bands[band] = rows.reindex(targets["subject_id"])
    missing = bands["radio"]["status"].isna()
    if missing.any():
        raise InputError(
            f"{ledger_path}: target {missing.idxmax()!r} is not in the ledger; rerun the stage cutouts"
        )
    return {
        "radio_status": bands["radio"]["status"].to_numpy(),
        "radio_reason": bands["radio"]["reason"].fillna("").to_numpy(),
        "infrared_status": bands["infrared"]["status"].fillna("").to_numpy(),
    }


def _found(columns: Mapping[str, Any]) -> np.ndarray:
    """Return what was found near each target: a key of `FOUND_DESCRIPTIONS`."""
    searched = np.isin(columns["radio_status"].astype(str), SEARCHED)
    choices = [columns["n_sources_near"] > 0, columns["n_sources_in_image"] > 0, searched]
    return np.select(choices, ["source", "in_image", "nothing"], "not_searched").astype(object)


def _own_rows(table_path: Path, rows: np.ndarray) -> tuple[np.ndarray, pa.Table]:
    """Return the numbers and the rows of the user's table, at positions; without columns for COCO."""
    if is_coco(table_path):
        return rows + 1, pa.table({})
    numbers, table = read_whole_table(table_path)
    return numbers[rows], table.take(pa.array(rows))


def _described(columns: pa.Table) -> dict[bytes, bytes]:
    """Return the description of the columns for the Virtual Observatory."""
    texts = [field.name for field in columns.schema if pa.types.is_string(field.type)]
    lengths = {name: max(1, pc.max(pc.utf8_length(columns[name])).as_py() or 0) for name in texts}
    return votable_metadata(columns.schema, name="targets", description=DESCRIPTION, string_lengths=lengths)


def _facts(catalogue_path: Path, radius_arcsec: float) -> dict[str, Any]:
    """Return the facts of the run, those of the file first."""
    return {KIND_KEY: TARGETS_KIND, "match_radius_arcsec": radius_arcsec, **read_metadata(catalogue_path)}
