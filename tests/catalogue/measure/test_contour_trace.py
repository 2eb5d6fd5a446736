"""Traced contours are those of marching squares, point by point."""

import numpy as np
import pytest
from scipy import ndimage
from skimage.measure import find_contours

from claran_core.catalogue.measure import contour_trace
from claran_core.catalogue.measure.contour_trace import ring_areas, trace_rings

BASE = 1.0


def plane(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return an image with missing pixels, labels of its components, and the pixels of three of them."""
    rng = np.random.default_rng(seed)
    image = ndimage.gaussian_filter(rng.standard_normal((40, 50)), 1.5)
    image *= 1.3 / image.std()
    image[:, 44:46] = np.nan
    image[rng.random(image.shape) > 0.98] = np.nan
    labels, count = ndimage.label(np.nan_to_num(image) > BASE)
    numbers = rng.choice(np.arange(1, count + 1), 3, replace=False)
    return image, labels.astype(np.int32), np.argwhere(np.isin(labels, numbers))[:, ::-1].copy()


def rings_of(image: np.ndarray, labels: np.ndarray, own: np.ndarray) -> list[np.ndarray]:
    points, ends = trace_rings(image, labels, own, BASE)
    assert ends[-1] == len(points)
    return np.split(points, ends[:-1])


def cyclic(ring: np.ndarray) -> list[tuple[float, float]]:
    """Return a closed ring from its lowest point on, in the direction of the lower of both neighbours."""
    points = [(float(x), float(y)) for x, y in np.round(ring, 7)]
    first = points.index(min(points))
    turned = points[first:] + points[:first]
    back = turned[:1] + turned[:0:-1]
    return min(turned, back)


@pytest.mark.parametrize("seed", range(6))
def test_rings_are_those_of_marching_squares(seed: int) -> None:
    image, labels, own = plane(seed)
    mask = np.zeros(labels.shape, bool)
    mask[own[:, 1], own[:, 0]] = True
    alone = np.pad(np.where((labels > 0) & ~mask, 0.0, np.nan_to_num(image)), 1)
    found = find_contours(alone, BASE, fully_connected="low")  # type: ignore[no-untyped-call]
    expected = sorted(cyclic(ring[:-1, ::-1] - 1) for ring in found)
    assert sorted(cyclic(ring) for ring in rings_of(image, labels, own)) == expected


def test_areas_and_holes() -> None:
    """A frame of pixels around a hole, a pixel that touches it at a corner, at levels halfway to 0."""
    image = np.zeros((9, 9))
    image[1:6, 1:6] = 2.0
    image[3, 3] = 0.0
    labels = ndimage.label(image > BASE)[0].astype(np.int32)
    own = np.argwhere(labels == 1)[:, ::-1].copy()
    points, ends = trace_rings(image, labels, own, BASE)
    # A square of 5 pixels without its four corners, each a triangle of 0.125; a diamond of diagonal 1.
    np.testing.assert_allclose(ring_areas(points, ends), [25 - 4 * 0.125, -0.5], atol=1e-12)
    assert np.diff(ends, prepend=0).tolist() == [20, 4]
    image[6, 6] = 2.0
    labels[6, 6] = 1  # touches at a corner alone
    points, ends = trace_rings(image, labels, np.argwhere(labels == 1)[:, ::-1].copy(), BASE)
    assert sorted(np.diff(ends, prepend=0).tolist()) == [4, 4, 20]


def test_a_component_at_the_border_is_closed_there() -> None:
    image, labels = np.full((3, 4), 2.0), np.ones((3, 4), np.int32)
    (ring,) = rings_of(image, labels, np.argwhere(labels)[:, ::-1].copy())
    assert ring.min(axis=0).tolist() == [-0.5, -0.5] and ring.max(axis=0).tolist() == [3.5, 2.5]


def test_compiled_and_written_functions_agree() -> None:
    image, labels, own = plane(1)
    points, ends = trace_rings(image, labels, own, BASE)
    for written, compiled in zip(trace_rings.py_func(image, labels, own, BASE), (points, ends), strict=True):
        np.testing.assert_array_equal(written, compiled)
    np.testing.assert_allclose(contour_trace.ring_areas.py_func(points, ends), ring_areas(points, ends))
