"""Catalogues as exports read them: batches, selections, files of other programs."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from catalogue_rows import FRAME, random_catalogue, write_random_catalogue

from claran_core.catalogue.product.schema import CATALOGUE
from claran_core.common.errors import InputError
from claran_core.export.source import items, open_catalogue


def refused(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        list(open_catalogue(path).batches())
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_batches_hold_all_rows_in_order(tmp_path: Path) -> None:
    rows = write_random_catalogue(tmp_path / "c.parquet", 23)
    source = open_catalogue(tmp_path / "c.parquet")
    batches = list(source.batches(rows=5))
    assert [batch.num_rows for batch in batches] == [5, 5, 5, 5, 3]
    assert pa.Table.from_batches(batches)["source_id"].to_pylist() == rows["source_id"].tolist()
    assert batches[0].schema.equals(CATALOGUE, check_metadata=True)
    assert [batch.num_columns for batch in source.batches(["ra", "flags"])] == [2]
    assert (source.n_rows, source.method, source.frame) == (23, "D4", FRAME)
    assert source.short_facts() == {"pipeline": "claran-survey", "method": "D4", "n_sources": "23"}


def test_selection_saved_by_pandas_gets_types_and_units_back(tmp_path: Path) -> None:
    rows = random_catalogue(12)
    kept = rows[["dec", "source_id", "ra", "peak_flux", "component_ra"]].assign(mine=np.arange(12))
    kept.to_parquet(tmp_path / "kept.parquet")
    source = open_catalogue(tmp_path / "kept.parquet")
    assert source.schema.names == [*kept.columns]
    assert source.schema.field("peak_flux").metadata[b"unit"] == b"mJy/beam"
    (batch,) = source.batches()
    assert batch.schema.field("peak_flux").type == pa.float32()
    assert batch.column("mine").to_pylist() == list(range(12))
    np.testing.assert_array_equal(
        batch.column("peak_flux").to_numpy(), rows["peak_flux"].to_numpy(np.float32)
    )
    with pytest.raises(InputError, match=r"kept.parquet: lacks the settings of its run"):
        _ = source.frame
    with pytest.raises(InputError, match="fusion method"):
        _ = source.method


def test_missing_values_become_nan_empty_text_or_empty_lists(tmp_path: Path) -> None:
    table = pa.table(
        {
            "source_id": ["J1", None],
            "ra": [1.0, None],
            "dec": [2.0, 3.0],
            "component_ra": pa.array([None, [1.0]], pa.list_(pa.float64())),
        }
    )
    pq.write_table(table, tmp_path / "holes.parquet")
    (batch,) = open_catalogue(tmp_path / "holes.parquet").batches()
    assert batch.column("source_id").to_pylist() == ["J1", ""]
    assert np.isnan(batch.column("ra").to_numpy()[1])
    assert batch.column("component_ra").to_pylist() == [[], [1.0]]
    pq.write_table(table.append_column("flags", pa.array([1, None])), tmp_path / "flags.parquet")
    assert "'flags' has missing values" in refused(tmp_path / "flags.parquet")


def test_foreign_files_are_one_line(tmp_path: Path) -> None:
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "foreign.parquet")
    assert "not a catalogue of sources: column 'source_id' is missing" in refused(
        tmp_path / "foreign.parquet"
    )
    (tmp_path / "text.parquet").write_text("ra,dec\n1,2\n")
    assert "not a complete Parquet file" in refused(tmp_path / "text.parquet")
    assert "no such file" in refused(tmp_path / "nowhere.parquet")
    pd.DataFrame({"source_id": ["J1"], "ra": ["a"], "dec": [1.0]}).to_parquet(tmp_path / "text_ra.parquet")
    assert "column 'ra' is not of type double" in refused(tmp_path / "text_ra.parquet")


def test_missing_column_is_named(tmp_path: Path) -> None:
    pd.DataFrame({"source_id": ["J1"], "ra": [1.0], "dec": [1.0]}).to_parquet(tmp_path / "few.parquet")
    with pytest.raises(InputError, match=r"few.parquet: column 'angular_size' is missing"):
        next(open_catalogue(tmp_path / "few.parquet").batches(["ra", "angular_size"]))


def test_items_of_a_slice_count_from_its_start() -> None:
    column = pa.array([[1, 2], [], [3, 4, 5], [6]]).slice(1, 2)
    entries, offsets = items(column)
    assert entries.to_pylist() == [3, 4, 5]
    assert offsets.tolist() == [0, 0, 3]
