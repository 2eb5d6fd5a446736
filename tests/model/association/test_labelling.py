"""Labels of candidates: equality of sets with the units of a source, against a plain reference."""

from itertools import combinations

import numpy as np
import pytest
from component_images import components
from hypothesis import given
from hypothesis import strategies as st

from claran_core.components.component_batch import ComponentBatch
from claran_core.components.component_groups import MAX_MEMBERS
from claran_core.model.association.candidates import find_candidates
from claran_core.model.association.labelling import (
    ARTEFACT_LABEL,
    IGNORED_LABEL,
    NO_SOURCE_LABEL,
    label_candidates,
)
from claran_core.model.layers.types import ARTEFACT, MIXED, UNKNOWN, Ownership


def ownership(owner: list[int], classes: list[int]) -> Ownership:
    return Ownership(np.array(owner, np.int64), np.array(classes, np.int64))


def sets(n: int) -> list[tuple[int, ...]]:
    """Return all sets of up to `MAX_MEMBERS` of n units."""
    return [own for size in range(1, MAX_MEMBERS + 1) for own in combinations(range(n), size)]


def labelled(groups: list[tuple[int, ...]], usable: list[bool], truth: Ownership) -> list[int]:
    """Return the labels of sets of units of one subject."""
    members = np.array([[*own, *[-1] * (MAX_MEMBERS - len(own))] for own in groups], np.int64)
    return label_candidates(
        members.reshape(-1, MAX_MEMBERS),
        np.array([len(groups)]),
        usable=np.array(usable, bool),
        starts=np.array([0, len(usable)]),
        owners=[truth],
    ).tolist()


def expected(own: tuple[int, ...], usable: list[bool], truth: Ownership) -> int:
    """Return the label of a set of units by the definition."""
    names = {int(truth.owner[unit]) for unit in own}
    if UNKNOWN in names:
        return IGNORED_LABEL
    for source, morphology in enumerate(truth.classes):
        units = {unit for unit, good in enumerate(usable) if good and truth.owner[unit] == source}
        if set(own) == units:
            return int(morphology)
    return ARTEFACT_LABEL if len(own) == 1 and names == {ARTEFACT} else NO_SOURCE_LABEL


def test_labels_of_all_sets() -> None:
    truth = ownership([0, 0, 1, ARTEFACT, UNKNOWN, MIXED], [4, 2])
    labels = dict(zip(sets(6), labelled(sets(6), [True] * 6, truth), strict=True))
    assert {own: label for own, label in labels.items() if label not in (0, -1)} == {
        (0, 1): 4,
        (2,): 2,
        (3,): ARTEFACT_LABEL,
    }
    assert labels[0,] == labels[5,] == labels[0, 1, 2] == labels[0, 1, 3] == labels[2, 5] == 0
    assert {own for own, label in labels.items() if label == -1} == {own for own in sets(6) if 4 in own}


def test_units_that_are_not_usable_do_not_count() -> None:
    truth = ownership([0, 0, 0], [4])
    assert labelled([(0, 2), (0,)], [True, False, True], truth) == [4, 0]


def test_sources_without_a_class_are_ignored_and_parts_of_mixed_units_are_none() -> None:
    truth = ownership([0, 1, MIXED], [-1, 0])
    assert labelled([(0,), (1,), (2,), (0, 1)], [True] * 3, truth) == [-1, 0, 0, 0]


@given(st.data())
def test_labels_follow_the_definition(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 6))
    classes = data.draw(st.lists(st.integers(-1, 6), min_size=3, max_size=3))
    owner = data.draw(st.lists(st.integers(MIXED, 2), min_size=n, max_size=n))
    usable = data.draw(st.lists(st.booleans(), min_size=n, max_size=n))
    truth = ownership(owner, classes)
    groups = [own for own in sets(n) if all(usable[unit] for unit in own)]
    assert labelled(groups, usable, truth) == [expected(own, usable, truth) for own in groups]


def test_subjects_of_a_batch_are_independent() -> None:
    subjects = [components((30, 66), (60, 66)), components(), components((30, 66), (60, 66), (90, 66))]
    truths = [ownership([0, 0], [4]), ownership([], []), ownership([0, 1, 0], [4, 1])]
    batch = ComponentBatch.of(subjects)
    found = find_candidates(batch)
    options = {"usable": batch.usable, "starts": batch.starts}
    labels = label_candidates(found.members, found.counts, owners=truths, **options)
    by_set = [
        ([int(unit) for unit in row if unit >= 0], int(label))
        for row, label in zip(found.members, labels, strict=True)
    ]
    assert [own for own, label in by_set if label] == [[0, 1], [1], [0, 2]]
    assert [label for _, label in by_set if label] == [4, 1, 4]
    with pytest.raises(ValueError, match="not those of these units"):
        label_candidates(found.members, found.counts, owners=truths[::-1], **options)
