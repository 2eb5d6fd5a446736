"""Components of a box, for boxes of the DR1 rule and for those of detectors."""

import numpy as np
import pytest

from claran_core.common.frame import Frame
from claran_core.components.component_batch import ComponentBatch
from claran_core.components.component_groups import dr1_boxes
from claran_core.components.component_table import NO_COMPONENTS, SubjectComponents
from claran_core.inference.membership import members_of

FRAME = Frame()


def components(*places: tuple[float, float], half: float = 3.0, n_pixels: int = 20) -> SubjectComponents:
    """Return components with one peak and square boxes around some positions."""
    middles = np.array(places, np.float32).reshape(-1, 2)
    n = len(middles)
    return SubjectComponents(
        ids=np.arange(len(places)),
        boxes=np.concatenate([middles - half, middles + half], axis=1),
        peaks=middles,
        n_peaks=np.ones(n, np.int64),
        snr=np.full(n, 20.0, np.float32),
        flux=np.full(n, 100.0, np.float32),
        area=np.full(n, 36.0, np.float32),
        prominences=np.zeros((n, 3), np.float32),
        n_pixels=np.full(n, n_pixels, np.int64),
        at_edge=np.zeros(n, bool),
        scale=np.ones(n, np.int64),
        n_fine=np.ones(n, np.int64),
        fine_snr=np.full(n, 20.0, np.float32),
        fine_ratio=np.zeros(n, np.float32),
        fine_boxes=np.concatenate([middles - half, middles + half], axis=1),
    )


def members(
    box: np.ndarray | tuple[float, ...], morphology: str, found: SubjectComponents
) -> tuple[int, ...]:
    """Return the components of one detection."""
    one = members_of(np.array([box]), [morphology], np.zeros(1, int), ComponentBatch.of([found]), FRAME)[0]
    return tuple(one.tolist())


def square(found: SubjectComponents, *own: int) -> np.ndarray:
    """Return the DR1 box of some components."""
    return dr1_boxes(found.boxes[None, list(own)], np.ones((1, len(own)), bool))[0]


@pytest.mark.parametrize("shift", [0.0, 2.0])
def test_a_box_of_the_rule_gives_its_components(shift: float) -> None:
    found = components((30, 60), (60, 60), (110, 20))
    for own, name in (((0,), "1C_1P"), ((0, 1), "2C_2P"), ((2,), "1C_1P"), ((0, 1, 2), "3C_3P")):
        assert members(square(found, *own) + shift, name, found) == own


def test_components_of_a_double_may_extend_beyond_its_box() -> None:
    found = components((30, 60), (60, 60))
    box = square(found, 0, 1)
    assert found.boxes[0, 0] < box[0]  # so the components inside the box would not suffice
    assert members(box, "2C_2P", found) == (0, 1)


def test_the_class_decides_whether_a_core_belongs_to_a_double() -> None:
    found = components((30, 60), (45, 60), (60, 60))
    box = square(found, 0, 2)
    np.testing.assert_allclose(box, square(found, 0, 1, 2))
    assert members(box, "3C_3P", found) == (0, 1, 2)
    assert members(box, "2C_2P", found) == (0, 2)
    assert members(box, "1C_2P", found) == (0, 1, 2)  # neither class: the larger group


def test_boxes_are_clipped_to_the_frame_before_comparison() -> None:
    found = components((3, 60), (128, 60))
    box = np.clip(square(found, 0), 0, 132)
    assert members(box, "1C_1P", found) == (0,)


def test_without_a_fit_components_inside_the_box_are_taken() -> None:
    found = components((30, 60), (60, 60))
    assert members((0, 0, 132, 132), "1C_1P", found) == (0, 1)
    assert members((100, 100, 120, 120), "1C_1P", found) == ()
    assert members((100, 100, 120, 120), "1C_1P", NO_COMPONENTS) == ()
    assert members_of(np.empty((0, 4)), [], np.zeros(0, int), ComponentBatch.of([found]), FRAME) == []


def test_components_of_a_single_pixel_are_ignored() -> None:
    assert members((20, 50, 40, 70), "1C_1P", components((30, 60), n_pixels=1)) == ()
