"""Classes of component and peak counts."""

import pytest

from claran_core.common.morphology import MORPHOLOGIES, morphology_of, probability_columns


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
