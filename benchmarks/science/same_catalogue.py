"""Compare the catalogues of two runs, and their tables of outcomes, byte for byte.

    python -m benchmarks.science.same_catalogue BEFORE/results AFTER/results

Rows, their order, every value (floats bit for bit, NaN equal to NaN) and column types must agree, apart from
versions and dates.  Differences are listed column by column, those of the files' metadata too.  The exit
status is 0 when the rows are the same and 1 when they are not.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from claran_core.common.paths import Results

# Columns that name the program, not the sky.
VERSION_COLUMNS = ("pipeline_version",)

# Rows shown of each column that differs.
SHOWN = 5


def different_columns(before: pa.Table, after: pa.Table) -> Iterator[str]:
    """Say in one line each which columns of two tables differ, and in which rows first."""
    if before.num_rows != after.num_rows:
        yield f"rows: {before.num_rows} before, {after.num_rows} after"
    for name in [
        *before.column_names,
        *(name for name in after.column_names if name not in before.column_names),
    ]:
        if name in VERSION_COLUMNS:
            continue
        if name not in after.column_names or name not in before.column_names:
            yield f"{name}: only {'before' if name in before.column_names else 'after'}"
            continue
        old, new = before[name], after[name]
        if old.type != new.type:
            yield f"{name}: type {old.type} before, {new.type} after"
        elif before.num_rows == after.num_rows:
            yield from _different_rows(name, old, new)


def _different_rows(name: str, old: pa.ChunkedArray, new: pa.ChunkedArray) -> Iterator[str]:
    # Python's repr tells floats apart bit for bit, and takes NaN for NaN.
    rows = [
        row
        for row, pair in enumerate(zip(old, new, strict=True))
        if repr(pair[0].as_py()) != repr(pair[1].as_py())
    ]
    if rows:
        shown = "; ".join(f"row {row}: {old[row].as_py()} -> {new[row].as_py()}" for row in rows[:SHOWN])
        yield f"{name}: {len(rows)} of {len(old)} rows differ ({shown})"


def different_metadata(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """Say in one line each which entries of two JSON values differ."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            where = f"{path}.{key}" if path else str(key)
            if key not in before or key not in after:
                yield f"metadata {where}: only {'before' if key in before else 'after'}"
            else:
                yield from different_metadata(before[key], after[key], where)
    elif before != after:
        yield f"metadata {path}: {before!r} before, {after!r} after"


def facts(table: pa.Table) -> Any:
    """Return the JSON metadata that the pipeline wrote into a table."""
    metadata = table.schema.metadata or {}
    return {
        key.decode(): json.loads(value)
        for key, value in metadata.items()
        if key.startswith(b"claran") and value[:1] == b"{"
    }


def main(arguments: list[str] | None = None) -> int:
    """Compare catalogue and outcomes of two runs; return the exit status."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("before", type=Path, help="results folder of the first run")
    parser.add_argument("after", type=Path, help="results folder of the second run")
    options = parser.parse_args(arguments)
    is_same = True
    for name in ("catalogue", "outcomes"):
        paths = (getattr(Results(folder), name) for folder in (options.before, options.after))
        before, after = (pq.read_table(path) for path in paths)
        rows = list(different_columns(before, after))
        for line in [*rows, *different_metadata(facts(before), facts(after))]:
            print(f"{name}: {line}")
        print(f"{name}: {after.num_rows} rows: {'the same bytes' if not rows else 'different'}")
        is_same &= not rows
    return 0 if is_same else 1


if __name__ == "__main__":
    sys.exit(main())
