"""Print one source of a catalogue, or the columns of the catalogue, as text."""

import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from claran_core.catalogue.product.schema import CATALOGUE
from claran_core.common.errors import InputError
from claran_core.common.files import open_parquet, read_table
from claran_core.common.flags import DESCRIPTIONS, Flag
from claran_core.common.paths import Results

__all__ = ["column_lines", "find_source", "image_lines", "source_lines"]

# Most names that are suggested where a name is not found.
MAX_SUGGESTIONS = 5


def find_source(path: Path, source_id: str) -> dict[str, Any]:
    """Return the values of one source by column.

    Raises
    ------
    InputError
        If the file is not a catalogue, or has no such source.
    """
    passed = []
    with open_parquet(path) as file:
        if "source_id" not in file.schema_arrow.names:
            raise InputError(f"{path}: not a catalogue of sources: column 'source_id' is missing")
        for batch in file.iter_batches():
            rows = batch.filter(pc.equal(batch["source_id"], source_id))
            if len(rows):
                return rows.slice(0, 1).to_pylist()[0]
            passed.append(batch["source_id"].cast(pa.string()))
    names = pa.chunked_array(passed, pa.string()).to_pandas()
    alike = names[names.str.startswith(source_id)]
    if len(alike):
        offered = ", ".join(alike.iloc[:MAX_SUGGESTIONS]) + (", .." if len(alike) > MAX_SUGGESTIONS else "")
        raise InputError(f"{path}: no source {source_id!r}; {len(alike)} names start with it: {offered}")
    raise InputError(f"{path}: no source {source_id!r} among {len(names)}; names are like J104556.7+243312")


def source_lines(values: dict[str, Any]) -> Iterator[str]:
    """Yield the lines about one source: every column with its unit, and the meaning of its flags."""
    width = max(len(name) for name in values)
    for name, value in values.items():
        yield f"{name:{width}}  {_readable(value, single=_is_single(name))} {_unit(name)}".rstrip()
        if name == "flags":
            yield from (f"{'':{width}}    {line}" for line in _flag_lines(value))


def image_lines(values: dict[str, Any], results: Results) -> Iterator[str]:
    """Yield where each existing image of a source is, and the command that writes it as FITS.

    Parameters
    ----------
    values : dict
        The source, as `find_source` returns it.
    results : Results
        Results folder of the run.
    """
    subject, method = str(values.get("subject_id")), str(values.get("method"))
    targets = read_table(results.targets, ["subject_id", "shard"])
    shards = targets[targets["subject_id"] == subject]["shard"]
    if shards.empty:
        yield f"no subject {subject!r} in {results.targets}"
        return
    shard = shards.iloc[0]
    if results.fused(method, shard).exists():
        index = read_table(results.fused_index(method, shard), ["subject_id"])["subject_id"]
        for row in np.flatnonzero(index == subject):
            yield f"fused      {results.fused(method, shard)}, image {row} (from 0)"
    for band in ("radio", "infrared"):
        if results.cutouts(shard, band).exists():
            yield f"{band:9}  {results.cutouts(shard, band)}"
            command = f"claran cutout {subject} --band {band} --results {results.root}"
            yield f"           as FITS: {command} --output {band}.fits"


def column_lines(schema: pa.Schema = CATALOGUE, *, width: int = 100) -> Iterator[str]:
    """Yield the lines about all columns: name, type, unit and description, wrapped at `width` characters."""
    name_width = max(len(name) for name in schema.names)
    indent = " " * (name_width + 2)
    for column in schema:
        about = column.metadata or {}
        kind = f"list of {column.type.value_type}" if pa.types.is_list(column.type) else str(column.type)
        unit = about.get(b"unit", b"").decode()
        yield f"{column.name:{name_width}}  {kind}{f', {unit}' if unit else ''}"
        yield from textwrap.wrap(
            about.get(b"description", b"").decode(), width, initial_indent=indent, subsequent_indent=indent
        )


def _unit(name: str) -> str:
    return CATALOGUE.field(name).metadata[b"unit"].decode() if name in CATALOGUE.names else ""


def _is_single(name: str) -> bool:
    """Return whether a column holds single-precision numbers, as those of the classes do."""
    kind = CATALOGUE.field(name).type if name in CATALOGUE.names else None
    return name.startswith("p_") or pa.float32() in (kind, getattr(kind, "value_type", None))


def _readable(value: Any, *, single: bool) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_readable(entry, single=single) for entry in value) + "]"
    if isinstance(value, float):
        # All digits of single precision; 9 digits of double precision, which is 4 mas in a position.
        return str(np.float32(value)) if single else f"{value:.9g}"
    return str(value)


def _flag_lines(mask: Any) -> Iterator[str]:
    known = [flag for flag in Flag if isinstance(mask, int) and mask & flag]
    yield from (f"{flag.value} {flag.name}: {DESCRIPTIONS[flag]}" for flag in known)
