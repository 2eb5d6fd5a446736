"""Loops over the pixels of components give what scipy gives for whole images."""

from copy import deepcopy
from typing import Any

import numpy as np
import pytest
from scipy import ndimage, signal

from claran_core.catalogue.measure import component_pixels
from claran_core.catalogue.measure.component_pixels import interpolated_peak, largest_extent
from claran_core.catalogue.measure.radio_image import disc

RADIUS, BASE = 3.0, 1.0

SHEARED = np.array([[1.5, 0.7], [0.7, 1.0]])


def plane(seed: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Return an image with missing pixels, and the labels and number of its components."""
    rng = np.random.default_rng(seed)
    image = ndimage.gaussian_filter(rng.standard_normal((40, 50)), 1.5)
    image *= 1.0 / image.std()
    image[:, 44:46] = np.nan
    image[rng.random(image.shape) > 0.995] = np.nan
    labels, count = ndimage.label(np.nan_to_num(image) > BASE)
    return image, labels.astype(np.int32), count


def source(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return an image, its labels, and the labels of a source of three components."""
    image, labels, count = plane(seed)
    return image, labels, np.random.default_rng(seed).choice(np.arange(1, count + 1), 3, replace=False)


def test_the_disc_leaves_out_pixels_at_its_radius() -> None:
    assert len(disc(1.0)) == 1 and len(disc(1.01)) == 5 and len(disc(3.0)) == 25
    np.testing.assert_array_equal(disc(3.004), disc(2.996))
    assert (np.diff(disc(6.0)[:, 2]) >= 0).all()


@pytest.mark.parametrize("seed", range(5))
def test_pixels_and_apertures_follow_the_distance_transforms(seed: int) -> None:
    image, labels, numbers = source(seed)
    own = np.isin(labels, numbers)
    found = component_pixels.pixels_of(labels, numbers)
    np.testing.assert_array_equal(found[:, ::-1], np.argwhere(own))
    to_own, nearest = ndimage.distance_transform_edt(~own, return_indices=True)
    to_other = ndimage.distance_transform_edt(own | (labels == 0))
    expected = (to_own < RADIUS) & (to_own < to_other) & np.isfinite(image)
    aperture = component_pixels.aperture(image, labels, numbers, found, disc(RADIUS))
    np.testing.assert_array_equal(aperture[:, 1::-1], np.argwhere(expected))
    np.testing.assert_array_equal(aperture[:, 2], labels[tuple(nearest)][expected])
    for radius in (2.0, 4.5):
        is_near = component_pixels.is_near_others(labels, numbers, found, disc(radius))
        assert is_near == (to_other[own].min() < radius)
    near = component_pixels.near_components(labels, disc(RADIUS))
    np.testing.assert_array_equal(near, ndimage.distance_transform_edt(labels == 0) < RADIUS)


@pytest.mark.parametrize(
    "form", [((1.0, 0.0), (0.0, 1.0)), ((0.5, 0.0), (0.0, 2.0)), ((1.5, 0.7), (0.7, 1.0))]
)
def test_the_noise_of_a_sum_counts_all_pairs_of_pixels(form: tuple[tuple[float, float], ...]) -> None:
    image, labels, numbers = source(1)
    own = component_pixels.pixels_of(labels, numbers)
    aperture = component_pixels.aperture(image, labels, numbers, own, disc(RADIUS))
    factors = np.random.default_rng(1).normal(1, 1, len(aperture))
    mask = np.zeros(labels.shape)
    mask[aperture[:, 1], aperture[:, 0]] = factors
    pairs = signal.fftconvolve(mask, mask[::-1, ::-1])
    rows, columns = (np.arange(n) - (n - 1) / 2 for n in pairs.shape)
    (xx, xy), (_, yy) = form
    square = yy * rows[:, None] ** 2 + 2 * xy * rows[:, None] * columns + xx * columns**2
    weights, sigma = np.array([0.8, 0.2]), np.array([1.2, 7.0])
    correlation = sum(w * np.exp(-0.5 * square / s**2) for w, s in zip(weights, sigma, strict=True))
    expected = (pairs * correlation).sum()
    found = component_pixels.correlated_pairs(aperture, factors, weights, sigma, np.array(form))
    assert found == pytest.approx(expected, rel=1e-9)


def test_paint_labels_free_pixels_inside_the_image() -> None:
    labels = np.zeros((3, 4), np.int32)
    labels[1, 1] = 7
    places = np.array([[1, 1], [3, 2], [4, 0], [0, -1], [0, 0], [3, 2]])
    assert component_pixels.paint(labels, places, 9) == 2
    np.testing.assert_array_equal(labels, [[9, 0, 0, 0], [0, 7, 0, 0], [0, 0, 0, 9]])
    assert component_pixels.paint(labels, places, 9) == 0


def test_points_are_far_when_beyond_the_reach_of_every_other() -> None:
    rng = np.random.default_rng(1)
    points, others, reach = rng.uniform(0, 9, (60, 2)), rng.uniform(0, 9, (7, 2)), rng.uniform(0, 4, 7)
    apart = np.linalg.norm(points[:, None] - others, axis=2)
    found = component_pixels.farther_than(points, others, reach)
    np.testing.assert_array_equal(found, (apart > reach).all(axis=1))
    assert 0 < found.sum() < 60
    assert component_pixels.farther_than(points, others[:0], reach[:0]).all()


def test_compiled_and_written_functions_agree() -> None:
    image, labels, numbers = source(2)
    own = component_pixels.pixels_of(labels, numbers)
    around = disc(RADIUS)
    aperture = component_pixels.aperture(image, labels, numbers, own, around)
    arguments: dict[str, tuple[Any, ...]] = {
        "near_components": (labels, around),
        "pixels_of": (labels, numbers),
        "aperture": (image, labels, numbers, own, around),
        "is_near_others": (labels, numbers, own, around),
        "paint": (labels, own + [0, 3], 99),
        "farther_than": (own.astype(float), own[:3] + 0.5, np.ones(3)),
        "correlated_pairs": (aperture, np.linspace(-1, 2, len(aperture)), np.ones(1), np.ones(1), np.eye(2)),
        "_all_pairs": (aperture, np.linspace(-1, 2, len(aperture)), np.ones(1), np.ones(1), SHEARED),
        "largest_extent": (own.astype(float),),
        "interpolated_peak": (image, own[0, 0], own[0, 1]),
    }
    assert component_pixels.__all__ == sorted(component_pixels.__all__)
    assert arguments.keys() == {*component_pixels.__all__, "_all_pairs"}
    for name, values in arguments.items():
        function: Any = getattr(component_pixels, name)
        given = deepcopy(values), deepcopy(values)  # paint changes its labels
        np.testing.assert_allclose(function(*given[0]), function.py_func(*given[1]), rtol=1e-12)


def test_peaks_are_interpolated_between_pixels() -> None:
    for dx, dy in ((0.0, 0.0), (0.5, 0.5), (0.3, -0.4)):
        rows, columns = np.indices((11, 11))
        pixels = 2.0 * np.exp(-0.5 * ((columns - 5 - dx) ** 2 + (rows - 5 - dy) ** 2) / 1.3**2)
        y, x = np.unravel_index(pixels.argmax(), pixels.shape)
        assert interpolated_peak(pixels, x, y) == pytest.approx(2.0, rel=1e-6)


def test_a_peak_without_valid_neighbours_is_not_interpolated() -> None:
    pixels = np.full((3, 3), np.nan)
    pixels[1, 1] = 2.0
    assert interpolated_peak(pixels, 1, 1) == 2.0
    pixels[:] = -1.0
    pixels[1, 1] = 2.0
    assert interpolated_peak(pixels, 1, 1) == 2.0
    assert interpolated_peak(np.full((3, 3), 2.0), 1, 1) == 2.0
    assert interpolated_peak(np.array([[2.0, 1.0]]), 0, 0) == 2.0


def test_largest_extent_of_points() -> None:
    assert largest_extent(np.array([[0.0, 0.0]])) == (0.0, 0.0)
    extent, angle = largest_extent(np.array([[0.0, 0.0], [3.0, 4.0], [1.0, 1.0]]))
    assert extent == 5.0 and angle == pytest.approx(np.rad2deg(np.arctan2(3, 4)))
    assert largest_extent(np.array([[0.0, 0.0], [3.0, -4.0]]))[1] == pytest.approx(180 - angle)
