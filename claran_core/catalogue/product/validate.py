"""Validate the file of a catalogue against the schema; each fault is one line.

Checks the columns with their types, units, UCDs and descriptions, the values of the rows
(`claran_core.catalogue.product.row_rules`), unique source names, and the VOParquet block.  With the catalogue
of a run, its outcomes and contours are checked (`claran_core.catalogue.product.validate_outcomes`,
`claran_core.catalogue.product.validate_contours`).
"""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from claran_core.catalogue.product.bands import catalogue_schema
from claran_core.catalogue.product.row_rules import RowRule, row_rules
from claran_core.catalogue.product.stored_frame import stored_frame
from claran_core.catalogue.product.validate_contours import validate_contours
from claran_core.catalogue.product.validate_outcomes import validate_outcomes
from claran_core.catalogue.product.voparquet import mismatches
from claran_core.common.errors import InputError
from claran_core.common.files import open_parquet, read_arrow, read_batches, stated_metadata
from claran_core.common.morphology import classes_of
from claran_core.common.paths import Results

__all__ = ["validate_catalogue"]

BATCH_ROWS = 65_536
# Metadata of a column.
DESCRIBED = {b"unit", b"ucd", b"description"}


def validate_catalogue(path: Path) -> list[str]:
    """Return the faults of a catalogue, one line each; empty for a valid file.

    Rows are counted from 0.  A file with the name of a run's catalogue is checked with the outcomes and
    contours beside it, if they exist.

    Raises
    ------
    InputError
        If the file is missing, is not Parquet, or is not a catalogue.
    """
    with open_parquet(path, strict=True) as file:
        stored = file.schema_arrow
    facts = stated_metadata(stored)
    classes = classes_of(facts)
    wanted = catalogue_schema(facts)
    missing = [name for name in wanted.names if name not in stored.names]
    if "source_id" in missing:
        raise InputError(f"{path}: not a catalogue of sources: column 'source_id' is missing")
    sound = {name for name in stored.names if name in wanted.names and _same_type(stored, wanted, name)}
    frame = stored_frame(facts)
    found = [f"columns are missing: {', '.join(missing)}"] if missing else []
    found += _column_findings(stored, wanted)
    found += mismatches(stored)
    found += _row_findings(path, sound, row_rules(frame.size_px if frame else None, classes))
    if "source_id" in sound:
        source_ids = read_arrow(path, ["source_id"])["source_id"]
        found += _repeats(source_ids)
        found += _beside(path, source_ids)
    return found


def _beside(path: Path, source_ids: pa.ChunkedArray) -> Iterator[str]:
    """Yield the faults of the outcomes and the contours beside the catalogue of a run."""
    checks = {Results().outcomes.name: validate_outcomes, Results().contours.name: validate_contours}
    for name, check in checks.items():
        other = path.with_name(name)
        if path.name == Results().catalogue.name and other.exists():
            yield from check(other, source_ids)


def _same_type(stored: pa.Schema, wanted: pa.Schema, name: str) -> bool:
    return _plain(stored.field(name).type) == _plain(wanted.field(name).type)


def _plain(kind: pa.DataType) -> pa.DataType:
    """Return a type without the name and nullability of list entries, which depend on the writer."""
    return pa.list_(kind.value_type) if pa.types.is_list(kind) else kind


def _column_findings(stored: pa.Schema, schema: pa.Schema) -> Iterator[str]:
    """Yield the faults of the columns' types and metadata."""
    columns = [column for column in stored if column.name in schema.names]
    undescribed = [column.name for column in columns if not set(column.metadata or {}) & DESCRIBED]
    if undescribed:
        more = f" and {len(undescribed) - 1} more columns have" if len(undescribed) > 1 else " has"
        yield f"column {undescribed[0]!r}{more} no unit, UCD or description: saved by another program?"
    for column in columns:
        wanted = schema.field(column.name)
        if _plain(column.type) != _plain(wanted.type):
            yield f"column {column.name!r}: type {column.type}, not {wanted.type}"
        for key, value in wanted.metadata.items():
            given = (column.metadata or {}).get(key, b"")
            if given != value and column.name not in undescribed:
                yield f"column {column.name!r}: {key.decode()} {given.decode()!r}, not {value.decode()!r}"


def _row_findings(path: Path, sound: set[str], rules: list[RowRule]) -> list[str]:
    """Return the faults of rows, in columns of the right type."""
    rules = [rule for rule in rules if set(rule.columns) <= sound]
    names = sorted({name for rule in rules for name in rule.columns})
    start = 0
    for batch in read_batches(path, names, rows=BATCH_ROWS):
        for rule in rules:
            rule.check(batch, start)
        start += batch.num_rows
    return [rule.finding() for rule in rules if rule.count]


def _repeats(source_ids: pa.ChunkedArray) -> list[str]:
    counted = pc.value_counts(source_ids)
    repeated = counted.filter(pc.greater(counted.field("counts"), 1))
    if not len(repeated):
        return []
    first = repeated[0].as_py()
    more = f", and {len(repeated) - 1} more names" if len(repeated) > 1 else ""
    return [f"source_id {first['values']!r} appears {first['counts']} times{more}: names must be unique"]
