"""Tables of the user in all formats."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import MaskedColumn, Table

from claran_core.common.errors import InputError
from claran_core.common.external_tables import column_names, read_external_table

CHOSEN = {"ra": "RA", "dec": "DEC", "subject_id": "name"}


def example() -> Table:
    """Return a table of two rows."""
    return Table({"RA": [10.5, 359.25], "DEC": [-1.5, 89.0], "name": ["007", "b"], "flux": [1.0, 2.0]})


def write(path: Path) -> Path:
    """Write the example in the format of the suffix."""
    table = example()
    if path.suffix == ".parquet":
        table.to_pandas().to_parquet(path)
    elif path.suffix in (".vot", ".xml"):
        table.write(path, format="votable")
    else:
        table.write(path, format="ascii.csv" if path.suffix == ".csv" else "fits")
    return path


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.fits", "t.fit", "t.vot", "t.xml"])
def test_every_format_gives_the_same_table(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name)
    assert column_names(path) == ["RA", "DEC", "name", "flux"]
    table = read_external_table(path, CHOSEN)
    assert table.numbers("ra").tolist() == [10.5, 359.25]
    assert table.numbers("dec").tolist() == [-1.5, 89.0]
    assert table.data["subject_id"].tolist() == ["007", "b"]


def test_compressed_fits_table(tmp_path: Path) -> None:
    plain = write(tmp_path / "t.fits")
    packed = tmp_path / "t.fits.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert read_external_table(packed, CHOSEN).numbers("ra").tolist() == [10.5, 359.25]


def test_rows_keep_their_number_in_the_file(tmp_path: Path) -> None:
    csv = tmp_path / "t.csv"
    csv.write_text("# from a survey\n# version 2\nRA,DEC,name\n1,2,a\n\n3,4,b\n\n")
    table = read_external_table(csv, CHOSEN)
    assert [table.row(0), table.row(1)] == ["line 4", "line 6"]
    table = read_external_table(write(tmp_path / "t.fits"), CHOSEN)
    assert [table.row(0), table.row(1)] == ["row 1", "row 2"]


def test_byte_order_mark_and_spaces_of_spreadsheets(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"\xef\xbb\xbfRA, DEC, name\r\n1.5, -2.5, a\r\n")
    assert column_names(path) == ["RA", "DEC", "name"]
    table = read_external_table(path, CHOSEN)
    assert table.numbers("dec").tolist() == [-2.5] and table.data["subject_id"].tolist() == ["a"]


@pytest.mark.parametrize("suffix", [".fits", ".vot"])
@pytest.mark.parametrize(("unit", "value"), [(u.rad, np.deg2rad(30.0)), (u.arcmin, 1800.0), (None, 30.0)])
def test_units_of_angles_are_converted(tmp_path: Path, suffix: str, unit: str, value: str) -> None:
    path = tmp_path / f"t{suffix}"
    table = Table({"ra": [value], "dec": [30.0]})
    table["ra"].unit = unit
    table.write(path, format="fits" if suffix == ".fits" else "votable")
    assert read_external_table(path, {"ra": "ra", "dec": "dec"}).numbers("ra") == pytest.approx([30.0])


@pytest.mark.parametrize(("unit", "value"), [("Degrees", 30.0), ("hourangle", 2.0)])
def test_units_outside_the_fits_standard(tmp_path: Path, unit: str, value: str) -> None:
    path = tmp_path / "t.fits"
    column = fits.Column("ra", "D", array=[value])
    hdu = fits.BinTableHDU.from_columns([column])
    hdu.header["TUNIT1"] = unit
    hdu.writeto(path)
    assert read_external_table(path, {"ra": "ra"}).numbers("ra") == pytest.approx([30.0])


def test_unit_that_is_not_an_angle_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.fits"
    Table({"ra": [1.0] * u.Jy, "dec": [1.0]}).write(path)
    with pytest.raises(InputError, match="column ra is in 'Jy'; give degrees"):
        read_external_table(path, {"ra": "ra", "dec": "dec"})


def test_masked_positions_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.vot"
    masked = MaskedColumn([1.0, 2.0], mask=[False, True])
    Table({"ra": masked, "dec": [1.0, 2.0]}).write(path, format="votable")
    with pytest.raises(InputError, match=r"row 2: ra nan is not a finite number"):
        read_external_table(path, {"ra": "ra", "dec": "dec"}).numbers("ra")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("07:45:35.0", "line 3: ra '07:45:35.0' is sexagesimal; give decimal degrees"),
        ("", "line 3: ra '' is not a finite number"),
        ("inf", "line 3: ra inf is not a finite number"),
        ("abc", "line 3: ra 'abc' is not a finite number"),
        ("True", "line 3: ra 'True' is not a finite number"),
    ],
)
def test_invalid_number_is_named(tmp_path: Path, value: str, message: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"ra,dec\n1,2\n{value},4\n")
    with pytest.raises(InputError) as error:
        read_external_table(path, {"ra": "ra", "dec": "dec"}).numbers("ra")
    assert str(error.value) == f"{path}: {message}"


def test_boolean_column_is_not_an_angle(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("ra,dec\nTrue,2\nFalse,4\n")
    with pytest.raises(InputError, match="line 2: ra True is not a finite number"):
        read_external_table(path, {"ra": "ra", "dec": "dec"}).numbers("ra")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", b'ra,dec\n1,"2\n'),
        ("t.csv", b""),
        ("t.csv", b"ra,dec\n\xff\xfe,1\n"),
        ("t.parquet", b"PAR1 not really"),
        ("t.fits", b"SIMPLE  = "),
        ("t.vot", b"<VOTABLE><RESOURCE>"),
        ("t.fits.gz", gzip.compress(b"SIMPLE" * 1000, mtime=0)[:50]),
    ],
)
def test_damaged_file_ends_in_one_line(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        column_names(path)
        read_external_table(path, {"ra": "ra", "dec": "dec"})
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_fits_image_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.fits"
    fits.PrimaryHDU(np.zeros((4, 4))).writeto(path)
    with pytest.raises(InputError, match="it holds no table"):
        column_names(path)


def test_empty_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("ra,dec\n\n")
    pd.DataFrame({"ra": [], "dec": []}).to_parquet(tmp_path / "t.parquet")
    for name in ("t.csv", "t.parquet"):
        with pytest.raises(InputError, match="the table is empty"):
            read_external_table(tmp_path / name, {"ra": "ra", "dec": "dec"})


def test_unknown_format_and_missing_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "t.xlsx").write_text("x")
    with pytest.raises(InputError, match=r"extension must be one of: \.csv, \.parquet"):
        column_names(tmp_path / "t.xlsx")
    with pytest.raises(InputError, match="no such file"):
        column_names(tmp_path / "t.csv")


def test_a_truncated_fits_table_ends_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "t.fits"
    Table({"RA": np.arange(2000.0), "DEC": np.arange(2000.0), "name": ["x"] * 2000}).write(path)
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(InputError, match=r"t\.fits: cannot be read as a table \(buffer is too small"):
        read_external_table(path, CHOSEN)
