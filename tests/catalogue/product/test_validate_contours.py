"""Validation of contours: each kind of fault is one line."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from catalogue_rows import write_contours, write_random_run

from claran_core.catalogue.product.schema import CONTOURS
from claran_core.catalogue.product.validate import validate_catalogue
from claran_core.catalogue.product.validate_contours import validate_contours
from claran_core.common.files import write_table
from claran_core.common.paths import Results


def shortened(name: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Return a change: the list of row 2 has one entry less."""

    def change(rows: pd.DataFrame) -> pd.DataFrame:
        lists = rows[name].tolist()
        lists[2] = lists[2][:-1]
        return rows.assign(**{name: pd.Series(lists)})

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda rows: rows, ""),
        (lambda rows: rows.iloc[::-1], "its sources are not those of the catalogue, or in another order"),
        (lambda rows: rows.iloc[:-1], "9 rows, but the catalogue has 10"),
        (shortened("ring_points"), "row 2: a source has a ring"),
        (shortened("ring_is_hole"), "row 2: lists of rings have the same length"),
        (shortened("contour_dec"), "row 2: lists of points have the length of all rings"),
    ],
)
def test_faults(tmp_path: Path, change: Callable[[pd.DataFrame], pd.DataFrame], told: str) -> None:
    results = Results(tmp_path)
    write_random_run(tmp_path, 10)
    write_contours(results)
    rows = pd.read_parquet(results.contours)
    write_table(results.contours, change(rows), CONTOURS)
    found = validate_contours(results.contours, pa.chunked_array([pa.array(rows["source_id"])]))
    assert found == ([f"contours.parquet: {told}"] if told else [])
    assert [line for line in validate_catalogue(results.catalogue) if "contours" in line] == found
