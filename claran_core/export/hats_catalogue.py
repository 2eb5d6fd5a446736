"""Export the catalogue to HATS: Parquet files by HEALPix pixel, for lsdb and other tools for large surveys.

The rows of a catalogue are sorted by HEALPix pixel, so each partition is a run of rows and memory holds one
partition.  The package hats (optional dependency `export`) names the files and writes their lists.
Source: IVOA Note "HATS: Hierarchical Adaptive Tiling Scheme".
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from astropy import units as u
from astropy_healpix import HEALPix

from claran_core import __version__
from claran_core.catalogue.product.sky_order import HEALPIX_ORDER, healpix_pixels
from claran_core.catalogue.product.voparquet import votable_metadata
from claran_core.common.errors import InputError
from claran_core.common.optional_packages import import_optional
from claran_core.common.temporary import atomic_folder
from claran_core.export.source import CatalogueFile

__all__ = ["partition_pixels", "write_hats"]

# Largest number of sources of a partition: about 100 MB.
MAX_ROWS = 200_000
# HATS stores the pixel of each row at the finest order.
INDEX_ORDER = 29
INDEX = pa.field(
    "_healpix_29",
    pa.int64(),
    nullable=False,
    metadata={"ucd": "pos.healpix", "description": "HEALPix pixel of the position, nested, order 29"},
)


def write_hats(source: CatalogueFile, path: Path, *, max_rows: int = MAX_ROWS) -> None:
    """Write a catalogue as a HATS folder.

    Parameters
    ----------
    source : CatalogueFile
        The catalogue, sorted as the run writes it.
    path : Path
        Output folder; an existing one is replaced.
    max_rows : int
        Largest number of sources of a partition; a pixel of order `HEALPIX_ORDER` may exceed it.

    Raises
    ------
    InputError
        If the catalogue is not sorted or has no rows, or hats is not installed.
    """
    import_optional("hats")
    pixels = _sorted_pixels(source)
    orders, tiles, counts = partition_pixels(pixels, max_rows)
    with atomic_folder(path) as folder:
        rows = _RowReader(source)
        for order, tile, count in zip(orders, tiles, counts, strict=True):
            _write_partition(folder, int(order), int(tile), rows.take(int(count)))
        _describe(folder, source, path.name, orders, tiles, int(max(counts)))


def partition_pixels(pixels: np.ndarray, max_rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the largest HEALPix pixels that hold at most `max_rows` rows each.

    Parameters
    ----------
    pixels : (N,) int array
        Nested pixel of order `HEALPIX_ORDER` of each row, ascending.
    max_rows : int
        Largest number of rows of a partition; a pixel of order `HEALPIX_ORDER` is never split.

    Returns
    -------
    orders, tiles, counts : (k,) int arrays
        Order, nested pixel and number of rows of each partition, in the order of the rows.
    """
    order = np.full(len(pixels), HEALPIX_ORDER)
    for level in range(HEALPIX_ORDER - 1, -1, -1):
        _, place, size = np.unique(
            pixels >> 2 * (HEALPIX_ORDER - level), return_inverse=True, return_counts=True
        )
        order[size[place] <= max_rows] = level
    tile = pixels >> 2 * (HEALPIX_ORDER - order)
    starts = np.flatnonzero(np.diff(order, prepend=-1) | np.diff(tile, prepend=-1))
    return order[starts], tile[starts], np.diff(starts, append=len(pixels))


def _sorted_pixels(source: CatalogueFile) -> np.ndarray:
    parts = [
        healpix_pixels(batch["ra"].to_numpy(), batch["dec"].to_numpy())
        for batch in source.batches(["ra", "dec"])
    ]
    pixels = np.concatenate(parts) if parts else np.zeros(0, int)
    if not len(pixels):
        raise InputError(f"{source.path}: no sources; HATS cannot store an empty catalogue")
    if (np.diff(pixels) < 0).any():
        raise InputError(
            f"{source.path}: rows are not sorted by HEALPix pixel; export the catalogue as the run wrote it"
        )
    return pixels


class _RowReader:
    """Reads the rows of a catalogue in runs of any length."""

    def __init__(self, source: CatalogueFile) -> None:
        self._batches = source.batches()
        self._rest = source.schema.empty_table()

    def take(self, count: int) -> pa.Table:
        """Return the next `count` rows."""
        while len(self._rest) < count:
            self._rest = pa.concat_tables([self._rest, pa.Table.from_batches([next(self._batches)])])
        taken, self._rest = self._rest.slice(0, count), self._rest.slice(count)
        return taken


def _write_partition(folder: Path, order: int, tile: int, rows: pa.Table) -> None:
    file_io, paths = (import_optional(f"hats.io.{name}") for name in ("file_io", "paths"))
    grid = HEALPix(nside=2**INDEX_ORDER, order="nested")
    index = grid.lonlat_to_healpix(rows["ra"].to_numpy() * u.deg, rows["dec"].to_numpy() * u.deg)
    table = rows.add_column(0, INDEX, pa.array(index, INDEX.type)).take(np.argsort(index, kind="stable"))
    described = votable_metadata(table.schema)
    table = table.replace_schema_metadata(described)
    pixel = import_optional("hats.pixel_math").HealpixPixel(order, tile)
    target = Path(paths.new_pixel_catalog_file(folder, pixel, create_dirs=True))
    pq.write_table(table, target, **file_io.get_parquet_write_table_kwargs(table.schema))


def _describe(
    folder: Path, source: CatalogueFile, name: str, orders: np.ndarray, tiles: np.ndarray, most: int
) -> None:
    """Write the metadata of HATS: lists of pixels and row groups, and properties."""
    hats, pixel_math = import_optional("hats.catalog"), import_optional("hats.pixel_math")
    import_optional("hats.io").write_parquet_metadata(folder)
    pixels = [
        pixel_math.HealpixPixel(int(order), int(tile)) for order, tile in zip(orders, tiles, strict=True)
    ]
    info = hats.PartitionInfo.from_healpix(pixels)
    info.write_to_file(folder / "partition_info.csv")
    facts = {f"claran_{key}": value for key, value in source.short_facts().items()}
    made = hats.TableProperties.new_provenance_dict(folder, builder=f"claran-survey v{__version__}")
    hats.TableProperties(
        catalog_name=name,
        catalog_type="object",
        total_rows=source.n_rows,
        ra_column="ra",
        dec_column="dec",
        healpix_column=INDEX.name,
        healpix_order=INDEX_ORDER,
        hats_max_rows=most,
        hats_order=info.get_highest_order(),
        moc_sky_fraction=info.calculate_fractional_coverage(),
        **facts,
        **made,
    ).to_properties_file(folder)
