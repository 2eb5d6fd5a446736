"""Probabilities of sets of sky components, compared with sums over all partitions."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from claran_core.catalogue.associate import joint_probability as module
from claran_core.catalogue.associate.joint_probability import MOST_ATOMS, joint_probability
from claran_core.common.ragged import Ragged, starts_of


def ragged(lists: list[list[int]]) -> Ragged:
    """Return lists as one array."""
    return Ragged(starts_of(np.array([len(one) for one in lists], int)), np.array(sum(lists, []), np.int32))


def partitions(atoms: list[int], groups: list[list[int]]) -> Iterator[list[int]]:
    """Yield the ways to divide atoms into groups, as the numbers of these; -1: an atom is no source."""
    if not atoms:
        yield []
        return
    first = atoms[0]
    for rest in partitions(atoms[1:], groups):
        yield [-1, *rest]
    for number, group in enumerate(groups):
        if first in group and set(group) <= set(atoms):
            for rest in partitions([one for one in atoms if one not in group], groups):
                yield [number, *rest]


def summed(
    groups: list[list[int]], weight: np.ndarray, artefact: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the probabilities by their definition."""
    of_set, of_artefact, total = np.zeros(len(groups)), np.zeros(len(artefact)), 0.0
    for chosen in partitions(list(range(len(artefact))), groups):
        free = sorted(set(range(len(artefact))) - {a for k in chosen if k >= 0 for a in groups[k]})
        product = float(np.prod([weight[k] for k in chosen if k >= 0]) * np.prod(artefact[free]))
        total += product
        of_set[[k for k in chosen if k >= 0]] += product
        of_artefact[free] += product
    return of_set / total, of_artefact / total


def random_problem(seed: int, n: int, n_sets: int) -> tuple[list[list[int]], np.ndarray, np.ndarray]:
    """Return groups of n atoms with the logarithms of their weights, and those of the atoms as no source."""
    rng = np.random.default_rng(seed)
    groups = {(atom,) for atom in range(n)}
    for _ in range(n_sets):
        groups.add(tuple(sorted(rng.choice(n, int(rng.integers(2, min(n, 4) + 1)), replace=False).tolist())))
    order = sorted(groups)
    lists = [list(order[k]) for k in rng.permutation(len(order))]
    return lists, rng.normal(0, 2, len(lists)), rng.normal(-2, 2, n)


@given(seed=st.integers(0, 10_000), n=st.integers(2, 6), n_sets=st.integers(0, 9))
def test_probabilities_are_those_of_all_partitions(seed: int, n: int, n_sets: int) -> None:
    groups, weight, artefact = random_problem(seed, n, n_sets)
    found = joint_probability(ragged(groups), weight, artefact)
    expected = summed(groups, np.exp(weight), np.exp(artefact))
    # Sets of less weight than `LEAST_RATIO` are left out of the sums: each adds up to one per cent.
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=0.01 * len(groups))


def test_an_atom_alone_has_its_two_chances() -> None:
    of_set, artefact = joint_probability(ragged([[0]]), np.log([0.9]), np.log([0.3]))
    assert of_set[0] == pytest.approx(0.75) and artefact[0] == pytest.approx(0.25)


def test_a_lobe_that_is_no_source_alone_belongs_to_the_pair() -> None:
    # Each view of the pair doubts it (odds of 0.4), but the second lobe cannot be a source of its own.
    of_set, artefact = joint_probability(
        ragged([[0], [1], [0, 1]]), np.log([2.0, 0.01, 0.4]), np.log([0.001, 0.01])
    )
    assert of_set[2] > 0.85 and of_set[0] < 0.1 and artefact[1] < 0.1


@given(seed=st.integers(0, 10_000), n=st.integers(13, 30), n_sets=st.integers(20, 80))
def test_each_atom_of_a_crowd_adds_up_to_one(seed: int, n: int, n_sets: int) -> None:
    groups, weight, artefact = random_problem(seed, n, n_sets)
    groups.append(list(range(n)))
    sets = ragged(groups)
    of_set, of_artefact = joint_probability(sets, np.append(weight, 3.0), artefact)
    total = of_artefact + np.bincount(sets.values, np.repeat(of_set, np.diff(sets.starts)), minlength=n)
    assert ((of_set >= 0) & (of_set <= 1)).all() and (of_artefact >= 0).all()
    np.testing.assert_allclose(total, 1.0, rtol=1e-9)


def test_a_set_of_more_atoms_than_a_cluster_is_compared_with_its_parts() -> None:
    n = MOST_ATOMS + 3
    groups = [[k] for k in range(n)] + [list(range(n))]
    for log_weight, low, high in ((20.0, 0.95, 1.0), (-20.0, 0.0, 0.05)):
        of_set, _ = joint_probability(ragged(groups), np.append(np.zeros(n), log_weight), np.full(n, -9.0))
        assert low <= of_set[-1] <= high
        np.testing.assert_allclose(of_set[:n], 1 - of_set[-1], atol=1e-3)


def test_clusters_change_nothing_for_each_other() -> None:
    parts = [random_problem(seed, 5, 6) for seed in range(40)]
    groups = [[atom + 5 * k for atom in one] for k, part in enumerate(parts) for one in part[0]]
    together = joint_probability(
        ragged(groups), np.concatenate([one[1] for one in parts]), np.concatenate([one[2] for one in parts])
    )
    alone = [joint_probability(ragged(one[0]), one[1], one[2]) for one in parts]
    for k in (0, 1):
        np.testing.assert_allclose(together[k], np.concatenate([one[k] for one in alone]), rtol=1e-9)


def test_nothing_gives_nothing() -> None:
    of_set, artefact = joint_probability(ragged([]), np.zeros(0), np.zeros(0))
    assert of_set.shape == (0,) and artefact.shape == (0,)


def test_compiled_code_gives_what_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    groups, weight, artefact = random_problem(3, 16, 40)
    arguments = ragged(groups), weight, artefact
    compiled = joint_probability(*arguments)
    for name in ("_counted", "_placed", "_sets_of_clusters", "_clusters", "root_of", "_masks"):
        monkeypatch.setattr(module, name, getattr(module, name).py_func)
    for name in ("_sum_partitions", "_share", "_least"):
        monkeypatch.setattr(module, name, getattr(module, name).py_func)
    for one, other in zip(compiled, joint_probability(*arguments), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)
