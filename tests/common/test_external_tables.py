"""Tables of the user in all formats."""

import gzip
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import MaskedColumn, QTable, Table

from claran_core.common.errors import InputError
from claran_core.common.external_tables import ExternalTable, read_external_table, table_columns

CHOSEN = {"ra": "RA", "dec": "DEC", "subject_id": "name"}
POSITION = {"ra": "ra", "dec": "dec"}
UNITS = {"ra": u.deg, "dec": u.deg, "flux": u.mJy}


def names_of(path: Path) -> list[str]:
    """Return the column names of a table."""
    return [column.name for column in table_columns(path)]


def read(path: Path, chosen: Mapping[str, str]) -> ExternalTable:
    """Read columns by {our name: name in the file}."""
    columns = {column.name: column for column in table_columns(path)}
    return read_external_table(path, {ours: columns[name] for ours, name in chosen.items()}, UNITS)


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
    assert names_of(path) == ["RA", "DEC", "name", "flux"]
    table = read(path, CHOSEN)
    assert table.numbers("ra").tolist() == [10.5, 359.25]
    assert table.numbers("dec").tolist() == [-1.5, 89.0]
    assert table.data["subject_id"].tolist() == ["007", "b"]


def test_compressed_fits_table(tmp_path: Path) -> None:
    plain = write(tmp_path / "t.fits")
    packed = tmp_path / "t.fits.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert read(packed, CHOSEN).numbers("ra").tolist() == [10.5, 359.25]


def test_rows_keep_their_number_in_the_file(tmp_path: Path) -> None:
    csv = tmp_path / "t.csv"
    csv.write_text("# from a survey\n# version 2\nRA,DEC,name\n1,2,a\n\n3,4,b\n\n")
    table = read(csv, CHOSEN)
    assert [table.row(0), table.row(1)] == ["line 4", "line 6"]
    table = read(write(tmp_path / "t.fits"), CHOSEN)
    assert [table.row(0), table.row(1)] == ["row 1", "row 2"]


def test_byte_order_mark_and_spaces_of_spreadsheets(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"\xef\xbb\xbfRA, DEC, name\r\n1.5, -2.5, a\r\n")
    assert names_of(path) == ["RA", "DEC", "name"]
    table = read(path, CHOSEN)
    assert table.numbers("dec").tolist() == [-2.5] and table.data["subject_id"].tolist() == ["a"]


@pytest.mark.parametrize("suffix", [".fits", ".vot"])
@pytest.mark.parametrize(("unit", "value"), [(u.rad, np.deg2rad(30.0)), (u.arcmin, 1800.0), (None, 30.0)])
def test_units_of_angles_are_converted(tmp_path: Path, suffix: str, unit: str, value: str) -> None:
    path = tmp_path / f"t{suffix}"
    table = Table({"ra": [value], "dec": [30.0]})
    table["ra"].unit = unit
    table.write(path, format="fits" if suffix == ".fits" else "votable")
    assert read(path, POSITION).numbers("ra") == pytest.approx([30.0])


@pytest.mark.parametrize(("unit", "value"), [("Degrees", 30.0), ("hourangle", 2.0)])
def test_units_outside_the_fits_standard(tmp_path: Path, unit: str, value: str) -> None:
    path = tmp_path / "t.fits"
    column = fits.Column("ra", "D", array=[value])
    hdu = fits.BinTableHDU.from_columns([column])
    hdu.header["TUNIT1"] = unit
    hdu.writeto(path)
    assert read(path, {"ra": "ra"}).numbers("ra") == pytest.approx([30.0])


def test_unit_that_is_not_an_angle_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.fits"
    Table({"ra": [1.0] * u.Jy, "dec": [1.0]}).write(path)
    with pytest.raises(InputError, match="column ra is in 'Jy', which is not converted to deg"):
        read(path, POSITION)


@pytest.mark.parametrize("kind", ["astropy", "quantities", "votable", "fields"])
@pytest.mark.parametrize(("unit", "value"), [(u.hourangle, 2.0), (u.rad, np.deg2rad(30.0))])
def test_units_of_parquet_tables(tmp_path: Path, kind: str, unit: u.UnitBase, value: float) -> None:
    path = tmp_path / "t.parquet"
    table = Table({"ra": [value] * unit, "dec": [-12.5] * u.deg})
    if kind == "fields":
        fields = [pa.field("ra", pa.float64(), metadata={"unit": str(unit)}), pa.field("dec", pa.float64())]
        pq.write_table(pa.table([[value], [-12.5]], schema=pa.schema(fields)), path)
    elif kind == "votable":
        blank = {"ucd": "", "utype": "", "description": ""}
        facts = {"ra": {"unit": str(unit), **blank}, "dec": {"unit": "deg", **blank}}
        table.write(path, format="parquet.votable", metadata=facts)
    else:
        (QTable(table) if kind == "quantities" else table).write(path)
    read_back = read(path, POSITION)
    assert read_back.numbers("ra") == pytest.approx([30.0]) and read_back.numbers("dec").tolist() == [-12.5]


@pytest.mark.parametrize(("card", "value"), [("RADESYS", "FK4"), ("EQUINOX", 1950.0)])
def test_frame_of_fits_positions(tmp_path: Path, card: str, value: object) -> None:
    path = tmp_path / "t.fits"
    hdu = fits.BinTableHDU.from_columns([fits.Column("ra", "D", array=[1.0])])
    hdu.header[card] = value
    hdu.writeto(path)
    stated = "FK4 2000.0" if card == "RADESYS" else "1950.0"
    assert table_columns(path)[0].frame == stated


def test_sexagesimal_positions(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("ra,dec\n07:30:00,-00:30:00\n12 00 36.0,+1d0m0s\n")
    ra_deg, dec_deg = read(path, POSITION).positions()
    assert ra_deg == pytest.approx([112.5, 180.15]) and dec_deg == pytest.approx([-0.5, 1.0])


@pytest.mark.parametrize(
    ("unit", "value", "says"),
    [
        ("deg", "07:30:00", "ra '07:30:00' is sexagesimal, but the unit of its column says otherwise"),
        ("h:m:s", "7.5", "ra 7.5 is a number, but its unit says sexagesimal"),
    ],
)
def test_values_that_contradict_their_unit_are_refused(
    tmp_path: Path, unit: str, value: str, says: str
) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"ra ({unit}),dec\n{value},2\n")
    with pytest.raises(InputError, match=says):
        read(path, {"ra": f"ra ({unit})"}).numbers("ra")


def test_missing_values_of_an_optional_column(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("ra,flux (Jy)\n1,0.5\n2,--\n3,\n4,nan\n")
    table = read(path, {"ra": "ra", "flux": "flux (Jy)"})
    np.testing.assert_array_equal(table.numbers("flux", optional=True), [500.0, np.nan, np.nan, np.nan])
    with pytest.raises(InputError, match="line 3: flux '--' is not a finite number"):
        table.numbers("flux")


@pytest.mark.parametrize(
    ("ra", "dec", "says"), [(360.0, 0.0, "ra 360.0 is outside"), (1.0, -91.0, "dec -91.0")]
)
def test_positions_off_the_sky_are_refused(tmp_path: Path, ra: float, dec: float, says: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"ra,dec\n{ra},{dec}\n")
    with pytest.raises(InputError, match=says):
        read(path, POSITION).positions()


def test_truncated_fits_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.fits"
    Table({"ra": np.arange(500.0), "dec": np.zeros(500)}).write(path)
    path.write_bytes(path.read_bytes()[:-2880])
    with pytest.raises(InputError, match="cannot be read as a table"):
        read(path, POSITION)


@pytest.mark.parametrize("address", ["file:///etc/hostname", "http://127.0.0.1:1/data"])
def test_votable_that_refers_to_other_files_is_refused(tmp_path: Path, address: str) -> None:
    path = tmp_path / "t.vot"
    Table({"ra": [1.0], "dec": [2.0]}).write(path, format="votable", tabledata_format="binary")
    text = path.read_text()
    stream = text[text.index("<STREAM") : text.index("</STREAM>")]
    path.write_text(text.replace(stream, f'<STREAM href="{address}">'))
    with pytest.raises(InputError, match=f"its data are in another file, '{address}', which is not read"):
        read(path, POSITION)


def test_compressed_votable(tmp_path: Path) -> None:
    path = tmp_path / "t.vot.gz"
    path.write_bytes(gzip.compress(write(tmp_path / "t.vot").read_bytes()))
    assert read(path, CHOSEN).numbers("ra").tolist() == [10.5, 359.25]


def test_masked_positions_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.vot"
    masked = MaskedColumn([1.0, 2.0], mask=[False, True])
    Table({"ra": masked, "dec": [1.0, 2.0]}).write(path, format="votable")
    with pytest.raises(InputError, match=r"row 2: ra nan is not a finite number"):
        read(path, POSITION).numbers("ra")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("07:45:35.0", "line 2: ra '1' is not sexagesimal, as other rows are; write all positions alike"),
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
        read(path, POSITION).numbers("ra")
    assert str(error.value) == f"{path}: {message}"


def test_boolean_column_is_not_an_angle(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("ra,dec\nTrue,2\nFalse,4\n")
    with pytest.raises(InputError, match="line 2: ra True is not a finite number"):
        read(path, POSITION).numbers("ra")


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
        names_of(path)
        read(path, POSITION)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_fits_image_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.fits"
    fits.PrimaryHDU(np.zeros((4, 4))).writeto(path)
    with pytest.raises(InputError, match="it holds no table"):
        names_of(path)


def test_empty_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("ra,dec\n\n")
    pd.DataFrame({"ra": [], "dec": []}).to_parquet(tmp_path / "t.parquet")
    for name in ("t.csv", "t.parquet"):
        with pytest.raises(InputError, match="the table is empty"):
            read(tmp_path / name, POSITION)


def test_unknown_format_and_missing_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "t.xlsx").write_text("x")
    with pytest.raises(InputError, match=r"extension must be one of: \.csv, \.tsv, "):
        names_of(tmp_path / "t.xlsx")
    with pytest.raises(InputError, match="no such file"):
        names_of(tmp_path / "t.csv")
