"""Read and write the files of the pipeline: atomic writes, typed tables, checked reads.

A file is written under a temporary name in its folder and renamed when complete, so a killed job leaves no
file that looks finished.  A Parquet file has checksums of its pages and a seal of all its bytes
(`claran_core.common.seal`), which are verified whenever it is read.  A table records the digest of its
content, and the digests of what it was made from (`claran_core.common.origins`).
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from claran_core.common.disk import disk_errors_of
from claran_core.common.errors import InputError
from claran_core.common.seal import is_sealed, seal
from claran_core.common.temporary import temporary_file

__all__ = [
    "array_writer",
    "atomic_path",
    "content_digest",
    "content_of",
    "digest_of",
    "open_parquet",
    "parquet_writer",
    "read_array",
    "read_arrow",
    "read_batches",
    "read_metadata",
    "read_table",
    "stated_content",
    "stated_metadata",
    "write_arrow",
    "write_json",
    "write_table",
    "write_text",
]

# Key of a Parquet file's metadata under which the pipeline stores its own metadata, as JSON.
METADATA_KEY = b"claran"

# Keys of the digest of a table's content, and of the digests of what it was made from, as JSON by name.
DIGEST_KEY = b"claran_digest"
MADE_FROM_KEY = b"claran_made_from"

# Rows of the parts that `read_batches` yields.
BATCH_ROWS = 65_536


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` on success, remove it on failure.

    Raises
    ------
    OSError
        With one of `DISK_ERRORS` and `path`, if the disk keeps the file from being written, whatever error
        the writing library raised.
    """
    with temporary_file(Path(path)) as temporary, disk_errors_of(path, temporary):
        yield temporary
        temporary.replace(path)


def write_table(
    path: Path,
    table: pd.DataFrame,
    schema: pa.Schema,
    *,
    metadata: Mapping[str, Any] | None = None,
    made_from: Mapping[str, str] | None = None,
) -> None:
    """Write a table as Parquet with exactly the columns, order and types of `schema`.

    Parameters
    ----------
    path : Path
        File to write.
    table : DataFrame
        Exactly the columns of `schema`, in any order.
    schema : pyarrow.Schema
        Names, types and nullability; field metadata (unit, UCD, description) is kept.
    metadata : mapping, optional
        JSON-serialisable metadata of the file, which `read_metadata` returns.
    made_from : mapping of str to str, optional
        Digests of what the table was made from, by name (`claran_core.common.origins`).

    Raises
    ------
    ValueError
        If columns are missing or unknown, or a value does not fit its type.
    """
    write_arrow(path, _arrow_table(path, table, schema), metadata=metadata, made_from=made_from)


def write_arrow(
    path: Path,
    content: pa.Table,
    *,
    metadata: Mapping[str, Any] | None = None,
    made_from: Mapping[str, str] | None = None,
) -> None:
    """Write a table as `write_table` does, without the cost of pandas; its own schema is that of the file."""
    with parquet_writer(
        path, content.schema, metadata=metadata, made_from=made_from, digest=_digest(content)
    ) as writer:
        writer.write_table(content.cast(writer.schema))


def content_digest(table: pd.DataFrame, schema: pa.Schema) -> str:
    """Return the digest that `digest_of` would return after `write_table`."""
    return _digest(_arrow_table("table", table, schema))


def _arrow_table(path: Path | str, table: pd.DataFrame, schema: pa.Schema) -> pa.Table:
    unknown = set(table.columns) ^ set(schema.names)
    if unknown:
        raise ValueError(f"{path}: columns differ from the schema: {sorted(unknown)}")
    columns = [_arrow_column(path, table[field.name], field) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def _digest(table: pa.Table) -> str:
    """Return the SHA-256 (hex) of the names, types and values of a table."""
    sink = pa.BufferOutputStream()
    plain = pa.schema([field.remove_metadata() for field in table.schema])
    with pa.ipc.new_stream(sink, plain) as stream:
        stream.write_table(table.cast(plain))
    return hashlib.sha256(sink.getvalue()).hexdigest()


def digest_of(path: Path) -> str:
    """Return the digest of the content of a table that `write_table` wrote.

    Raises
    ------
    InputError
        If the file is missing, is not a complete Parquet file, or has no digest.
    """
    return content_of(path)[0]


def content_of(path: Path) -> tuple[str, dict[str, str]]:
    """Return the digest of a table, and the digests of what it was made from, by name.

    The digest is empty for a table that was written in parts.

    Raises
    ------
    InputError
        As for `digest_of`.
    """
    return stated_content(path, _schema(path))


def stated_content(path: Path, schema: pa.Schema) -> tuple[str, dict[str, str]]:
    """Return what `content_of` returns, from the schema of a table that was read."""
    facts = schema.metadata or {}
    if DIGEST_KEY not in facts:
        raise InputError(
            f"{path}: does not say what it contains, as files of an earlier version; "
            "remove it and rerun the stage that writes it"
        )
    return facts[DIGEST_KEY].decode(), json.loads(facts[MADE_FROM_KEY])


@contextmanager
def parquet_writer(
    path: Path,
    schema: pa.Schema,
    *,
    metadata: Mapping[str, Any] | None = None,
    made_from: Mapping[str, str] | None = None,
    digest: str = "",
) -> Iterator[pq.ParquetWriter]:
    """Open a Parquet file for writing in parts; the file appears under its name on success, with a seal.

    Yields
    ------
    pyarrow.parquet.ParquetWriter
        Writes tables of its own ``schema``: the given one with `metadata`, `made_from` and `digest` added.
    """
    facts = {
        **(schema.metadata or {}),
        METADATA_KEY: json.dumps(dict(metadata or {})).encode(),
        DIGEST_KEY: digest.encode(),
        MADE_FROM_KEY: json.dumps(dict(made_from or {})).encode(),
    }
    described = schema.with_metadata(facts)
    with atomic_path(path) as temporary:
        with pq.ParquetWriter(temporary, described, compression="zstd", write_page_checksum=True) as writer:
            yield writer
        seal(temporary)


def _arrow_column(path: Path | str, values: pd.Series, field: pa.Field) -> pa.Array:
    """Return a column of the field's type; NaN becomes null only if the field is nullable."""
    try:
        column = pa.array(values, type=field.type, from_pandas=field.nullable)
    except pa.ArrowException as error:
        raise ValueError(f"{path}: column {field.name!r}: {error}") from None
    if column.null_count and not field.nullable:
        raise ValueError(f"{path}: column {field.name!r} has {column.null_count} missing values")
    return column


def read_table(path: Path, columns: Iterable[str] | None = None) -> pd.DataFrame:
    """Read a Parquet table of the pipeline.

    Parameters
    ----------
    path : Path
        The table.
    columns : iterable of str, optional
        Columns to read; default all.

    Raises
    ------
    InputError
        If the file is missing, is not a complete Parquet file, or lacks one of `columns`.
    """
    return read_arrow(path, columns).to_pandas()


def read_arrow(path: Path, columns: Iterable[str] | None = None) -> pa.Table:
    """Read a table as `read_table` does, without the cost of pandas."""
    with open_parquet(path) as file:
        wanted = _present(path, file, columns)
        return file.read(columns=wanted).select(wanted)


def read_batches(
    path: Path, columns: Iterable[str] | None = None, *, rows: int = BATCH_ROWS, strict: bool = False
) -> Iterator[pa.RecordBatch]:
    """Yield a table as `read_arrow` returns it, in parts of at most `rows` rows, so that memory holds one.

    `strict` is that of `open_parquet`.
    """
    with open_parquet(path, strict=strict) as file:
        yield from file.iter_batches(batch_size=rows, columns=_present(path, file, columns))


@contextmanager
def open_parquet(path: Path, *, strict: bool = False, verify: bool = True) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file, after a comparison of all its bytes with its seal, if it has one.

    Parameters
    ----------
    path : Path
        The file.
    strict : bool
        Whether a file of the pipeline without a seal is refused.  Another program that saves a selection of a
        catalogue may keep the pipeline's metadata.
    verify : bool
        False leaves out the comparison, for a reader of the footer alone; it would read the whole file.

    Raises
    ------
    InputError
        If the file is missing, is not a complete Parquet file, or a byte has changed.
    """
    try:
        with pa.memory_map(str(path)) as source:
            content = source.read_buffer()
            sealed = verify and is_sealed(content)
            with pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True) as file:
                if strict and not sealed and METADATA_KEY in (file.schema_arrow.metadata or {}):
                    raise InputError(_not_parquet(path, "it has no seal: another program has changed it"))
                yield file
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; run the stage that writes it") from None
    except (pa.ArrowException, OSError) as error:
        raise InputError(_not_parquet(path, str(error))) from None


def _present(path: Path, file: pq.ParquetFile, columns: Iterable[str] | None) -> list[str]:
    """Return the columns to read (default all), after checking that the file has them."""
    names = file.schema_arrow.names
    wanted = names if columns is None else list(columns)
    missing = [name for name in wanted if name not in names]
    if missing:
        raise InputError(
            f"{path}: column {missing[0]!r} is missing; remove the file and rerun the stage that writes it"
        )
    return wanted


def read_metadata(path: Path, *, verify: bool = True) -> dict[str, Any]:
    """Return the `metadata` given to `write_table` (empty for a file of another program).

    `verify` is that of `open_parquet`.

    Raises
    ------
    InputError
        If the file is missing or is not a complete Parquet file.
    """
    return stated_metadata(_schema(path, verify=verify))


def stated_metadata(schema: pa.Schema) -> dict[str, Any]:
    """Return what `read_metadata` returns, from the schema of a file that is open."""
    return json.loads((schema.metadata or {}).get(METADATA_KEY, b"{}"))


def _schema(path: Path, *, verify: bool = True) -> pa.Schema:
    with open_parquet(path, verify=verify) as file:
        return file.schema_arrow


def _not_parquet(path: Path, error: str) -> str:
    reason = (error.splitlines() or [""])[0]
    return f"{path}: not a complete Parquet file ({reason}); remove it and rerun the stage that writes it"


@contextmanager
def array_writer(
    path: Path, shape: tuple[int, ...], dtype: npt.DTypeLike
) -> Iterator[Callable[[np.ndarray], None]]:
    """Open a ``.npy`` file for writing in parts; the file appears under its name on success.

    `read_array` can memory-map it.  Memory holds one part, whatever the size of the array.

    Parameters
    ----------
    path : Path
        File to write.
    shape, dtype
        Of the whole array.

    Yields
    ------
    callable
        Appends one entry of the first axis.

    Raises
    ------
    ValueError
        If an entry has another shape or type, or their number is not that of `shape`.
    """
    dtype, n = np.dtype(dtype), 0
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    with atomic_path(path) as temporary, temporary.open("wb") as handle:
        np.lib.format.write_array_header_1_0(handle, header)

        def append(entry: np.ndarray) -> None:
            nonlocal n
            if entry.shape != shape[1:] or entry.dtype != dtype:
                raise ValueError(f"{path}: an entry is {entry.dtype} {entry.shape}, not {dtype} {shape[1:]}")
            handle.write(np.ascontiguousarray(entry).data)
            n += 1

        yield append
        if n != shape[0]:
            raise ValueError(f"{path}: {n} entries were written, not {shape[0]}")


def read_array(path: Path) -> np.ndarray:
    """Memory-map an array of the pipeline, read-only.

    Raises
    ------
    InputError
        If the file is missing, truncated or not a ``.npy`` array.
    """
    try:
        # Not `numpy.load`, which also opens archives of arrays and pickles.
        return np.lib.format.open_memmap(path, mode="r")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; run the stage that writes it") from None
    except (ValueError, EOFError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"{path}: not a complete .npy array ({reason}); remove it and rerun the stage that writes it"
        ) from None


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON; refuse NaN, which JSON cannot represent."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")
