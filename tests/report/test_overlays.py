"""Overlays lie at their sky positions and inside the picture."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from report_inputs import FRAME, SIZE, images_of, make_labels, sources

from claran_core.common.flags import Flag
from claran_core.report.overlays import subject_overlay


def overlay(found: pd.DataFrame, true: pd.DataFrame | None = None, flags: int = 0) -> dict[str, Any]:
    """Return the overlay of subject S000."""
    (images,) = images_of(["S000"])
    subject = {"subject_id": "S000", "scale": 1, "ra": 150.0, "dec": 30.0, "split": "test", "flags": flags}
    return subject_overlay(images, subject, found, true, frame=FRAME, contour_sigma=5.0)


def row(**values: Any) -> pd.DataFrame:
    """Return one row of the catalogue with some values replaced."""
    return sources(1).assign(row=7, **{name: [value] for name, value in values.items()})


def test_boxes_stay_in_the_picture() -> None:
    drawn = overlay(row(box_x1=0.0, box_y1=0.0, box_x2=float(SIZE), box_y2=float(SIZE)))
    (source,) = drawn["sources"]
    assert source["box"] == [0.5, 0.5, SIZE - 1, SIZE - 1]
    assert source["row"] == 7


def test_components_and_host_are_drawn_at_their_sky_positions() -> None:
    arcsec = 1 / 3600
    (source,) = overlay(
        row(
            component_ra=np.array([150.0]),
            component_dec=np.array([30.0 + 13.75 * arcsec]),  # ten pixels to the north
            host_ra=150.0,
            host_dec=30.0,
            host_reliability=0.9,
            host_candidate_ra=np.array([150.0, 150.0]),
            host_candidate_dec=np.array([30.0, 30.0 - 13.75 * arcsec]),
        )
    )["sources"]
    middle = SIZE / 2
    assert source["components"] == [[middle, pytest.approx(middle - 10, abs=0.01)]]
    assert source["host"] == [middle, middle]
    assert source["hosts"][1] == [middle, pytest.approx(middle + 10, abs=0.01)]


@pytest.mark.parametrize(("ra", "reliability"), [(np.nan, 0.0), (0.0, 0.0), (np.nan, np.nan), (np.nan, 0.9)])
def test_no_host_is_drawn_without_position_or_reliability(ra: float, reliability: float) -> None:
    (source,) = overlay(row(host_ra=ra, host_dec=ra, host_reliability=reliability))["sources"]
    assert source["host"] is None


def test_a_subject_has_its_facts_contours_and_true_boxes() -> None:
    drawn = overlay(row(), make_labels(1), flags=int(Flag.EDGE))
    assert (drawn["flags"], drawn["split"], drawn["radio"]) == (["EDGE"], "test", True)
    assert drawn["contours"]
    assert drawn["truth"] == [{"morphology": "1C_1P", "box": [4.0, 6.0, 16.0, 14.0]}]
    assert overlay(row())["truth"] == []
