"""Lists of unequal lengths in one array."""

import numpy as np

from claran_core.common.ragged import Ragged, starts_of


def lists_of(ragged: Ragged) -> list[list[int]]:
    return [part.tolist() for part in np.split(ragged.values, ragged.starts[1:-1])]


def test_takes_groups_and_sums_lists() -> None:
    lists = Ragged.grouped(np.array([2, 0, 2, 3]), np.array([5, 6, 7, 8]), 4)
    assert lists_of(lists) == [[6], [], [5, 7], [8]]
    assert lists_of(lists.take(np.array([2, 1, 2, 0]))) == [[5, 7], [], [5, 7], [6]]
    assert lists.sums(np.arange(10.0) ** 2).tolist() == [36.0, 0.0, 74.0, 64.0]
    assert starts_of(np.array([2, 0, 3])).tolist() == [0, 2, 2, 5]
    assert len(lists) == 4


def test_entries_may_be_rows() -> None:
    lists = Ragged(starts_of(np.array([1, 2])), np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]))
    assert lists.take(np.array([1])).values.tolist() == [[2.0, 3.0], [4.0, 5.0]]


def test_extremes_of_ranks() -> None:
    lists = Ragged(starts_of(np.array([1, 3])), np.array([3, 0, 1, 2]))
    lowest, highest = lists.extremes(np.array([7, -1, 4, 5]))
    assert (lowest.tolist(), highest.tolist()) == ([5, -1], [5, 7])
