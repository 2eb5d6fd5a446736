"""The table of true sources: the right detection for each, and a file that can be written."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from claran_core.common import tables
from claran_core.common.boxes import BOX_COLUMNS
from claran_core.common.files import write_table
from claran_core.evaluation.sources import TRUE_SOURCES, true_sources


def test_each_source_is_joined_with_its_detection(tmp_path: Path) -> None:
    labels = pd.DataFrame(
        [("s", "a", "1C_1P", 0.75, 0, 0, 10, 12), ("s", "b", "2C_2P", np.nan, 20, 20, 40, 40)],
        columns=["subject_id", "label_id", "morphology", "consensus", *BOX_COLUMNS],
    )
    detections = pd.DataFrame(
        [(0.3, 0, 0, 5, 5), (0.9, 21, 20, 39, 40)], columns=["probability", *BOX_COLUMNS]
    )
    listed = np.array(["1C_2P", None], dtype=object)
    table = true_sources(detections, labels, np.array([-1, 1]), listed)
    assert table["width"].tolist() == [10, 20]
    assert table["found_width"].fillna(-1).tolist() == [-1, 18]
    assert table["probability"].fillna(-1).tolist() == [-1, 0.9]
    write_table(tmp_path / "sources.parquet", table, TRUE_SOURCES)
    read = pq.read_table(tmp_path / "sources.parquet").to_pylist()
    assert [row["listed_as"] for row in read] == ["1C_2P", None]
    assert [row["consensus"] for row in read] == [0.75, None]
    assert [row["found_width"] for row in read] == [None, 18]


def test_no_detections_and_no_truth_give_a_valid_table(tmp_path: Path) -> None:
    nothing, truth = tables.DETECTIONS.empty_table().to_pandas(), tables.LABELS.empty_table().to_pandas()
    table = true_sources(nothing, truth, np.array([], int), np.array([], object))
    write_table(tmp_path / "sources.parquet", table, TRUE_SOURCES)
    assert pq.read_table(tmp_path / "sources.parquet").num_rows == 0
