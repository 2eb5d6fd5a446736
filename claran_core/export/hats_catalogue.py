"""Export the catalogue to HATS: Parquet files by HEALPix pixel, for lsdb and other tools for large surveys.

The folder is a collection: the catalogue, and a margin with the rows around each partition, so that
neighbours are found across its border.  The rows of a catalogue are sorted by HEALPix pixel, so each
partition is a run of rows; memory holds one partition and the margins.  The package hats (optional dependency
`export`) names the files and writes their lists.
Source: IVOA Note "HATS: Hierarchical Adaptive Tiling Scheme".
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from astropy import units as u
from astropy_healpix import HEALPix

from claran_core import __version__
from claran_core.catalogue.product.data_origin import data_origin
from claran_core.catalogue.product.sky_order import HEALPIX_ORDER, healpix_pixels
from claran_core.catalogue.product.voparquet import votable_metadata
from claran_core.common.errors import InputError
from claran_core.common.files import write_text
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


# HEALPix order and nested pixel of a partition.
Part = tuple[int, int]

# Folders of the collection.
PRIMARY, MARGIN = "catalogue", "margin"
# The margin holds the pixels of this order around a partition, at least so wide (arcsec).
MARGIN_ORDER, MARGIN_ARCSEC = 11, 60.0

README = """# {name}

{n_rows} radio sources, written by claran-survey {version} as a HATS collection: `{primary}/` has the rows by
HEALPix pixel, `{margin}/` the rows within {arcsec:g} arcsec of each partition and some beyond. Columns, units
and meanings are in the Parquet files.

{origin}

    import lsdb

    sources = lsdb.open_catalog("{name}")
"""


def write_hats(
    source: CatalogueFile, path: Path, *, max_rows: int = MAX_ROWS, sky_fraction: float | None = None
) -> None:
    """Write a catalogue as a HATS collection.

    Parameters
    ----------
    source : CatalogueFile
        The catalogue, sorted as the run writes it.
    path : Path
        Output folder; an existing one is replaced.
    max_rows : int
        Largest number of sources of a partition; a pixel of order `HEALPIX_ORDER` may exceed it.
    sky_fraction : float, optional
        Fraction of the sky that the run searched; default: that of the partitions.

    Raises
    ------
    InputError
        If the catalogue is not sorted or has no rows, or hats is not installed.
    """
    import_optional("hats")
    pixels = _sorted_pixels(source)
    orders, tiles, counts = partition_pixels(pixels, max_rows)
    parts = [(int(order), int(tile)) for order, tile in zip(orders, tiles, strict=True)]
    with atomic_folder(path) as folder:
        rows, margins = _RowReader(source), _Margins(parts, source.schema)
        for part, count in zip(parts, counts, strict=True):
            own = rows.take(int(count))
            _write_partition(folder / PRIMARY, part, own)
            margins.add(own)
        found = margins.tables()
        for part, table in found.items():
            _write_partition(folder / MARGIN, part, table)
        largest = {"hats_max_rows": int(max(counts)), "moc_sky_fraction": sky_fraction}
        _describe(folder / PRIMARY, source, parts, source.n_rows, {"catalog_type": "object", **largest})
        if found:
            about = {"catalog_type": "margin", "primary_catalog": PRIMARY, "margin_threshold": MARGIN_ARCSEC}
            about |= {"hats_max_rows": max(map(len, found.values())), "moc_sky_fraction": sky_fraction}
            _describe(folder / MARGIN, source, list(found), sum(map(len, found.values())), about)
        _describe_collection(folder, source, path.name, has_margin=bool(found))


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


class _Margins:
    """Collects the rows in the pixels of order `MARGIN_ORDER` around each partition."""

    def __init__(self, parts: Sequence[Part], schema: pa.Schema) -> None:
        self._parts, self._schema = list(parts), schema
        self._found: list[list[pa.Table]] = [[] for _ in parts]
        get_margin = import_optional("hats.pixel_math").get_margin
        around = [get_margin(order, tile, MARGIN_ORDER - order) for order, tile in self._parts]
        pixels = np.concatenate([np.asarray(one, np.int64) for one in around])
        owner = np.repeat(np.arange(len(around)), [len(one) for one in around])
        order = np.argsort(pixels, kind="stable")
        self._pixels, self._owner = pixels[order], owner[order]

    def add(self, rows: pa.Table) -> None:
        """Give rows to the partitions whose margin they are in."""
        pixels = healpix_pixels(rows["ra"].to_numpy(), rows["dec"].to_numpy(), MARGIN_ORDER)
        first, last = (np.searchsorted(self._pixels, pixels, side) for side in ("left", "right"))
        count = last - first
        row = np.repeat(np.arange(len(rows)), count)
        entry = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + np.repeat(first, count)
        for number in np.unique(self._owner[entry]):
            self._found[number].append(rows.take(row[self._owner[entry] == number]))

    def tables(self) -> dict[Part, pa.Table]:
        """Return the rows of each margin that has some."""
        pairs = zip(self._parts, self._found, strict=True)
        return {part: pa.concat_tables(found) for part, found in pairs if found}


def _write_partition(folder: Path, part: Part, rows: pa.Table) -> None:
    file_io, paths = (import_optional(f"hats.io.{name}") for name in ("file_io", "paths"))
    grid = HEALPix(nside=2**INDEX_ORDER, order="nested")
    index = grid.lonlat_to_healpix(rows["ra"].to_numpy() * u.deg, rows["dec"].to_numpy() * u.deg)
    table = rows.add_column(0, INDEX, pa.array(index, INDEX.type)).take(np.argsort(index, kind="stable"))
    described = votable_metadata(table.schema)
    table = table.replace_schema_metadata(described)
    pixel = import_optional("hats.pixel_math").HealpixPixel(*part)
    target = Path(paths.new_pixel_catalog_file(folder, pixel, create_dirs=True))
    pq.write_table(table, target, **file_io.get_parquet_write_table_kwargs(table.schema))


def _describe(
    folder: Path, source: CatalogueFile, parts: Sequence[Part], n_rows: int, about: Mapping[str, Any]
) -> None:
    """Write the metadata of one table of HATS: lists of pixels and row groups, and properties."""
    hats, pixel_math = import_optional("hats.catalog"), import_optional("hats.pixel_math")
    import_optional("hats.io").write_parquet_metadata(folder)
    info = hats.PartitionInfo.from_healpix([pixel_math.HealpixPixel(*part) for part in parts])
    info.write_to_file(folder / "partition_info.csv")
    facts = {f"claran_{key}": value for key, value in source.short_facts().items()}
    made = hats.TableProperties.new_provenance_dict(folder, builder=_builder())
    if about["moc_sky_fraction"] is None:
        about = {**about, "moc_sky_fraction": info.calculate_fractional_coverage()}
    hats.TableProperties(
        catalog_name=folder.name,
        total_rows=n_rows,
        ra_column="ra",
        dec_column="dec",
        healpix_column=INDEX.name,
        healpix_order=INDEX_ORDER,
        hats_order=info.get_highest_order(),
        **about,
        **facts,
        **made,
    ).to_properties_file(folder)


def _describe_collection(folder: Path, source: CatalogueFile, name: str, *, has_margin: bool) -> None:
    """Write the properties of the collection and its README."""
    hats, origin = import_optional("hats.catalog"), data_origin(source.facts)
    margin = {"all_margins": [MARGIN], "default_margin": MARGIN} if has_margin else {}
    made = hats.CollectionProperties.new_provenance_dict(folder, builder=_builder())
    hats.CollectionProperties(name=name, hats_primary_table_url=PRIMARY, **margin, **made).to_properties_file(
        folder
    )
    places = {"primary": PRIMARY, "margin": MARGIN, "arcsec": MARGIN_ARCSEC}
    said = "  \n".join(f"{key}: {value}" for key, value in origin.items())
    text = README.format(name=name, n_rows=source.n_rows, version=__version__, origin=said, **places)
    write_text(folder / "README.md", text)


def _builder() -> str:
    return f"claran-survey v{__version__}"
