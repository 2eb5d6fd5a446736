"""Validate the outcomes of the components: each is listed once, and each source has some."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from claran_core.catalogue.product.schema import OUTCOME_DESCRIPTIONS, OUTCOMES
from claran_core.common.files import read_batches

__all__ = ["validate_outcomes"]

COLUMNS = ["component_id", "scale", "outcome", "probability", "source_id"]


def validate_outcomes(path: Path, source_ids: pa.ChunkedArray) -> list[str]:
    """Return the faults of a table of outcomes, one line each; empty for a valid one.

    Parameters
    ----------
    path : Path
        Table `OUTCOMES`; rows are counted from 0.
    source_ids : pyarrow.ChunkedArray
        Names of the sources of its catalogue.

    Raises
    ------
    InputError
        If the file cannot be read or lacks columns.
    """
    known = pa.array(list(OUTCOME_DESCRIPTIONS))
    names = source_ids.combine_chunks()
    counts = np.zeros(len(names), np.int64)
    ids, scales, faults = [np.empty(0, np.int64)], [np.empty(0, np.int32)], _Faults(path)
    start = 0
    for batch in read_batches(path, COLUMNS):
        table = pa.table(batch).cast(pa.schema([OUTCOMES.field(name) for name in COLUMNS]))
        faults.start = start
        row = pc.fill_null(pc.index_in(table["source_id"], names), -1).to_numpy()
        is_source = pc.equal(table["outcome"], "source").to_numpy()
        named = pc.not_equal(table["source_id"], "").to_numpy()
        probability = table["probability"].to_numpy()
        faults.add("unknown outcome", pc.invert(pc.is_in(table["outcome"], known)).to_numpy())
        faults.add("probability must be at least 0 and at most 1", ~((probability >= 0) & (probability <= 1)))
        faults.add("a source has a source_id, and nothing else has one", is_source != named)
        faults.add("source_id is not in the catalogue", named & (row < 0))
        counts += np.bincount(row[row >= 0], minlength=len(names))
        ids.append(table["component_id"].to_numpy())
        scales.append(table["scale"].to_numpy())
        start += len(table)
    faults.start = 0
    faults.add("component is listed twice", _repeated(np.concatenate(ids), np.concatenate(scales)))
    found = faults.lines()
    if not counts.all():
        first, n = names[int(counts.argmin())], int((counts == 0).sum())
        more = f", and {n - 1} more sources" if n > 1 else ""
        found.append(f"{path.name}: source {first.as_py()}{more}: no component is listed")
    return found


class _Faults:
    """Collects the rows that break rules; `start` is the number of the first row of the current batch."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self.start = 0
        self.found: dict[str, tuple[int, int]] = {}

    def add(self, fault: str, wrong: np.ndarray) -> None:
        if wrong.any():
            first, count = self.found.get(fault, (self.start + int(wrong.argmax()), 0))
            self.found[fault] = first, count + int(wrong.sum())

    def lines(self) -> list[str]:
        return [
            f"{self.name}: row {first}{f', and {count - 1} more rows' if count > 1 else ''}: {fault}"
            for fault, (first, count) in self.found.items()
        ]


def _repeated(ids: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Return which components (n,) have the identity and scale of an earlier one."""
    order = np.lexsort((scales, ids))
    same = (np.diff(ids[order]) == 0) & (np.diff(scales[order]) == 0)
    repeated = np.zeros(len(ids), bool)
    repeated[order[1:][same]] = True
    return repeated
