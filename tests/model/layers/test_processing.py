"""Selection of detections: suppression in many small sets at once."""

import numpy as np
import pytest
import torch

from claran_core.model.layers import processing
from claran_core.model.layers.boxes import nms
from claran_core.model.layers.processing import centred, select_detections
from claran_core.model.layers.types import Regions


def regions(counts: list[int], n_classes: int = 3) -> Regions:
    """Return overlapping boxes with probabilities of one decimal, so that there are ties."""
    rng = np.random.default_rng(sum(counts))
    n = sum(counts)
    corner, side = rng.uniform(0, 40, (n, n_classes, 2)), rng.uniform(1, 30, (n, n_classes, 2))
    boxes = torch.from_numpy(np.concatenate([corner, corner + side], axis=2)).float()
    probabilities = torch.from_numpy(rng.integers(0, 10, (n, n_classes)) / 10).float()
    return Regions(np.array(counts), boxes, probabilities, torch.zeros(n))


@pytest.mark.parametrize("counts", [[0], [3, 0, 1], [40, 7, 0, 90]])
def test_each_class_of_each_subject_is_suppressed_alone(counts: list[int]) -> None:
    given = regions(counts)
    boxes, probabilities = given.boxes, given.probabilities
    found = select_detections(given, min_probability=0.2, nms_iou=0.3)
    for own, rows in zip(torch.split(torch.arange(sum(counts)), counts), found, strict=True):
        expected = []
        for column in range(probabilities.shape[1]):
            likely = own[probabilities[own, column] > 0.2]
            best = nms(boxes[likely, column], probabilities[likely, column], max_iou=0.3)
            expected += [(int(row), column) for row in likely[best]]
        expected.sort(key=lambda pair: -float(probabilities[pair]))  # stable: class, then rank
        assert (rows.classes - 1).tolist() == [column for _, column in expected]
        for number, (row, column) in enumerate(expected):
            assert torch.equal(rows.boxes[number], boxes[row, column])
            assert torch.equal(rows.probabilities[number], probabilities[row])
            assert own[rows.regions[number]] == row


def test_boxes_and_probabilities_that_are_not_finite_are_dropped() -> None:
    given = regions([4])
    boxes, probabilities = given.boxes, given.probabilities
    probabilities[:] = 0.5
    boxes[0, 0, 2], boxes[1, 0, 0], probabilities[2, 0] = torch.inf, torch.nan, torch.nan
    (rows,) = select_detections(given, min_probability=0.2, nms_iou=1.0)
    assert torch.equal(rows.boxes[rows.classes == 1], boxes[[3], 0])
    assert torch.equal(rows.boxes[rows.classes == 2], boxes[:, 1])


def test_compiled_code_gives_what_is_written() -> None:
    given = regions([5, 0, 30])
    arrays = given.boxes.numpy(), given.probabilities.numpy(), given.counts
    arguments = *arrays, np.float32(0.2), np.float32(0.3)
    for one, other in zip(
        processing._selected(*arguments), processing._selected.py_func(*arguments), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_centred_images_are_floats_around_zero() -> None:
    images = torch.randint(0, 255, (2, 5, 7, 3), dtype=torch.uint8)
    means = torch.tensor([10.0, 20.0, 30.0])
    expected = images.double().permute(0, 3, 1, 2) - means[:, None, None]
    assert torch.equal(centred(images, means).double(), expected)
    broken = images.float()
    broken[0, 1, 2] = torch.tensor([torch.nan, torch.inf, -torch.inf])
    assert centred(broken, means)[0, :, 1, 2].tolist() == [0, 0, 0]
