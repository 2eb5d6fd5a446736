"""The beam that two images are matched to against a search; smoothed apertures against smoothed images."""

import math

import numpy as np
import pytest
from scipy import ndimage

from claran_core.catalogue.measure import matched_beam
from claran_core.catalogue.measure.layer import Layer
from claran_core.catalogue.measure.matched_beam import (
    beam_covariance,
    matched_covariance,
    pixel_beam_of,
    smallest_around,
    smoothed_places,
)
from claran_core.catalogue.measure.pixel_beam import PixelBeam
from claran_core.catalogue.measure.radio_image import RadioImage
from claran_core.catalogue.measure.stored_components import NOTHING_STORED
from claran_core.common.cutout import Beam, Cutout
from claran_core.common.linear_wcs import LinearWCS
from claran_core.survey.surveys import SURVEYS

FIRST = SURVEYS["FIRST"]
RNG = np.random.default_rng(5)


def ellipse(major: float, minor: float, angle_deg: float) -> np.ndarray:
    """Return the covariance (east, north) of a Gaussian of two standard deviations and a position angle."""
    sin, cos = math.sin(math.radians(angle_deg)), math.cos(math.radians(angle_deg))
    axes = np.array([[sin, cos], [cos, -sin]])
    return axes.T @ np.diag([major**2, minor**2]) @ axes


def layer_of(
    pixels: np.ndarray, scale_arcsec: float, beam: Beam, *, turn_deg: float = 0.0, mirror: int = -1
) -> Layer:
    """Return an image around RA 150, Dec 20 with a beam; its pixels may be turned."""
    ny, nx = pixels.shape
    sin, cos = math.sin(math.radians(turn_deg)), math.cos(math.radians(turn_deg))
    matrix = np.array([[mirror * cos, -sin], [mirror * sin, cos]]) * scale_arcsec / 3600
    a, b, c, d = matrix.ravel().tolist()
    wcs = LinearWCS("SIN", 150.0, 20.0, (nx - 1) / 2, (ny - 1) / 2, (a, b, c, d))
    cutout = Cutout(pixels.astype(np.float32), wcs, "test", beam=beam)
    in_pixels = PixelBeam.of(cutout, FIRST)
    image = RadioImage.of(pixels, np.zeros(pixels.shape, np.int32), 1.0, scale_arcsec, in_pixels, FIRST)
    return Layer(NOTHING_STORED, image, wcs)


def noise_layer(scale_arcsec: float, beam: Beam, **turned: float) -> Layer:
    return layer_of(RNG.normal(size=(61, 71)), scale_arcsec, beam, **turned)


def contains(outer: np.ndarray, inner: np.ndarray) -> bool:
    return bool(np.linalg.eigvalsh(outer - inner)[0] > -1e-9)


def test_the_smallest_ellipse_is_the_larger_of_two_if_it_contains_the_other() -> None:
    large, small = ellipse(9, 6, 30), ellipse(4, 3, 100)
    np.testing.assert_allclose(smallest_around(large, small), large)
    np.testing.assert_allclose(smallest_around(small, large), large)


def test_the_smallest_ellipse_around_a_circle_and_an_ellipse_has_their_larger_axes() -> None:
    found = smallest_around(ellipse(5, 5, 0), ellipse(8, 3, 40))
    np.testing.assert_allclose(found, ellipse(8, 5, 40), atol=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_no_ellipse_of_a_search_is_smaller(seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, other = (ellipse(*rng.uniform(2, 8, 2), rng.uniform(0, 180)) for _ in range(2))
    found = smallest_around(one, other)
    assert contains(found, one) and contains(found, other)
    for _ in range(3000):
        tried = ellipse(*rng.uniform(2, 8.1, 2), rng.uniform(0, 180))
        if contains(tried, one) and contains(tried, other):
            assert np.linalg.det(tried) >= np.linalg.det(found) * (1 - 1e-9)


def test_beams_are_those_of_the_headers_on_turned_pixels_too() -> None:
    beam = Beam(8.0, 5.0, 25.0)
    wanted = ellipse(8 / 2.35482, 5 / 2.35482, 25)
    for turned in ({}, {"turn_deg": 33.0}, {"turn_deg": -70.0, "mirror": 1}):
        layer = noise_layer(1.7, beam, **turned)
        np.testing.assert_allclose(beam_covariance(layer), wanted, rtol=0.003, atol=0.01)
        again = pixel_beam_of(wanted, layer)
        assert again.fwhm_px == pytest.approx(math.sqrt(40) / 1.7, rel=1e-3)
        np.testing.assert_allclose(again.shape, layer.image.beam.shape, atol=2)


def test_both_images_are_smoothed_by_more_than_half_a_pixel() -> None:
    one, other = noise_layer(1.8, Beam(5.4, 5.4, 0)), noise_layer(1.5, Beam(6, 6, 0))
    matched = matched_covariance(one, other)
    np.testing.assert_allclose(matched, ((6 / 2.35482) ** 2 + 1.08**2) * np.eye(2), rtol=2e-3, atol=0.02)
    for layer in (one, other):
        assert np.linalg.eigvalsh(matched - beam_covariance(layer))[0] > 1.1


def test_a_smoothed_aperture_gives_the_sum_of_the_smoothed_image() -> None:
    layer = noise_layer(2.0, Beam(6, 6, 0))
    sigma_px = 1.5
    smooth = ndimage.gaussian_filter(layer.image.pixels, sigma_px, truncate=8)
    places = np.array([[30, 28], [31, 28], [31, 29], [40, 33]])
    vectors = layer.wcs.pixels_to_vectors(places[:, 0], places[:, 1])
    pixels, weights, missing = smoothed_places(layer, vectors, (2.0 * sigma_px) ** 2 * np.eye(2))
    assert weights.sum() == pytest.approx(4) and missing == pytest.approx(0, abs=1e-3)
    found = weights @ layer.image.pixels[pixels[:, 1], pixels[:, 0]]
    assert found == pytest.approx(smooth[places[:, 1], places[:, 0]].sum(), abs=2e-3)


def test_holes_and_borders_are_missing() -> None:
    layer = noise_layer(2.0, Beam(6, 6, 0))
    layer.image.pixels[:, 40:] = np.nan
    smoothing = 9.0 * np.eye(2)

    def missing(x: float, y: float) -> float:
        return smoothed_places(layer, layer.wcs.pixels_to_vectors([x], [y]), smoothing)[2]

    assert missing(30, 30) < 1e-3
    assert missing(39.5, 30) == pytest.approx(0.5, abs=0.01)
    assert missing(30, -0.5) == pytest.approx(0.5, abs=0.01)
    assert missing(30, -40) == 1


def test_the_compiled_loop_is_the_function_as_written() -> None:
    covariance = np.array([[3.0, 0.8], [0.8, 2.0]])
    places = RNG.uniform(-2, 25, (6, 2))
    arguments = places, covariance, np.linalg.inv(covariance), np.array([20, 24])
    start, window = matched_beam._spread(*arguments)
    start_slow, window_slow = matched_beam._spread.py_func(*arguments)  # type: ignore[attr-defined]
    np.testing.assert_array_equal(start, start_slow)
    np.testing.assert_allclose(window, window_slow, rtol=1e-12)
