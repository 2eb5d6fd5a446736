"""The part of a subject that a cut-out fills is what `reproject` fills."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from claran_core.common.cutout import Cutout
from claran_core.common.frame import Frame
from claran_core.common.linear_wcs import LinearWCS
from claran_core.common.reprojection import reproject
from claran_core.survey import coverage
from claran_core.survey.coverage import coverage_of

FRAME = Frame(size_px=60, pixel_scale_arcsec=1.375)


def cutout(shift_x: float, shift_y: float, turn_deg: float = 0.0, dec_deg: float = 40.0) -> Cutout:
    """Return an image of 60 x 60 pixels of 1.8 arcsec, its middle so far from the subject's (px)."""
    cos, sin = np.cos(np.deg2rad(turn_deg)), np.sin(np.deg2rad(turn_deg))
    a, b, c, d = (np.array([[-cos, sin], [sin, cos]]) * 1.8 / 3600).ravel().tolist()
    wcs = LinearWCS("SIN", 10.0, dec_deg, 29.5 + shift_x, 29.5 + shift_y, (a, b, c, d))
    return Cutout(np.ones((60, 60), np.float32), wcs, "made")


@given(
    x=st.floats(-40, 40),
    y=st.floats(-40, 40),
    turn_deg=st.floats(0, 360),
    dec_deg=st.sampled_from([0.0, -40.0, 89.99]),
)
def test_equals_the_pixels_that_have_a_value(x: float, y: float, turn_deg: float, dec_deg: float) -> None:
    image = cutout(x, y, turn_deg, dec_deg)
    expected = np.isfinite(reproject(image, FRAME, 10.0, dec_deg)).mean()
    assert coverage_of(image, FRAME, 10.0, dec_deg) == expected


def test_missing_pixels_count() -> None:
    image = cutout(0.0, 0.0)
    assert coverage_of(image, FRAME, 10.0, 40.0) == 1.0
    image.data[25:35, 20:] = np.nan
    assert 0.5 < coverage_of(image, FRAME, 10.0, 40.0) < 0.95


def test_a_whole_subject_is_not_resampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage, "reproject", None)
    assert coverage_of(cutout(2.0, -1.5, 10.0), FRAME, 10.0, 40.0) == 1.0


def test_the_far_side_of_the_sky_is_not_covered() -> None:
    assert coverage_of(cutout(0.0, 0.0), FRAME, 190.0, -40.0) == 0.0
