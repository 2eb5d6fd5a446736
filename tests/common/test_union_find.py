"""Roots of groups that are joined step by step."""

from collections.abc import Callable

import numpy as np
import pytest

from claran_core.common.union_find import root_of


@pytest.mark.parametrize("find", [root_of, root_of.py_func])
def test_items_of_one_group_have_one_root_and_shorter_paths(
    find: Callable[[np.ndarray, int], int],
) -> None:
    parent = np.array([0, 0, 1, 2, 3, 5])
    assert [find(parent.copy(), item) for item in range(6)] == [0, 0, 0, 0, 0, 5]
    find(parent, 4)
    assert parent[4] == 2 and parent[2] == 0  # half of the steps
