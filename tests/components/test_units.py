"""Units of a view and the fine components inside them, compared with a search row by row."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from claran_core.common.boxes import BOX_COLUMNS
from claran_core.common.errors import InputError
from claran_core.components.units import NOT_PART, find_units, fine_parts


def table(seed: int, n: int = 40) -> pd.DataFrame:
    """Return components of two coarse subjects and a fine one, at two levels, in mixed order."""
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame(
        {
            "subject_id": rng.choice(["a", "b", "c"], n),
            "level": rng.choice([0.9, 1.0], n),
            "scale": rng.choice([1, 4], n),
            "component_id": 2**59 + rng.permutation(n),
            "part_of": NOT_PART,
            "n_pixels": rng.integers(1, 4, n),
            "snr": rng.uniform(5, 90, n),
            "flux": rng.uniform(5, 90, n),
            **dict(zip(BOX_COLUMNS, rng.uniform(0, 60, (4, n)) + [[0], [0], [60], [60]], strict=True)),
        }
    )
    rows.loc[rows.subject_id == "c", "scale"] = 1
    for k in rows.index[(rows.scale == 1) & (rng.random(n) < 0.8)]:
        same = (rows.subject_id == rows.subject_id[k]) & (rows.level == rows.level[k]) & (rows.scale == 4)
        if same.any():
            rows.loc[k, "part_of"] = rng.choice(rows.component_id[same])
    # The same components in another subject have the same identities there.
    return pd.concat(
        [rows, rows.assign(subject_id=rows.subject_id + "2", snr=2 * rows.snr)], ignore_index=True
    )


def columns(rows: pd.DataFrame) -> dict[str, np.ndarray]:
    return {name: rows[name].to_numpy() for name in rows}


@given(seed=st.integers(0, 999))
def test_units_and_members_are_those_of_a_search_row_by_row(seed: int) -> None:
    rows = table(seed)
    units = find_units(columns(rows))
    parts = fine_parts(columns(rows), units)
    assert units.rows.tolist() == rows.index[rows.part_of == NOT_PART].tolist()
    for k, row in enumerate(units.rows):
        unit = rows.loc[row]
        inside = rows[
            (rows.subject_id == unit.subject_id)
            & (rows.level == unit.level)
            & (rows.part_of == unit.component_id)
            & (rows.n_pixels > 1)
        ]
        members = units.members[units.starts[k] : units.starts[k + 1]].tolist()
        assert members == (inside.index.tolist() if len(inside) else [row])
        fine = rows.loc[[row]] if unit.scale == 1 else inside
        assert parts.n_fine[k] == len(fine)
        assert parts.fine_snr[k] == fine.snr.max() if len(fine) else parts.fine_snr[k] == 0
        fluxes = np.sort(fine.flux)[::-1]
        assert parts.fine_ratio[k] == (fluxes[1] / fluxes[0] if len(fine) > 1 else 0)
        within = fine if len(fine) else rows.loc[[row]]
        lowest, highest = within[BOX_COLUMNS].min().tolist(), within[BOX_COLUMNS].max().tolist()
        assert parts.fine_boxes[k].tolist() == [*lowest[:2], *highest[2:]]


def test_components_of_a_fine_subject_are_its_units() -> None:
    rows = table(0)
    rows = rows[rows.subject_id == "c"].reset_index(drop=True)
    units = find_units(columns(rows))
    assert units.rows.tolist() == units.members.tolist() == rows.index.tolist()
    assert units.starts.tolist() == list(range(len(rows) + 1))


def test_part_of_an_absent_component_is_refused() -> None:
    rows = table(1)
    part = rows.index[rows.part_of != NOT_PART][0]
    rows.loc[part, "part_of"] = 17
    with pytest.raises(InputError, match=r"is part of 17, which is not in the table; rerun"):
        find_units(columns(rows))
