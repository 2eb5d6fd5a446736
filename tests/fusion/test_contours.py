"""Contour lines, their coverage of pixels, and the hull."""

import numpy as np
import pytest

from claran_core.fusion.contours import contour_lines, hull_mask, line_coverage


def cone(size: int = 41, peak: float = 20.0) -> np.ndarray:
    """Return an image whose brightness falls by 1 per pixel from its centre."""
    rows, columns = np.indices((size, size))
    return np.maximum(peak - np.hypot(rows - 20, columns - 20), 0)


def test_levels_double_until_the_maximum() -> None:
    lines = contour_lines(cone(), 5.0)
    assert [len(level) for level in lines] == [1, 1]  # 5 and 10; 20 is the maximum itself
    radius = np.hypot(*(lines[0][0] - 20).T)
    np.testing.assert_allclose(radius, 15, atol=0.1)


@pytest.mark.parametrize("level", [0.0, -1.0, np.nan, np.inf, 100.0])
def test_invalid_or_too_high_level_gives_no_contours(level: float) -> None:
    assert contour_lines(cone(), level) == []


def test_blank_image_has_no_contours() -> None:
    assert contour_lines(np.full((10, 10), np.nan), 1.0) == []


def test_lines_are_closed_at_the_edge_of_the_image() -> None:
    image = np.zeros((10, 10))
    image[:, 0] = 9
    (line,) = contour_lines(image, 5.0)[0]
    assert np.array_equal(line[0], line[-1])


def test_drawn_area_is_length_times_width() -> None:
    circle = contour_lines(cone(), 5.0)[0]
    cover = line_coverage(circle, 41, 0.5)
    assert cover.sum() == pytest.approx(2 * np.pi * 15 * 0.5, rel=0.02)
    assert cover.max() <= 1.0 and cover[20, 20] == 0.0
    assert line_coverage([], 5, 0.5).sum() == 0


def test_lines_outside_the_image_cover_no_pixel() -> None:
    line = np.array([[-5.0, -5.0], [-4.0, -4.0]])
    assert line_coverage([line], 8, 0.5).sum() == 0


def test_hull_contains_the_corners_of_all_boxes_only() -> None:
    one = np.array([[2.0, 2.0], [2.0, 4.0], [4.0, 2.0], [2.0, 2.0]])
    other = one + [10, 10]
    mask = hull_mask([one, other], 20)
    assert mask[2, 2] and mask[4, 4] and mask[14, 14] and mask[8, 8]
    assert not mask[2, 14] and not mask[1, 1] and not mask[15, 15]
    assert not hull_mask([], 20).any()
