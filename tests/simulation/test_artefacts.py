"""Patterns of artefacts around bright sources, and what is drawn for the sources of a cell."""

import numpy as np
import pytest

from claran_core.simulation.artefacts import (
    ARTEFACTS_PX,
    BLOB_BEYOND_ARCSEC,
    BLOB_PX,
    GAIN,
    GAIN_AT_JY,
    N_PATTERNS,
    artefact_pattern,
    dark_blob,
    drawn_artefacts,
)
from claran_core.simulation.baselines import STRIPE_ANGLES_DEG


def test_patterns_end_at_their_radius_and_spare_the_source() -> None:
    pattern = artefact_pattern(3)
    assert pattern.shape == (2 * ARTEFACTS_PX + 1,) * 2
    lag = np.hypot(*np.indices(pattern.shape) - ARTEFACTS_PX)
    assert np.abs(pattern[lag >= ARTEFACTS_PX]).max() == 0
    assert np.abs(pattern[lag < 6]).max() == 0
    assert abs(pattern.mean()) < 0.1


def test_each_pattern_has_four_orientations() -> None:
    first = artefact_pattern(2)
    np.testing.assert_array_equal(artefact_pattern(N_PATTERNS + 2), first[::-1])
    np.testing.assert_array_equal(artefact_pattern(2 * N_PATTERNS + 2), first[:, ::-1])
    np.testing.assert_array_equal(artefact_pattern(3 * N_PATTERNS + 2), first[::-1, ::-1])


def power_by_angle(number: int) -> np.ndarray:
    """Mean square of a pattern, beyond its rings, in 36 directions from the x axis."""
    pattern = artefact_pattern(number)
    y, x = np.indices(pattern.shape) - ARTEFACTS_PX
    far = np.hypot(x, y) > 40
    sector = (np.rad2deg(np.arctan2(y, x)) % 180 / 5).astype(int)[far]
    return np.bincount(sector, pattern[far].astype(float) ** 2, 36) / np.bincount(sector, minlength=36)


def test_rays_gather_along_the_three_arms() -> None:
    power = np.median([power_by_angle(number) for number in range(N_PATTERNS)], axis=0)
    middle = np.arange(36) * 5 + 2.5
    off = np.min([np.abs((middle - angle + 90) % 180 - 90) for angle in STRIPE_ANGLES_DEG], axis=0)
    assert power[off < 6].mean() > 1.5 * power[off > 20].mean()


def test_gains_are_broad_and_belong_to_the_seed() -> None:
    peak, extent = np.full(20000, GAIN_AT_JY), np.zeros(20000)
    drawn = drawn_artefacts(1, 7, peak, extent)
    assert np.median(drawn.gain) == pytest.approx(GAIN, rel=0.05)
    assert np.percentile(drawn.gain, 97.5) / np.percentile(drawn.gain, 2.5) > 10
    assert set(drawn.pattern.tolist()) == set(range(4 * N_PATTERNS))
    other = drawn_artefacts(2, 7, peak, extent)
    assert not np.array_equal(drawn.gain, other.gain)


def test_brighter_sources_have_lower_gains() -> None:
    peaks_jy = GAIN_AT_JY * np.array([1e-9, 0.05, 0.1, 1, 32])
    gains = np.stack([drawn_artefacts(1, 7, np.full(5, peak), np.zeros(5)).gain for peak in peaks_jy])
    np.testing.assert_allclose(gains[3] / gains[4], 4)  # 32 to the power of 0.4
    np.testing.assert_array_equal(gains[:2], gains[[2, 2]])


def test_blobs_are_dark_pairs_beside_extended_sources() -> None:
    extent = np.repeat([0.0, 100.0], 500)
    blobs = drawn_artefacts(1, 7, np.full(1000, GAIN_AT_JY), extent).blobs
    east, north, height = np.moveaxis(blobs, -1, 0)
    assert (height[:500] == 0).all() and (height[500:] < 0).all()
    distance = np.hypot(east[500:], north[500:])
    assert distance.min() > BLOB_BEYOND_ARCSEC + 0.3 * 100 and distance.max() < BLOB_BEYOND_ARCSEC + 60
    np.testing.assert_allclose(blobs[:, :2, :2], -blobs[:, 2:, :2])
    reach = drawn_artefacts(1, 7, np.full(1000, GAIN_AT_JY), extent).blob_reach_arcsec
    np.testing.assert_allclose(reach[500:], distance.max(axis=1))
    assert dark_blob()[BLOB_PX, BLOB_PX] == 1 and dark_blob()[0, 0] < 1e-3
