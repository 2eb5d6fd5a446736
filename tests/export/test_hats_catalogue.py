"""HATS: lsdb opens the folder and finds the same rows; partitions are pixels that hold few enough rows."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from catalogue_rows import random_catalogue, write_random_catalogue

from claran_core.catalogue.product.schema import CATALOGUE
from claran_core.catalogue.product.sky_order import HEALPIX_ORDER, healpix_pixels
from claran_core.catalogue.product.voparquet import mismatches
from claran_core.common.errors import InputError
from claran_core.common.files import write_table
from claran_core.export.hats_catalogue import partition_pixels, write_hats
from claran_core.export.source import open_catalogue

# What the packages of lsdb warn of among themselves is theirs.
pytestmark = pytest.mark.filterwarnings("ignore")


def check_partitions(pixels: np.ndarray, max_rows: int) -> None:
    orders, tiles, counts = partition_pixels(pixels, max_rows)
    assert counts.sum() == len(pixels)
    shifts = 2 * (HEALPIX_ORDER - np.repeat(orders, counts))
    np.testing.assert_array_equal(pixels >> shifts, np.repeat(tiles, counts))
    for order, tile, count in zip(orders, tiles, counts, strict=True):
        assert count <= max_rows or order == HEALPIX_ORDER
        if order:  # a larger pixel would have held too many
            shift = 2 * (HEALPIX_ORDER - order + 1)
            assert (pixels >> shift == tile >> 2).sum() > max_rows


@pytest.mark.parametrize("max_rows", [1, 3, 20, 1000])
def test_partitions_are_the_largest_pixels_that_hold_few_enough(max_rows: int) -> None:
    rng = np.random.default_rng(3)
    clustered = rng.normal(4_000_000, 40, 300).astype(int)
    pixels = np.sort(np.concatenate([clustered, rng.integers(0, 12 * 4**HEALPIX_ORDER, 300)]))
    check_partitions(pixels, max_rows)


def test_partition_of_one_row() -> None:
    orders, tiles, counts = partition_pixels(np.array([5 * 4**HEALPIX_ORDER]), 10)
    assert (orders.tolist(), tiles.tolist(), counts.tolist()) == ([0], [5], [1])


def test_no_sources_and_wrong_order_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("hats")
    write_random_catalogue(tmp_path / "none.parquet", 0)
    with pytest.raises(InputError, match="no sources"):
        write_hats(open_catalogue(tmp_path / "none.parquet"), tmp_path / "hats")
    random_catalogue(9).iloc[::-1].to_parquet(tmp_path / "back.parquet")
    with pytest.raises(InputError, match="not sorted by HEALPix pixel"):
        write_hats(open_catalogue(tmp_path / "back.parquet"), tmp_path / "hats")
    assert not (tmp_path / "hats").exists()


def test_without_the_package_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "hats", None)
    write_random_catalogue(tmp_path / "c.parquet", 3)
    with pytest.raises(InputError, match=r"hats is not installed.*claran-survey\[export\]"):
        write_hats(open_catalogue(tmp_path / "c.parquet"), tmp_path / "hats")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with a catalogue of 300 rows, and the same in HATS, at most 40 rows a partition."""
    pytest.importorskip("hats")
    base = tmp_path_factory.mktemp("hats")
    write_random_catalogue(base / "c.parquet", 300)
    write_hats(open_catalogue(base / "c.parquet"), base / "sources", max_rows=40)
    return base


def test_partitions_hold_all_rows_with_units(folder: Path) -> None:
    from hats.io.validation import is_valid_catalog

    assert is_valid_catalog(folder / "sources" / "catalogue", strict=True)
    assert is_valid_catalog(folder / "sources" / "margin", strict=True)
    files = sorted((folder / "sources" / "catalogue" / "dataset").rglob("*.parquet"))
    assert len(files) > 10
    parts = [pq.read_table(file, partitioning=None) for file in files]
    assert max(map(len, parts)) <= 40
    names = sorted(name for part in parts for name in part["source_id"].to_pylist())
    assert names == sorted(random_catalogue(300)["source_id"])
    for part in parts:
        assert part.schema.names == ["_healpix_29", *CATALOGUE.names]
        assert part.schema.field("peak_flux").metadata[b"unit"] == b"mJy/beam"
        assert mismatches(part.schema) == []
        index = part["_healpix_29"].to_numpy()
        assert (np.diff(index) >= 0).all()
        pixels = healpix_pixels(part["ra"].to_numpy(), part["dec"].to_numpy())
        np.testing.assert_array_equal(index >> 2 * (29 - HEALPIX_ORDER), pixels)


def test_lsdb_opens_it(folder: Path) -> None:
    lsdb = pytest.importorskip("lsdb")
    dask = pytest.importorskip("dask")
    rows = random_catalogue(300)
    with dask.config.set(scheduler="synchronous"):
        catalogue = lsdb.open_catalog(folder / "sources", columns="all")
        read = pd.DataFrame(catalogue.compute()).sort_values("source_id", ignore_index=True)
        near = catalogue.cone_search(ra=rows["ra"][0], dec=rows["dec"][0], radius_arcsec=36_000).compute()
    wanted = rows.sort_values("source_id", ignore_index=True)
    for name in ("source_id", "morphology", "flags", "ra", "n_merged"):
        assert read[name].tolist() == wanted[name].tolist()
    np.testing.assert_array_equal(read["peak_flux"].to_numpy(float), wanted["peak_flux"].to_numpy(np.float32))
    for mine, theirs in zip(wanted["component_ra"], read["component_ra"], strict=True):
        np.testing.assert_array_equal(theirs, mine)
    places = SkyCoord(rows["ra"], rows["dec"], unit="deg")
    inside = places.separation(places[0]) <= 10 * u.deg
    assert sorted(near["source_id"]) == sorted(rows["source_id"][inside])
    assert 0 < inside.sum() < 300


def write_field(folder: Path, n: int) -> pd.DataFrame:
    """Write a catalogue of sources in a field of 2 deg that several partitions share."""
    rng = np.random.default_rng(4)
    rows = random_catalogue(n).assign(ra=rng.uniform(44, 46, n), dec=rng.uniform(-1, 1, n))
    order = np.argsort(healpix_pixels(rows["ra"].to_numpy(), rows["dec"].to_numpy()), kind="stable")
    rows = rows.iloc[order].reset_index(drop=True)
    write_table(folder / "c.parquet", rows, CATALOGUE)
    return rows


def test_neighbours_are_found_across_partitions(tmp_path: Path) -> None:
    """A match of the catalogue with itself finds every pair, with the margin alone those across a border."""
    lsdb, dask = pytest.importorskip("lsdb"), pytest.importorskip("dask")
    rows = write_field(tmp_path, 1500)
    write_hats(open_catalogue(tmp_path / "c.parquet"), tmp_path / "sources", max_rows=50, sky_fraction=0.25)
    with dask.config.set(scheduler="synchronous"):
        collection = lsdb.open_catalog(tmp_path / "sources", columns=["source_id", "ra", "dec"])
        assert collection.margin is not None and len(collection.get_healpix_pixels()) > 20
        matched = collection.crossmatch(
            collection, n_neighbors=5, radius_arcsec=60, suffixes=("_a", "_b"), suffix_method="all_columns"
        ).compute()
    places = SkyCoord(rows["ra"], rows["dec"], unit="deg")
    one, other, _, _ = places.search_around_sky(places, 60 * u.arcsec)
    names = rows["source_id"].to_numpy()
    assert sorted(zip(matched["source_id_a"], matched["source_id_b"], strict=True)) == sorted(
        zip(names[one], names[other], strict=True)
    )
    assert len(one) > len(rows) + 50
    properties = (tmp_path / "sources" / "catalogue" / "hats.properties").read_text()
    assert "moc_sky_fraction=0.25" in properties
    assert "1500 radio sources" in (tmp_path / "sources" / "README.md").read_text()


def test_overwriting_replaces_the_whole_folder(tmp_path: Path) -> None:
    pytest.importorskip("hats")
    write_random_catalogue(tmp_path / "c.parquet", 5)
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "old").touch()
    write_hats(open_catalogue(tmp_path / "c.parquet"), tmp_path / "sources")
    assert not (tmp_path / "sources" / "old").exists()
    assert (tmp_path / "sources" / "collection.properties").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.parquet", "sources"]
