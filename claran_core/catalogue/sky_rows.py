"""Bring the sources of all shards into the order of the catalogue, and name them.

The rows are copied to a scratch file, from which any of them can be read.  Memory holds one shard, and of
every source its name and the keys of the order, never all columns.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pandas.util import hash_array

from claran_core.catalogue.product.schema import SOURCES
from claran_core.catalogue.product.sky_order import healpix_pixels
from claran_core.common.files import read_arrow
from claran_core.common.log import Progress
from claran_core.common.morphology import MORPHOLOGIES
from claran_core.common.names import source_names
from claran_core.common.read_ahead import read_ahead
from claran_core.common.tables import for_classes

__all__ = ["SkyRows", "collect_rows"]

# Rows are named in the order of these keys, so that the letters of repeated names depend on the rows alone.
KEYS = np.dtype([("ra", float), ("dec", float), ("angular_size", float), ("subject", np.uint64)])

# Columns of text without a fixed length.
TEXTS = ("subject_id", "second_grouping")


@dataclass(frozen=True)
class SkyRows:
    """The sources of all shards.

    Attributes
    ----------
    scratch : Path
        Arrow file with the rows, shard by shard.
    starts : (k + 1,) int array
        First row of each record batch of the file, then the number of rows.
    names : (n,) array of bytes
        Name of each source (ASCII), shard by shard.
    order : (n,) int array
        Row numbers in the order of the catalogue.
    longest : dict of str to int
        Length of the longest text of each column of `TEXTS`.
    """

    scratch: Path
    starts: np.ndarray
    names: np.ndarray
    order: np.ndarray
    longest: dict[str, int]

    def __len__(self) -> int:
        return len(self.order)

    def rows(self, chunk: int) -> Iterator[pa.Table]:
        """Yield the rows in the order of the catalogue with their names, `chunk` at a time."""
        with pa.memory_map(str(self.scratch)) as source:
            reader = pa.ipc.open_file(source)
            for start in range(0, len(self.order), chunk):
                wanted = self.order[start : start + chunk]
                yield _gathered(reader, self.starts, wanted).add_column(0, "source_id", self.named(wanted))

    def named(self, rows: np.ndarray) -> pa.Array:
        """Return the names of rows, as text; empty for row -1."""
        found = np.where(rows >= 0, self.names[rows], b"") if len(self.names) else np.full(len(rows), b"")
        return pa.array(found, pa.binary()).cast(pa.string())


def collect_rows(sources: Sequence[Path], scratch: Path, classes: Sequence[str] = MORPHOLOGIES) -> SkyRows:
    """Copy the sources of all shards to a scratch file, and find their names and order.

    Parameters
    ----------
    sources : sequence of Path
        Tables of `claran_core.catalogue.product.schema.SOURCES`, one per shard.  The order of the catalogue
        does not depend on theirs.  It is fastest if consecutive shards are close on the sky.
    scratch : Path
        File to write.
    classes : sequence of str
        Names of the classes.

    Raises
    ------
    InputError
        If a file is missing or truncated, or lacks a column.
    """
    keys, starts, longest = [np.empty(0, KEYS)], [0], dict.fromkeys(TEXTS, 0)
    progress = Progress("shards of measured sources read", len(sources))
    plain = pa.schema([field.remove_metadata() for field in for_classes(SOURCES, classes)])
    with pa.ipc.new_file(scratch, plain) as writer:
        for table in read_ahead(lambda path: read_arrow(path, plain.names), sources):
            keys.append(_keys(table))
            for name in TEXTS:
                longest[name] = max(longest[name], pc.max(pc.utf8_length(table[name])).as_py() or 0)
            for batch in table.cast(plain).combine_chunks().to_batches():
                writer.write_batch(batch)
                starts.append(starts[-1] + len(batch))
            progress.step()
    every = np.concatenate(keys)
    names = _names(every)
    pixel = healpix_pixels(every["ra"], every["dec"])
    return SkyRows(scratch, np.array(starts), names, np.lexsort((names, pixel)), longest)


def _keys(table: pa.Table) -> np.ndarray:
    keys = np.empty(len(table), KEYS)
    for name in ("ra", "dec", "angular_size"):
        keys[name] = table[name].to_numpy()
    keys["subject"] = hash_array(table["subject_id"].to_numpy(zero_copy_only=False), categorize=False)
    return keys


def _names(keys: np.ndarray) -> np.ndarray:
    """Return the name of each row; letters and their order depend on the rows alone."""
    unique = np.lexsort([keys["subject"], keys["angular_size"], keys["dec"], keys["ra"]])
    named = source_names(keys["ra"][unique], keys["dec"][unique]).astype(bytes)
    names = np.empty_like(named)
    names[unique] = named
    return names


def _gathered(reader: pa.ipc.RecordBatchFileReader, starts: np.ndarray, wanted: np.ndarray) -> pa.Table:
    """Return the rows `wanted` of the scratch file, in that order."""
    batch = np.searchsorted(starts, wanted, side="right") - 1
    by_batch = np.argsort(batch, kind="stable")
    parts = [
        reader.get_batch(int(number)).take(
            pa.array(wanted[by_batch[batch[by_batch] == number]] - starts[number])
        )
        for number in np.unique(batch)
    ]
    back = np.empty(len(wanted), np.int64)
    back[by_batch] = np.arange(len(wanted))
    return pa.Table.from_batches(parts).combine_chunks().take(pa.array(back))
