"""Read a catalogue for export: in batches, with units; refuse other files in one line.

The file may also be a selection of rows or columns that another program saved: columns with names of the
catalogue get its types, units and descriptions back.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from claran_core.catalogue.product.bands import catalogue_schema
from claran_core.catalogue.product.schema import KIND_KEY, TARGETS_KIND
from claran_core.catalogue.product.stored_frame import stored_frame
from claran_core.catalogue.product.target_columns import MATCHED
from claran_core.common.errors import InputError
from claran_core.common.files import open_parquet, read_batches, stated_metadata
from claran_core.common.frame import Frame
from claran_core.common.morphology import classes_of

__all__ = ["CatalogueFile", "items", "open_catalogue"]

# Columns that every catalogue has, and every table of targets.
IDENTITY = ("source_id", "ra", "dec")
TARGET_IDENTITY = ("subject_id", "target_ra", "target_dec")
# Rows in memory at a time: about 30 MB.
BATCH_ROWS = 65_536
# Facts about a run that are one word each, for formats that cannot store more.
SHORT_FACTS = ("pipeline", "pipeline_version", "method", "model_id", "n_subjects", "sorted_by")


@dataclass(frozen=True)
class CatalogueFile:
    """A catalogue, or a table of targets, on disk.

    Attributes
    ----------
    path : Path
        The Parquet file.
    schema : pyarrow.Schema
        Columns, with unit, UCD and description in their metadata.
    n_rows : int
        Number of sources.
    facts : dict
        Facts about the run that made the file (`claran_core.common.files.read_metadata`).
    """

    path: Path
    schema: pa.Schema
    n_rows: int
    facts: dict[str, Any]

    def batches(
        self, columns: Sequence[str] | None = None, *, rows: int = BATCH_ROWS
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows in the order of the file, at most `rows` at a time, with the types of `schema`.

        There are no nulls: missing values become NaN, empty text or empty lists.

        Raises
        ------
        InputError
            If a value does not fit its type, or an integer is missing.
        """
        schema = self.selected(columns)
        for batch in read_batches(self.path, schema.names, rows=rows):
            arrays = [self._fitted(batch.column(field.name), field) for field in schema]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    def selected(self, columns: Sequence[str] | None) -> pa.Schema:
        """Return the schema of `columns`, or of all columns.

        Raises
        ------
        InputError
            If the file lacks one of the columns.
        """
        names = self.schema.names if columns is None else columns
        missing = [name for name in names if name not in self.schema.names]
        if missing:
            raise InputError(f"{self.path}: column {missing[0]!r} is missing; this export needs it")
        return pa.schema([self.schema.field(name) for name in names])

    @property
    def frame(self) -> Frame:
        """Geometry of the subjects, from the settings of the run.

        Raises
        ------
        InputError
            If the file does not contain the settings.
        """
        frame = stored_frame(self.facts)
        if frame is None:
            raise InputError(
                f"{self.path}: lacks the settings of its run; export the catalogue as the run wrote it"
            )
        return frame

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes of the sources, in their order."""
        return classes_of(self.facts)

    @property
    def method(self) -> str:
        """Fusion method of the images that the sources were detected in.

        Raises
        ------
        InputError
            If the file does not contain it.
        """
        if "method" not in self.facts:
            raise InputError(
                f"{self.path}: lacks its fusion method; export the catalogue as the run wrote it"
            )
        return str(self.facts["method"])

    def short_facts(self) -> dict[str, str]:
        """Return the facts of the run that are one word each, and the number of rows of this file."""
        facts = {name: str(self.facts[name]) for name in SHORT_FACTS if name in self.facts}
        return facts | {"n_targets" if self.holds_targets else "n_sources": str(self.n_rows)}

    @property
    def holds_targets(self) -> bool:
        """Whether the rows are targets with what was found near them."""
        return self.facts.get(KIND_KEY) == TARGETS_KIND

    def _fitted(self, column: pa.Array, field: pa.Field) -> pa.Array:
        try:
            filled = _without_nulls(column.cast(field.type))
        except pa.ArrowException as error:
            reason = str(error).splitlines()[0]
            raise InputError(
                f"{self.path}: column {field.name!r} is not of type {field.type}: {reason}"
            ) from None
        if filled.null_count:
            raise InputError(f"{self.path}: column {field.name!r} has missing values; fill them first")
        return filled


def open_catalogue(path: Path) -> CatalogueFile:
    """Open a catalogue, or a selection of its rows and columns.

    Raises
    ------
    InputError
        If the file is missing, is not Parquet, or is not a catalogue.
    """
    with open_parquet(path) as file:
        stored, n_rows = file.schema_arrow, file.metadata.num_rows
    facts = stated_metadata(stored)
    if facts.get(KIND_KEY) == TARGETS_KIND:
        wanted, identity = MATCHED, TARGET_IDENTITY
    else:
        wanted, identity = catalogue_schema(facts), IDENTITY
    missing = [name for name in identity if name not in stored.names]
    if missing:
        raise InputError(f"{path}: not a catalogue of sources: column {missing[0]!r} is missing")
    known = pa.schema([_known(field, wanted) for field in stored])
    return CatalogueFile(path, known, n_rows, facts)


def items(column: pa.ListArray) -> tuple[pa.Array, np.ndarray]:
    """Return all entries of a list column, and the offsets at which each row begins and the last one ends.

    Returns
    -------
    entries : pyarrow.Array
    offsets : (rows + 1,) int array
        Row i has the entries ``offsets[i]`` to ``offsets[i + 1]``.
    """
    offsets = column.offsets.to_numpy().astype(np.int64)
    return column.flatten(), offsets - offsets[0]


def _known(field: pa.Field, wanted: pa.Schema) -> pa.Field:
    """Return the column of a schema with that name, or the field itself with plain strings."""
    if field.name in wanted.names:
        return wanted.field(field.name)
    if pa.types.is_large_string(field.type) or pa.types.is_string_view(field.type):
        return pa.field(field.name, pa.string(), metadata=field.metadata)
    return field


def _without_nulls(column: pa.Array) -> pa.Array:
    """Replace nulls by NaN, empty text or an empty list; integers keep them."""
    if not column.null_count:
        return column
    if pa.types.is_floating(column.type):
        return pc.fill_null(column, float("nan"))
    if pa.types.is_string(column.type):
        return pc.fill_null(column, "")
    if pa.types.is_list(column.type):
        return pa.array([entry or [] for entry in column.to_pylist()], type=column.type)
    return column
