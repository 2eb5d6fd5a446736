"""The table of components, grouped by subject and level."""

import numpy as np
import pandas as pd
import pytest

from claran_core.common.boxes import BOX_COLUMNS
from claran_core.common.tables import COMPONENTS
from claran_core.components.component_table import (
    LEVELS,
    NO_COMPONENTS,
    NOMINAL_LEVEL,
    components_by_subject,
    nominal_components,
)


def test_training_levels_surround_that_of_the_rule() -> None:
    assert LEVELS["none"] == LEVELS["test"] == (NOMINAL_LEVEL,)
    assert NOMINAL_LEVEL in LEVELS["train"]
    assert np.mean(np.log(LEVELS["train"])) == pytest.approx(0, abs=1e-3)


def table() -> pd.DataFrame:
    """Return two components at two levels of subject S, and the same elsewhere of subject T."""
    rows = pd.DataFrame(0.0, index=range(4), columns=COMPONENTS.names)
    rows = rows.assign(subject_id="S", level=[0.9, 0.9, 1.0, 1.0], box_x1=[1.0, 2.0, 3.0, 4.0])
    rows = rows.assign(component_id=[7, 2**60 + 1, 7, 2**60 + 1], scale=1, part_of=-1)
    return pd.concat([rows, rows.assign(subject_id="T", box_x1=-1.0)], ignore_index=True)


def test_rows_are_grouped_by_subject_and_level() -> None:
    rows = table()
    found = components_by_subject(rows.sample(frac=1, random_state=1))
    assert {name: sorted(levels) for name, levels in found.items()} == {"S": [0.9, 1.0], "T": [0.9, 1.0]}
    assert (found["T"][1.0].boxes[:, 0] == -1).all()
    expected = rows[(rows.subject_id == "S") & (rows.level == 1.0)][BOX_COLUMNS].to_numpy(np.float32)
    assert sorted(map(tuple, found["S"][1.0].boxes)) == sorted(map(tuple, expected))
    assert sorted(found["S"][1.0].ids) == [7, 2**60 + 1]
    assert components_by_subject(rows.iloc[:0]) == {} and len(NO_COMPONENTS) == 0


def test_components_at_the_level_of_the_rule() -> None:
    rows = table()
    found = nominal_components(rows[~((rows.subject_id == "T") & (rows.level == 1.0))])
    assert set(found) == {"S"} and found["S"].boxes[:, 0].tolist() == [3.0, 4.0]
