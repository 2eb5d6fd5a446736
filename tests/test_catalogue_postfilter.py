"""Which detections become sources: hand-made subjects, one for each rule."""

import numpy as np
import pandas as pd
import pytest

from claran_core import tables
from claran_core.catalogue.postfilter import keep_probable, resolve_competing, select_sources
from claran_core.config import CatalogueOptions
from claran_core.flags import Flag
from claran_core.overlap import BOX_COLUMNS

OPTIONS = CatalogueOptions(method="D4", min_probability=0.8, one_source_per_field=False)
SMALL, FAR = (10, 10, 30, 30), (90, 90, 120, 120)


def detections(*rows: tuple) -> pd.DataFrame:
    """Table of (subject, class, probability, box)."""
    flat = [(subject, kind, probability, *box) for subject, kind, probability, box in rows]
    table = pd.DataFrame(flat, columns=["subject_id", "morphology", "probability", *BOX_COLUMNS])
    return table.astype({"probability": np.float32})


def selected(table: pd.DataFrame, options: CatalogueOptions = OPTIONS) -> list[tuple]:
    """Class, and whether the row is flagged as below the least probability."""
    kept = select_sources(table, options)
    return [
        (kind, bool(flags & Flag.BELOW_MIN_PROBABILITY))
        for kind, flags in zip(kept["morphology"], kept["flags"], strict=True)
    ]


def test_all_probable_sources_of_a_subject_stay() -> None:
    table = detections(
        ("s", "1C_1P", 0.85, SMALL), ("s", "2C_2P", 0.95, FAR), ("s", "3C_3P", 0.79, (50, 50, 70, 70))
    )
    assert selected(table) == [("2C_2P", False), ("1C_1P", False)]


def test_best_row_stays_flagged_where_none_is_probable() -> None:
    table = detections(("s", "1C_1P", 0.3, SMALL), ("s", "2C_2P", 0.7, FAR), ("t", "1C_1P", 0.9, SMALL))
    assert selected(table) == [("2C_2P", True), ("1C_1P", False)]


@pytest.mark.parametrize("threshold", [0.8, 0.9, 0.7])
def test_exactly_the_least_probability_stays(threshold: float) -> None:
    # float32(0.9) is below the float64 0.9 the configuration holds
    kept = keep_probable(detections(("s", "1C_1P", threshold, SMALL)), threshold)
    assert kept["flags"].tolist() == [0]


def test_two_classes_of_one_box_are_one_source() -> None:
    table = detections(("s", "1C_2P", 0.85, SMALL), ("s", "1C_1P", 0.9, SMALL))
    assert selected(table) == [("1C_1P", False)]


def test_part_of_a_source_is_not_listed_beside_it() -> None:
    whole, core = (20, 20, 100, 100), (50, 50, 70, 70)  # IoU 1/16, wholly inside
    assert selected(detections(("s", "3C_3P", 0.95, whole), ("s", "1C_1P", 0.9, core))) == [("3C_3P", False)]


def test_neighbours_that_overlap_little_are_two_sources() -> None:
    left, right = (0, 0, 20, 20), (12, 0, 32, 20)  # IoU 8/32, contained 0.4
    table = detections(("s", "1C_1P", 0.95, left), ("s", "1C_2P", 0.9, right))
    assert selected(table) == [("1C_1P", False), ("1C_2P", False)]


def test_overlap_limits_are_exclusive() -> None:
    first, second = (0, 0, 10, 10), (0, 0, 10, 5)  # IoU 0.5, contained 1
    table = detections(("s", "1C_1P", 0.9, first), ("s", "1C_2P", 0.8, second))
    assert len(resolve_competing(table, max_iou=0.5, max_contained=1.0)) == 2
    assert len(resolve_competing(table, max_iou=0.49, max_contained=1.0)) == 1
    assert len(resolve_competing(table, max_iou=0.5, max_contained=0.99)) == 1


def test_a_chain_is_not_swallowed_by_its_first_member() -> None:
    # a-b and b-c overlap (IoU 12/28), a-c do not compete: b goes, c stays.
    a, b, c = (0, 0, 20, 20), (8, 0, 28, 20), (16, 0, 36, 20)
    table = detections(("s", "1C_1P", 0.95, a), ("s", "1C_2P", 0.9, b), ("s", "1C_3P", 0.85, c))
    assert selected(table) == [("1C_1P", False), ("1C_3P", False)]


def test_subjects_do_not_compete() -> None:
    table = detections(("s", "1C_1P", 0.9, SMALL), ("t", "1C_1P", 0.85, SMALL))
    assert len(selected(table)) == 2


def test_one_source_per_field_keeps_the_best() -> None:
    options = CatalogueOptions(method="D4", min_probability=0.8, one_source_per_field=True)
    table = detections(("s", "1C_1P", 0.85, SMALL), ("s", "2C_2P", 0.95, FAR), ("t", "1C_3P", 0.2, SMALL))
    assert selected(table, options) == [("2C_2P", False), ("1C_3P", True)]


def test_ties_do_not_depend_on_the_order_of_rows() -> None:
    rows = [("s", "1C_2P", 0.9, SMALL), ("s", "1C_1P", 0.9, SMALL), ("s", "1C_1P", 0.9, (9, 10, 29, 30))]
    expected = [("1C_1P", False)]
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
        table = detections(*[rows[at] for at in order])
        assert selected(table) == expected
        assert select_sources(table, OPTIONS)["box_x1"].tolist() == [9]


def test_nothing_detected_is_nothing_selected() -> None:
    kept = select_sources(tables.DETECTIONS.empty_table().to_pandas(), OPTIONS)
    assert len(kept) == 0
    assert kept["flags"].dtype == np.int32
