"""Validate the contours of a catalogue: those of the same sources in the same order, in whole rings."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from claran_core.catalogue.product.schema import CONTOURS
from claran_core.common.files import read_batches

__all__ = ["validate_contours"]

PER_RING = ("ring_points", "ring_level", "ring_is_hole")
PER_POINT = ("contour_x", "contour_y", "contour_ra", "contour_dec")


def validate_contours(path: Path, source_ids: pa.ChunkedArray) -> list[str]:
    """Return the faults of a table of contours, one line each; empty for a valid one.

    Parameters
    ----------
    path : Path
        Table `CONTOURS`; rows are counted from 0.
    source_ids : pyarrow.ChunkedArray
        Names of the sources of its catalogue.

    Raises
    ------
    InputError
        If the file cannot be read or lacks columns.
    """
    start = 0
    for batch in read_batches(path, CONTOURS.names):
        names = source_ids.slice(start, batch.num_rows)
        if not pa.chunked_array([batch["source_id"]]).equals(names.cast(batch["source_id"].type)):
            return [f"{path.name}: its sources are not those of the catalogue, or in another order"]
        for fault, wrong in _faults(batch):
            if wrong.any():
                return [f"{path.name}: row {start + int(wrong.argmax())}: {fault}"]
        start += batch.num_rows
    if start != len(source_ids):
        return [f"{path.name}: {start} rows, but the catalogue has {len(source_ids)}"]
    return []


def _faults(batch: pa.RecordBatch) -> Iterator[tuple[str, np.ndarray]]:
    """Yield what can be wrong with rows, and where it is, (n,) bool."""
    lengths = {name: pc.list_value_length(batch[name]).to_numpy() for name in (*PER_RING, *PER_POINT)}
    rings = lengths["ring_points"]
    yield "a source has a ring", rings == 0
    yield "lists of rings have the same length", np.any([lengths[name] != rings for name in PER_RING], axis=0)
    row = np.repeat(np.arange(len(rings)), rings)
    points = np.bincount(row, batch["ring_points"].flatten().to_numpy(), len(rings))
    unequal = np.any([lengths[name] != points for name in PER_POINT], axis=0)
    yield "lists of points have the length of all rings", unequal
