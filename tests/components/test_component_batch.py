"""Components of many subjects as arrays: from tables and from single subjects, and parts of them."""

import dataclasses

import numpy as np
import pandas as pd
from component_images import components
from fused_runs import blob_sky, component_rows

from claran_core.common.boxes import BOX_COLUMNS
from claran_core.components.component_batch import ComponentBatch
from claran_core.components.component_table import NO_COMPONENTS, SubjectComponents, nominal_components


def same(one: ComponentBatch, other: ComponentBatch) -> None:
    np.testing.assert_array_equal(one.starts, other.starts)
    for field in dataclasses.fields(SubjectComponents):
        mine, yours = (getattr(batch.components, field.name) for batch in (one, other))
        np.testing.assert_array_equal(mine, yours)
        assert mine.dtype == yours.dtype


def table() -> pd.DataFrame:
    """Return components of several subjects and levels, in mixed order."""
    return component_rows(blob_sky(12)[2]).sample(frac=1, random_state=0).reset_index(drop=True)


def test_a_table_gives_the_components_of_each_subject() -> None:
    names = [*table()["subject_id"].unique()[::-1], "none"]
    batch = ComponentBatch.from_table(table(), names)
    by_subject = nominal_components(table())
    same(batch, ComponentBatch.of([by_subject.get(name, NO_COMPONENTS) for name in names]))
    assert len(batch) == len(names) and batch.starts[-1] == batch.starts[-2]


def test_units_of_coarser_views_are_their_components_and_what_is_outside_them() -> None:
    rows = table().iloc[:6].assign(subject_id=["a", "a", "b", "a", "b", "a"], level=[1, 1, 1, 1, 1, 0.9])
    rows = rows.assign(
        component_id=[7, 5, 7, 3, 4, 7], scale=[1, 4, 1, 1, 1, 1], part_of=[5, -1, -1, -1, -1, -1]
    )
    rows = rows.assign(snr=[8.0, 90.0, 9.0, 10.0, 11.0, 12.0])
    batch = ComponentBatch.from_table(rows, ["b", "a"])
    assert batch.starts.tolist() == [0, 2, 4]
    assert batch.components.ids.tolist() == [7, 4, 5, 3]
    assert batch.components.scale.tolist() == [1, 1, 4, 1]
    assert batch.components.n_fine.tolist() == [1, 1, 1, 1]
    inside = rows.loc[rows["component_id"].eq(7) & rows["subject_id"].eq("a"), BOX_COLUMNS].to_numpy()[0]
    own = [*batch.components.boxes[:2], inside, batch.components.boxes[3]]
    np.testing.assert_array_equal(batch.components.fine_boxes, np.array(own, np.float32))
    assert batch.components.fine_snr.tolist() == [9, 11, 8, 10]
    other = ComponentBatch.from_table(rows, ["b", "a"], level=0.9)
    assert other.starts.tolist() == [0, 0, 1] and other.components.snr.tolist() == [12]
    by_subject = nominal_components(rows)
    same(batch, ComponentBatch.of([by_subject["b"], by_subject["a"]]))


def test_subjects_that_are_not_asked_for_are_left_out() -> None:
    name = table()["subject_id"].iloc[0]
    batch = ComponentBatch.from_table(table(), [name])
    same(batch, ComponentBatch.of([nominal_components(table())[name]]))


def test_no_components() -> None:
    batch = ComponentBatch.from_table(table()[:0], ["a", "b"])
    assert len(batch) == 2 and not batch.has_usable.any()
    same(batch, ComponentBatch.of([NO_COMPONENTS] * 2))
    assert len(ComponentBatch.of([])) == 0


def test_parts_are_filled_up_with_empty_subjects() -> None:
    subjects = [components((9, 9), (20, 20)), NO_COMPONENTS, components((5, 5)), components((7, 7), (8, 9))]
    part = ComponentBatch.of(subjects).take(np.array([3, 1, 0]), 5)
    same(part, ComponentBatch.of([subjects[3], NO_COMPONENTS, subjects[0], NO_COMPONENTS, NO_COMPONENTS]))


def test_components_of_a_single_pixel_are_not_usable() -> None:
    subjects = [components((9, 9), n_pixels=[1]), components((9, 9), (5, 5), n_pixels=[1, 2]), NO_COMPONENTS]
    batch = ComponentBatch.of(subjects)
    assert batch.usable.tolist() == [False, False, True]
    assert batch.has_usable.tolist() == [False, True, False]
