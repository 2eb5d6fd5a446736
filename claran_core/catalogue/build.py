"""Write the catalogue: the named and sorted sources of all shards, with their provenance.

A second file lists the outcome of every component of the sky.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pandas.util import hash_array
from pyarrow.parquet import ParquetWriter

from claran_core import __version__
from claran_core.catalogue.product.bands import catalogue_schema
from claran_core.catalogue.product.data_origin import data_origin
from claran_core.catalogue.product.schema import CONTOURS, OUTCOMES
from claran_core.catalogue.product.shape_fields import SHAPE_CENTRES
from claran_core.catalogue.product.voparquet import votable_metadata
from claran_core.catalogue.sky_rows import SkyRows, collect_rows
from claran_core.common.errors import InputError
from claran_core.common.files import atomic_path, parquet_writer, read_arrow, read_batches, read_metadata
from claran_core.common.morphology import CLASSES_KEY, MORPHOLOGIES, classes_of
from claran_core.common.origins import Origin, check_run, origin_of, origins_of
from claran_core.common.tables import ATOMS
from claran_core.common.temporary import temporary_file
from claran_core.cutouts.cutout_file import read_cutouts

__all__ = ["ShardTables", "check_subjects_once", "write_catalogue"]

logger = logging.getLogger(__name__)

# The remedy for every fault of a file.
REDO = "remove the file and rerun the catalogue stage"

# Description of the table in its VOTable metadata.
DESCRIPTION = "Radio sources with morphology, measurements and infrared hosts (Wu et al. 2019, successor)"

# Number of rows of a row group: a few tens of MB in memory.
ROW_GROUP = 100_000


@dataclass(frozen=True)
class ShardTables:
    """Files of one shard: index of the fused images, associated sources, and the same measured.

    `ancestors` are other files that these were made from, by the names of `claran_core.common.origins`; they
    are compared only.
    """

    index: Path
    associated: Path
    sources: Path
    ancestors: Mapping[str, Path] = field(default_factory=dict)

    def origins(self) -> dict[str, Origin]:
        """Return what each file was made from, by name."""
        found = origins_of(fused=self.index, associated=self.associated, sources=self.sources)
        return found | {name: _origin(path) for name, path in self.ancestors.items()}


def _origin(path: Path) -> Origin:
    if path.suffix != ".arrow":
        return origin_of(path)
    with read_cutouts(path) as cutouts:
        return cutouts.origin


def write_catalogue(
    path: Path,
    outcomes_path: Path,
    contours_path: Path,
    shards: Sequence[ShardTables],
    atoms_path: Path,
    *,
    method: str,
    provenance: Mapping[str, Any],
    run: Mapping[str, Path] | None = None,
    weights: str | None = None,
) -> int:
    """Build the catalogue of all shards and write it.

    Parameters
    ----------
    path, outcomes_path, contours_path : Path
        Output tables `CATALOGUE`, `OUTCOMES` and `CONTOURS`.  Either all are written or none.
    shards : sequence of ShardTables
        The shards in the order in which their sources were associated.  The rows of the catalogue do not
        depend on how the sky is cut into shards.
    atoms_path : Path
        Table `claran_core.common.tables.ATOMS`: the components of the sky, with their sources.
    method : str
        Fusion method of the images that the sources were detected in.
    provenance : mapping
        The result of `claran_core.catalogue.provenance.catalogue_provenance`; the numbers of sources and
        subjects, the method and the model are added here.
    run : mapping of str to Path, optional
        Other tables of the whole run, by the names of `claran_core.common.origins`; they are compared only.
    weights : str, optional
        The model of this run (`claran_core.model.weights_header.model_id`); default: that of the sources.

    Returns
    -------
    int
        Number of sources.

    Raises
    ------
    InputError
        If a file is missing, truncated or from another run.  Nothing is written then.
    """
    model_id, classes = _common_model([shard.sources for shard in shards], method)
    known = {"method": method, "weights": model_id if weights is None else weights}
    made_from = check_run(
        origins_of(atoms=atoms_path, **(run or {})), [shard.origins() for shard in shards], known
    )
    n_subjects = _number_of_subjects(shards)
    with temporary_file(path.with_name("rows.arrow")) as rows:
        found = collect_rows([shard.sources for shard in shards], rows, classes)
        counts = {"n_sources": len(found), "n_subjects_searched": n_subjects}
        metadata = {**provenance, **counts, "method": method, "model_id": model_id, CLASSES_KEY: classes}
        # The catalogue is renamed last: if it exists, the others exist.
        with (
            atomic_path(path) as temporary,
            parquet_writer(contours_path, CONTOURS, metadata=metadata, made_from=made_from) as contours,
        ):
            _write_rows(temporary, contours, found, metadata, made_from)
            n_components = _write_outcomes(outcomes_path, found, atoms_path, metadata, made_from)
    logger.info("%s: %d sources in %d subjects", path, len(found), n_subjects)
    if not len(found):
        logger.warning(
            "%s: THE CATALOGUE IS EMPTY: none of the %d components in %d subjects is part of a source",
            path,
            n_components,
            n_subjects,
        )
    return len(found)


def _number_of_subjects(shards: Sequence[ShardTables]) -> int:
    """Return the number of subjects; refuse repeated ones."""
    names = [read_arrow(shard.index, ["subject_id"])["subject_id"] for shard in shards]
    check_subjects_once(names, [shard.index for shard in shards])
    return sum(map(len, names))


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


def _write_rows(
    path: Path,
    contours: ParquetWriter,
    found: SkyRows,
    metadata: Mapping[str, Any],
    made_from: Mapping[str, str],
) -> None:
    """Write the catalogue, and the contours in its order."""
    constant = {"model_id": metadata["model_id"], "pipeline_version": __version__}
    lengths = {
        "source_id": found.names.dtype.itemsize,
        **found.longest,
        "morphology": max(map(len, metadata[CLASSES_KEY])),
        "rule_morphology": len(MORPHOLOGIES[0]),
        "shape_centre": max(map(len, SHAPE_CENTRES)),
        "method": len(metadata["method"]),
        **{name: len(value) for name, value in constant.items()},
    }
    columns = catalogue_schema(metadata)
    described = votable_metadata(
        columns, description=DESCRIPTION, facts=data_origin(metadata), string_lengths=lengths
    )
    # Without these lengths astropy's Parquet reader measures every string and warns.
    described |= {f"table::len::{name}".encode(): str(size).encode() for name, size in lengths.items()}
    schema = columns.with_metadata(described)
    with parquet_writer(path, schema, metadata=metadata, made_from=made_from) as writer:
        for table in found.rows(ROW_GROUP):
            contours.write_table(table.select(CONTOURS.names).cast(contours.schema))
            for name, value in constant.items():
                table = table.append_column(name, pa.array([value] * len(table)))
            writer.write_table(table.select(columns.names).cast(writer.schema), row_group_size=ROW_GROUP)


def _write_outcomes(
    path: Path,
    found: SkyRows,
    atoms_path: Path,
    metadata: Mapping[str, Any],
    made_from: Mapping[str, str],
) -> int:
    """Write the outcome of each component, and return their number."""
    carried = [name for name in OUTCOMES.names if name in ATOMS.names]
    members = np.zeros(len(found), np.int64)
    n_components = 0
    with parquet_writer(path, OUTCOMES, metadata=metadata, made_from=made_from) as writer:
        for batch in read_batches(atoms_path, [*carried, "source"]):
            source = batch["source"].to_numpy()
            if source.max(initial=-1) >= len(found):
                raise InputError(
                    f"{atoms_path}: names source {source.max()}, but there are {len(found)}; {REDO}"
                )
            members += np.bincount(source[source >= 0], minlength=len(found))
            table = pa.table([batch[name] for name in carried], names=carried)
            table = table.append_column("source_id", found.named(source))
            writer.write_table(table.select(OUTCOMES.names).cast(writer.schema))
            n_components += len(table)
        if not members.all():
            raise InputError(f"{atoms_path}: source {int(members.argmin())} has no component; {REDO}")
    return n_components


def _common_model(paths: Sequence[Path], method: str) -> tuple[str, tuple[str, ...]]:
    """Return the model that made the detections of all shards, and its classes."""
    first: tuple[Path, str] | None = None
    classes: tuple[str, ...] = MORPHOLOGIES
    for path in paths:
        metadata = read_metadata(path)
        if metadata.get("method") != method or not metadata.get("model_id"):
            raise InputError(f"{path}: does not hold sources of method {method!r}; {REDO}")
        first, classes = first or (path, metadata["model_id"]), classes_of(metadata)
        if metadata["model_id"] != first[1]:
            raise InputError(
                f"{path}: made with weights {metadata['model_id']!r}, but {first[0]} with {first[1]!r}; "
                "remove the older file and its detections, and rerun the inference stage"
            )
    return first[1] if first else "", classes
