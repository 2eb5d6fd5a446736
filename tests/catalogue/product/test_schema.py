"""The catalogue's columns as other programs read them from the Parquet file."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy import units as u
from catalogue_rows import write_random_catalogue

from claran_core.catalogue.product.schema import CATALOGUE, CONTOURS, OUTCOMES, SOURCES
from claran_core.catalogue.product.voparquet import CONTENT_KEY
from claran_core.common.tables import ATOMS


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """Rows of the file ``c.parquet`` in the working directory."""
    monkeypatch.chdir(tmp_path)
    return write_random_catalogue(Path("c.parquet"), 60)


def test_every_column_has_a_unit_that_astropy_knows_and_a_description() -> None:
    for column in CATALOGUE:
        assert set(column.metadata) == {b"unit", b"ucd", b"description"}
        u.Unit(column.metadata[b"unit"].decode(), format="vounit")
        assert len(column.metadata[b"description"]) > 10


def test_tables_take_their_columns_from_the_stages_before() -> None:
    """A row of the catalogue is a source of a shard with a name; an outcome is a component with one."""
    assert set(CATALOGUE.names) - set(SOURCES.names) == {"source_id", "model_id", "pipeline_version"}
    assert set(SOURCES.names) <= {*CATALOGUE.names, *CONTOURS.names}
    assert set(CONTOURS.names) - set(SOURCES.names) == {"source_id"}
    assert set(OUTCOMES.names) - set(ATOMS.names) == {"source_id"}


def test_pandas(rows: pd.DataFrame) -> None:
    read = pd.read_parquet("c.parquet")
    assert read.columns.tolist() == CATALOGUE.names
    assert read["source_id"].tolist() == rows["source_id"].tolist()
    np.testing.assert_array_equal(read["peak_flux"], rows["peak_flux"].to_numpy(np.float32))
    for mine, theirs in zip(rows["component_ra"], read["component_ra"], strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_pyarrow_has_the_units(rows: pd.DataFrame) -> None:
    read = pq.read_table("c.parquet", filters=[("n_components", "==", 2)])
    assert len(read) == (rows["n_components"] == 2).sum() > 0
    assert read.schema.field("peak_flux").metadata[b"unit"] == b"mJy/beam"
    assert read.schema.remove_metadata().equals(
        pa.schema([field.with_nullable(False) for field in CATALOGUE]), check_metadata=False
    )


def test_duckdb(rows: pd.DataFrame) -> None:
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect() as database:
        found = database.sql(
            "SELECT morphology, count(*) FROM 'c.parquet' WHERE flags & 1024 <> 0 GROUP BY morphology"
        ).fetchall()
        (longest,) = database.sql(
            "SELECT max(len(component_ra)), sum(list_sum(component_flux)) FROM 'c.parquet'"
        ).fetchall()
        stored = database.sql("SELECT key FROM parquet_kv_metadata('c.parquet')").fetchall()
    edges = rows[rows["flags"] & 1024 != 0]["morphology"].value_counts()
    assert dict(found) == edges.to_dict()
    assert longest[0] == rows["component_ra"].str.len().max()
    assert longest[1] == pytest.approx(np.concatenate(rows["component_flux"]).sum(), rel=1e-5)
    assert CONTENT_KEY in {bytes(key) for (key,) in stored}
