"""The confusion matrix, on tables made by hand."""

import pandas as pd

from claran_core.common.boxes import BOX_COLUMNS
from claran_core.evaluation.confusion import confusion_matrix, listed_classes, match_any_class

TEN = (0, 0, 10, 10)
FAR = (50, 50, 60, 60)


def boxes(*rows: tuple) -> pd.DataFrame:
    """Table of (subject, class, probability, box)."""
    flat = [(subject, kind, probability, *box) for subject, kind, probability, box in rows]
    return pd.DataFrame(flat, columns=["subject_id", "morphology", "probability", *BOX_COLUMNS])


def test_boxes_match_by_subject_and_overlap_whatever_their_class() -> None:
    truth = boxes(("s", "1C_1P", 1, TEN), ("s", "2C_2P", 1, FAR), ("t", "1C_2P", 1, TEN))
    found = boxes(
        ("s", "3C_3P", 0.9, (1, 0, 11, 10)),  # IoU 9/11 with the first
        ("t", "1C_2P", 0.8, (6, 0, 16, 10)),  # IoU 4/16 with the third: not enough
    )
    matched = match_any_class(found, truth, 0.5)
    assert matched.tolist() == [0, -1]
    assert listed_classes(found, len(truth), matched).tolist() == ["3C_3P", None, None]
    assert found["morphology"].tolist() == ["3C_3P", "1C_2P"]  # the table given stays as it was


def test_of_two_boxes_on_a_source_the_less_probable_is_background() -> None:
    truth = boxes(("s", "1C_1P", 1, TEN))
    found = boxes(("s", "1C_1P", 0.3, TEN), ("s", "1C_2P", 0.6, (1, 0, 11, 10)))
    assert match_any_class(found, truth, 0.5).tolist() == [-1, 0]


def test_matrix_by_hand() -> None:
    matrix = confusion_matrix(["a", "a", "a", "b", "b"], ["a", "b", None, "a", "b"], ["b", "b"], ["a", "b"])
    assert matrix == {
        "a": {"a": 1, "b": 1, "missed": 1},
        "b": {"a": 1, "b": 1, "missed": 0},
        "background": {"a": 0, "b": 2},
    }


def test_an_empty_matrix_is_zero() -> None:
    assert confusion_matrix([], [], [], ["a"]) == {"a": {"a": 0, "missed": 0}, "background": {"a": 0}}
