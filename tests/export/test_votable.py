"""VOTables: astropy reads back the same rows, units, UCDs and descriptions."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy import units as u
from astropy.io import votable
from catalogue_rows import write_random_catalogue

from claran_core.catalogue.product.schema import CATALOGUE
from claran_core.common.errors import InputError
from claran_core.export.source import open_catalogue
from claran_core.export.votable import write_votable


def check_rows(path: Path, rows: pd.DataFrame) -> None:
    """Compare every value of a VOTable with the catalogue's."""
    table = votable.parse(path, verify="exception").get_first_table()
    data = table.array
    assert len(data) == len(rows)
    assert [field.name for field in table.fields] == CATALOGUE.names
    for column in CATALOGUE:
        read, wanted = data[column.name].data, rows[column.name]
        if pa.types.is_list(column.type):
            kind = column.type.value_type.to_pandas_dtype()
            for mine, theirs in zip(wanted, read, strict=True):
                np.testing.assert_array_equal(np.asarray(theirs, kind), np.asarray(mine, kind))
        elif pa.types.is_string(column.type):
            assert read.tolist() == wanted.tolist()
        else:
            np.testing.assert_array_equal(read, wanted.to_numpy(column.type.to_pandas_dtype()))


@pytest.mark.parametrize("n", [0, 1, 40])
def test_rows_survive(tmp_path: Path, n: int) -> None:
    rows = write_random_catalogue(tmp_path / "c.parquet", n)
    write_votable(open_catalogue(tmp_path / "c.parquet"), tmp_path / "c.vot")
    check_rows(tmp_path / "c.vot", rows)


@pytest.mark.parametrize("batch_rows", [1, 7])
def test_rows_survive_in_many_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch_rows: int
) -> None:
    rows = write_random_catalogue(tmp_path / "c.parquet", 40)
    monkeypatch.setattr("claran_core.export.votable.BATCH_ROWS", batch_rows)
    write_votable(open_catalogue(tmp_path / "c.parquet"), tmp_path / "c.vot")
    check_rows(tmp_path / "c.vot", rows)


def test_fields_say_units_ucds_and_descriptions(tmp_path: Path) -> None:
    write_random_catalogue(tmp_path / "c.parquet", 3)
    write_votable(open_catalogue(tmp_path / "c.parquet"), tmp_path / "c.vot")
    document = votable.parse(tmp_path / "c.vot")
    for field, column in zip(document.get_first_table().fields, CATALOGUE, strict=True):
        assert u.Unit(str(field.unit or "")) == u.Unit(column.metadata[b"unit"].decode())
        assert field.ucd == column.metadata[b"ucd"].decode()
        assert " ".join(field.description.split()) == column.metadata[b"description"].decode()
    infos = {info.name: info.value for info in document.resources[0].infos}
    assert infos["method"] == "D4"


def test_truth_values_and_other_columns_of_the_user(tmp_path: Path) -> None:
    table = pa.table(
        {"source_id": ["J1", "J2"], "ra": [1.0, 2.0], "dec": [1.0, 2.0], "good": [True, False], "n": [7, -1]}
    )
    pq.write_table(table, tmp_path / "c.parquet")
    write_votable(open_catalogue(tmp_path / "c.parquet"), tmp_path / "c.vot")
    read = votable.parse(tmp_path / "c.vot").get_first_table().array
    assert read["good"].tolist() == [True, False]
    assert read["n"].tolist() == [7, -1]


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (pa.array([{"x": 1}, {"x": 2}]), "VOTable has no type for struct"),
        (pa.array(["plain", "naïve"]), "'naïve' is not ASCII"),
    ],
)
def test_what_votable_cannot_hold_is_one_line_and_no_file(
    tmp_path: Path, column: pa.Array, said: str
) -> None:
    table = pa.table({"source_id": ["J1", "J2"], "ra": [1.0, 2.0], "dec": [1.0, 2.0], "more": column})
    pq.write_table(table, tmp_path / "c.parquet")
    with pytest.raises(InputError, match=said):
        write_votable(open_catalogue(tmp_path / "c.parquet"), tmp_path / "c.vot")
    assert [path.name for path in tmp_path.iterdir()] == ["c.parquet"]


def test_creator_rights_and_citation_are_stated(tmp_path: Path) -> None:
    stated = {"creator": "A survey", "rights": "CC BY 4.0", "citation": None}
    write_random_catalogue(tmp_path / "c.parquet", 3, metadata={"config": {"catalogue": stated}})
    write_votable(open_catalogue(tmp_path / "c.parquet"), tmp_path / "c.vot")
    resource = votable.parse(tmp_path / "c.vot").resources[0]
    told = {info.name: info.value for info in resource.infos}
    assert (told["creator"], told["rights"]) == ("A survey", "CC BY 4.0")
    assert told["citation"].startswith("Wu et al. 2019")
    assert [system.system for system in resource.coordinate_systems] == ["ICRS"]


@pytest.mark.skipif(shutil.which("stilts") is None, reason="STILTS is not installed")
def test_stilts_finds_no_fault(tmp_path: Path) -> None:
    write_random_catalogue(tmp_path / "c.parquet", 20)
    write_votable(open_catalogue(tmp_path / "c.parquet"), tmp_path / "c.vot")
    command = ["stilts", "votlint", f"votable={tmp_path / 'c.vot'}", "ucd=true", "unit=true"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr.strip()) == (0, "", "")
