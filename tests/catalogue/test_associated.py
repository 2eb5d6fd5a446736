"""Associated sources are read as written, and impossible ones are refused."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from source_rows import associated_row

from claran_core.catalogue.associated import grouping_text, read_associated
from claran_core.common.errors import InputError
from claran_core.common.files import write_table
from claran_core.common.frame import Frame
from claran_core.common.tables import ASSOCIATED

BOX = (10.0, 10.0, 20.0, 20.0)


def written(folder: Path, **columns: Any) -> Path:
    path = folder / "associated.parquet"
    rows = [associated_row("s", BOX, [1, 2]), associated_row("t", BOX, [3]) | columns]
    write_table(path, pd.DataFrame(rows, columns=ASSOCIATED.names), ASSOCIATED)
    return path


def test_sound_sources_are_read(tmp_path: Path) -> None:
    found = read_associated(written(tmp_path), Frame())
    assert [list(ids) for ids in found["component_ids"]] == [[1, 2], [3]]


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"morphology": "4C_4P"}, "row 1: impossible morphology 4C_4P"),
        ({"probability": 1.5}, "row 1: impossible probability 1.5"),
        ({"second_probability": -0.5}, "second_probability -0.5"),
        ({"box_x2": 132.5}, "box_x2 132.5"),
        ({"box_x1": 30.0}, "box_x1 30"),
        ({"component_ids": []}, "row 1: no component for subject_id t"),
    ],
)
def test_impossible_values_get_one_line(tmp_path: Path, columns: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told) as error:
        read_associated(written(tmp_path, **columns), Frame())
    assert "remove the file and rerun the catalogue stage" in str(error.value)


@pytest.mark.parametrize(
    ("groups", "text"),
    [
        ([0], "0"),
        ([0, 1, 1], "0|1 2"),
        ([5, 2, 5], "0 2|1"),
        ([-1, 3, -1, 3], "1 3"),
        ([-1, -1], ""),
        ([], ""),
    ],
)
def test_groupings_as_text(groups: list[int], text: str) -> None:
    assert grouping_text(groups) == text
