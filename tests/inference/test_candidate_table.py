"""The table of candidates: what is listed, its positions, boxes and room."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from component_images import components

from claran_core.common import tables
from claran_core.common.boxes import box_array
from claran_core.common.frame import Frame
from claran_core.common.morphology import MORPHOLOGIES, probability_columns
from claran_core.components.component_batch import ComponentBatch
from claran_core.components.component_table import NO_COMPONENTS
from claran_core.inference.candidate_table import (
    candidate_table,
    candidates_of_detections,
    scored_rows,
)
from claran_core.inference.membership import members_of
from claran_core.model.association.candidates import find_candidates
from claran_core.model.layers.types import Regions

FRAME = Frame()
OWN = components((30, 60), (50, 60))
INDEX = pd.DataFrame({"subject_id": ["A", "B"], "ra": [10.0, 20.0], "dec": [5.0, 0.0], "scale": [1, 4]})


def scored(probabilities: list[list[float]], artefact: list[float]) -> pd.DataFrame:
    """Return the candidates of two equal subjects, each (0), (1), (0, 1)."""
    found = find_candidates(ComponentBatch.of([OWN, OWN]))
    regions = Regions(
        found.counts,
        torch.from_numpy(found.boxes)[:, None],
        torch.tensor(probabilities),
        torch.tensor(artefact),
    )
    return scored_rows(np.array([0, 1]), found, regions, MORPHOLOGIES)


def test_single_units_and_probable_sets_are_listed() -> None:
    faint, likely = [0.001, 0, 0, 0.004, 0, 0], [0.5, 0, 0, 0.3, 0, 0]
    rows = scored([faint, likely, faint, faint, likely, likely], [0.9, 0.1, 0, 0.9, 0.1, 0])
    table = candidate_table([rows], INDEX, ComponentBatch.of([OWN, OWN]), FRAME, MORPHOLOGIES)
    assert table.columns.tolist() == tables.CANDIDATES.names
    assert [(one, list(ids)) for one, ids in zip(table["subject_id"], table["unit_ids"], strict=True)] == [
        ("A", [0]),
        ("A", [1]),
        ("B", [0]),
        ("B", [1]),
        ("B", [0, 1]),
    ]
    np.testing.assert_allclose(table["p_artefact"], [0.9, 0.1, 0.9, 0.1, 0], rtol=1e-6)
    np.testing.assert_allclose(
        table[probability_columns()].sum(axis=1), [0.005, 0.8, 0.005, 0.8, 0.8], rtol=1e-6
    )


def test_positions_and_room_follow_the_scale_of_the_subject() -> None:
    rows = scored([[0.9, 0, 0, 0, 0, 0]] * 6, [0.0] * 6)
    table = candidate_table([rows], INDEX, ComponentBatch.of([OWN, OWN]), FRAME, MORPHOLOGIES)
    pair = table[table["unit_ids"].map(len) == 2].reset_index(drop=True)
    for row, scale in zip(pair.itertuples(), (1, 4), strict=True):
        centre = INDEX.set_index("subject_id").loc[row.subject_id]
        x, y = FRAME.at_scale(scale).sky_to_frame(centre["ra"], centre["dec"], row.ra, row.dec)
        assert (x, y) == pytest.approx((40, 60), abs=1e-6)
    np.testing.assert_allclose(pair["room"], 27 * 1.375 * np.array([1, 4]), rtol=1e-6)


def test_a_unit_at_the_edge_marks_its_candidates() -> None:
    cut = dataclasses.replace(OWN, at_edge=np.array([True, False]))
    batch = ComponentBatch.of([cut, OWN])
    one = scored([[0.9, 0, 0, 0, 0, 0]] * 6, [0.0] * 6)
    table = candidate_table([one], INDEX, batch, FRAME, MORPHOLOGIES)
    assert table["at_edge"].tolist() == [True, False, True, False, False, False]


def test_a_box_gives_the_units_that_fit_it_and_every_unit_alone() -> None:
    batch = ComponentBatch.of([OWN, OWN])
    found = find_candidates(batch)
    boxes = pd.DataFrame(found.boxes[[2, 2]], columns=[f"box_{c}" for c in ("x1", "y1", "x2", "y2")])
    some = dict.fromkeys(probability_columns(), 0.1)
    detections = boxes.assign(morphology=["2C_2P", "2C_3P"], **some)
    subjects = np.array([1, 1])
    units = members_of(box_array(detections), detections["morphology"].to_numpy(), subjects, batch, FRAME)
    rows = candidates_of_detections(detections, subjects, units, batch, MORPHOLOGIES)
    table = candidate_table([rows], INDEX, batch, FRAME, MORPHOLOGIES)
    assert [(one, list(ids)) for one, ids in zip(table["subject_id"], table["unit_ids"], strict=True)] == [
        ("A", [0]),
        ("A", [1]),
        ("B", [0, 1]),
        ("B", [0]),
        ("B", [1]),
    ]
    assert table["p_1c_1p"].tolist() == pytest.approx([0, 0, 0.1, 0, 0])


def test_a_shard_without_units_has_no_candidates() -> None:
    batch = ComponentBatch.of([NO_COMPONENTS, NO_COMPONENTS])
    assert len(candidate_table([], INDEX, batch, FRAME, MORPHOLOGIES)) == 0
    nothing = pd.DataFrame(columns=[*(f"box_{c}" for c in ("x1", "y1", "x2", "y2")), "morphology"])
    nothing = nothing.assign(**{name: [] for name in probability_columns()}).astype({"box_x1": float})
    rows = candidates_of_detections(nothing, np.zeros(0, int), [], batch, MORPHOLOGIES)
    assert len(candidate_table([rows], INDEX, batch, FRAME, MORPHOLOGIES)) == 0
