"""Contours of measured sources: where they lie on the sky and in the image, and what they enclose."""

from typing import Any

import numpy as np
import pytest
from smoothed_views import DEC, MJY, RA, view_of

from claran_core.catalogue.measure.measure_subject import measured_columns
from claran_core.common.frame import Frame
from claran_core.survey.surveys import SURVEYS

FRAME = Frame()
BEAM = SURVEYS["FIRST"].beam_arcsec


def rings(row: dict[str, Any]) -> list[np.ndarray]:
    """Return the rings of a source as offsets to east and north from (RA, DEC), arcsec."""
    east = (np.asarray(row["contour_ra"]) - RA) * np.cos(np.deg2rad(DEC)) * 3600
    north = (np.asarray(row["contour_dec"]) - DEC) * 3600
    points = np.stack([east, north], axis=1)
    x, y = FRAME.sky_to_frame(RA, DEC, np.asarray(row["contour_ra"]), np.asarray(row["contour_dec"]))
    np.testing.assert_allclose([x, y], [row["contour_x"], row["contour_y"]], atol=0.011)
    assert sum(row["ring_points"]) == len(points)
    return np.split(points, np.cumsum(row["ring_points"])[:-1])


def test_a_point_source_has_one_ring_at_its_level() -> None:
    view = view_of(1, [(10.0, -20.0, 40.0, 1.0)])
    row = measured_columns(view.image, *view.source_at(10.0, -20.0))
    (ring,) = rings(row)
    assert row["ring_level"] == pytest.approx([5.3 * MJY], rel=0.1) and not row["ring_is_hole"].any()
    # The contour of a beam of 40 sigma at 5.3 sigma.
    radius = 0.5 * BEAM * np.sqrt(np.log2(40 / 5.3))
    np.testing.assert_allclose(np.hypot(*(ring - [10, -20]).T), radius, atol=0.5)


def test_a_smoothed_source_has_the_rings_of_both_images() -> None:
    view = view_of(4, [(-40.0, 0.0, 60.0, 1.0), (40.0, 0.0, 60.0, 1.0), (0.0, 0.0, 3.5, 8.0)])
    row = measured_columns(view.image, *view.whole())
    levels = np.asarray(row["ring_level"])
    assert levels[0] == pytest.approx(5.3 * MJY, rel=0.1) and levels[-1] > levels[0]
    n_points = np.asarray(row["ring_points"])
    assert n_points.sum() == len(row["contour_x"]) and (n_points >= 4).all()
    assert len(np.unique(levels)) == 2
