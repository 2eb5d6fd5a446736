"""Baselines of the simulated FIRST: noise kernels, their sharpness by tile, and sidelobes."""

import numpy as np
import pytest

from claran_core.simulation import baselines
from claran_core.simulation.baselines import (
    FIRST_KERNEL,
    KERNEL_RADIUS_PX,
    TRANSFORM_PX,
    noise_kernel,
    sidelobe_pattern,
    transfer,
)

TILES = range(60)


def power_of(transform: np.ndarray) -> np.ndarray:
    power = transform.astype(float) ** 2
    power[:, 1:-1] *= 2  # columns that stand for two
    return power


def test_kernel_is_symmetric_under_rotation_by_180_degrees() -> None:
    assert FIRST_KERNEL.shape == (129, 129)
    np.testing.assert_array_equal(FIRST_KERNEL, FIRST_KERNEL[::-1, ::-1])
    assert (FIRST_KERNEL**2).sum() == pytest.approx(1)


def test_sidelobes_have_three_stripes_and_no_main_lobe() -> None:
    pattern = sidelobe_pattern()
    middle = pattern.shape[0] // 2
    assert pattern[middle, middle] == 0
    np.testing.assert_allclose(pattern, pattern[::-1, ::-1], atol=1e-12)
    for distance in (24, 40):
        angle = np.deg2rad(np.arange(0, 180, 0.5))
        x, y = np.rint(distance * np.cos(angle)), np.rint(distance * np.sin(angle))
        height = pattern[middle + y.astype(int), middle + x.astype(int)]
        along = {round(float(a)) for a in np.rad2deg(angle[height > 0.6 * height.max()])}
        assert all(min(abs(a - b) for b in (0, 61.5, 118.5, 180)) < 9 for a in along)
        assert {min((0, 61.5, 118.5, 180), key=lambda b: abs(a - b)) % 180 for a in along} == {0, 61.5, 118.5}


def test_sets_of_baselines_scatter_around_the_mean() -> None:
    sets = np.array([noise_kernel(number) for number in range(12)])
    assert (sets**2).sum(axis=(1, 2)) == pytest.approx(np.ones(12))
    np.testing.assert_allclose(sets, sets[:, ::-1, ::-1], atol=1e-12)
    likeness = np.einsum("kyx,yx->k", sets, FIRST_KERNEL)
    assert 0.5 < likeness.min() and likeness.max() < 0.97
    mean = sets.mean(axis=0)
    assert (mean * FIRST_KERNEL).sum() / np.sqrt((mean**2).sum()) > likeness.max()


def test_tiles_have_unit_variance_and_different_sharpness() -> None:
    fine = np.hypot(np.fft.fftfreq(TRANSFORM_PX)[:, None], np.fft.rfftfreq(TRANSFORM_PX)) > 0.3
    shares = []
    for tile in TILES:
        power = power_of(transfer(1, tile)[0])
        assert power.sum() / TRANSFORM_PX**2 == pytest.approx(1, abs=1e-4)
        shares.append(np.log(power[fine].sum() / power.sum()))
    assert 0.3 < np.std(shares) < 0.6


def test_kernel_of_a_tile_ends_at_its_radius() -> None:
    for tile in TILES[:8]:
        kernel = np.fft.fftshift(np.fft.irfft2(transfer(1, tile)[0].astype(float)))
        y, x = np.abs(np.indices(kernel.shape) - TRANSFORM_PX // 2)
        outside = (x > KERNEL_RADIUS_PX) | (y > KERNEL_RADIUS_PX)
        assert (kernel[outside] ** 2).sum() < 1e-5


def test_same_tile_has_the_same_baselines() -> None:
    first = transfer(1, 7).copy()
    baselines.transfer.cache_clear()
    np.testing.assert_array_equal(transfer(1, 7), first)
    assert np.abs(transfer(2, 7) - first).max() > 0.01 * np.abs(first).max()
