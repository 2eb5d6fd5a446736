"""CSV tables of spreadsheets, VizieR and astropy."""

import gzip
from pathlib import Path

import pytest
from astropy import units as u
from astropy.table import Table

from claran_core.common import csv_table
from claran_core.common.csv_table import csv_columns, read_csv
from claran_core.common.table_column import TableColumn

VIZIER = (
    "#\n#   VizieR Astronomical Server\n#Column\tRAJ2000\n"
    'RAJ2000\tDEJ2000\tFlux\n"h:m:s"\t"d:m:s"\tmJy\n-------\t-------\t----\n'
    "07 45 35.0\t-33 57 54\t 2.5\n"
)


def write(tmp_path: Path, text: str, name: str = "t.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_separators(tmp_path: Path, separator: str) -> None:
    text = "\n\nra,dec,name\n1.5,-2,a\n\n3,4,007\n".replace(",", separator)
    data = read_csv(write(tmp_path, text), ["name", "ra"], {"name"})
    assert data["name"].tolist() == ["a", "007"] and data["ra"].astype(float).tolist() == [1.5, 3.0]
    assert data.index.tolist() == [4, 6]


@pytest.mark.parametrize("separator", [";", "\t"])
def test_table_of_vizier(tmp_path: Path, separator: str) -> None:
    path = write(tmp_path, VIZIER.replace("\t", separator), "t.tsv")
    assert csv_columns(path) == [
        TableColumn("RAJ2000", "h:m:s"),
        TableColumn("DEJ2000", "d:m:s"),
        TableColumn("Flux", "mJy"),
    ]
    data = read_csv(path, ["RAJ2000", "Flux"], set())
    assert data.loc[7].tolist() == ["07 45 35.0", 2.5]


def test_units_of_an_ecsv_table(tmp_path: Path) -> None:
    path = tmp_path / "t.ecsv"
    Table({"ra": [2.0, 3.5] * u.hourangle, "name": ["a b", "c"]}).write(path)
    assert csv_columns(path) == [TableColumn("ra", "hourangle"), TableColumn("name")]
    data = read_csv(path, ["ra", "name"], {"name"})
    assert data["ra"].tolist() == [2.0, 3.5] and data["name"].tolist() == ["a b", "c"]


def test_compressed_table_with_comments(tmp_path: Path) -> None:
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"# first\n# second\nra,dec\n1,2\n"))
    assert read_csv(path, ["dec"], set()).loc[4].tolist() == [2]


def test_empty_values_beyond_the_last_column_are_ignored(tmp_path: Path) -> None:
    assert read_csv(write(tmp_path, "ra,dec\n1,2,\n3,4\n"), ["dec"], set())["dec"].tolist() == [2, 4]


def test_only_lines_without_any_value_are_left_out(tmp_path: Path) -> None:
    """A row without a position is read, so that it can be refused."""
    data = read_csv(write(tmp_path, "name,ra,dec\na,1,2\n\nb,,\n,,\n"), ["ra", "dec"], set())
    assert data.index.tolist() == [2, 4] and data["ra"].tolist() == ["1", ""]


@pytest.mark.parametrize("row", ["150,1,2,1", "1,2,3", "x,1,2"])
def test_a_row_with_more_values_is_refused(tmp_path: Path, row: str) -> None:
    path = write(tmp_path, f"ra,dec\n1,2\n{row}\n")
    with pytest.raises(ValueError, match="line 3 has more values than the 2 columns; quote a value"):
        read_csv(path, ["ra", "dec"], set())


def test_more_text_than_memory_holds_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_table, "LONGEST_TEXT", 1 << 16)
    monkeypatch.setattr(csv_table, "LONGEST_LINE", 1 << 10)
    bomb = tmp_path / "t.csv.gz"
    bomb.write_bytes(gzip.compress(b"ra,dec\n" + b"1,2\n" * (1 << 15)))
    with pytest.raises(ValueError, match="save it as Parquet"):
        read_csv(bomb, ["ra"], set())
    bomb.write_bytes(gzip.compress(b"r" * (1 << 12)))
    with pytest.raises(ValueError, match="line 1 is longer than"):
        csv_columns(bomb)
