"""How well places are shown, across RA 0 and at the poles."""

import numpy as np
import pytest

from claran_core.catalogue.coverage import Coverage
from claran_core.frame import Frame

FRAME = Frame()  # 181.5 arcsec wide
ARCSEC = 1 / 3600


@pytest.mark.parametrize(("ra", "dec"), [(0.0, 0.0), (200.0, 60.0), (10.0, 90.0)])
def test_room_is_that_of_the_subject_that_shows_a_place_best(ra, dec):
    places = FRAME.frame_to_sky(ra, dec, np.array([66.0, 66.0, 1.0]), np.array([66.0, 10.0, 40.0]))
    other = FRAME.frame_to_sky(ra, dec, np.array([66.0]), np.array([10.0]))
    alone = Coverage.of(np.array([ra]), np.array([dec]), FRAME).room(*places)
    np.testing.assert_allclose(alone, 1.375 * np.array([66, 10, 1]), atol=1e-3)
    both = Coverage.of(np.append(ra, other[0]), np.append(dec, other[1]), FRAME).room(*places)
    np.testing.assert_allclose(both[:2], 1.375 * np.array([66, 66]), atol=0.05)


def test_places_no_subject_shows_have_no_room():
    coverage = Coverage.of(np.array([10.0]), np.array([5.0]), FRAME)
    # Outside by a side, outside by a corner's reach, and far away.
    room = coverage.room(
        np.array([10.0, 10.0, 50.0]), np.array([5.0, 5.0, 5.0]) + np.array([100, 500, 0]) * ARCSEC
    )
    assert (room <= 0).all()
    assert len(coverage.room(np.empty(0), np.empty(0))) == 0
    assert (Coverage.of(np.empty(0), np.empty(0), FRAME).room(np.array([1.0]), np.array([1.0])) <= 0).all()
