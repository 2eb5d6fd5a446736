"""Which detections of a subject count as its sources, and which as classifications of the paper."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from detection_rows import detection

from claran_core.common import tables
from claran_core.common.morphology import probability_columns
from claran_core.evaluation.listing import Listing, classifications, distinct_sources

SMALL, FAR = (10, 10, 30, 30), (90, 90, 120, 120)
FLOAT32 = dict.fromkeys(["probability", *probability_columns()], np.float32)


def sources(*rows: dict[str, Any], min_probability: float = 0.8) -> list[bool]:
    """Return which detections are sources of their subject."""
    return distinct_sources(pd.DataFrame(rows), min_probability).tolist()


@pytest.mark.parametrize("threshold", [0.8, 0.9, 0.7])
def test_exactly_the_minimum_probability_counts(threshold: float) -> None:
    # float32(0.9) is below the float64 0.9 that the configuration holds.
    table = pd.DataFrame([detection("s", SMALL, probability=threshold)]).astype(FLOAT32)
    assert distinct_sources(table, threshold).tolist() == [True]
    assert classifications(table, threshold).tolist() == [True]


def test_no_detections_give_no_sources() -> None:
    nothing = tables.DETECTIONS.empty_table().to_pandas()
    assert len(distinct_sources(nothing, 0.8)) == len(classifications(nothing, 0.8)) == 0


def test_a_blank_field_has_no_source_but_a_classification() -> None:
    rows = [
        detection("s", SMALL, probability=0.3),
        detection("s", FAR, probability=0.5),
        detection("t", SMALL),
    ]
    assert sources(*rows) == [False, False, True]
    assert classifications(pd.DataFrame(rows), 0.8).tolist() == [False, True, True]


def test_the_classes_of_a_box_add_up() -> None:
    # Surely a source, but of one peak or two?  The paper's rule keeps neither class.
    shared = {"p_1c_1p": 0.5, "p_1c_2p": 0.4}
    one = detection("s", SMALL, morphology="1C_1P", probability=0.5, component_ids=[0], **shared)
    two = detection("s", SMALL, morphology="1C_2P", probability=0.4, component_ids=[0], **shared)
    assert sources(two, one) == [False, True]


def test_the_most_probable_class_of_a_box_is_listed() -> None:
    # Two combinations of components with one box: of the second only its lesser class was reported.
    members = {"component_ids": [0, 1, 2]}
    first = detection("s", SMALL, morphology="3C_3P", probability=0.91, p_2c_3p=0.04, **members)
    second = detection("s", SMALL, morphology="2C_3P", probability=0.08, p_3c_3p=0.90, **members)
    assert sources(second, first) == [False, True]


def test_components_are_compared_rather_than_boxes() -> None:
    whole, lobe, core = (20, 20, 100, 100), (25, 25, 40, 40), (50, 50, 70, 70)
    double = detection("s", whole, morphology="2C_2P", probability=0.95, component_ids=[0, 1])
    part = detection("s", lobe, probability=0.9, component_ids=[0])
    between = detection("s", core, probability=0.85, component_ids=[2])  # an unrelated source
    assert sources(double, part, between) == [True, False, True]


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        ([(0, 0, 20, 20), (12, 0, 32, 20)], [True, True]),  # neighbours: IoU 8/32, contained 0.4
        ([(0, 0, 13, 10), (7, 0, 20, 10)], [True, True]),  # IoU of exactly 0.3
        ([(0, 0, 13, 10), (6.9, 0, 19.9, 10)], [True, False]),
        ([(0, 0, 100, 100), (92, 0, 102, 10)], [True, True]),  # exactly 0.8 of the smaller is inside
        ([(0, 0, 100, 100), (91.9, 0, 101.9, 10)], [True, False]),
        # a-b and b-c overlap (IoU 12/28), a-c do not: b goes, c stays.
        ([(0, 0, 20, 20), (8, 0, 28, 20), (16, 0, 36, 20)], [True, False, True]),
    ],
)
def test_boxes_are_compared_where_there_are_no_components(
    boxes: list[tuple[float, ...]], expected: list[bool]
) -> None:
    rows = [
        detection("s", box, probability=probability)
        for box, probability in zip(boxes, (0.95, 0.9, 0.85), strict=False)
    ]
    assert sources(*rows) == expected
    # A table without identities of components and probabilities of classes is compared alike.
    bare = pd.DataFrame(rows).drop(columns=["component_ids", *probability_columns()])
    assert distinct_sources(bare, 0.8).tolist() == expected


def test_subjects_do_not_compete() -> None:
    assert sources(detection("s", SMALL), detection("t", SMALL)) == [True, True]


def test_the_order_of_rows_does_not_matter() -> None:
    rows = [
        detection("s", (k, 10, k + 20, 30), morphology=kind, probability=p, component_ids=members)
        for k, (kind, p, members) in enumerate(
            [("1C_1P", 0.9, [0]), ("1C_2P", 0.9, [0, 1]), ("2C_2P", 0.9, [1]), ("1C_1P", 0.6, [1])]
        )
    ]
    first = sources(*rows, min_probability=0.5)
    for order in ([3, 2, 1, 0], [1, 3, 0, 2]):
        mixed = sources(*[rows[at] for at in order], min_probability=0.5)
        assert [mixed[order.index(at)] for at in range(4)] == first


def test_a_threshold_replaces_the_minimum_probability_of_the_catalogue() -> None:
    listing = Listing(pd.DataFrame([detection("s", SMALL, probability=0.6)]), 0.5)
    assert len(listing.sources()) == len(listing.sources(0.55)) == 1
    assert len(listing.sources(0.65)) == 0
    assert len(listing.classifications(0.65)) == 1  # the paper keeps the best of each subject
