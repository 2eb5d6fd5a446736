"""Points are rendered and fitted by their point-spread function."""

import numpy as np
import pytest

from claran_core.catalogue.measure import point_fit
from claran_core.catalogue.measure.point_fit import Optics, Points, fit_points, nearest_pixels, render

OPTICS = Optics.of(((0.7, 8.0), (0.3, 12.0), (0.002, 60.0)), 8.4, 1.375)
SHAPE = (60, 75)
POINTS = Points(np.array([[20.3, 30.8, 100.0], [27.1, 33.0, 40.0], [74.9, -0.4, 60.0], [50.0, 10.0, 5.0]]))


def exact_image(points: Points, shape: tuple[int, int], optics: Optics) -> np.ndarray:
    """Return the image of points, pixel by pixel."""
    rows, columns = np.indices(shape)
    image = np.zeros(shape)
    for x, y, height in points.table:
        square = (columns - x) ** 2 + (rows - y) ** 2
        for part, sigma in zip(optics.height, optics.sigma, strict=True):
            image += height * part * np.exp(-0.5 * square / sigma**2)
    return image


def test_optics_are_those_of_the_survey_in_pixels() -> None:
    np.testing.assert_allclose(OPTICS.sigma * np.sqrt(8 * np.log(2)) * 1.375, [8.0, 12.0, 60.0])
    assert OPTICS.fwhm == pytest.approx(8.4 / 1.375)
    assert OPTICS.counts == pytest.approx(
        exact_image(Points(np.array([[200.0, 200, 1]])), (401, 401), OPTICS).sum(), rel=1e-4
    )


def test_rendered_points_are_sums_of_gaussians() -> None:
    image = render(POINTS, SHAPE, OPTICS)
    np.testing.assert_allclose(image, exact_image(POINTS, SHAPE, OPTICS), atol=1e-8)
    assert not render(Points(np.empty((0, 3))), SHAPE, OPTICS).any()


def test_the_fit_of_a_noiseless_image_finds_the_points() -> None:
    start = POINTS.table + [[0.4, -0.3, 9.0], [-0.4, 0.4, 5.0], [-0.3, 0.2, -9.0], [0.2, 0.2, 1.0]]
    image = exact_image(POINTS, SHAPE, OPTICS)
    found = fit_points(Points(start), image, np.ones(SHAPE, bool), OPTICS, 60)
    np.testing.assert_allclose(found.table, POINTS.table, atol=0.02)


def test_missing_pixels_are_not_fitted() -> None:
    image, finite = exact_image(POINTS, SHAPE, OPTICS), np.ones(SHAPE, bool)
    finite[:, 22:26] = False
    image[~finite] = 1e6
    found = fit_points(POINTS, image, finite, OPTICS, 5)
    np.testing.assert_allclose(found.table, POINTS.table, atol=0.02)
    nothing = fit_points(POINTS, image, np.zeros(SHAPE, bool), OPTICS, 5)
    np.testing.assert_array_equal(nothing.table, POINTS.table)


def test_a_point_moves_at_most_half_a_beam_and_stays_positive() -> None:
    image = exact_image(Points(np.array([[30.0, 30.0, 100.0]])), SHAPE, OPTICS)
    found = fit_points(Points(np.array([[25.0, 30.0, 50.0]])), image, np.ones(SHAPE, bool), OPTICS, 40)
    assert found.x[0] == pytest.approx(25.0 + 0.5 * OPTICS.fwhm)
    below = fit_points(POINTS, -image, np.ones(SHAPE, bool), OPTICS, 5)
    assert (below.height >= 0).all()


def test_the_nearest_pixel_of_a_point_is_inside_the_image() -> None:
    np.testing.assert_array_equal(nearest_pixels(POINTS, SHAPE), [[20, 31], [27, 33], [74, 0], [50, 10]])


def test_three_equations_are_solved() -> None:
    rng = np.random.default_rng(3)
    slopes, right = rng.normal(size=(3, 9)), rng.normal(size=3)
    matrix = slopes @ slopes.T
    solved = point_fit._solved(np.column_stack([matrix, right]))
    np.testing.assert_allclose(solved, np.linalg.solve(matrix, right), rtol=1e-10)


def test_compiled_and_written_functions_agree() -> None:
    image = exact_image(POINTS, SHAPE, OPTICS)
    mask = point_fit._fit_pixels(OPTICS.fwhm)
    arguments = (nearest_pixels(POINTS, SHAPE), image, image < 80, mask, OPTICS.parts, 2, 3.0)
    start = POINTS.table + 0.1
    written = point_fit._fitted.py_func(start, *arguments)  # type: ignore[attr-defined]
    np.testing.assert_allclose(point_fit._fitted(start, *arguments), written, rtol=1e-12)
