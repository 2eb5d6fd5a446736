"""Overlap of boxes: values by hand, and properties of any two boxes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from claran_core.common.boxes import contained_fraction, paired_iou


def test_values_by_hand() -> None:
    first = np.array([[0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 10], [3, 3, 3, 3]], float)
    second = np.array([[0, 0, 10, 5], [5, 5, 15, 15], [10, 0, 20, 10], [3, 3, 3, 3]], float)
    np.testing.assert_allclose(paired_iou(first, second), [0.5, 25 / 175, 0, 0])
    np.testing.assert_allclose(contained_fraction(first, second), [1, 0.25, 0, 0])


def test_no_boxes() -> None:
    none = np.zeros((0, 4))
    assert paired_iou(none, none).shape == contained_fraction(none, none).shape == (0,)


side = st.floats(0.5, 100)
boxes = st.tuples(st.floats(-50, 50), st.floats(-50, 50), side, side).map(
    lambda box: np.array([box[0], box[1], box[0] + box[2], box[1] + box[3]])
)


@given(boxes, boxes)
def test_symmetric_bounded_and_ordered(first: np.ndarray, second: np.ndarray) -> None:
    iou, contained = paired_iou(first, second), contained_fraction(first, second)
    assert iou == pytest.approx(paired_iou(second, first))
    assert contained == pytest.approx(contained_fraction(second, first))
    assert 0 <= iou <= contained + 1e-12 <= 1 + 1e-9


@given(boxes, st.floats(0.05, 1.0))
def test_box_inside_another(box: np.ndarray, share: float) -> None:
    inner = box.copy()
    inner[2] = box[0] + share * (box[2] - box[0])
    assert paired_iou(box, inner) == pytest.approx(share)
    assert contained_fraction(box, inner) == pytest.approx(1)
