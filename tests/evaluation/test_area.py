"""Which subjects contain a position, against the projection of each position."""

import numpy as np
import pandas as pd
import pytest

from claran_core.common.frame import Frame
from claran_core.evaluation.area import count_subjects, subjects_at

FRAME = Frame()


def subjects(*centres: tuple[float, float], scale: int = 1) -> pd.DataFrame:
    return pd.DataFrame(centres, columns=["ra", "dec"]).assign(scale=scale)


def test_by_hand_across_the_meridian() -> None:
    # Frames are 181.5 arcsec wide; 120 arcsec apart in declination, they overlap by 61.5.
    two = subjects((359.999, 0.0), (359.999, 120 / 3600))
    dec = np.array([-91.0, -90.0, 0.0, 29.0, 30.0, 90.0, 91.0, 210.0]) / 3600
    assert count_subjects(np.full(8, 0.001), dec, two, FRAME).tolist() == [0, 1, 1, 1, 2, 2, 1, 1]
    position, subject = subjects_at(np.array([0.001]), np.array([60 / 3600]), two, FRAME)
    assert (position.tolist(), subject.tolist()) == ([0, 0], [0, 1])


def test_the_whole_square_must_lie_inside() -> None:
    one = subjects((180.0, 60.0))
    north = np.full(3, 60.0 + 60 / 3600)
    half = np.array([0.0, 30.0, 31.0])
    assert count_subjects(np.full(3, 180.0), north, one, FRAME, half_size_arcsec=half).tolist() == [1, 1, 0]
    beyond = np.full(3, 60.0 + 140 / 3600)
    half = np.array([0.0, -49.0, -50.0])
    assert count_subjects(np.full(3, 180.0), beyond, one, FRAME, half_size_arcsec=half).tolist() == [0, 0, 1]


def test_frames_of_a_coarser_scale_are_as_many_times_wider() -> None:
    north = np.array([170.0, 190.0]) / 3600
    fine, coarse = subjects((20.0, 0.0)), subjects((20.0, 0.0), scale=2)
    assert count_subjects(np.full(2, 20.0), north, fine, FRAME).tolist() == [0, 0]
    assert count_subjects(np.full(2, 20.0), north, coarse, FRAME).tolist() == [1, 0]
    both = pd.concat([coarse, fine], ignore_index=True)
    position, subject = subjects_at(np.full(2, 20.0), np.array([0.0, 170.0]) / 3600, both, FRAME)
    assert list(zip(position.tolist(), subject.tolist(), strict=True)) == [(0, 0), (0, 1), (1, 0)]


def test_no_positions_or_no_subjects_give_an_empty_result() -> None:
    assert count_subjects(np.empty(0), np.empty(0), subjects((1.0, 2.0)), FRAME).tolist() == []
    assert count_subjects(np.array([1.0]), np.array([2.0]), subjects(), FRAME).tolist() == [0]


@pytest.mark.parametrize("dec", [-5.0, 62.0, 89.99])
def test_agrees_with_the_projection_of_each_position(dec: float) -> None:
    rng = np.random.default_rng(1)
    many = pd.DataFrame({"ra": 10 + rng.normal(0, 0.05, 30), "dec": dec - np.abs(rng.normal(0, 0.05, 30))})
    many["scale"] = rng.choice([1, 1, 2, 4], 30)
    ra, decs = 10 + rng.normal(0, 0.05, 40), dec - np.abs(rng.normal(0, 0.05, 40))
    expected = []
    for number in range(40):
        for row, centre in enumerate(many.itertuples()):
            frame = FRAME.at_scale(centre.scale)
            x, y = frame.sky_to_frame(centre.ra, centre.dec, ra[number], decs[number])
            if 0 <= x <= 132 and 0 <= y <= 132:
                expected.append((number, row))
    assert expected
    assert list(zip(*(each.tolist() for each in subjects_at(ra, decs, many, FRAME)), strict=True)) == expected
