"""Rows of the table of components are grouped by subject, with their secondary peaks."""

import numpy as np
import pandas as pd

from claran_core.catalogue.measure.stored_components import (
    NOTHING_STORED,
    STORED_COLUMNS,
    stored_components,
)


def row(
    subject_id: str, component_id: int, level: float = 1.0, *snr: float, scale: int = 1, part_of: int = -1
) -> dict[str, object]:
    """Return a row whose values follow from the identity; secondary peaks have given heights."""
    secondary = np.array(snr)
    return {
        "subject_id": subject_id,
        "scale": scale,
        "level": level,
        "part_of": part_of,
        "component_id": component_id,
        "ra": 10.0 + component_id,
        "dec": -1.0 * component_id,
        "pixel_x": component_id,
        "pixel_y": 2 * component_id,
        "n_peaks": 1 + len(snr),
        "secondary_ra": secondary + 0.1,
        "secondary_dec": secondary + 0.2,
        "secondary_snr": secondary,
        "secondary_saddle": secondary - 3.0,
    }


def test_components_keep_their_order_in_each_subject() -> None:
    rows = [row("b", 5, 1.0, 9.0), row("b", 4, 0.9), row("b", 3, 1.0, 8.0, 7.0), row("a", 8), row("c", 1)]
    found = stored_components(pd.DataFrame(rows, columns=STORED_COLUMNS))
    assert sorted(found) == [("a", 1), ("b", 1), ("c", 1)]
    b = found["b", 1]
    assert len(b) == 2 and b.ids.tolist() == [5, 3]  # that of another level is left out
    assert b.ra.tolist() == [15.0, 13.0] and b.dec.tolist() == [-5.0, -3.0]
    assert b.pixels.tolist() == [[5, 10], [3, 6]] and b.n_peaks.tolist() == [2, 3]
    assert b.part_of.tolist() == [-1, -1]
    assert b.owner.tolist() == [0, 1, 1]
    np.testing.assert_allclose(b.secondary[:, 2], [9.0, 8.0, 7.0])
    np.testing.assert_allclose(b.secondary[0], [9.1, 9.2, 9.0, 6.0])
    assert found["a", 1].owner.size == 0 and found["a", 1].secondary.shape == (0, 4)


def test_components_of_two_scales_are_two_groups() -> None:
    rows = [
        row("a", 9, 1.0, 9.0, scale=4),
        row("a", 5, 1.0, 8.0, part_of=9),
        row("a", 2),
        row("b", 7, scale=2),
        row("a", 1, scale=4),
    ]
    found = stored_components(pd.DataFrame(rows, columns=STORED_COLUMNS))
    assert {key: own.ids.tolist() for key, own in found.items()} == {
        ("a", 1): [5, 2],
        ("a", 4): [9, 1],
        ("b", 2): [7],
    }
    assert found["a", 1].part_of.tolist() == [9, -1] and found["a", 1].owner.tolist() == [0]


def test_a_table_without_rows_has_no_subject() -> None:
    assert stored_components(pd.DataFrame(columns=STORED_COLUMNS)) == {}
    assert len(NOTHING_STORED) == 0
