"""Compiled functions on islands of pixels, beside the functions as written and scipy."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from claran_core.components import islands
from claran_core.components.islands import (
    contour_boxes,
    count_innermost,
    finite_pixels,
    island_pixels,
    label_islands,
    maxima_above,
    touching_gaps,
    window_above,
)

LEVEL = 1.0
RATIO = 3**0.5


def image_of(seed: int) -> np.ndarray:
    """Return smooth noise with islands of many shapes, plateaus, and values equal to the level."""
    rng = np.random.default_rng(seed)
    image = ndimage.gaussian_filter(rng.normal(size=(24, 31)), rng.uniform(0.5, 2))
    image *= 3 / image.std()
    return np.round(image * 4) / 4 if seed % 2 else image


def as_written(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a compiled function as it is written in Python."""
    return function.py_func  # type: ignore[attr-defined]


@pytest.mark.parametrize("seed", range(6))
def test_compiled_functions_give_the_results_of_the_written_ones(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = image_of(seed)
    gaps = np.where(np.random.default_rng(seed).random(image.shape) < 0.1, np.nan, image)

    def results() -> list[Any]:
        labels, count = islands.label_islands(image, LEVEL)
        maxima = islands.maxima_above(image, LEVEL)
        return [
            islands.finite_pixels(gaps),
            islands.window_above(image, LEVEL),
            labels,
            count,
            *islands.island_pixels(image, labels, count),
            islands.contour_boxes(image, labels, count, LEVEL),
            islands.touching_gaps(labels, count, gaps),
            *maxima,
            islands.count_innermost(labels, count, *maxima, LEVEL, RATIO),
        ]

    compiled = results()
    for name in [*islands.__all__, "_value_at", "root_of"]:
        monkeypatch.setattr(islands, name, as_written(getattr(islands, name)))
    for fast, plain in zip(compiled, results(), strict=True):
        np.testing.assert_allclose(fast, plain, rtol=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_labels_and_pixels_are_those_of_scipy(seed: int) -> None:
    image = image_of(seed)
    labels, count = label_islands(image, LEVEL)
    expected, n = ndimage.label(image > LEVEL)
    assert count == n > 1
    np.testing.assert_array_equal(labels, expected)
    brightest, total, n_pixels = island_pixels(image, labels, count)
    index = np.arange(1, count + 1)
    tops = [int(np.argmax(np.where(expected == k, image, -np.inf))) for k in index]  # the first, if equal
    assert brightest.tolist() == [[top % image.shape[1], top // image.shape[1]] for top in tops]
    np.testing.assert_allclose(total, ndimage.sum_labels(image, expected, index))
    np.testing.assert_array_equal(n_pixels, np.bincount(expected.ravel())[1:])


def nested_counts(image: np.ndarray, labels: np.ndarray, count: int) -> list[int]:
    """Return the number of innermost contours of each island by labelling level after level."""
    innermost, level, outer = [0] * count, LEVEL, labels
    while outer.any():
        level *= RATIO
        inner, _ = ndimage.label(image > level)
        for region in range(1, outer.max() + 1):
            inside = outer == region
            if not (inner[inside] > 0).any():
                innermost[labels[inside][0] - 1] += 1
        outer = inner
    return innermost


@pytest.mark.parametrize("seed", range(20))
def test_innermost_contours_are_those_of_nested_labels(seed: int) -> None:
    image = image_of(seed)
    labels, count = label_islands(image, LEVEL)
    expected = nested_counts(image, labels, count)
    for floor in (LEVEL, 0.6 * LEVEL):
        assert count_innermost(labels, count, *maxima_above(image, floor), LEVEL, RATIO).tolist() == expected
    assert max(expected) > 1


@pytest.mark.parametrize("seed", range(10))
def test_saddles_separate_maxima_from_higher_ones(seed: int) -> None:
    image = image_of(seed)
    places, peaks, saddles = maxima_above(image, LEVEL)
    assert (np.diff(peaks) <= 0).all() and np.isfinite(saddles).any()
    for (x, y), peak, saddle in zip(places, peaks, saddles, strict=True):
        assert image[y, x] == peak
        if np.isfinite(saddle):
            separate, _ = ndimage.label(image > saddle)
            joined, _ = ndimage.label(image >= saddle)
            assert image[separate == separate[y, x]].max() == peak
            higher = (joined == joined[y, x]) & (separate != separate[y, x])
            assert image[higher].max() >= peak
        else:
            island, _ = ndimage.label(image > LEVEL)
            assert image[island == island[y, x]].max() == peak


def test_plateau_has_one_maximum() -> None:
    image = np.zeros((5, 7))
    image[1:4, 1:6] = 3.0
    image[2, 2:5] = 2.0  # a ring
    places, peaks, saddles = maxima_above(image, LEVEL)
    assert places.tolist() == [[1, 1]] and peaks.tolist() == [3.0] and saddles.tolist() == [-np.inf]


def test_maxima_by_hand() -> None:
    image = np.array([[0.0, 5.0, 2.0, 4.0, 1.5, 1.8, 0.0, 3.0]])
    places, peaks, saddles = maxima_above(image, LEVEL)
    assert places.tolist() == [[1, 0], [3, 0], [7, 0], [5, 0]]
    assert peaks.tolist() == [5.0, 4.0, 3.0, 1.8]
    assert saddles.tolist() == [-np.inf, 2.0, -np.inf, 1.5]
    assert len(maxima_above(image, 9.0)[0]) == 0


def test_window_around_the_pixels_above_a_level() -> None:
    image = np.zeros((10, 12))
    assert window_above(image, LEVEL) == (0, 0, 0, 0)
    image[4, 5] = image[6, 9] = 2.0
    assert window_above(image, LEVEL) == (3, 8, 4, 11)
    image[0, 0] = image[9, 11] = 2.0
    assert window_above(image, LEVEL) == (0, 10, 0, 12)


def test_islands_beside_the_border_or_missing_pixels() -> None:
    image = np.zeros((7, 9))
    image[0, 1] = image[3, 3] = image[3, 6] = 2.0
    image[4, 6] = np.nan
    image[4, 4] = np.nan  # touches the island at 3, 3 at a corner only
    labels, count = label_islands(finite_pixels(image), LEVEL)
    assert touching_gaps(labels, count, image).tolist() == [True, False, True]


def test_box_at_the_border_is_closed_by_zeros() -> None:
    image = np.full((1, 1), 4.0)
    labels, count = label_islands(image, LEVEL)
    np.testing.assert_allclose(contour_boxes(image, labels, count, LEVEL), [[-0.75, -0.75, 0.75, 0.75]])
