"""Connected sets of components, compared with all combinations tried one by one."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from claran_core.components.component_groups import (
    MAX_BETWEEN,
    MAX_MEMBERS,
    MAX_NEIGHBOURS,
    REACH_PX,
    box_gap,
    component_groups,
)
from claran_core.components.contour_rule import box_gaps


def squares(middles: np.ndarray, half: float | np.ndarray = 2.0) -> np.ndarray:
    return np.concatenate([middles - half, middles + half], axis=1)


def is_connected(own: tuple[int, ...], linked: np.ndarray) -> bool:
    reached = {own[0]}
    while True:
        more = {k for k in own if k not in reached and any(linked[k, other] for other in reached)}
        if not more:
            return len(reached) == len(own)
        reached |= more


def neighbours(boxes: np.ndarray) -> list[list[int]]:
    """Return the nearest boxes of each, by sorting all of them."""
    gaps, middles = box_gaps(boxes), (boxes[:, :2] + boxes[:, 2:]) / 2
    found = []
    for one in range(len(boxes)):
        apart = np.linalg.norm(middles - middles[one], axis=1)
        others = [k for k in range(len(boxes)) if k != one and gaps[one, k] <= REACH_PX]
        found.append(sorted(others, key=lambda k: (gaps[one, k], apart[k], *boxes[k]))[:MAX_NEIGHBOURS])  # noqa: B023
    return found


def sets_of(boxes: np.ndarray, usable: np.ndarray) -> list[tuple[int, ...]]:
    """Return the sets by trying all combinations, and for each all ways to link its members."""
    own = np.flatnonzero(usable)
    near = neighbours(boxes[own])
    between = {
        (i, j): len(set(near[i][: near[i].index(j)]) & set(near[j][: near[j].index(i)]))
        for i in range(len(own))
        for j in near[i]
        if i in near[j]
    }
    found = [(int(k),) for k in own]
    for size in range(2, MAX_MEMBERS + 1):
        for group in combinations(range(len(own)), size):
            limit = MAX_BETWEEN[size - 2][max(len(near[k]) for k in group)]
            pairs = [pair for pair in combinations(group, 2) if pair in between]
            for tree in combinations(pairs, size - 1):
                linked = np.zeros((len(own), len(own)), bool)
                for i, j in tree:
                    linked[i, j] = linked[j, i] = True
                if is_connected(group, linked) and sum(between[pair] for pair in tree) <= limit:
                    found.append(tuple(int(own[k]) for k in group))
                    break
    return found


def found_sets(boxes: np.ndarray, usable: np.ndarray, starts: np.ndarray) -> list[list[tuple[int, ...]]]:
    members, counts = component_groups(boxes, usable, starts)
    rows = [tuple(int(k) for k in row if k >= 0) for row in members]
    return [rows[end - count : end] for count, end in zip(counts, np.cumsum(counts), strict=True)]


def sets_alone(boxes: np.ndarray) -> list[tuple[int, ...]]:
    """Return the sets of one subject, all of whose components are usable."""
    return found_sets(boxes, np.ones(len(boxes), bool), np.array([0, len(boxes)]))[0]


@given(
    counts=st.lists(st.integers(0, 17), max_size=3),
    width=st.sampled_from([20.0, 132.0, 400.0]),
    largest=st.sampled_from([2.0, 20.0]),
    seed=st.integers(0, 999),
)
def test_equals_all_combinations(counts: list[int], width: float, largest: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    boxes = squares(rng.uniform(0, width, (starts[-1], 2)), rng.uniform(1, largest, (starts[-1], 1)))
    usable = rng.uniform(size=starts[-1]) < 0.8
    found = found_sets(boxes, usable, starts)
    for number, sets in enumerate(found):
        own = slice(starts[number], starts[number + 1])
        assert sets == sets_of(boxes[own], usable[own])


@given(n=st.integers(1, 6), width=st.sampled_from([20.0, 132.0, 300.0]), seed=st.integers(0, 999))
def test_few_components_have_all_connected_sets(n: int, width: float, seed: int) -> None:
    boxes = squares(np.random.default_rng(seed).uniform(0, width, (n, 2)))
    linked = box_gaps(boxes) <= REACH_PX
    assert sets_alone(boxes) == [
        group
        for size in range(1, MAX_MEMBERS + 1)
        for group in combinations(range(n), size)
        if is_connected(group, linked)
    ]


def test_limits_fall_with_size_and_crowding() -> None:
    assert MAX_BETWEEN.shape == (MAX_MEMBERS - 1, MAX_NEIGHBOURS + 1)
    assert (np.diff(MAX_BETWEEN, axis=0) <= 0).all() and (np.diff(MAX_BETWEEN, axis=1) <= 0).all()


def test_a_group_far_from_a_crowd_has_the_sets_that_it_has_alone() -> None:
    rng = np.random.default_rng(1)
    group = squares(rng.uniform(0, 100, (6, 2)))
    crowd = squares(rng.uniform(0, 132, (1000, 2)) + [104 + REACH_PX, 0], 0.5)
    together = sets_alone(np.concatenate([group, crowd]))
    assert [sets for sets in together if sets[0] < 6] == sets_alone(group)


@given(n=st.integers(8, 60), seed=st.integers(0, 99))
def test_sets_depend_on_what_is_within_reach_of_their_members(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    boxes = squares(rng.uniform(0, 300, (n, 2)))
    gaps = box_gaps(boxes)
    removed = int(rng.integers(n))
    kept = np.delete(np.arange(n), removed)
    less = {tuple(kept[list(own)].tolist()) for own in sets_alone(boxes[kept])}
    beyond = {own for own in sets_alone(boxes) if (gaps[removed, list(own)] > REACH_PX).all()}
    assert beyond == {own for own in less if (gaps[removed, list(own)] > REACH_PX).all()}


@given(n=st.integers(1, 60), largest=st.sampled_from([2.0, 20.0]), seed=st.integers(0, 99))
def test_order_of_components_changes_no_set(n: int, largest: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    boxes = squares(rng.uniform(0, 132, (n, 2)).round(), rng.uniform(1, largest, (n, 1)).round())  # with ties
    boxes = np.unique(boxes, axis=0)
    order = rng.permutation(len(boxes))
    moved = {tuple(sorted(order[list(own)].tolist())) for own in sets_alone(boxes[order])}
    assert moved == set(sets_alone(boxes))


CROWDS = {
    "points": lambda rng, n: squares(rng.uniform(0, 132, (n, 2)), 1.0),
    "large": lambda rng, n: squares(rng.uniform(0, 132, (n, 2)), rng.uniform(5, 40, (n, 1))),
    "clump": lambda rng, n: squares(rng.normal(66, 6, (n, 2)), 1.0),
    "line": lambda rng, n: squares(np.stack([rng.uniform(0, 132, n), np.full(n, 60)], axis=1), 1.0),
    "inside one": lambda rng, n: np.concatenate(
        [[[20, 20, 110, 110]], squares(rng.uniform(25, 105, (n - 1, 2)), rng.uniform(1, 3, (n - 1, 1)))]
    ),
    "equal": lambda rng, n: squares(np.full((n, 2), 66.0)),
}


@pytest.mark.parametrize("kind", CROWDS)
@pytest.mark.parametrize("n", [7, 10, 13, 16, 30, 130, 400])
def test_number_of_sets_per_component_does_not_grow_with_the_crowd(n: int, kind: str) -> None:
    boxes = CROWDS[kind](np.random.default_rng(n), n)
    sets = sets_alone(boxes)
    assert sets[:n] == [(k,) for k in range(n)]
    assert len(sets) <= 30 * n
    pairs = sum(len(own) == 2 for own in sets)
    assert pairs >= n - 1 or kind == "equal"  # links lead from each component to a neighbour


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("n", [6, 8, 10])
def test_lobes_with_unrelated_sources_between_them_are_linked(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    lobes = squares(np.array([[35.0, 66], [97, 66]]), 5.0)
    between = squares(np.stack([rng.uniform(45, 87, 3), rng.uniform(56, 76, 3)], axis=1), 1.5)
    others = squares(rng.uniform(0, 132, (n - 5, 2)), 1.5)
    sets = sets_alone(np.concatenate([lobes, between, others]))
    assert (0, 1) in sets
    assert len([own for own in sets if own[:2] == (0, 1) and len(own) == 3]) >= 1


def test_gaps_are_distances_between_edges() -> None:
    boxes = np.array([[0.0, 0, 10, 10], [13, 14, 20, 20], [5, 5, 30, 8]])
    assert box_gap(boxes, 0, 1) == 5.0 and box_gap(boxes, 0, 2) == 0.0
    expected = box_gaps(boxes)
    assert [[box_gap(boxes, i, j) for j in range(3)] for i in range(3)] == expected.tolist()
