"""Compiled functions of the simulated sky give the results of the functions as written, or of scipy."""

from typing import Any

import numpy as np
import pytest
from scipy.ndimage import affine_transform

from claran_core.simulation import artefacts, baselines, infrared, noise, radio, source_models
from claran_core.simulation.gaussians import PixelGaussians

RNG = np.random.default_rng(6)
NEAR = 1e-12


def written(function: Any) -> Any:
    """Return a compiled function as it is written."""
    return function.py_func


def test_planes_are_resampled_as_by_scipy() -> None:
    plane, middle = RNG.normal(size=(32, 32)), np.full(2, 16)
    matrix = np.array([[0.97, -0.05], [0.04, 1.06]])
    expected = affine_transform(plane, matrix, middle - matrix @ middle, order=1)
    np.testing.assert_allclose(baselines._resampled(plane, matrix), expected, atol=NEAR)


def test_layers_of_noise_are_interpolated_from_nodes() -> None:
    along_x, along_y = noise.kernels(9.0), noise.kernels(5.0)
    nodes = RNG.normal(size=(40, 40))
    found, expected = np.ones((17, 20)), np.ones((17, 20))
    noise._add_layer(found, nodes, along_x, along_y, 1, 0, 0.7)
    written(noise._add_layer)(expected, nodes, along_x, along_y, 1, 0, 0.7)
    np.testing.assert_allclose(found, expected, atol=NEAR)
    # One pixel by hand: all nodes within reach, weighted along both axes.
    pixel_x, pixel_y = 1 + 4, 6
    of_x, of_y = along_x[pixel_x % len(along_x)], along_y[pixel_y % len(along_y)]
    around = nodes[pixel_y // len(along_y) :, pixel_x // len(along_x) :][: len(of_y), : len(of_x)]
    assert found[6, 4] == pytest.approx(1 + 0.7 * of_y @ around @ of_x)


def test_fields_are_bilinear_between_nodes() -> None:
    nodes = RNG.normal(size=(4, 3))
    found, expected = np.empty((25, 12)), np.empty((25, 12))
    radio._interpolate(found, nodes, 4, 3, 10)
    written(radio._interpolate)(expected, nodes, 4, 3, 10)
    np.testing.assert_allclose(found, expected, atol=NEAR)
    np.testing.assert_allclose(found[7::10, 6], nodes[1:3, 1], atol=NEAR)


@pytest.mark.parametrize("angle", [0.0, 0.3, np.pi / 2, 2.5, 3.1])
def test_rays_are_profiles_across_times_heights_along(angle: float) -> None:
    middle, sigma, heights = 20, 1.7, RNG.normal(size=(1, 2, 22))
    found = np.zeros((41, 41))
    artefacts._add_rays(found, np.array([angle]), heights, np.array([sigma]))
    y, x = np.indices(found.shape) - middle
    across, along = (x * np.sin(angle) - y * np.cos(angle)) / sigma, x * np.cos(angle) + y * np.sin(angle)
    height = [np.interp(np.abs(along), np.arange(22), side) for side in heights[0]]
    expected = np.where(along < 0, height[1], height[0]) * (1 - across**2) * np.exp(-0.5 * across**2)
    inside = (np.abs(across) < 4) & (np.abs(along) < middle + 1)
    np.testing.assert_allclose(found, np.where(inside, expected, 0), atol=NEAR)


def test_spots_are_gaussians() -> None:
    spots = np.array([[3.2, -4.7, 2.0, 1.5], [-19.0, 20.0, -1.0, 2.0], [60.0, 0.0, 1.0, 1.5]])
    found = np.zeros((41, 41))
    artefacts._add_spots(found, spots)
    y, x = np.indices(found.shape) - 20
    expected = sum(h * np.exp(-0.5 * ((x - a) ** 2 + (y - b) ** 2) / s**2) for a, b, h, s in spots)
    np.testing.assert_allclose(found, expected, atol=2e-3)  # cut off at four sigma


def test_parts_of_infrared_sources() -> None:
    sources = np.column_stack(
        [
            RNG.uniform(0, 360, 30),
            RNG.uniform(-80, 80, 30),
            10 ** RNG.uniform(-0.5, 3, 30),
            RNG.choice([0.0, 4.0], 30),
            RNG.uniform(0.4, 1, 30),
            RNG.uniform(0, 180, 30),
        ]
    )
    np.testing.assert_allclose(infrared._parts(sources), written(infrared._parts)(sources), rtol=NEAR)


def test_size_of_a_model_and_its_maxima() -> None:
    x, y, turn = RNG.uniform(-20, 20, (2, 9)).tolist() + [RNG.uniform(0, np.pi, 9)]
    placed = PixelGaussians.of_axes(
        np.array(x), np.array(y), RNG.uniform(5, 50, 9), np.full(9, 3.0), np.full(9, 1.5), turn
    )
    for axis in (0, 1):
        assert source_models._shown(placed.rows, axis, 4.0) == written(source_models._shown)(
            placed.rows, axis, 4.0
        )
    image = RNG.normal(size=(30, 40))
    inner = image[1:-1, 1:-1]
    beside = (image[:-2, 1:-1], image[2:, 1:-1], image[1:-1, :-2], image[1:-1, 2:])
    expected = (inner > 0.5) & np.all([inner >= one for one in beside], axis=0)
    assert source_models._count_maxima(image, 0.5) == expected.sum()
