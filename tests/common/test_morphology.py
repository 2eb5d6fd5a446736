"""Classes of component and peak counts."""

import pytest

from claran_core.common.morphology import (
    MORPHOLOGIES,
    check_classes,
    classes_of,
    counts_of,
    morphology_of,
    probability_columns,
)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((1, 1), ("1C_1P", False)),
        ((2, 3), ("2C_3P", False)),
        ((3, 3), ("3C_3P", False)),
        ((1, 5), ("1C_3P", True)),
        ((2, 7), ("2C_3P", True)),
        ((4, 4), ("3C_3P", True)),
        ((2, 1), ("2C_2P", True)),  # peaks below the component count cannot be a class
    ],
)
def test_nearest_class(counts: tuple[int, int], expected: tuple[str, bool]) -> None:
    assert morphology_of(*counts) == expected


def test_source_without_components_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        morphology_of(0, 1)


def test_columns_follow_the_classes() -> None:
    assert probability_columns() == ["p_1c_1p", "p_1c_2p", "p_1c_3p", "p_2c_2p", "p_2c_3p", "p_3c_3p"]
    assert len(MORPHOLOGIES) == 6


def test_columns_of_other_classes() -> None:
    assert probability_columns(["FR-II", "bent_tail", "NAT"]) == ["p_fr_ii", "p_bent_tail", "p_nat"]
    assert classes_of({"class_names": ["x"]}) == ("x",) and classes_of({}) == MORPHOLOGIES


def test_counts_of_a_class() -> None:
    assert counts_of("2C_3P") == (2, 3)
    assert counts_of("FR-II") is None and counts_of("4C_4P") is None


@pytest.mark.parametrize(
    ("classes", "says"),
    [
        ([], "no class is named"),
        (["FR-I", "FR-I"], "'FR-I' and 'FR-I' would both be column p_fr_i"),
        (["FR-I", "fr_i"], "'FR-I' and 'fr_i' would both be column p_fr_i"),
        (["FR I"], "'FR I' is no name of a column"),
        (["_x"], "'_x' is no name of a column"),
        (["a--b"], "no name of a column"),
        (["x" * 25], "24 characters at most"),
        (["Artefact"], "'Artefact' is the program's own word"),
    ],
)
def test_lists_that_cannot_be_classes(classes: list[str], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        check_classes(classes)
    check_classes(["1C_1P", "FR-I", "x" * 24])
