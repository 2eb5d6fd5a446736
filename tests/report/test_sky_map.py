"""Sky maps: every position counts once, in its place; small areas show their sources."""

import base64
import io
import re

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from claran_core.common.frame import Frame
from claran_core.report.sky_map import MARGIN, MAX_POINTS, WIDTH, area_map, png_data_uri, whole_sky_map


def pixels(uri: str) -> np.ndarray:
    content = base64.b64decode(uri.removeprefix("data:image/png;base64,"))
    return matplotlib.image.imread(io.BytesIO(content), format="png")


def table(ra: list[float], dec: list[float]) -> pd.DataFrame:
    return pd.DataFrame(
        {"ra": ra, "dec": dec, "scale": 1, "morphology": ["1C_1P", "2C_2P"][: len(ra)] * (len(ra) // 2 or 1)}
    )


def test_png_holds_the_pixels() -> None:
    image = np.random.default_rng(1).integers(0, 256, (5, 7, 3), np.uint8)
    np.testing.assert_array_equal(
        (pixels(png_data_uri(image))[..., :3] * 255).round().astype(np.uint8), image
    )


def test_positions_are_counted_in_their_cells() -> None:
    drawn = whole_sky_map(np.array([180.5, 180.6, 270.0]), np.array([0.5, 0.6, 60.0]))
    painted = np.argwhere(pixels(drawn.cells)[..., 3] > 0)
    assert drawn.most == 2
    assert len(painted) == 2
    (north, equator) = painted  # rows from the north
    assert tuple(equator) == (44, 89)  # just above the middle of 90 rows, just left of that of 180 columns
    assert north[0] < 25
    assert north[1] < 89  # right ascension grows to the left


def test_no_positions_give_an_empty_map() -> None:
    drawn = whole_sky_map(np.array([]), np.array([]))
    assert drawn.most == 0
    assert not pixels(drawn.cells)[..., 3].any()


def test_small_area_has_an_outline_per_subject_and_a_point_per_source() -> None:
    frame = Frame()
    subjects = table([10.0, 10.2], [0.0, 0.0])
    drawn = area_map(subjects, subjects, frame)
    assert drawn is not None
    corners = np.array([[float(n) for n in point.split()] for point in re.split("[ML]", drawn.outlines)[1:]])
    assert corners.shape == (2 * 5, 2)
    # The frame is 3.025 arcmin wide, and the map 0.2 deg + 2 x 0.75 x that.
    per_deg = (WIDTH - MARGIN) / (0.2 + 1.5 * frame.width_arcsec / 3600)
    assert np.ptp(corners[:5, 0]) == pytest.approx(frame.width_arcsec / 3600 * per_deg, abs=0.2)
    assert [name for name, _ in drawn.points] == ["1C_1P", "2C_2P"]
    first, second = (float(path[1:].split()[0]) for _, path in drawn.points)
    assert first - second == pytest.approx(0.2 * per_deg, abs=0.2)  # the one in the west is to the right
    assert len(drawn.labels) >= 4


def test_area_with_many_positions_is_shown_as_densities() -> None:
    subjects = table([10.0] * (MAX_POINTS + 2), [0.0] * (MAX_POINTS + 2))
    drawn = area_map(subjects, subjects, Frame())
    assert drawn is not None
    assert (drawn.outlines, drawn.points) == ("", ())
    assert drawn.most == MAX_POINTS + 2


@pytest.mark.parametrize("dec", [89.99, -89.99])
def test_area_around_a_pole_has_a_grid(dec: float) -> None:
    subjects = table([0.0, 120.0], [dec, dec])
    drawn = area_map(subjects, subjects, Frame())
    assert drawn is not None
    assert drawn.grid


def test_subjects_all_over_the_sky_have_no_area_map() -> None:
    assert area_map(table([0.0, 180.0], [0.0, 0.0]), table([], []), Frame()) is None
    assert area_map(table([], []), table([], []), Frame()) is None
