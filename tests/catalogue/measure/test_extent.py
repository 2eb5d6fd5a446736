"""Errors of extents and position angles: slopes, scatter over noise, sources without a direction."""

import numpy as np
import pytest
from radio_gaussians import BEAM_PX, SCALE, SIGMA, gaussian, image_of, noise

from claran_core.catalogue.measure.component_pixels import largest_extent, pixels_of
from claran_core.catalogue.measure.contour_trace import trace_rings
from claran_core.catalogue.measure.extent import UNKNOWN_ANGLE_DEG, edge_errors, extent_errors

SHAPE = (81, 81)


def extent_of(pixels: np.ndarray) -> tuple[float, float, float, float]:
    """Return extent and angle with their errors, of all components together; arcsec and deg."""
    image, found = image_of(pixels)
    own = pixels_of(image.labels, np.arange(len(found)) + 1)
    points = trace_rings(image.pixels, image.labels, own, image.base)[0]
    errors = edge_errors(image, points)
    offsets = SCALE * points * [-1, 1]
    extent, angle = largest_extent(offsets)
    return extent, angle, *extent_errors(image, offsets, SCALE * errors)


def test_points_move_by_the_noise_over_the_slope() -> None:
    pixels = gaussian(SHAPE, 40, 40, 50 * SIGMA) + noise(SHAPE)
    image, _ = image_of(pixels)
    point = np.array([[43.0, 40.0], [40.0, 40.0], [5.0, 5.0]])
    sigma_px = BEAM_PX / np.sqrt(8 * np.log(2))
    slope = 50 * SIGMA * np.exp(-0.5 * (3 / sigma_px) ** 2) * 3 / sigma_px**2
    errors = edge_errors(image, point)
    assert errors[0] == pytest.approx(image.rms / slope, rel=0.15)
    assert errors[1] > 5 * errors[0]  # the top is flat
    assert (errors <= BEAM_PX * (1 + 1e-9)).all()


@pytest.mark.parametrize(("snr", "beams"), [(10, 1.0), (40, 1.0), (20, 2.0)])
def test_errors_are_the_scatter_over_noise(snr: float, beams: float) -> None:
    found = []
    for seed in range(40):
        x, y = np.random.default_rng(seed).uniform(-0.5, 0.5, 2)
        pixels = gaussian(SHAPE, 28 + x, 40 + y, snr * SIGMA, beams * BEAM_PX) + noise(SHAPE, seed)
        pixels += gaussian(SHAPE, 52 + x, 40 + y, 1.3 * snr * SIGMA, beams * BEAM_PX)
        found.append(extent_of(pixels))
    extent, angle, extent_err, angle_err = np.array(found).T
    assert 0.7 < extent.std() / np.median(extent_err) < 1.4
    turn = (angle - 90 + 90) % 180 - 90
    assert 0.5 < turn.std() / np.median(angle_err) < 1.5


def test_a_round_source_has_no_direction() -> None:
    errors = [extent_of(gaussian(SHAPE, 40, 40, 9 * SIGMA) + noise(SHAPE, seed))[3] for seed in range(10)]
    assert np.median(errors) > 25 and max(errors) <= UNKNOWN_ANGLE_DEG


def test_the_same_points_have_the_same_errors() -> None:
    pixels = gaussian(SHAPE, 40, 40, 20 * SIGMA, 2 * BEAM_PX) + noise(SHAPE)
    assert extent_of(pixels) == extent_of(pixels.copy())
