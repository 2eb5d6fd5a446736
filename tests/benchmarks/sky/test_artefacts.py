"""Islands around bright sources: counted in their rings, without real ones, for the part inside the image."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.sky.artefacts import Field, Islands, excess_in_catalogue, measured, rate, table

PIXEL_ARCSEC = 1.8


def field(islands: dict[tuple[int, int], float], real: tuple[tuple[int, int], ...] = ()) -> Field:
    """Noise of unit variance with islands of two pixels at places ``y x``, some of them of real sources."""
    image, listed = np.random.default_rng(4).standard_normal((300, 300)), np.zeros((300, 300), bool)
    for (y, x), height in islands.items():
        image[y, x : x + 2] = height, 0.9 * height
    for place in real:
        listed[place] = True
    return Field("field", image, PIXEL_ARCSEC, listed)


def test_islands_have_two_pixels_and_know_whether_they_are_real() -> None:
    one = field({(10, 20): 50.0, (100, 40): 9.0}, real=((10, 21),))
    one.image[200, 200] = 30.0
    found = Islands.of(one.image, one.listed)
    assert found.places.tolist() == [[10, 20], [100, 40]]
    assert found.is_real.tolist() == [True, False]
    np.testing.assert_allclose(found.peaks, [50, 9])


def test_islands_are_counted_in_rings_around_the_brightest_source() -> None:
    at_27, at_90, real_at_90, dark_at_45 = (165, 150), (150, 200), (150, 100), (175, 150)
    places = {(150, 150): 2000.0, at_27: 9.0, at_90: 9.0, real_at_90: 9.0, dark_at_45: -9.0}
    (row,) = measured(field(places, real=((150, 150), real_at_90)))
    assert row["snr"] == pytest.approx(2000, rel=0.03)
    assert [row[f"islands_{ring}"] for ring in (30, 60, 120, 180)] == [1, 0, 1, 0]
    assert [row[f"dark_{ring}"] for ring in (30, 60, 120, 180)] == [0, 1, 0, 0]
    assert [row[f"inside_{ring}"] for ring in (30, 60, 120, 180)] == pytest.approx([1] * 4, abs=0.02)


def test_rings_outside_the_image_count_as_the_part_inside() -> None:
    (row,) = measured(field({(150, 0): 2000.0}))
    assert row["inside_120"] == pytest.approx(0.5, abs=0.02)


def test_a_source_near_a_brighter_one_is_not_measured() -> None:
    assert len(measured(field({(150, 100): 2000.0, (150, 190): 500.0}))) == 1
    assert len(measured(field({(150, 100): 2000.0, (150, 205): 500.0}))) == 2


def test_rates_divide_counts_by_the_parts_inside() -> None:
    mean, error = rate(pd.Series([4.0, 0.0, 2.0]), pd.Series([1.0, 0.5, 0.5]))
    assert mean == 3
    # Deviations of 1, -1.5 and 0.5; three sources leave two degrees of freedom.
    assert error == pytest.approx(np.sqrt(3.5 * 3 / 2) / 2)
    assert np.isnan(rate(pd.Series([0.0]), pd.Series([0.0]))).all()


def test_the_table_has_the_rates_of_each_brightness() -> None:
    rows = pd.DataFrame(measured(field({(150, 150): 2000.0, (150, 200): 9.0}, real=((150, 150),))))
    lines = table("sample", rows).splitlines()
    assert lines[:2] == ["sample", "  1000-3000 sigma: 1 sources"]
    assert lines[2].split()[:8] == ["islands", "0.00", "+-", "0.00", "0.00", "+-", "0.00", "1.00"]


def test_rows_of_the_catalogue_around_bright_sources_exceed_random_ones() -> None:
    rng = np.random.default_rng(1)
    ra, dec = rng.uniform(120, 240, 2000), np.degrees(np.arcsin(rng.uniform(0.1, 0.8, 2000)))
    near = 50 / 3600
    first = pd.DataFrame(
        {
            "ra": np.concatenate([ra, ra[:500]]),
            "dec": np.concatenate([dec, dec[:500] + near]),
            "peak_flux": np.concatenate([np.full(1000, 0.15 * 2000), np.full(1500, 1.0)]),
            "p_sidelobe": np.concatenate([np.zeros(2000), np.full(500, 0.5)]),
        }
    )
    lines = excess_in_catalogue(first, seed=1).splitlines()
    found = lines[lines.index("  1000-3000 sigma: 1000 sources") + 1].split()
    assert [float(value) for value in found[1:]] == pytest.approx([0, 0.5, 0, 0], abs=0.01)
