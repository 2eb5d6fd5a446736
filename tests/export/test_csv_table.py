"""CSV: pandas reads back the same rows."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from catalogue_rows import write_random_catalogue

from claran_core.catalogue.product.schema import CATALOGUE
from claran_core.export.csv_table import write_csv
from claran_core.export.source import open_catalogue


def test_rows_survive(tmp_path: Path) -> None:
    rows = write_random_catalogue(tmp_path / "c.parquet", 40)
    write_csv(open_catalogue(tmp_path / "c.parquet"), tmp_path / "c.csv")
    read = pd.read_csv(tmp_path / "c.csv", keep_default_na=False, dtype=str)
    assert read.columns.tolist() == CATALOGUE.names
    for column in CATALOGUE:
        wanted, given = rows[column.name], read[column.name]
        if pa.types.is_list(column.type):
            kind = column.type.value_type.to_pandas_dtype()
            for mine, text in zip(wanted, given, strict=True):
                np.testing.assert_array_equal(np.array(json.loads(text), kind), np.asarray(mine, kind))
        elif pa.types.is_string(column.type):
            assert given.tolist() == wanted.tolist()
        elif pa.types.is_boolean(column.type):
            assert given.tolist() == [str(one) for one in wanted]
        else:
            numbers = [float(text or "nan") for text in given]
            kind = column.type.to_pandas_dtype()
            np.testing.assert_array_equal(np.array(numbers).astype(kind), wanted.to_numpy(kind))


def test_no_sources_is_a_line_of_names(tmp_path: Path) -> None:
    write_random_catalogue(tmp_path / "c.parquet", 0)
    write_csv(open_catalogue(tmp_path / "c.parquet"), tmp_path / "c.csv")
    assert (tmp_path / "c.csv").read_text() == ",".join(CATALOGUE.names) + "\n"


def test_texts_that_start_like_a_formula_are_texts(tmp_path: Path) -> None:
    names = ["=1+2", "+3C84", "-7", "@sum", "\ttab", "plain=1"]
    rows = write_random_catalogue(tmp_path / "c.parquet", len(names))
    rows.assign(subject_id=names).to_parquet(tmp_path / "c.parquet")
    write_csv(open_catalogue(tmp_path / "c.parquet"), tmp_path / "c.csv")
    read = pd.read_csv(tmp_path / "c.csv", dtype=str)
    assert read["subject_id"].tolist() == [*(f"'{name}" for name in names[:5]), "plain=1"]
