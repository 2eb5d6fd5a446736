"""Radio spectra of simulated sources."""

import numpy as np
import pytest

from claran_core.simulation.spectra import LIMITS, drawn_spectra

MANY = drawn_spectra(4, 1000, 20_000)


def test_field_sources_are_steep_and_some_are_flat() -> None:
    # 92 % of mean 0.72, 8 % of mean 0.1.
    assert MANY.compact.mean() == pytest.approx(0.92 * 0.72 + 0.08 * 0.1, abs=0.01)
    assert np.mean(MANY.compact < 0.3) == pytest.approx(0.1, abs=0.02)
    assert MANY.compact.min() >= LIMITS[0] and MANY.compact.max() <= LIMITS[1]


def test_cores_are_flat_and_lobes_steeper_with_their_size() -> None:
    offset, size = np.array([0.2, 0.2, 30.0, 30.0, 30.0]), np.array([0.5, 9.0, 0.5, 8.0, 60.0])
    index = np.stack([MANY.of_parts(number, offset, size) for number in range(4000)]).mean(axis=0)
    core, diffuse, hotspot, lobe, plume = index
    assert core == pytest.approx(0.1, abs=0.02)
    assert hotspot < lobe < plume and diffuse == pytest.approx(lobe, abs=0.03)
    assert lobe == pytest.approx(0.78, abs=0.01) and plume - hotspot == pytest.approx(0.5, abs=0.01)


def test_more_sources_leave_those_before_as_they_are() -> None:
    few, more = drawn_spectra(4, 77, 10), drawn_spectra(4, 77, 25)
    for one in ("compact", "core", "lobe"):
        np.testing.assert_array_equal(getattr(few, one), getattr(more, one)[:10])
    assert not np.array_equal(drawn_spectra(5, 77, 10).core, few.core)
