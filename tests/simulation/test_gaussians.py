"""Gaussians on pixels: compiled sums equal the formula, and have the same bits in all windows."""

import numpy as np
import pytest

from claran_core.common.sky import offset_to_sky
from claran_core.simulation import gaussians as gaussians_module
from claran_core.simulation.gaussians import Gaussians, PixelGaussians
from claran_core.simulation.geometry import TileGrid, TileWindow

GRID = TileGrid(nside=128, pixel_scale_arcsec=1.8, size_px=2000)
TILE = GRID.tile(4711)
WIDE = TileWindow(-60, -50, 130, 110)


@pytest.fixture(scope="module")
def placed() -> PixelGaussians:
    rng = np.random.default_rng(2)
    x, y, peak = rng.uniform(-80, 90, 200), rng.uniform(-70, 80, 200), rng.uniform(0.1, 5, 200)
    major = rng.uniform(1, 12, 200)
    minor = np.where(rng.random(200) < 0.3, major, major * rng.uniform(0.15, 1, 200))
    return PixelGaussians.of_axes(x, y, peak, major, minor, rng.uniform(0, np.pi, 200))


def formula(placed: PixelGaussians, window: TileWindow) -> np.ndarray:
    rows, columns = np.indices(window.shape) + np.array([window.y0, window.x0])[:, None, None]
    image = np.zeros(window.shape)
    for x, y, peak, xx, yy, xy, half in placed.rows:
        dx, dy = columns - x, rows - y
        inside = (np.abs(columns - np.rint(x)) <= half) & (np.abs(rows - np.rint(y)) <= half)
        image += inside * peak * np.exp(-(xx * dx**2 + 2 * xy * dx * dy + yy * dy**2) / 2)
    return image


def drawn(placed: PixelGaussians, window: TileWindow) -> np.ndarray:
    image = np.zeros(window.shape)
    placed.add_to(image, window)
    return image


def test_sum_equals_the_formula(placed: PixelGaussians) -> None:
    np.testing.assert_allclose(drawn(placed, WIDE), formula(placed, WIDE), rtol=1e-11, atol=1e-12)


def test_compiled_functions_equal_the_written_ones(placed: PixelGaussians) -> None:
    few, image = placed.take(np.arange(8)), np.zeros(WIDE.shape)
    gaussians_module._add.py_func(image, few.rows, WIDE.x0, WIDE.y0)  # type: ignore[attr-defined]
    np.testing.assert_allclose(image, drawn(few, WIDE), rtol=1e-13)


@pytest.mark.parametrize("window", [TileWindow(-7, 3, 30, 1), TileWindow(20, -50, 1, 60)])
def test_all_windows_have_the_same_bits(placed: PixelGaussians, window: TileWindow) -> None:
    part = drawn(placed, WIDE)[WIDE.overlap(window)[0]]
    np.testing.assert_array_equal(drawn(placed, window), part)


def test_only_touching_gaussians_change_a_window(placed: PixelGaussians) -> None:
    window = TileWindow(0, 0, 9, 5)
    own = placed.touching(window)
    assert 0 < own.size < len(placed.rows)
    np.testing.assert_array_equal(drawn(placed.take(own), window), drawn(placed, window))
    one_by_one = [drawn(placed.take(np.array([k])), placed.take(np.array([k])).box()) for k in own]
    assert all(image[[0, -1]].max() <= 2e-6 * image.max() for image in one_by_one)


def test_places_are_those_of_the_projection() -> None:
    rng = np.random.default_rng(3)
    rows = np.zeros((50, 8))
    rows[:, :2] = np.stack(
        offset_to_sky(TILE.ra_deg, TILE.dec_deg, *rng.uniform(-1500, 1500, (2, 50))), axis=1
    )
    rows[:, 2:4], rows[:, 4] = rng.uniform(-100, 100, (50, 2)), 1.0
    rows[:, 5], rows[:, 6], rows[:, 7] = 20.0, 8.0, rng.uniform(0, 180, 50)
    placed = Gaussians(rows).place(TILE).rows
    there = offset_to_sky(*rows[:, :4].T)
    np.testing.assert_allclose(placed[:, :2].T, TILE.sky_to_pixel(*there), rtol=0, atol=1e-9)
    # A second point along the major axis lies in its direction: the longest axis of the quadratic form.
    ahead = np.deg2rad(rows[:, 7])
    beyond = offset_to_sky(*rows[:, :2].T, rows[:, 2] + np.sin(ahead), rows[:, 3] + np.cos(ahead))
    dx, dy = np.stack(TILE.sky_to_pixel(*beyond)) - placed[:, :2].T
    along = placed[:, 3] * dx**2 + 2 * placed[:, 5] * dx * dy + placed[:, 4] * dy**2
    np.testing.assert_allclose(along / (dx**2 + dy**2), (1.8 * 2.354820 / 20.0) ** 2, rtol=1e-6)
