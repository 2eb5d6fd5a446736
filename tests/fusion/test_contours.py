"""Contour lines, their coverage of pixels, and the hull, compared with scikit-image, numpy and scipy."""

from collections.abc import Sequence

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.spatial import ConvexHull
from skimage.measure import find_contours

from claran_core.fusion import contours
from claran_core.fusion.contours import ContourLines, contour_lines, hull_mask, line_coverage


def cone(size: int = 41, peak: float = 20.0) -> np.ndarray:
    """Return an image whose brightness falls by 1 per pixel from its centre."""
    rows, columns = np.indices((size, size))
    return np.maximum(peak - np.hypot(rows - 20, columns - 20), 0)


def noise(seed: int, smooth_px: float = 0.0) -> np.ndarray:
    """Return an image of noise, with many saddles, missing pixels and emission at its edge."""
    image = np.random.default_rng(seed).normal(0, 1, (40, 40))
    image = gaussian_filter(image, smooth_px)
    image[3:6, 30:34] = np.nan
    image[-1, :10] = image.max()
    return image.astype(np.float32)


def lines_of(arrays: Sequence[np.ndarray]) -> ContourLines:
    """Return lines given one by one."""
    return ContourLines(np.concatenate(arrays), np.cumsum([0, *map(len, arrays)]))


def interpreted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the functions as written instead of the compiled ones."""
    for name in (
        "_crossed_squares",
        "_trace",
        "_set_point",
        "_add_coverage",
        "_convex_hull",
        "_fill_polygon",
    ):
        monkeypatch.setattr(contours, name, getattr(contours, name).py_func)


def test_levels_double_until_the_maximum() -> None:
    lines = contour_lines(cone(), 5.0)
    assert [len(level) for level in lines] == [1, 1]  # 5 and 10; 20 is the maximum itself
    radius = np.hypot(*(lines[0][0] - 20).T)
    np.testing.assert_allclose(radius, 15, atol=0.1)


@pytest.mark.parametrize("smooth_px", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("seed", range(5))
def test_lines_are_those_of_scikit_image(seed: int, smooth_px: float) -> None:
    image = noise(seed, smooth_px)
    base = 0.3 * float(np.nanstd(image))
    padded = np.pad(np.nan_to_num(image.astype(np.float64)), 1)
    levels = contour_lines(image, base)
    assert len(levels) >= 2
    for k, lines in enumerate(levels):
        expected = find_contours(padded, base * 2**k)  # type: ignore[no-untyped-call]
        assert len(lines) == len(expected)
        for line, other in zip(lines, expected, strict=True):
            (start,) = np.flatnonzero((other[:-1] - 1 == line[0]).all(axis=1))
            assert np.array_equal(line[:-1], np.roll(other[:-1] - 1, -start, axis=0))
            assert np.array_equal(line[0], line[-1])


def test_compiled_functions_give_the_results_of_the_written_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    image = noise(7, 1.0)
    levels = contour_lines(image, 0.2)
    part = [lines_of(levels[0][:3])]
    results = [level.points for level in levels], line_coverage(levels, 40, 0.5), hull_mask(part, 40)
    interpreted(monkeypatch)
    again = contour_lines(image, 0.2)
    assert all(np.array_equal(*pair) for pair in zip(results[0], [one.points for one in again], strict=True))
    np.testing.assert_allclose(line_coverage(levels, 40, 0.5), results[1], rtol=0, atol=1e-14)
    assert np.array_equal(hull_mask(part, 40), results[2])


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


def test_lines_of_a_level_are_a_sequence() -> None:
    lines = contour_lines(noise(1), 1.0)[0]
    assert len(list(lines)) == len(lines) > 3
    assert np.array_equal(lines[-1], lines[len(lines) - 1]) and len(lines[1:3]) == 2
    with pytest.raises(IndexError):
        lines[len(lines)]


def test_drawn_area_is_length_times_width() -> None:
    circle = contour_lines(cone(), 5.0)[0]
    cover = line_coverage([circle], 41, 0.5)
    assert cover.sum() == pytest.approx(2 * np.pi * 15 * 0.5, rel=0.02)
    assert cover.max() <= 1.0 and cover[20, 20] == 0.0
    assert line_coverage([], 5, 0.5).sum() == 0


def test_coverage_is_that_of_eight_samples_of_each_piece() -> None:
    levels = contour_lines(noise(2, 1.0), 0.1)
    expected = np.zeros((40, 40))
    for line in (line for level in levels for line in level):
        steps = np.diff(line, axis=0)
        points = line[:-1, None] + steps[:, None] * ((np.arange(8) + 0.5) / 8)[:, None]
        area = np.repeat(np.hypot(*steps.T)[:, None] * 0.5 / 8, 8, axis=1)
        rows, columns = np.moveaxis(np.rint(points).astype(int), -1, 0)
        inside = (rows >= 0) & (rows < 40) & (columns >= 0) & (columns < 40)
        np.add.at(expected, (rows[inside], columns[inside]), area[inside])
    cover = line_coverage(levels, 40, 0.5)
    assert cover.max() == 1.0
    np.testing.assert_allclose(cover, np.minimum(expected, 1.0), rtol=0, atol=1e-12)


def test_lines_outside_the_image_cover_no_pixel() -> None:
    line = np.array([[-5.0, -5.0], [-4.0, -4.0]])
    assert line_coverage([lines_of([line])], 8, 0.5).sum() == 0


def test_hull_contains_the_corners_of_all_boxes_only() -> None:
    one = np.array([[2.0, 2.0], [2.0, 4.0], [4.0, 2.0], [2.0, 2.0]])
    other = one + [10, 10]
    mask = hull_mask([lines_of([one, other])], 20)
    assert mask[2, 2] and mask[4, 4] and mask[14, 14] and mask[8, 8]
    assert not mask[2, 14] and not mask[1, 1] and not mask[15, 15]
    assert not hull_mask([], 20).any()


@pytest.mark.parametrize("seed", range(8))
def test_hull_is_that_of_scipy(seed: int) -> None:
    random = np.random.default_rng(seed)
    lines = [random.uniform(-2, 40, 2) + random.uniform(0, 6, (5, 2)) for _ in range(1 + 3 * (seed % 4))]
    points = np.concatenate(
        [[(y, x) for y in (a.min(0)[0], a.max(0)[0]) for x in (a.min(0)[1], a.max(0)[1])] for a in lines]
    )
    planes = ConvexHull(points).equations
    rows, columns = np.indices((40, 40))
    inside = [rows * a + columns * b + c <= 0 for a, b, c in planes]
    assert np.array_equal(hull_mask([lines_of(lines)], 40), np.all(inside, axis=0))
