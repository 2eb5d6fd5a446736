"""Neighbours on the sky: values by hand, RA 0, the poles, and comparison with all pairs."""

from pathlib import Path

import astropy.units as u
import numpy as np
import pandas as pd
import pytest
from astropy.coordinates import SkyCoord

from claran_core.common.neighbours import is_near, linked_groups
from claran_core.labels.rgz_table import positions_of_names


def test_friends_of_friends_by_hand() -> None:
    # A chain of steps of 2 arcmin is one group from end to end; what is 5 arcmin away is another.
    dec = np.array([0, 2, 4, 9, 11, 20]) / 60
    positions = np.column_stack([np.full(6, 180.0), dec])
    assert linked_groups(positions, 180).tolist() == [0, 0, 0, 3, 3, 5]
    assert linked_groups(positions, 60).tolist() == [0, 1, 2, 3, 4, 5]


def test_groups_cross_ra_0_and_the_pole() -> None:
    positions = np.array([[359.99, 0], [0.01, 0], [10, 89.99], [190, 89.99], [10, 80]])
    assert linked_groups(positions, 180).tolist() == [0, 0, 2, 2, 4]


def test_groups_do_not_depend_on_the_order_of_positions() -> None:
    rng = np.random.default_rng(1)
    positions = np.column_stack([180 + rng.uniform(0, 1, 200), rng.uniform(-0.5, 0.5, 200)])
    groups, order = linked_groups(positions, 180), rng.permutation(200)
    together = groups[:, None] == groups
    other = linked_groups(positions[order], 180)
    assert np.array_equal(other[:, None] == other, together[np.ix_(order, order)])
    assert 10 < len(set(groups.tolist())) < 190


def test_is_near_agrees_with_astropy() -> None:
    rng = np.random.default_rng(2)
    ours, others = (np.column_stack([rng.uniform(0, 1, n), rng.uniform(59, 60, n)]) for n in (300, 40))
    near = is_near(ours, others, 180)
    separation = SkyCoord(*ours.T, unit="deg").match_to_catalog_sky(SkyCoord(*others.T, unit="deg"))[1]
    assert np.array_equal(near, separation < 180 * u.arcsec)
    assert 10 < near.sum() < 290


@pytest.mark.data
def test_neighbours_across_the_published_split(shared_data: Path) -> None:
    # 315 test subjects lie within 3 arcmin of a training subject (the facts beside the table).
    subjects = pd.read_csv(shared_data / "rgz" / "full_catalogue.csv").drop_duplicates("first_id")
    positions = np.column_stack(positions_of_names(subjects["first_id"]))
    training = (subjects["training"] == 1).to_numpy()
    assert is_near(positions[~training], positions[training], 180).sum() == 315


@pytest.mark.parametrize("n", [0, 1])
def test_few_positions(n: int) -> None:
    positions = np.zeros((n, 2))
    assert linked_groups(positions, 180).tolist() == [0] * n
    assert is_near(positions, np.zeros((0, 2)), 180).tolist() == [False] * n
    assert is_near(positions, np.zeros((1, 2)), 180).tolist() == [True] * n
    assert is_near(positions, np.zeros((1, 2)), 0).tolist() == [False] * n
