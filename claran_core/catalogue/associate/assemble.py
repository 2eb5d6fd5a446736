"""Merge the sources of all shards into one row per source on the sky, in one pass over the files.

Shards are read in batches.  A detection can be linked only with detections of subjects that overlap its own.
Once all shards with such subjects are read, its group is complete: the winner is written to a scratch file
and the group is dropped.  Memory holds one batch, the open groups of earlier batches and a few numbers per
source, never all rows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from astropy import units as u
from astropy_healpix import HEALPix
from pandas.util import hash_array

from claran_core.catalogue.associate.merge import (
    Resolution,
    SourceRows,
    connected_groups,
    link_duplicates,
    resolve,
)
from claran_core.catalogue.product.schema import CATALOGUE, SOURCES
from claran_core.catalogue.product.sky_order import healpix_pixels
from claran_core.common.files import read_arrow
from claran_core.common.flags import Flag
from claran_core.common.frame import Frame
from claran_core.common.log import Progress
from claran_core.common.names import source_names
from claran_core.common.read_ahead import read_ahead

__all__ = ["Assembled", "assemble", "batches_of"]

# Number of rows read at a time.
BATCH_ROWS = 200_000

# Number of rings of cells within reach of a subject, and the finest HEALPix order.  Finer cells close groups
# earlier.
RINGS, FINEST_ORDER = 4, 10

# Rows are named in the order of these keys, so that the letters of repeated names depend on the rows alone.
KEYS = np.dtype([("ra", float), ("dec", float), ("angular_size", float), ("subject", np.uint64)])

# Columns that the catalogue takes from the sources of a shard.
CARRIED = [name for name in CATALOGUE.names if name in SOURCES.names]

# Columns of the open groups: those of the sources, and the row number among the sources of all shards.
WINDOW = pa.schema([field.remove_metadata() for field in SOURCES] + [pa.field("_row", pa.int64())])


@dataclass(frozen=True)
class Assembled:
    """The result of merging the sources of all shards.

    Attributes
    ----------
    scratch : Path
        Arrow file with the rows of the catalogue, in the order of writing.
    starts : (k + 1,) int array
        First row of each record batch of the file, then the number of rows.
    names : (n,) object array of str
        Source name of each row.
    order : (n,) int array
        Row numbers in the order of the catalogue.
    owner : (m,) int array
        Row that represents each source of the shards, shard by shard.
    is_row, agrees, is_cut : (m,) bool arrays
        Whether the source is that row; whether it has the same components; whether the border of its
        subject truncates it.
    """

    scratch: Path
    starts: np.ndarray
    names: np.ndarray
    order: np.ndarray
    owner: np.ndarray
    is_row: np.ndarray
    agrees: np.ndarray
    is_cut: np.ndarray

    def rows(self, chunk: int) -> Iterator[pa.Table]:
        """Yield the rows of the catalogue in its order with their names, `chunk` at a time."""
        with pa.memory_map(str(self.scratch)) as source:
            reader = pa.ipc.open_file(source)
            for start in range(0, len(self.order), chunk):
                wanted = self.order[start : start + chunk]
                yield _gathered(reader, self.starts, wanted).add_column(
                    0, "source_id", pa.array(self.names[wanted], pa.string())
                )


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


def assemble(
    sources: Sequence[Path],
    positions: Sequence[np.ndarray],
    *,
    frame: Frame,
    tolerance_arcsec: float,
    scratch: Path,
) -> Assembled:
    """Merge the sources of all shards.

    Parameters
    ----------
    sources : sequence of Path
        Tables of `claran_core.catalogue.product.schema.SOURCES`, one per shard, in any order.  It is fastest
        when consecutive shards are close on the sky.
    positions : sequence of (k, 2) arrays
        Right ascension and declination (deg) of the subjects of each shard.
    frame : Frame
        Geometry of the subjects.
    tolerance_arcsec : float
        Largest separation of two positions of one peak.
    scratch : Path
        File for the rows until their order is known.

    Raises
    ------
    InputError
        If a file is missing or truncated, or lacks a column.
    """
    counts = np.array([_number_of_rows(path) for path in sources], np.int64)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    batches = batches_of(counts, BATCH_ROWS)
    horizon = _Horizon.of(positions, batches, frame)
    merged_rows = _MergedRows(scratch, int(offsets[-1]))
    window = WINDOW.empty_table()
    progress = Progress("sources of the shards merged", len(batches))

    def read(batch: list[int]) -> list[pa.Table]:
        return [_numbered(read_arrow(sources[shard], SOURCES.names), int(offsets[shard])) for shard in batch]

    with merged_rows:
        for number, fresh in enumerate(read_ahead(read, batches)):
            window = pa.concat_tables([window, *fresh]).combine_chunks()
            window = _close(window, number, horizon, tolerance_arcsec, merged_rows)
            progress.step()
    return merged_rows.finished()


def _numbered(table: pa.Table, first: int) -> pa.Table:
    """Add the row number among the sources of all shards, from `first` on."""
    numbers = pa.array(np.arange(first, first + len(table)))
    return table.append_column("_row", numbers).cast(WINDOW)


def batches_of(counts: np.ndarray, most: int) -> list[list[int]]:
    """Group consecutive shards, of `counts` rows each, into batches of at most `most` rows or one shard."""
    batches: list[list[int]] = []
    total = most + 1
    for shard, count in enumerate(counts.tolist()):
        if total + count > most:
            batches.append([])
            total = 0
        batches[-1].append(shard)
        total += count
    return batches


def _number_of_rows(path: Path) -> int:
    try:
        return int(pq.read_metadata(path).num_rows)
    except (pa.ArrowException, OSError):
        return len(read_arrow(path))  # raises the error


@dataclass(frozen=True)
class _Horizon:
    """The last batch whose subjects can show a position on the sky.

    Attributes
    ----------
    grid : HEALPix
        HEALPix cells smaller than the reach of a subject.
    last : (cells,) int array
        Last batch with a subject within reach of the cell.
    """

    grid: HEALPix
    last: np.ndarray

    @classmethod
    def of(
        cls, positions: Sequence[np.ndarray], batches: Sequence[Sequence[int]], frame: Frame
    ) -> "_Horizon":
        # Linked detections share a peak, which is at most the diagonal of a frame from the centre of either
        # box; the centre of the subject is at most half a diagonal further.
        reach_deg = 1.5 * np.sqrt(2) * frame.width_arcsec / 3600
        # A ring of cells around a cell is at least two thirds of a cell wide.
        order = int(np.clip(np.floor(np.log2(58.6 * RINGS / (1.5 * reach_deg))), 0, FINEST_ORDER))
        rings = int(np.ceil(1.5 * reach_deg * 2**order / 58.6))
        grid = HEALPix(nside=2**order, order="nested")
        last = np.full(grid.npix, -1, np.int32)
        for number, batch in enumerate(batches):
            for shard in batch:
                last[_cells(grid, *positions[shard].T)] = number
        for _ in range(rings):
            used, before = np.flatnonzero(last >= 0), last.copy()
            for around in grid.neighbours(used):
                there = around >= 0
                np.maximum.at(last, around[there], before[used[there]])
        return cls(grid, last)

    def closed_after(self, ra_deg: np.ndarray, dec_deg: np.ndarray) -> np.ndarray:
        """Return the last batch whose subjects can show these positions."""
        return self.last[_cells(self.grid, ra_deg, dec_deg)]


def _cells(grid: HEALPix, ra_deg: np.ndarray, dec_deg: np.ndarray) -> np.ndarray:
    return grid.lonlat_to_healpix(ra_deg * u.deg, dec_deg * u.deg)


def _close(
    window: pa.Table, number: int, horizon: _Horizon, tolerance_arcsec: float, merged_rows: "_MergedRows"
) -> pa.Table:
    """Pass the groups that are complete after batch `number` to the writer; return the remaining rows."""
    rows = SourceRows.of(window)
    links = link_duplicates(rows, tolerance_arcsec)
    group = connected_groups(len(rows), links)
    after = horizon.closed_after(window["ra"].to_numpy(), window["dec"].to_numpy())
    waits = np.zeros(group.max(initial=-1) + 1, bool)
    waits[group[after > number]] = True
    closed = ~waits[group]
    merged_rows.add(window, closed, resolve(rows.rank, links), rows.is_cut)
    return window.filter(pa.array(~closed))


class _MergedRows:
    """Writes winning rows to the scratch file and collects the winner of each source."""

    def __init__(self, scratch: Path, n_sources: int) -> None:
        self.scratch = scratch
        self.owner = np.full(n_sources, -1, np.int64)
        self.is_row = np.zeros(n_sources, bool)
        self.agrees = np.zeros(n_sources, bool)
        self.is_cut = np.zeros(n_sources, bool)
        self.starts = [0]
        self.keys: list[np.ndarray] = []
        self.schema = pa.schema(
            [field.remove_metadata() for field in CATALOGUE if field.name in (*CARRIED, "n_merged")]
        )

    def __enter__(self) -> "_MergedRows":
        self.writer = pa.ipc.new_file(self.scratch, self.schema)
        return self

    def __exit__(self, *_: object) -> None:
        self.writer.close()

    def add(self, window: pa.Table, closed: np.ndarray, found: Resolution, is_cut: np.ndarray) -> None:
        """Record the complete groups of `window`: write the winners, count and flag what they represent."""
        rows = np.flatnonzero(closed)
        own = rows[found.winner[rows] == rows]
        place = np.full(len(closed), -1)
        place[own] = self.starts[-1] + np.arange(len(own))
        source = window["_row"].to_numpy()[rows]
        self.owner[source] = place[found.winner[rows]]
        self.is_row[source] = found.winner[rows] == rows
        self.agrees[source] = found.agrees[rows]
        self.is_cut[source] = is_cut[rows]
        # A truncated part neither counts as a duplicate nor disagrees about the components.
        counts = ~is_cut[rows] | (found.winner[rows] == rows)
        winner, agrees = found.winner[rows][counts], found.agrees[rows][counts]
        n_merged = np.bincount(winner[agrees], minlength=len(closed))[own]
        disagrees = np.isin(own, winner[~agrees])
        kept = window.take(pa.array(own))
        flags = kept["flags"].to_numpy() | np.where(disagrees, int(Flag.VIEWS_DISAGREE), 0).astype(np.int32)
        columns = {name: kept[name] for name in CARRIED} | {
            "flags": pa.array(flags, pa.int32()),
            "n_merged": pa.array(n_merged, pa.int32()),
        }
        table = pa.table([columns[name] for name in self.schema.names], schema=self.schema)
        for batch in table.combine_chunks().to_batches():
            self.writer.write_batch(batch)
            self.starts.append(self.starts[-1] + len(batch))
        subject = hash_array(kept["subject_id"].to_numpy(zero_copy_only=False), categorize=False)
        keys = np.empty(len(own), KEYS)
        for name in ("ra", "dec", "angular_size"):
            keys[name] = kept[name].to_numpy()
        keys["subject"] = subject
        self.keys.append(keys)

    def finished(self) -> Assembled:
        """Name and sort the rows; letters and order depend on the rows alone."""
        keys = np.concatenate([np.empty(0, KEYS), *self.keys])
        unique = np.lexsort([keys["subject"], keys["angular_size"], keys["dec"], keys["ra"]])
        names = np.empty(len(keys), object)
        names[unique] = source_names(keys["ra"][unique], keys["dec"][unique])
        pixel = healpix_pixels(keys["ra"], keys["dec"])
        order = np.lexsort((names.astype(str), pixel))
        return Assembled(
            scratch=self.scratch,
            starts=np.array(self.starts),
            names=names,
            order=order,
            owner=self.owner,
            is_row=self.is_row,
            agrees=self.agrees,
            is_cut=self.is_cut,
        )
