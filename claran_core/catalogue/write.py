"""The catalogue as a file: read shard by shard, checked, named and written at once.

Only what is kept of a shard stays in memory, about one row per source.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from claran_core import tables
from claran_core.catalogue.build import describe_sources, finish_catalogue
from claran_core.catalogue.schema import CATALOGUE
from claran_core.config import CatalogueOptions
from claran_core.errors import InputError
from claran_core.files import read_metadata, read_table, write_table
from claran_core.flags import Flag
from claran_core.frame import Frame
from claran_core.log import Progress
from claran_core.morphology import MORPHOLOGIES, probability_columns
from claran_core.overlap import BOX_COLUMNS, box_array

__all__ = ["read_detections", "write_catalogue"]

logger = logging.getLogger(__name__)

# The way out of every fault of a detections file.
REDO = "remove the file and rerun the inference stage"

INDEX_COLUMNS = ["subject_id", "ra", "dec", "flags"]


def write_catalogue(
    path: Path,
    detections: Sequence[Path],
    fused_indexes: Sequence[Path],
    *,
    options: CatalogueOptions,
    frame: Frame,
    provenance: Mapping[str, Any],
) -> pd.DataFrame:
    """Build the catalogue of all shards and write it.

    Parameters
    ----------
    path : Path
        Where the catalogue goes (Parquet).
    detections, fused_indexes : sequence of Path
        The two files of each shard, in the same order.
    options : CatalogueOptions
        What to keep.
    frame : Frame
        Geometry of the subjects.
    provenance : mapping
        What `claran_core.catalogue.provenance.catalogue_provenance` returns; the numbers of sources
        and subjects, the method and the model are added here.

    Returns
    -------
    DataFrame
        The catalogue, as `claran_core.catalogue.build.build_catalogue`.

    Raises
    ------
    InputError
        If a file is missing, truncated or not of this run.  No catalogue is written then.
    """
    model_id = _common_model(detections, options.method)
    progress = Progress("shards read into the catalogue", len(detections))
    parts, subjects = [], []
    for found_path, index_path in zip(detections, fused_indexes, strict=True):
        index = read_table(index_path, INDEX_COLUMNS)
        try:
            sources = describe_sources(
                read_detections(found_path, frame),
                index,
                options,
                frame,
                method=options.method,
                model_id=model_id,
            )
        except InputError as error:
            raise InputError(_with_path(found_path, error)) from None
        parts.append(sources)
        subjects.append(index["subject_id"])
        progress.step()
    _refuse_repeats(subjects, fused_indexes)
    catalogue = finish_catalogue(_joined(parts))
    counts = {"n_sources": len(catalogue), "n_subjects_searched": sum(map(len, subjects))}
    metadata = {**provenance, **counts, "method": options.method, "model_id": model_id}
    write_table(path, catalogue, CATALOGUE, metadata=metadata)
    _log_summary(path, catalogue)
    return catalogue


def read_detections(path: Path, frame: Frame) -> pd.DataFrame:
    """Read the detections of one shard and check that they can be what they claim.

    Raises
    ------
    InputError
        If the file is missing or truncated, or a value is impossible: an unknown class, a probability
        outside [0, 1], a box that is empty or outside the frame.
    """
    found = read_table(path, tables.DETECTIONS.names)
    probabilities = ["probability", *probability_columns()]
    for name in [*probabilities, *BOX_COLUMNS]:
        if not pd.api.types.is_numeric_dtype(found[name]):
            raise InputError(f"{path}: column {name!r} holds no numbers; {REDO}")
    _refuse(path, found, ["morphology"], ~found["morphology"].isin(MORPHOLOGIES).to_numpy())
    values = found[probabilities].to_numpy(float)
    _refuse(path, found, probabilities, ~((values >= 0) & (values <= 1)).all(axis=1))
    boxes = box_array(found)
    inside = ((boxes >= 0) & (boxes <= frame.size_px)).all(axis=1)
    solid = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
    _refuse(path, found, BOX_COLUMNS, ~(inside & solid))
    return found


def _refuse(path: Path, table: pd.DataFrame, columns: list[str], wrong: np.ndarray) -> None:
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        values = ", ".join(f"{name} {_readable(table[name].iloc[row])}" for name in columns)
        raise InputError(f"{path}: row {row}: {values}: not what a detector finds; {REDO}")


def _readable(value: object) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"


def _common_model(detections: Sequence[Path], method: str) -> str:
    """Return the one model all shards were searched with."""
    first: tuple[Path, str] | None = None
    for path in detections:
        metadata = read_metadata(path)
        if metadata.get("method") != method or not metadata.get("model_id"):
            raise InputError(f"{path}: does not hold detections of method {method!r}; {REDO}")
        first = first or (path, metadata["model_id"])
        if metadata["model_id"] != first[1]:
            raise InputError(
                f"{path}: made with weights {metadata['model_id']!r}, but {first[0]} with {first[1]!r}; "
                "remove the older of the two and rerun the inference stage"
            )
    return first[1] if first else ""


def _refuse_repeats(subjects: Sequence[pd.Series], paths: Sequence[Path]) -> None:
    """Refuse a subject that comes twice: its sources would."""
    if not subjects:
        return
    everyone = pd.concat(subjects, keys=range(len(subjects)))
    repeated = everyone.duplicated().to_numpy()
    if repeated.any():
        shard, _ = everyone.index[repeated.argmax()]
        raise InputError(
            f"{paths[shard]}: subject {everyone[repeated].iloc[0]!r} is in this run twice; "
            "remove results/fused and rerun from the targets stage"
        )


def _joined(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """All rows of the parts; empty parts would make pandas guess types."""
    filled = [part for part in parts if len(part)]
    if filled:
        return pd.concat(filled, ignore_index=True)
    return CATALOGUE.empty_table().to_pandas()


def _with_path(path: Path, error: InputError) -> str:
    message = str(error)
    return message if message.startswith(str(path)) else f"{path}: {message}"


def _log_summary(path: Path, catalogue: pd.DataFrame) -> None:
    below = int((catalogue["flags"].to_numpy(np.int32) & int(Flag.BELOW_MIN_PROBABILITY) != 0).sum())
    logger.info(
        "%s: %d sources in %d subjects, %d of them below catalogue.min_probability",
        path,
        len(catalogue),
        catalogue["subject_id"].nunique(),
        below,
    )
