"""From the sources of all shards to one row per source on the sky, in one pass over the files.

Shards are read one batch after the other.  A detection can only be linked with others whose subjects
overlap its own, so as soon as all shards with subjects around it have been read, its group is complete,
its winner is written to a scratch file, and it is forgotten.  Memory holds one batch, the borders of those
before, and some numbers per source; never all rows.
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

# Rows of the shards' tables read at a time.
BATCH_ROWS = 200_000

# Rings of cells within reach of a subject, and the finest cells: the finer, the fewer sources wait.
RINGS, FINEST_ORDER = 4, 10

# What rows are named and sorted by: letters of equal names must depend on nothing else.
KEYS = np.dtype([("ra", float), ("dec", float), ("angular_size", float), ("subject", np.uint64)])

# Columns of the catalogue that a shard's sources already have.
CARRIED = [name for name in CATALOGUE.names if name in SOURCES.names]

# Columns of the sources that wait, and their number among those of all shards.
WINDOW = pa.schema([field.remove_metadata() for field in SOURCES] + [pa.field("_row", pa.int64())])


@dataclass(frozen=True)
class Assembled:
    """What became of the sources of all shards.

    Attributes
    ----------
    scratch : Path
        Arrow file with the rows of the catalogue, in the order they were found.
    starts : (k + 1,) int array
        First row of each of its record batches, and the number of rows.
    names : (n,) object array of str
        Name of each row.
    order : (n,) int array
        The rows in the order of the catalogue.
    owner : (m,) int array
        Row that stands for each source of the shards, these one after the other.
    is_row, agrees, is_cut : (m,) bool arrays
        Whether it is that row itself; whether it has the same components; whether the border of its
        subject cuts it.
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
        """Rows of the catalogue in its order, `chunk` at a time, with their names."""
        with pa.memory_map(str(self.scratch)) as source:
            reader = pa.ipc.open_file(source)
            for start in range(0, len(self.order), chunk):
                wanted = self.order[start : start + chunk]
                yield _gathered(reader, self.starts, wanted).add_column(
                    0, "source_id", pa.array(self.names[wanted], pa.string())
                )


def _gathered(reader: pa.ipc.RecordBatchFileReader, starts: np.ndarray, wanted: np.ndarray) -> pa.Table:
    """Rows `wanted`, in that order."""
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
        Tables of `claran_core.catalogue.product.schema.SOURCES`, one per shard, in any order; close on the
        sky from one to the next is quickest.
    positions : sequence of (k, 2) arrays
        Right ascension and declination (deg) of the subjects of each shard.
    frame : Frame
        Their geometry.
    tolerance_arcsec : float
        Two peaks nearer than this are one.
    scratch : Path
        Where the rows go until their order is known.

    Raises
    ------
    InputError
        If a file is missing, truncated, or holds something else.
    """
    counts = np.array([_number_of_rows(path) for path in sources], np.int64)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    batches = batches_of(counts, BATCH_ROWS)
    horizon = _Horizon.of(positions, batches, frame)
    keeper = _Keeper(scratch, int(offsets[-1]))
    window = WINDOW.empty_table()
    progress = Progress("sources of the shards merged", len(batches))

    def read(batch: list[int]) -> list[pa.Table]:
        return [_numbered(read_arrow(sources[shard], SOURCES.names), int(offsets[shard])) for shard in batch]

    with keeper:
        for number, fresh in enumerate(read_ahead(read, batches)):
            window = pa.concat_tables([window, *fresh]).combine_chunks()
            window = _close(window, number, horizon, tolerance_arcsec, keeper)
            progress.step()
    return keeper.finished()


def _numbered(table: pa.Table, first: int) -> pa.Table:
    """Sources of a shard with their numbers among those of all shards."""
    numbers = pa.array(np.arange(first, first + len(table)))
    return table.append_column("_row", numbers).cast(WINDOW)


def batches_of(counts: np.ndarray, most: int) -> list[list[int]]:
    """Cut the shards, whose numbers of rows are given, into runs of at most `most` rows (or one shard)."""
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
        return len(read_arrow(path))  # says what is wrong


@dataclass(frozen=True)
class _Horizon:
    """Until when a place on the sky may be seen by subjects not yet read.

    Attributes
    ----------
    grid : HEALPix
        Cells finer than the reach of a subject.
    last : (cells,) int array
        Last batch with a subject within reach of the cell.
    """

    grid: HEALPix
    last: np.ndarray

    @classmethod
    def of(
        cls, positions: Sequence[np.ndarray], batches: Sequence[Sequence[int]], frame: Frame
    ) -> "_Horizon":
        # A linked detection has a peak in common, no further from either box's middle than a frame is wide
        # from corner to corner; its subject's centre is half of that further.
        reach_deg = 1.5 * np.sqrt(2) * frame.width_arcsec / 3600
        # A ring of cells around a cell is everywhere at least two thirds of a cell's width thick.
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
        """Batch after which nothing new can be seen at these positions."""
        return self.last[_cells(self.grid, ra_deg, dec_deg)]


def _cells(grid: HEALPix, ra_deg: np.ndarray, dec_deg: np.ndarray) -> np.ndarray:
    return grid.lonlat_to_healpix(ra_deg * u.deg, dec_deg * u.deg)


def _close(
    window: pa.Table, number: int, horizon: _Horizon, tolerance_arcsec: float, keeper: "_Keeper"
) -> pa.Table:
    """Hand the groups that are complete after batch `number` to the keeper; return the other rows."""
    views = SourceRows.of(window)
    links = link_duplicates(views, tolerance_arcsec)
    group = connected_groups(len(views), links)
    after = horizon.closed_after(window["ra"].to_numpy(), window["dec"].to_numpy())
    waits = np.zeros(group.max(initial=-1) + 1, bool)
    waits[group[after > number]] = True
    closed = ~waits[group]
    keeper.keep(window, closed, resolve(views.rank, links), views.is_cut)
    return window.filter(pa.array(~closed))


class _Keeper:
    """Collects what is decided: winning rows in a scratch file, and who stands for whom."""

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

    def __enter__(self) -> "_Keeper":
        self.writer = pa.ipc.new_file(self.scratch, self.schema)
        return self

    def __exit__(self, *_: object) -> None:
        self.writer.close()

    def keep(self, window: pa.Table, closed: np.ndarray, found: Resolution, is_cut: np.ndarray) -> None:
        rows = np.flatnonzero(closed)
        own = rows[found.winner[rows] == rows]
        place = np.full(len(closed), -1)
        place[own] = self.starts[-1] + np.arange(len(own))
        source = window["_row"].to_numpy()[rows]
        self.owner[source] = place[found.winner[rows]]
        self.is_row[source] = found.winner[rows] == rows
        self.agrees[source] = found.agrees[rows]
        self.is_cut[source] = is_cut[rows]
        # What a border cuts off is no other opinion about what belongs together, nor another view.
        counts = ~is_cut[rows] | (found.winner[rows] == rows)
        winner, agrees = found.winner[rows][counts], found.agrees[rows][counts]
        merged = np.bincount(winner[agrees], minlength=len(closed))[own]
        torn = np.isin(own, winner[~agrees])
        kept = window.take(pa.array(own))
        flags = kept["flags"].to_numpy() | np.where(torn, int(Flag.VIEWS_DISAGREE), 0).astype(np.int32)
        columns = {name: kept[name] for name in CARRIED} | {
            "flags": pa.array(flags, pa.int32()),
            "n_merged": pa.array(merged, pa.int32()),
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
        """Name the rows and sort them; their letters and order depend on the rows alone."""
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
