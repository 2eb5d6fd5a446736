"""Detections are checked before they become sources."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from detection_rows import detection

from claran_core.catalogue.detections import members_in, read_detections
from claran_core.common import tables
from claran_core.common.errors import InputError
from claran_core.common.files import write_table
from claran_core.common.frame import Frame

FRAME = Frame()


def written(path: Path, *rows: dict[str, Any]) -> Path:
    write_table(path, pd.DataFrame(rows, columns=tables.DETECTIONS.names), tables.DETECTIONS)
    return path


def test_sound_detections_are_read_as_they_are(tmp_path: Path) -> None:
    rows = [detection("a", (0, 0, 132, 132)), detection("b", (1, 2, 3, 4), probability=1.0)]
    found = read_detections(written(tmp_path / "d.parquet", *rows), FRAME)
    assert found["subject_id"].tolist() == ["a", "b"] and found["box_x2"].tolist() == [132, 3]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"box_x1": np.nan}, "row 1: impossible box_x1 nan"),
        ({"box_x2": 140.0}, "box_x2 140"),
        ({"box_x2": 1.0}, "box_x2 1"),
        ({"morphology": "4C_4P"}, "morphology 4C_4P"),
        ({"probability": 1.5}, "probability 1.5"),
        ({"p_1c_1p": np.nan}, "p_1c_1p nan|probability"),
    ],
)
def test_impossible_values_are_refused_with_row_and_value(
    tmp_path: Path, change: dict[str, object], told: str
) -> None:
    path = written(
        tmp_path / "d.parquet", detection("a", (1, 1, 9, 9)), detection("a", (1, 1, 9, 9)) | change
    )
    with pytest.raises(InputError, match=told) as error:
        read_detections(path, FRAME)
    assert str(path) in str(error.value) and "rerun the inference stage" in str(error.value)
    assert "\n" not in str(error.value)


def test_columns_of_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "d.parquet"
    pd.DataFrame([detection("a", (1, 1, 9, 9)) | {"box_x1": "one"}]).to_parquet(path)
    with pytest.raises(InputError, match="'box_x1' does not hold numbers"):
        read_detections(path, FRAME)


def test_truncated_and_foreign_files_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "d.parquet", detection("a", (1, 1, 9, 9)))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match="not a complete Parquet file"):
        read_detections(path, FRAME)
    pd.DataFrame({"x": [1]}).to_parquet(path)
    with pytest.raises(InputError, match="column 'subject_id' is missing"):
        read_detections(path, FRAME)
    with pytest.raises(InputError, match="no such file"):
        read_detections(tmp_path / "none.parquet", FRAME)


def test_members_are_found_by_their_identity() -> None:
    own = {"a": np.arange(3), "b": np.arange(1)}
    rows = [
        detection("a", (1, 1, 9, 9), component_ids=[2, 0]),
        detection("b", (1, 1, 9, 9), component_ids=[0]),
        detection("none", (1, 1, 9, 9)),
    ]
    assert members_in(pd.DataFrame(rows), own) == [(0, 2), (0,), ()]
    for subject, unknown in (("b", 1), ("none", 0)):
        table = pd.DataFrame([detection(subject, (1, 1, 9, 9), component_ids=[unknown])])
        with pytest.raises(InputError, match=rf"'{subject}' consists of component {unknown}, which is not"):
            members_in(table, own)
