"""Connected sets of components, compared with all combinations tried one by one."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from claran_core.components.component_groups import (
    MAX_CANDIDATES,
    MAX_MEMBERS,
    REACH_PX,
    box_gap,
    component_groups,
)
from claran_core.components.contour_rule import box_gaps


def squares(middles: np.ndarray, half: float = 2.0) -> np.ndarray:
    return np.concatenate([middles - half, middles + half], axis=1)


def is_connected(own: tuple[int, ...], linked: np.ndarray) -> bool:
    reached = {own[0]}
    while True:
        more = {k for k in own if k not in reached and any(linked[k, other] for other in reached)}
        if not more:
            return len(reached) == len(own)
        reached |= more


def sets_of(boxes: np.ndarray, usable: np.ndarray) -> list[tuple[int, ...]]:
    """Return the sets by trying all combinations at smaller and smaller reach."""
    own, gaps, reach = np.flatnonzero(usable), box_gaps(boxes), REACH_PX
    while reach >= 1e-3:
        found = [
            tuple(int(k) for k in group)
            for size in range(1, MAX_MEMBERS + 1)
            for group in combinations(own, size)
            if is_connected(group, gaps <= reach)
        ]
        if len(found) <= max(MAX_CANDIDATES, len(own)):
            return found
        reach *= 0.8
    return [(int(k),) for k in own]


def found_sets(boxes: np.ndarray, usable: np.ndarray, starts: np.ndarray) -> list[list[tuple[int, ...]]]:
    members, counts = component_groups(boxes, usable, starts)
    rows = [tuple(int(k) for k in row if k >= 0) for row in members]
    return [rows[end - count : end] for count, end in zip(counts, np.cumsum(counts), strict=True)]


@given(
    counts=st.lists(st.integers(0, 9), max_size=4),
    width=st.sampled_from([20.0, 132.0, 400.0]),
    seed=st.integers(0, 999),
)
def test_equals_all_combinations(counts: list[int], width: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    boxes = squares(rng.uniform(0, width, (starts[-1], 2)))
    usable = rng.uniform(size=starts[-1]) < 0.8
    found = found_sets(boxes, usable, starts)
    for number, sets in enumerate(found):
        own = slice(starts[number], starts[number + 1])
        assert sets == sets_of(boxes[own], usable[own])


@pytest.mark.parametrize("n", [12, 25])
def test_crowded_subjects_drop_their_longest_links(n: int) -> None:
    boxes = squares(np.random.default_rng(n).uniform(0, 132, (n, 2)), 1.0)
    (sets,) = found_sets(boxes, np.ones(n, bool), np.array([0, n]))
    assert sets == sets_of(boxes, np.ones(n, bool)) and len(sets) <= MAX_CANDIDATES


def test_touching_components_beyond_the_limit_stay_single() -> None:
    n = MAX_CANDIDATES + 2
    boxes = squares(np.zeros((n, 2)))
    (sets,) = found_sets(boxes, np.ones(n, bool), np.array([0, n]))
    assert sets == [(k,) for k in range(n)]


def test_gaps_are_distances_between_edges() -> None:
    boxes = np.array([[0.0, 0, 10, 10], [13, 14, 20, 20], [5, 5, 30, 8]])
    assert box_gap(boxes, 0, 1) == 5.0 and box_gap(boxes, 0, 2) == 0.0
    expected = box_gaps(boxes)
    assert [[box_gap(boxes, i, j) for j in range(3)] for i in range(3)] == expected.tolist()
