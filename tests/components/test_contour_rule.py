"""The contour rule of DR1: values by hand, symmetries, and marching squares."""

import numpy as np
import pytest
from component_images import blob
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from skimage.measure import find_contours

from claran_core.components.contour_rule import (
    COMPONENT_SIGMA,
    box_gaps,
    dr1_extent,
    dr1_extents,
    find_components,
    find_maxima,
    union_centre,
)


def test_image_without_components_gives_an_empty_result() -> None:
    for image, sigma in [
        (np.zeros((20, 20)), 1.0),
        (np.full((20, 20), np.nan), np.nan),
        (np.ones((20, 20)), 0.0),
        (np.ones((20, 20)), -1.0),
    ]:
        assert len(find_components(image, sigma)) == 0


def test_box_of_one_component_is_that_of_its_contour() -> None:
    image = blob((41, 41), 20, 15, 53.0, fwhm=8.0)  # base contour at a tenth of the peak
    found = find_components(image, 1.0)
    radius = 8.0 / 2 * np.sqrt(np.log2(10))
    assert len(found) == 1 and found.n_peaks.tolist() == [1] and found.brightest.tolist() == [[20, 15]]
    np.testing.assert_allclose(found.boxes[0], [20 - radius, 15 - radius, 20 + radius, 15 + radius], atol=0.1)


def test_two_peaks_in_one_component_and_a_second_component() -> None:
    image = blob((60, 60), 15, 20, 40) + blob((60, 60), 21, 20, 30) + blob((60, 60), 45, 45, 12)
    found = find_components(image, 1.0)
    assert len(found) == 2
    assert found.n_peaks.tolist() == [2, 1]


def test_levels_are_spaced_by_sqrt_three() -> None:
    # A dip between two peaks splits them only when a level falls between dip and lower peak.
    row = np.array([0, 8.0, 6.0, 8.5, 0])  # levels 5.3, 9.18: no level between 6 and 8
    assert find_components(np.stack([row * 0, row, row * 0]), 1.0).n_peaks.tolist() == [1]
    row = np.array([0, 9.5, 6.0, 9.5, 0])
    assert find_components(np.stack([row * 0, row, row * 0]), 1.0).n_peaks.tolist() == [2]


def test_pixels_that_touch_at_a_corner_are_two_components() -> None:
    image = np.zeros((6, 6))
    image[2, 2] = image[3, 3] = 10
    assert len(find_components(image, 1.0)) == 2


def test_hole_is_not_a_component() -> None:
    image = np.zeros((9, 9))
    image[2:7, 2:7] = 8
    image[4, 4] = 0
    found = find_components(image, 1.0)
    assert len(found) == 1
    np.testing.assert_allclose(found.boxes[0], np.array([2, 2, 6, 6]) + 2.7 / 8 * np.array([-1, -1, 1, 1]))


def test_value_equal_to_the_level() -> None:
    image = np.zeros((7, 7))
    image[3, 2:5] = [5.3, 10.6, 5.3]
    found = find_components(image, 1.0)
    assert len(found) == 1 and np.isfinite(found.boxes).all()


def test_components_with_touching_contours_have_separate_boxes() -> None:
    found = find_components(np.array([[1, 2], [2, 1]]), 1.0, threshold=1.0)
    np.testing.assert_array_equal(found.boxes, [[0, -0.5, 1.5, 1], [-0.5, 0, 1, 1.5]])


@given(st.integers(0, 2**32 - 1), st.integers(1, 3))
def test_boxes_are_those_of_marching_squares(seed: int, smoothing: float) -> None:
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(30, 40)), smoothing)
    image = noise * 8 / noise.std()
    found = find_components(image, 1.0)
    contours = [line - 1 for line in find_contours(np.pad(image, 1), COMPONENT_SIGMA)]
    outer = {
        (*line.min(axis=0)[::-1].round(9), *line.max(axis=0)[::-1].round(9))
        for line in contours
        if np.sum(line[:-1, 1] * line[1:, 0] - line[1:, 1] * line[:-1, 0]) > 0  # not those of holes
    }
    assert outer == set(map(tuple, found.boxes.round(9)))


def test_contour_is_closed_at_the_edge_of_the_image() -> None:
    image = np.zeros((10, 10))
    image[0, 5] = 53.0
    found = find_components(image, 1.0)
    np.testing.assert_allclose(found.boxes[0], [4.1, -0.9, 5.9, 0.9])


@pytest.mark.parametrize(
    "hole", [[(20, 20)], [(20, 21)], [(20, 20), (20, 21)], [(20, 20), (20, 21), (21, 20), (21, 21)]]
)
def test_a_small_hole_at_the_peak_separates_no_peaks(hole: list[tuple[int, int]]) -> None:
    image = blob((41, 41), 20.3, 20.2, 60.0, fwhm=4.0)
    for row, column in hole:
        image[row, column] = np.nan
    found, maxima = find_components(image, 1.0), find_maxima(image, 5.3)
    assert found.count_peaks(maxima).tolist() == [1] and len(maxima.peak) == 1
    assert np.isfinite(image[maxima.places[0, 1], maxima.places[0, 0]])
    # Two sources with a hole on one of them are still two.
    image += blob((41, 41), 32, 20, 60.0, fwhm=4.0)
    assert len(find_maxima(image, 5.3).peak) == 2


@pytest.mark.parametrize(("last", "n_peaks"), [(20, 1), (21, 2)])
def test_one_missing_row_separates_no_peaks_and_two_do(last: int, n_peaks: int) -> None:
    image = blob((41, 41), 20.3, 20.2, 60.0, fwhm=8.0)
    image[20 : last + 1] = np.nan
    assert len(find_maxima(image, 5.3).peak) == n_peaks


def test_components_on_both_sides_of_a_hole_have_a_peak_each() -> None:
    """Three pixels of an image with two thirds missing (a map of variances beside VLASS images)."""
    image = np.zeros((7, 7))
    image[4, 2], image[3, 3], image[3, 2] = 7.8, 6.1, np.nan
    found, maxima = find_components(image, 1.0), find_maxima(image, 5.3)
    assert len(maxima.peak) == 1  # the hole connects them
    assert len(found) == 2 and found.n_peaks.tolist() == found.count_peaks(maxima).tolist() == [1, 1]


def test_nan_and_infinity_count_as_zero() -> None:
    image = blob((30, 30), 10, 10, 50)
    spoiled = image.copy()
    spoiled[20, 20:25], spoiled[25, 25] = np.nan, np.inf
    assert len(find_components(spoiled, 1.0)) == 1


@given(seed=st.integers(0, 10**6), axis=st.sampled_from([0, 1]))
def test_flipped_image_gives_flipped_components(seed: int, axis: int) -> None:
    rng = np.random.default_rng(seed)
    shape = (40, 50)
    image = sum(blob(shape, rng.uniform(5, 45), rng.uniform(5, 35), rng.uniform(5, 60)) for _ in range(5))
    plain, mirrored = find_components(image, 1.0), find_components(np.flip(image, axis), 1.0)
    size = shape[axis]
    boxes = mirrored.boxes.copy()
    low, high = (1, 3) if axis == 0 else (0, 2)
    boxes[:, low], boxes[:, high] = size - 1 - mirrored.boxes[:, high], size - 1 - mirrored.boxes[:, low]
    order, other = np.lexsort(plain.boxes.T), np.lexsort(np.round(boxes, 9).T)
    np.testing.assert_allclose(np.sort(plain.boxes, axis=0), np.sort(boxes, axis=0), atol=1e-9)
    assert sorted(plain.n_peaks[order]) == sorted(mirrored.n_peaks[other])
    assert (plain.labels > 0).sum() == (mirrored.labels > 0).sum()


def test_component_at_a_position() -> None:
    found = find_components(blob((30, 30), 10, 12, 50), 1.0)
    assert found.at(10, 12) == 0
    assert found.at(15, 12) == 0  # outside the contour, within reach
    assert found.at(25, 25) is None
    assert found.at(-40, 12) is None


def test_extent_of_one_and_of_several() -> None:
    assert dr1_extent([[0, 0, 3, 4]]) == 5
    # Two equal boxes: same-named corners are as far apart as the boxes, not end to end.
    assert dr1_extent([[0, 0, 3, 4], [10, 0, 13, 4]]) == 10
    assert dr1_extent([[0, 0, 1, 1], [10, 0, 14, 5]]) == pytest.approx(np.hypot(13, 4))
    with pytest.raises(ValueError, match="without components"):
        dr1_extent([])


def test_centre_of_the_union() -> None:
    assert union_centre([[0, 0, 2, 2], [8, 4, 10, 8]]) == (5, 4)


def test_gaps_between_boxes_by_hand() -> None:
    gaps = box_gaps(np.array([[0, 0, 2, 2], [5, 1, 6, 3], [5, 6, 6, 9], [1, 1, 3, 3]], float))
    np.testing.assert_allclose(gaps[0], [0, 3, 5, 0])
    np.testing.assert_allclose(gaps, gaps.T)


def test_compiled_extents_are_those_of_all_pairs_of_corners() -> None:
    rng = np.random.default_rng(2)
    low = rng.uniform(0, 50, (40, 4, 2))
    boxes = np.concatenate([low, low + rng.uniform(1, 20, (40, 4, 2))], axis=-1)
    own = rng.random((40, 4)) < 0.6
    own[0] = False
    fast, plain = dr1_extents(boxes, own), dr1_extents.py_func(boxes, own)  # type: ignore[attr-defined]
    np.testing.assert_allclose(fast, plain, rtol=1e-14)
    for extent, group, chosen in zip(fast, boxes, own, strict=True):
        corners = group[chosen][:, [[0, 1], [0, 3], [2, 1], [2, 3]]]
        apart = np.linalg.norm(corners[:, None] - corners[None], axis=-1)
        single = [np.hypot(x2 - x1, y2 - y1) for x1, y1, x2, y2 in group[chosen]]
        assert extent == pytest.approx(single[0] if len(single) == 1 else apart.max(initial=0.0))
