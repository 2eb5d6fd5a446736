"""Which components a box is made of, for boxes as the rule draws them and as detectors find them."""

import numpy as np
import pytest

from claran_core.catalogue.associate.membership import members_of
from claran_core.common.frame import Frame
from claran_core.components.component_groups import dr1_boxes
from claran_core.components.component_table import NO_COMPONENTS, SubjectComponents

FRAME = Frame()


def components(*places, half=3.0, n_peaks=1, n_pixels=20) -> SubjectComponents:
    middles = np.array(places, np.float32).reshape(-1, 2)
    n = len(middles)
    return SubjectComponents(
        boxes=np.concatenate([middles - half, middles + half], axis=1),
        peaks=middles,
        n_peaks=np.full(n, n_peaks, np.int64),
        snr=np.full(n, 20.0, np.float32),
        flux=np.full(n, 100.0, np.float32),
        area=np.full(n, 36.0, np.float32),
        prominences=np.zeros((n, 3), np.float32),
        n_pixels=np.full(n, n_pixels, np.int64),
    )


def members(box, morphology, found) -> tuple[int, ...]:
    return members_of(np.array([box]), [morphology], found, FRAME)[0]


def square(found, *own):
    return dr1_boxes(found.boxes[None, list(own)], np.ones((1, len(own)), bool))[0]


@pytest.mark.parametrize("shift", [0.0, 2.0])
def test_the_combination_with_that_box(shift):
    found = components((30, 60), (60, 60), (110, 20))
    for own, name in (((0,), "1C_1P"), ((0, 1), "2C_2P"), ((2,), "1C_1P"), ((0, 1, 2), "3C_3P")):
        assert members(square(found, *own) + shift, name, found) == own


def test_components_may_end_outside_of_the_box_of_a_double():
    found = components((30, 60), (60, 60))
    box = square(found, 0, 1)
    assert found.boxes[0, 0] < box[0]  # the reason why "what lies in the box" would not do
    assert members(box, "2C_2P", found) == (0, 1)


def test_a_core_between_lobes_is_told_by_the_class():
    found = components((30, 60), (45, 60), (60, 60))
    box = square(found, 0, 2)
    np.testing.assert_allclose(box, square(found, 0, 1, 2))
    assert members(box, "3C_3P", found) == (0, 1, 2)
    assert members(box, "2C_2P", found) == (0, 2)
    assert members(box, "1C_2P", found) == (0, 1, 2)  # neither: the whole


def test_boxes_are_compared_as_the_frame_cuts_them():
    found = components((3, 60), (128, 60))
    box = np.clip(square(found, 0), 0, 132)
    assert members(box, "1C_1P", found) == (0,)


def test_what_fits_nothing_has_the_components_inside_or_none():
    found = components((30, 60), (60, 60))
    assert members((0, 0, 132, 132), "1C_1P", found) == (0, 1)
    assert members((100, 100, 120, 120), "1C_1P", found) == ()
    assert members((100, 100, 120, 120), "1C_1P", NO_COMPONENTS) == ()
    assert members_of(np.empty((0, 4)), [], found, FRAME) == []


def test_single_pixels_are_no_components():
    assert members((20, 50, 40, 70), "1C_1P", components((30, 60), n_pixels=1)) == ()
