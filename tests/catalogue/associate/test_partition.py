"""The partition of sky components into sources, compared with all partitions of up to seven of them."""

import time
from collections.abc import Iterator

import numpy as np
import pytest

from claran_core.catalogue.associate import cluster_solver
from claran_core.catalogue.associate.partition import Partition, best_partition, second_groupings
from claran_core.common.ragged import Ragged, starts_of


def ragged(lists: list[list[int]]) -> Ragged:
    """Return lists as one array."""
    return Ragged(starts_of(np.array([len(one) for one in lists], int)), np.array(sum(lists, []), np.int32))


def all_partitions(atoms: list[int]) -> Iterator[list[list[int]]]:
    """Yield all ways to divide atoms into groups."""
    if not atoms:
        yield []
        return
    first, rest = atoms[0], atoms[1:]
    for partition in all_partitions(rest):
        yield [[first], *partition]
        for k, group in enumerate(partition):
            yield [*partition[:k], [first, *group], *partition[k + 1 :]]


def greatest(
    atoms: list[int],
    chances: dict[tuple[int, ...], float],
    artefact: np.ndarray,
    without: tuple[int, ...] = (),
) -> float:
    """Return the greatest total of all partitions, optionally of those `without` a set."""
    best = -np.inf
    for partition in all_partitions(atoms):
        total = 0.0
        for group in partition:
            key = tuple(sorted(group))
            source = -np.inf if key == without else len(key) * chances.get(key, -np.inf)
            total += max(source, artefact[key[0]] if len(key) == 1 else -np.inf)
        best = max(best, total)
    return best


def total_of(found: Partition, sets: Ragged, probability: np.ndarray, artefact: np.ndarray) -> float:
    """Return the total of a partition, after checking that each atom of a chosen set is in it."""
    total = artefact[found.owner < 0].sum()
    for own in np.unique(found.owner[found.owner >= 0]):
        members = np.flatnonzero(found.owner == own)
        assert members.tolist() == sets.values[sets.starts[own] : sets.starts[own + 1]].tolist()
        total += len(members) * probability[own]
    return float(total)


def random_problem(seed: int, n: int, n_sets: int) -> tuple[Ragged, np.ndarray, np.ndarray]:
    """Return singles and random sets of some of n atoms, and their probabilities."""
    rng = np.random.default_rng(seed)
    sets = {(atom,) for atom in range(n) if rng.random() < 0.9}
    for _ in range(n_sets):
        size = int(rng.integers(2, min(n, 5) + 1))
        sets.add(tuple(sorted(rng.choice(n, size, replace=False).tolist())))
    order = sorted(sets)
    lists = ragged([list(order[k]) for k in rng.permutation(len(order))])
    return lists, rng.random(len(lists)), 0.6 * rng.random(n)


@pytest.mark.parametrize("seed", range(60))
def test_no_partition_has_a_greater_total(seed: int) -> None:
    n = 2 + seed % 6
    sets, probability, artefact = random_problem(seed, n, 3 * n)
    chances = {
        tuple(sets.values[sets.starts[k] : sets.starts[k + 1]].tolist()): float(probability[k])
        for k in range(len(sets))
    }
    found = best_partition(sets, probability, artefact)
    expected = greatest(list(range(n)), chances, artefact)
    assert total_of(found, sets, probability, artefact) == pytest.approx(expected, abs=1e-9)
    chosen = np.unique(found.owner[found.owner >= 0])
    groups, mean = second_groupings(sets, probability, artefact, found, chosen)
    for k, own in enumerate(chosen):
        atoms = sets.values[sets.starts[own] : sets.starts[own + 1]].tolist()
        second = greatest(atoms, chances, artefact, without=tuple(atoms))
        assert mean[k] == pytest.approx(second / len(atoms), abs=1e-9)
        numbers = groups.values[groups.starts[k] : groups.starts[k + 1]]
        value = sum(artefact[atom] for atom, number in zip(atoms, numbers, strict=True) if number < 0)
        for number in range(numbers.max() + 1):
            group = tuple(atom for atom, own in zip(atoms, numbers, strict=True) if own == number)
            assert group != tuple(atoms)
            value += len(group) * chances[group]
        assert value / len(atoms) == pytest.approx(mean[k], abs=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_the_search_of_large_clusters_finds_the_exact_solution_of_small_ones(seed: int) -> None:
    sets, probability, artefact = random_problem(100 + seed, 10, 30)
    exact = best_partition(sets, probability, artefact)
    several = np.flatnonzero(np.diff(sets.starts) > 1)
    lists = sets.take(several)
    of_one = np.flatnonzero(np.diff(sets.starts) == 1)
    alone = artefact.copy()
    alone[sets.values[sets.starts[of_one]]] = np.maximum(
        probability[of_one], artefact[sets.values[sets.starts[of_one]]]
    )
    problem = alone, lists.starts, lists.values.astype(np.int64), probability[several]
    totals = []
    for exact_atoms in (16, 0):
        chosen = cluster_solver.solve(*problem, exact_atoms, 10**7)
        covered = lists.take(np.flatnonzero(chosen)).values
        assert len(set(covered.tolist())) == len(covered)
        gain = (np.diff(lists.starts) * probability[several] - lists.sums(alone))[chosen]
        totals.append(alone.sum() + gain.sum())
    assert totals[0] == pytest.approx(totals[1], abs=1e-9)
    assert totals[0] == pytest.approx(total_of(exact, sets, probability, artefact), abs=1e-9)


def test_compiled_and_written_solver_agree() -> None:
    sets, probability, _ = random_problem(3, 6, 12)
    several = np.flatnonzero(np.diff(sets.starts) > 1)
    lists = sets.take(several)
    problem = np.full(6, 0.3), lists.starts, lists.values.astype(np.int64), probability[several]
    for exact_atoms in (16, 0):
        plain = cluster_solver.solve.py_func(*problem, exact_atoms, 1000)  # type: ignore[attr-defined]
        np.testing.assert_array_equal(cluster_solver.solve(*problem, exact_atoms, 1000), plain)


def test_a_source_whose_parts_look_like_sources_is_kept_together() -> None:
    # Each lobe alone is improbable only where both are seen.
    sets = ragged([[0], [1], [0, 1], [2]])
    found = best_partition(sets, np.array([0.05, 0.05, 0.9, 0.8]), np.array([0.0, 0.0, 0.1]))
    assert found.owner.tolist() == [2, 2, 3]
    groups, mean = second_groupings(
        sets, np.array([0.05, 0.05, 0.9, 0.8]), np.array([0.0, 0.0, 0.1]), found, np.array([2, 3])
    )
    assert groups.values.tolist() == [0, 1, -1]
    np.testing.assert_allclose(mean, [0.05, 0.1])


def test_an_improbable_set_is_a_source_rather_than_a_hole() -> None:
    found = best_partition(ragged([[0], [1], [0, 1]]), np.array([0.1, 0.1, 0.3]), np.array([0.2, 0.05]))
    assert found.owner.tolist() == [2, 2]
    found = best_partition(ragged([[0]]), np.array([0.1]), np.array([0.2]))
    assert found.owner.tolist() == [-1]


def test_equal_totals_favour_large_sets_and_sources() -> None:
    found = best_partition(
        ragged([[0], [1], [2], [0, 1], [0, 1, 2], [1, 2]]),
        np.array([0.1, 0.1, 0.5, 0.5, 0.5, 0.5]),
        np.array([0.1, 0.1, 0.5]),
    )
    assert found.owner.tolist() == [4, 4, 4]
    assert best_partition(ragged([[0]]), np.array([0.25]), np.array([0.25])).owner.tolist() == [0]


def test_atoms_of_no_set_are_artefacts() -> None:
    found = best_partition(ragged([[1]]), np.array([0.7]), np.array([0.2, 0.1, 0.0]))
    assert found.owner.tolist() == [-1, 0, -1]


def test_large_clusters_take_bounded_time() -> None:
    sets, probability, artefact = random_problem(5, 60, 1500)
    best_partition(*random_problem(6, 20, 40))  # compiles
    start = time.perf_counter()
    found = best_partition(sets, 0.3 + 0.7 * probability, artefact)
    assert time.perf_counter() - start < 5.0
    total = total_of(found, sets, 0.3 + 0.7 * probability, artefact)
    assert total > 0.8 * len(artefact)  # the greedy solution alone has 48 of 60 atoms right or more
