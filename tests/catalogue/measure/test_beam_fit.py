"""Fits of the beam: exact without noise, with the least error in noise, and with gaps and neighbours."""

from typing import Any

import numpy as np
import pytest
from radio_gaussians import BEAM_PX, SIGMA, gaussian, image_of
from smoothed_views import first_noise

from claran_core.catalogue.measure import beam_fit
from claran_core.catalogue.measure.beam_fit import BeamFit, fit_beam
from claran_core.catalogue.measure.radio_image import disc

SHAPE = (61, 61)


def fitted(pixels: np.ndarray, x: float, y: float) -> BeamFit | None:
    """Fit the beam to the component at a position."""
    image, found = image_of(pixels)
    own = found.at(x, y)
    assert own is not None
    return fit_beam(image, own + 1, found.brightest[own])


@pytest.mark.parametrize(("x", "y"), [(30.0, 30.0), (30.5, 29.5), (29.7, 30.2)])
def test_a_beam_without_noise_is_found_exactly(x: float, y: float) -> None:
    fit = fitted(gaussian(SHAPE, x, y, 50 * SIGMA), x, y)
    assert fit is not None
    np.testing.assert_allclose(fit.beams[0], [x, y, 50 * SIGMA], rtol=1e-5)
    places = np.argwhere(np.ones(SHAPE))[:, ::-1]
    np.testing.assert_allclose(fit.model(places), gaussian(SHAPE, x, y, 50 * SIGMA).ravel(), atol=1e-8)


@pytest.mark.parametrize(("beams", "ratio"), [(2.0, 0.5), (2.0, 1.0), (2.5, 1.0), (2.5, 8.0), (2.7, 8.0)])
def test_neighbours_are_fitted_together(beams: float, ratio: float) -> None:
    pixels = gaussian(SHAPE, 25.3, 30, 20 * SIGMA)
    pixels += gaussian(SHAPE, 25.3 + beams * BEAM_PX, 30.4, 20 * ratio * SIGMA)
    fit = fitted(pixels, 25.3, 30)
    assert fit is not None and len(fit.beams) == 2
    np.testing.assert_allclose(fit.beams[0], [25.3, 30, 20 * SIGMA], rtol=2e-3)


def test_the_weights_of_the_height_are_its_derivatives() -> None:
    pixels = gaussian(SHAPE, 30.2, 30.1, 30 * SIGMA) + gaussian(SHAPE, 37.3, 30, 40 * SIGMA)
    fit = fitted(pixels, 30, 30)
    assert fit is not None
    step = 0.05 * SIGMA
    for k in range(0, len(fit.pixels), 7):
        x, y = fit.pixels[k]
        changed = pixels.copy()
        changed[y, x] += step
        other = fitted(changed, 30, 30)
        assert other is not None
        assert (other.height - fit.height) / step == pytest.approx(fit.inverse[0, k], abs=5e-3)
        around = np.argwhere(gaussian(SHAPE, 30, 30, 1.0) > 0.01)[:, ::-1]
        change = (other.model(around).sum() - fit.model(around).sum()) / step
        assert change == pytest.approx(fit.change_of_sum(around)[k], abs=5e-2)


def test_the_error_of_the_height_is_its_scatter_and_about_one_rms() -> None:
    heights, errors = [], []
    for seed in range(150):
        plane = first_noise(128, seed)
        for x, y in ((30.0, 30.0), (90.4, 30.3), (30.5, 90.5), (90.0, 90.7)):
            pixels = plane + gaussian(plane.shape, x, y, 30 * SIGMA)
            image, found = image_of(pixels)
            own = found.at(x, y)
            assert own is not None
            fit = fit_beam(image, own + 1, found.brightest[own])
            assert fit is not None
            heights.append(fit.height)
            errors.append(image.noise_of(fit.pixels, fit.inverse[0]))
    assert np.mean(errors) == pytest.approx(np.std(heights), rel=0.08)
    assert np.std(heights) == pytest.approx(SIGMA, rel=0.08)
    assert np.mean(heights) == pytest.approx(30 * SIGMA, abs=4 * SIGMA / np.sqrt(len(heights)))


def test_missing_pixels_are_left_out_and_too_many_prevent_a_fit() -> None:
    pixels = gaussian(SHAPE, 30, 30, 50 * SIGMA)
    holed = pixels.copy()
    holed[29, 31] = holed[31:33, 30] = np.nan
    fit = fitted(holed, 30, 30)
    assert fit is not None and fit.height == pytest.approx(50 * SIGMA, rel=1e-4)
    pixels[:, 31:] = np.nan
    assert fitted(pixels, 30, 30) is not None
    pixels[:, 30:] = np.nan
    assert fitted(pixels, 29, 30) is None  # the peak is beyond the border of the data


@pytest.mark.parametrize("hole", [[(0, 0)], [(0, 0), (1, 0)], [(0, 0), (0, 1), (1, 0), (1, 1)]])
@pytest.mark.parametrize(("x", "y"), [(30.0, 30.0), (30.4, 30.3)])
def test_a_peak_in_a_hole_of_the_data_is_fitted(hole: list[tuple[int, int]], x: float, y: float) -> None:
    pixels = gaussian(SHAPE, x, y, 50 * SIGMA)
    for right, up in hole:
        pixels[30 + up, 30 + right] = np.nan
    fit = fitted(pixels, 30, 30)
    assert fit is not None
    np.testing.assert_allclose(fit.beams[0], [x, y, 50 * SIGMA], rtol=1e-3)
    pixels = gaussian(SHAPE, x, y, 5000 * SIGMA)
    pixels[28:33, 28:33] = np.nan  # nearly a beam in radius
    assert fitted(pixels, 33, 30) is None


def test_a_source_at_the_border_of_the_image_is_fitted_where_its_peak_is_inside() -> None:
    fit = fitted(gaussian(SHAPE, 1.2, 30, 50 * SIGMA), 1, 30)
    assert fit is not None and fit.height == pytest.approx(50 * SIGMA, rel=1e-4)
    assert fitted(gaussian(SHAPE, -1, 30, 50 * SIGMA), 0, 30) is None


def test_the_same_pixels_elsewhere_in_an_image_give_the_same_fit() -> None:
    pixels = gaussian(SHAPE, 30.2, 30.1, 30 * SIGMA) + gaussian(SHAPE, 37.5, 30, 40 * SIGMA)
    fit, moved = fitted(pixels, 30, 30), fitted(np.pad(pixels, ((5, 0), (9, 0))), 39, 35)
    assert fit is not None and moved is not None
    np.testing.assert_allclose(moved.beams - fit.beams, [[9, 5, 0]] * 2, atol=1e-10)


def test_compiled_and_written_functions_agree() -> None:
    pixels = first_noise(64, 1)
    labels = (pixels > 1.5 * SIGMA).astype(np.int32)
    places = np.array([[3, 4], [5, 4], [9, 1]])
    arguments: dict[str, tuple[Any, ...]] = {
        "_maxima_near": (pixels, labels, 9, np.array([30, 30]), disc(25.0)),
        "_is_maximum": (pixels, 0, 5),
        "_covariance": (
            places,
            np.array([0.8, 0.2]),
            np.array([1.0, 3.0]),
            np.array([[1.2, 0.3], [0.3, 1.0]]),
            0.1,
        ),
    }
    for name, values in arguments.items():
        function: Any = getattr(beam_fit, name)
        np.testing.assert_allclose(function(*values), function.py_func(*values), rtol=1e-12)
    assert len(beam_fit._maxima_near(*arguments["_maxima_near"])) > 5
