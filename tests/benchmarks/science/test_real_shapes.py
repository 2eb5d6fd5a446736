"""The comparison of shapes with astronomers' classes, on a table whose answers are known."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.science.real_shapes import area_under_curve, lines_of_shapes, with_rows


def galaxies() -> pd.DataFrame:
    """Ten galaxies a degree apart: FR I, FR II, a tail, an uncertain and a small one."""
    codes = [100, 100, 100, 200, 200, 200, 102, 102, 210, 200]
    sizes = [40.0, 70.0, 130.0, 40.0, 70.0, 130.0, 70.0, 70.0, 70.0, 20.0]
    return pd.DataFrame(
        {
            "fr_code": codes,
            "ra": np.arange(10.0),
            "dec": 0.0,
            "largest_angular_size_arcsec": sizes,
        }
    )


def rows(ratio: list[float], bending: list[float]) -> pd.DataFrame:
    """A row over each galaxy but the last but one, and a shorter one with other values."""
    long = pd.DataFrame(
        {
            "tight_ra": np.arange(10.0),
            "tight_dec": 0.0,
            "tight_width": 30.0,
            "tight_height": 30.0,
            "largest_angular_size": 50.0,
            "fr_ratio": ratio,
            "bending_angle": bending,
            "shape_centre": "core",
        }
    )
    short = long.assign(largest_angular_size=10.0, fr_ratio=0.5, bending_angle=0.0)
    return pd.concat([short, long]).query("tight_ra != 8")


def test_the_longest_row_over_a_galaxy_is_its_row() -> None:
    found = with_rows(galaxies(), rows([0.2] * 3 + [0.8] * 7, [1.0] * 10))
    assert found["fr_ratio"].tolist()[:5] == [0.2, 0.2, 0.2, 0.8, 0.8]
    assert found["fr_ratio"].isna().tolist() == [False] * 8 + [True, False]


def test_areas_are_those_of_the_chosen_galaxies() -> None:
    ratio = [0.2, 0.3, 0.6, 0.7, 0.5, np.nan, 0.1, 0.1, 0.0, 0.0]
    bending = [5.0, 10.0, 15.0, np.nan, 5.0, 1.0, 60.0, 12.0, 0.0, 90.0]
    lines = lines_of_shapes(with_rows(galaxies(), rows(ratio, bending)))
    # Of 2 x 5 pairs one has the smaller ratio in FR II; of 2 x 5 pairs one tail is straighter.
    assert lines[1].startswith("30 arcsec and more | 5 | 2 | 1 | 0.900 [")
    assert lines[1].endswith("| 0.80 | 0.50")
    assert lines[2].startswith("30-60 arcsec | 1 | 1 | 0 | 1.000 [1.000, 1.000]")
    assert lines[6].startswith("30 arcsec and more | 5 | 2 | 2 | 0.900 [")


def test_equal_values_count_half_and_intervals_hold_the_area() -> None:
    assert area_under_curve(np.array([1.0, 2.0]), np.array([1.0, 2.0]))[0] == pytest.approx(0.5)
    rng = np.random.default_rng(3)
    area, low, high = area_under_curve(rng.normal(1, 1, 200), rng.normal(0, 1, 200))
    # Two normal distributions one standard deviation apart: Phi(1 / sqrt(2)).
    assert area == pytest.approx(0.760, abs=0.05)
    assert low < area < high and 0.07 < high - low < 0.12
