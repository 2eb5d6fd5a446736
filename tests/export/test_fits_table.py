"""FITS tables: astropy reads back the same rows, units and descriptions."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import Table
from catalogue_rows import write_random_catalogue

from claran_core.catalogue.product.schema import CATALOGUE
from claran_core.common.errors import InputError
from claran_core.export import fits_table
from claran_core.export.fits_table import write_fits
from claran_core.export.source import open_catalogue


def check_rows(path: Path, rows: pd.DataFrame) -> None:
    """Compare every value of a FITS table with the catalogue's."""
    with fits.open(path) as hdus:
        hdus.verify("exception")
        data = hdus[1].data
        assert len(data) == len(rows)
        for column in CATALOGUE:
            read, wanted = data[column.name], rows[column.name]
            if pa.types.is_list(column.type):
                kind = column.type.value_type.to_pandas_dtype()
                for mine, theirs in zip(wanted, read, strict=True):
                    np.testing.assert_array_equal(theirs, np.asarray(mine, kind), strict=False)
            elif pa.types.is_string(column.type):
                assert read.tolist() == wanted.tolist()
            else:
                kind = column.type.to_pandas_dtype()
                np.testing.assert_array_equal(read, wanted.to_numpy(kind))


@pytest.mark.parametrize("n", [0, 1, 40])
def test_rows_survive(tmp_path: Path, n: int) -> None:
    rows = write_random_catalogue(tmp_path / "c.parquet", n)
    write_fits(open_catalogue(tmp_path / "c.parquet"), tmp_path / "c.fits")
    check_rows(tmp_path / "c.fits", rows)
    assert (tmp_path / "c.fits").stat().st_size % 2880 == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.fits", "c.parquet"]


def test_rows_survive_in_many_batches_and_with_a_large_heap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = write_random_catalogue(tmp_path / "c.parquet", 40)
    source = open_catalogue(tmp_path / "c.parquet")
    batches = type(source).batches
    monkeypatch.setattr(type(source), "batches", lambda self, columns=None: batches(self, columns, rows=7))
    monkeypatch.setattr(fits_table, "MAX_SMALL_HEAP", 100)
    write_fits(source, tmp_path / "c.fits")
    check_rows(tmp_path / "c.fits", rows)
    place = CATALOGUE.names.index("component_ra") + 1
    assert fits.getheader(tmp_path / "c.fits", 1)[f"TFORM{place}"].startswith("QD(")


def test_header_says_units_ucds_and_descriptions(tmp_path: Path) -> None:
    write_random_catalogue(tmp_path / "c.parquet", 5)
    write_fits(open_catalogue(tmp_path / "c.parquet"), tmp_path / "c.fits")
    header = fits.getheader(tmp_path / "c.fits", 1)
    for number, column in enumerate(CATALOGUE, start=1):
        about = {key.decode(): value.decode() for key, value in column.metadata.items()}
        assert header[f"TTYPE{number}"] == column.name
        assert header.get(f"TUNIT{number}", "") == about["unit"]
        assert header.get(f"TUCD{number}", "") == about["ucd"]
        assert header[f"TCOMM{number}"] == about["description"]
    assert "method: D4" in list(fits.getheader(tmp_path / "c.fits")["HISTORY"])


def test_astropy_table_has_the_units(tmp_path: Path) -> None:
    write_random_catalogue(tmp_path / "c.parquet", 5)
    write_fits(open_catalogue(tmp_path / "c.parquet"), tmp_path / "c.fits")
    table = Table.read(tmp_path / "c.fits")
    for column in CATALOGUE:
        assert u.Unit(table[column.name].unit or "") == u.Unit(column.metadata[b"unit"].decode())


def write_more(path: Path, name: str, column: pa.Array) -> None:
    """Write a catalogue of two rows with a column more."""
    table = pa.table({"source_id": ["J1", "J2"], "ra": [1.0, 2.0], "dec": [1.0, 2.0], name: column})
    pq.write_table(table, path)


def test_columns_of_the_user(tmp_path: Path) -> None:
    write_more(tmp_path / "c.parquet", "good", pa.array([True, False]))
    write_fits(open_catalogue(tmp_path / "c.parquet"), tmp_path / "c.fits")
    assert fits.getdata(tmp_path / "c.fits")["good"].tolist() == [True, False]


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (pa.array([{"x": 1}, {"x": 2}]), "FITS has no type for struct"),
        (pa.array(["plain", "naïve"]), "'naïve' is not ASCII"),
    ],
)
def test_what_fits_cannot_hold_is_one_line_and_no_file(tmp_path: Path, column: pa.Array, said: str) -> None:
    write_more(tmp_path / "c.parquet", "more", column)
    with pytest.raises(InputError, match=said) as caught:
        write_fits(open_catalogue(tmp_path / "c.parquet"), tmp_path / "c.fits")
    assert "column 'more'" in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["c.parquet"]
