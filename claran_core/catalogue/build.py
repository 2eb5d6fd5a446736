"""Write the catalogue: the merged, named and sorted sources of all shards, with their provenance.

A second file lists the outcome of every detection.
"""

import logging
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pandas.util import hash_array

from claran_core import __version__
from claran_core.catalogue.associate.assemble import Assembled, assemble
from claran_core.catalogue.product.schema import CATALOGUE, OUTCOMES, REJECTED
from claran_core.catalogue.product.voparquet import votable_metadata
from claran_core.common.errors import InputError
from claran_core.common.files import atomic_path, parquet_writer, read_arrow, read_metadata
from claran_core.common.frame import Frame
from claran_core.common.morphology import MORPHOLOGIES
from claran_core.common.read_ahead import read_ahead
from claran_core.survey.surveys import Survey

__all__ = ["ShardTables", "check_subjects_once", "write_catalogue"]

logger = logging.getLogger(__name__)

# The remedy for every fault of a shard's files.
REDO = "remove the file and rerun the catalogue stage"

# Description of the table in its VOTable metadata.
DESCRIPTION = "Radio sources with morphology, measurements and infrared hosts (Wu et al. 2019, successor)"

# Number of rows of a row group: a few tens of MB in memory.
ROW_GROUP = 100_000

# Largest separation of two positions of one peak, in units of the beam's FWHM.
TOLERANCE_BEAMS = 0.5


@dataclass(frozen=True)
class ShardTables:
    """Files of one shard: index of the fused images, sources and rejected detections."""

    index: Path
    sources: Path
    rejected: Path

    @property
    def name(self) -> str:
        """Name of the shard."""
        return self.sources.stem


def write_catalogue(
    path: Path,
    outcomes_path: Path,
    shards: Sequence[ShardTables],
    *,
    method: str,
    frame: Frame,
    provenance: Mapping[str, Any],
    survey: Survey,
) -> int:
    """Build the catalogue of all shards and write it.

    Parameters
    ----------
    path, outcomes_path : Path
        Output tables `CATALOGUE` and `OUTCOMES`.  Either both are written or none.
    shards : sequence of ShardTables
        Written by `claran_core.catalogue.shard_sources.write_shard`.  The rows of the catalogue depend
        neither on the order of the shards nor on how the sky is cut into shards.
    method : str
        Fusion method of the images the detections come from.
    frame : Frame
        Geometry of the subjects.
    provenance : mapping
        The result of `claran_core.catalogue.provenance.catalogue_provenance`; the numbers of sources and
        subjects, the method and the model are added here.
    survey : Survey
        The radio survey; its beam sets how near two positions of one peak are.

    Returns
    -------
    int
        Number of sources.

    Raises
    ------
    InputError
        If a file is missing, truncated or from another run.  Nothing is written then.
    """
    model_id = _common_model([shard.sources for shard in shards], method)
    indexes = [read_arrow(shard.index, ["subject_id", "ra", "dec"]) for shard in shards]
    check_subjects_once([index["subject_id"] for index in indexes], [shard.index for shard in shards])
    longest = max((pc.max(pc.utf8_length(index["subject_id"])).as_py() or 0 for index in indexes), default=0)
    positions = [np.stack([index["ra"].to_numpy(), index["dec"].to_numpy()], axis=1) for index in indexes]
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
        found = assemble(
            [shard.sources for shard in shards],
            positions,
            frame=frame,
            tolerance_arcsec=TOLERANCE_BEAMS * survey.beam_arcsec,
            scratch=Path(folder) / "rows.arrow",
        )
        counts = {"n_sources": len(found.names), "n_subjects_searched": sum(map(len, positions))}
        metadata = {**provenance, **counts, "method": method, "model_id": model_id}
        # The catalogue is renamed last: if it exists, the outcomes exist.
        with atomic_path(path) as temporary:
            _write_rows(temporary, found, metadata, longest)
            _write_outcomes(outcomes_path, found, shards, metadata)
    logger.info(
        "%s: %d sources, from %d detections of sources in %d subjects",
        path,
        counts["n_sources"],
        len(found.owner),
        counts["n_subjects_searched"],
    )
    return counts["n_sources"]


def check_subjects_once(subjects: Sequence[pa.ChunkedArray], paths: Sequence[Path]) -> None:
    """Refuse a repeated subject, because its sources would be repeated.

    Raises
    ------
    InputError
        If a subject is repeated; the message names the file that repeats it.
    """
    hashes = [hash_array(names.to_numpy(zero_copy_only=False), categorize=False) for names in subjects]
    every = np.concatenate(hashes) if hashes else np.empty(0, np.uint64)
    values, count = np.unique(every, return_counts=True)
    if (count > 1).any():
        again = np.flatnonzero(every == values[count > 1][0])[1]
        starts = np.cumsum([0, *map(len, hashes)])
        shard = int(np.searchsorted(starts, again, side="right") - 1)
        name = subjects[shard][int(again - starts[shard])]
        raise InputError(
            f"{paths[shard]}: subject {str(name)!r} is in this run twice; "
            "remove results/fused and rerun from the targets stage"
        )


def _write_rows(path: Path, found: Assembled, metadata: Mapping[str, Any], longest_subject: int) -> None:
    constant = {"model_id": metadata["model_id"], "pipeline_version": __version__}
    lengths = {
        "source_id": max(map(len, found.names), default=0),
        "subject_id": longest_subject,
        "morphology": len(MORPHOLOGIES[0]),
        "rule_morphology": len(MORPHOLOGIES[0]),
        "method": len(metadata["method"]),
        **{name: len(value) for name, value in constant.items()},
    }
    described = votable_metadata(CATALOGUE, description=DESCRIPTION, string_lengths=lengths)
    # Without these lengths astropy's Parquet reader measures every string and warns.
    described |= {f"table::len::{name}".encode(): str(size).encode() for name, size in lengths.items()}
    with parquet_writer(path, CATALOGUE.with_metadata(described), metadata=metadata) as writer:
        for table in found.rows(ROW_GROUP):
            for name, value in constant.items():
                table = table.append_column(name, pa.array([value] * len(table)))
            writer.write_table(table.select(CATALOGUE.names).cast(writer.schema), row_group_size=ROW_GROUP)


def _write_outcomes(
    path: Path, found: Assembled, shards: Sequence[ShardTables], metadata: Mapping[str, Any]
) -> None:
    names = pa.array([*found.names, ""], pa.string())  # the last entry stands for no source
    other = np.where(found.is_cut, "cut", np.where(found.agrees, "merged", "regrouped"))
    outcome = np.where(found.is_row, "catalogued", other)
    start = 0
    columns = [name for name in OUTCOMES.names if name not in ("shard", "outcome", "source_id")]

    def read(shard: ShardTables) -> tuple[pa.Table, pa.Table]:
        return read_arrow(shard.sources, columns), read_arrow(shard.rejected, REJECTED.names)

    with parquet_writer(path, OUTCOMES, metadata=metadata) as writer:
        for shard, (sources, rejected) in zip(shards, read_ahead(read, shards), strict=True):
            part = slice(start, start + len(sources))
            kept = _outcome_table(
                sources, shard.name, pa.array(outcome[part]), names.take(pa.array(found.owner[part]))
            )
            lost = _outcome_table(
                rejected,
                shard.name,
                rejected["outcome"],
                names.take(pa.array(_owners(rejected, sources, found.owner[part], len(found.names)))),
            )
            both = pa.concat_tables([kept, lost]).cast(writer.schema)
            writer.write_table(both.sort_by("detection"))
            start += len(sources)


def _outcome_table(detections: pa.Table, shard: str, outcome: pa.Array, source_id: pa.Array) -> pa.Table:
    columns = {
        "shard": pa.array([shard] * len(detections), pa.string()),
        "outcome": outcome,
        "source_id": source_id,
    }
    plain = pa.schema([field.remove_metadata() for field in OUTCOMES])
    values = [columns[name] if name in columns else detections[name] for name in plain.names]
    return pa.table(values, names=plain.names).cast(plain)


def _owners(rejected: pa.Table, sources: pa.Table, owner: np.ndarray, no_row: int) -> np.ndarray:
    """Return the catalogue row that each rejected detection competes with, or `no_row`."""
    winner = rejected["winner"].to_numpy()
    detection = sources["detection"].to_numpy()
    if not len(detection):
        return np.full(len(winner), no_row)
    order = np.argsort(detection)
    place = np.minimum(np.searchsorted(detection[order], winner), len(order) - 1)
    known = detection[order][place] == winner
    return np.where(known, owner[order][place], no_row)


def _common_model(paths: Sequence[Path], method: str) -> str:
    """Return the model that made the detections of all shards."""
    first: tuple[Path, str] | None = None
    for path in paths:
        metadata = read_metadata(path)
        if metadata.get("method") != method or not metadata.get("model_id"):
            raise InputError(f"{path}: does not hold sources of method {method!r}; {REDO}")
        first = first or (path, metadata["model_id"])
        if metadata["model_id"] != first[1]:
            raise InputError(
                f"{path}: made with weights {metadata['model_id']!r}, but {first[0]} with {first[1]!r}; "
                "remove the older file and its detections, and rerun the inference stage"
            )
    return first[1] if first else ""
