"""Which pixels of a cut-out are inside the frame of a subject."""

import numpy as np
import pandas as pd
import pytest

from claran_core.common.cutout import Cutout
from claran_core.common.frame import Frame
from claran_core.common.linear_wcs import LinearWCS, Projection
from claran_core.common.subject import Subject, _is_in_frame, visible_in_frame

FRAME = Frame(60, 1.375)


@pytest.mark.parametrize("projection", ["TAN", "SIN"])
@pytest.mark.parametrize("dec", [0.0, 45.0, -89.99])
def test_pixels_inside_the_frame_are_those_with_positions_inside(projection: Projection, dec: float) -> None:
    turned = (-4.8e-4, 1.2e-4, 1.1e-4, 5.1e-4)  # deg per pixel
    wcs = LinearWCS(projection, 10.0, dec, 1500.3, -700.2, turned)  # far from the window
    ra, centre = wcs.pixels_to_sky(31.2, 29.7)
    subject = Subject("S", float(ra), float(centre), "none", FRAME)
    cutout = Cutout(np.arange(3600, dtype=np.float32).reshape(50, 72), wcs, "made")
    rows, columns = np.indices(cutout.data.shape)
    x, y = FRAME.sky_to_frame(subject.ra_deg, subject.dec_deg, *wcs.pixels_to_sky(columns, rows))
    inside = (x >= 0) & (x <= 60) & (y >= 0) & (y <= 60)
    assert 1000 < inside.sum() < 3000
    np.testing.assert_array_equal(visible_in_frame(subject, cutout), np.where(inside, cutout.data, np.nan))


def test_pixels_that_are_not_on_the_sphere_are_outside() -> None:
    wcs = LinearWCS("SIN", 10.0, 20.0, 0.0, 0.0, (-1.0, 0.0, 0.0, 1.0))
    subject = Subject("S", 10.0, 20.0, "none", Frame(100, 3600.0))
    visible = visible_in_frame(subject, Cutout(np.ones((2, 70), np.float32), wcs, "made"))
    assert np.isfinite(visible[0, :10]).all() and np.isnan(visible[:, 58:]).all()


def test_subject_of_a_target_has_the_frame_of_its_scale() -> None:
    target = pd.DataFrame(
        {"subject_id": ["S"], "ra": [10.0], "dec": [20.0], "scale": np.int32([4]), "split": "test"}
    )
    subject = Subject.of_target(next(target.itertuples()), FRAME)
    assert subject == Subject("S", 10.0, 20.0, "test", Frame(60, 5.5), 4)


def test_compiled_function_gives_the_result_of_the_written_one() -> None:
    arguments = (
        (20, 30),
        np.array([14.2, 9.1]),
        np.array([[-1e-5, 0.0], [0.0, 1e-5]]),
        True,
        np.eye(3),
        9e-5,
    )
    fast, plain = _is_in_frame(*arguments), _is_in_frame.py_func(*arguments)  # type: ignore[attr-defined]
    assert fast.sum() == 18 * 18
    np.testing.assert_array_equal(fast, plain)
