"""The grid of subjects: no gaps, few surplus subjects, the same grid for all areas."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from subject_coverage import FRAME, GRID, distance_to_border, positions_in

from claran_core.common.errors import InputError
from claran_core.common.frame import SCALES
from claran_core.targets.areas import BoxArea, CircleArea
from claran_core.targets.subject_grid import (
    DEFAULT_LARGEST_ARCSEC,
    SkyGrid,
    tile,
    tile_at_scales,
    write_tiles,
)
from claran_core.targets.target_table import read_targets


@pytest.mark.parametrize("dec_deg", [0.0, 45.0, -60.0, 80.0, 89.0, 89.5, 89.9, 89.97, 90.0, -90.0])
@pytest.mark.parametrize("ra_deg", [0.0, 123.4])
def test_source_of_the_largest_extent_lies_whole_in_a_subject(ra_deg: float, dec_deg: float) -> None:
    area = CircleArea(ra_deg, dec_deg, 0.08)
    subjects = tile(area, GRID)
    assert distance_to_border(subjects, *positions_in(area.circles()[0])).min() >= DEFAULT_LARGEST_ARCSEC / 2
    assert subjects["subject_id"].is_unique


@pytest.mark.parametrize("largest", [0.0, 20.0, 150.0])
def test_overlap_equals_the_largest_extent(largest: float) -> None:
    area = CircleArea(200.0, 30.0, 0.05)
    subjects = tile(area, SkyGrid(FRAME, largest))
    smallest = distance_to_border(subjects, *positions_in(area.circles()[0])).min()
    assert largest / 2 <= smallest < largest / 2 + 0.05 * (FRAME.width_arcsec - largest)


def test_cores_exceed_the_area_by_less_than_a_tenth() -> None:
    side = 2 * GRID.half_core_deg
    n = len(tile(BoxArea(180.0, 184.0, -2.0, 2.0), GRID))
    assert 1 <= n * side**2 / 16 < 1.1


def test_larger_area_keeps_the_subjects_of_a_smaller_one() -> None:
    small, large = (set(tile(CircleArea(150.0, 40.0, radius), GRID)["subject_id"]) for radius in (0.1, 0.2))
    assert small < large


def test_each_scale_needs_a_quarter_of_the_subjects_of_the_one_before() -> None:
    subjects = tile_at_scales(BoxArea(180.0, 184.0, -2.0, 2.0), GRID, SCALES)
    counts = subjects.groupby("scale").size().to_numpy()
    np.testing.assert_allclose(counts[0] / counts, [1, 4, 16, 64], rtol=0.12)
    assert subjects["subject_id"].is_unique
    assert subjects["subject_id"].str.endswith("_x4").sum() == counts[2]
    pd.testing.assert_frame_equal(subjects.iloc[: counts[0]], tile(BoxArea(180.0, 184.0, -2.0, 2.0), GRID))


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_larger_source_lies_whole_in_a_coarser_subject(scale: int) -> None:
    area = CircleArea(123.4, 45.0, 0.5)
    subjects = tile(area, GRID.at_scale(scale))
    here = positions_in(area.circles()[0])
    assert distance_to_border(subjects, *here).min() >= scale * DEFAULT_LARGEST_ARCSEC / 2
    larger = tile(CircleArea(123.4, 45.0, 0.6), GRID.at_scale(scale))
    assert set(subjects["subject_id"]) < set(larger["subject_id"])


@pytest.mark.parametrize(("radius_arcmin", "scales"), [(1.5, [1]), (1.6, [1, 2]), (3.1, [1, 2, 4])])
def test_scale_is_left_out_where_a_finer_subject_is_as_wide_as_the_area(
    radius_arcmin: float, scales: list[int]
) -> None:
    subjects = tile_at_scales(CircleArea(10.0, 20.0, radius_arcmin / 60), GRID, SCALES)
    assert subjects["scale"].unique().tolist() == scales


@pytest.mark.parametrize("name", ["targets.csv", "targets.parquet"])
def test_written_subjects_are_read_as_targets(tmp_path: Path, name: str) -> None:
    subjects = tile_at_scales(CircleArea(359.99, 10.0, 0.05), GRID, SCALES)
    path = tmp_path / name
    write_tiles(path, subjects)
    read = read_targets(path)
    assert read["subject_id"].tolist() == subjects["subject_id"].tolist()
    np.testing.assert_array_equal(read[["ra", "dec"]], subjects[["ra", "dec"]])
    assert read["scale"].tolist() == subjects["scale"].tolist()
    with pytest.raises(InputError, match="already exists"):
        write_tiles(path, subjects)
    write_tiles(path, subjects, overwrite=True)


def test_unknown_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"name it .csv or .parquet"):
        write_tiles(tmp_path / "targets.fits", tile(CircleArea(0.0, 0.0, 0.02), GRID))
