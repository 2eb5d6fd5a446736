"""Which detections become sources: hand-made subjects, one for each rule."""

import numpy as np
import pandas as pd
import pytest
from detection_rows import detection

from claran_core.catalogue.associate.post_filter import (
    keep_probable,
    resolve_competing,
    select_paper,
    select_survey,
    source_probability,
)
from claran_core.common import tables
from claran_core.common.boxes import BOX_COLUMNS
from claran_core.common.flags import Flag

SMALL, FAR = (10, 10, 30, 30), (90, 90, 120, 120)


def detections(*rows: tuple) -> pd.DataFrame:
    """Table of (subject, class, probability, box)."""
    flat = [(subject, kind, probability, *box) for subject, kind, probability, box in rows]
    table = pd.DataFrame(flat, columns=["subject_id", "morphology", "probability", *BOX_COLUMNS])
    return table.astype({"probability": np.float32})


def selected(table: pd.DataFrame) -> list[tuple]:
    """Class, and whether the row is flagged as below the least probability; each source once."""
    kept = resolve_competing(keep_probable(table, 0.8))
    return [
        (kind, bool(flags & Flag.BELOW_MIN_PROBABILITY))
        for kind, flags in zip(kept["morphology"], kept["flags"], strict=True)
    ]


def test_all_probable_sources_of_a_subject_stay() -> None:
    table = detections(
        ("s", "1C_1P", 0.85, SMALL), ("s", "2C_2P", 0.95, FAR), ("s", "3C_3P", 0.79, (50, 50, 70, 70))
    )
    assert selected(table) == [("2C_2P", False), ("1C_1P", False)]


def test_best_row_stays_flagged_where_none_is_probable() -> None:
    table = detections(("s", "1C_1P", 0.3, SMALL), ("s", "2C_2P", 0.7, FAR), ("t", "1C_1P", 0.9, SMALL))
    assert selected(table) == [("2C_2P", True), ("1C_1P", False)]


@pytest.mark.parametrize("threshold", [0.8, 0.9, 0.7])
def test_exactly_the_least_probability_stays(threshold: float) -> None:
    # float32(0.9) is below the float64 0.9 the configuration holds
    kept = keep_probable(detections(("s", "1C_1P", threshold, SMALL)), threshold)
    assert kept["flags"].tolist() == [0]


def test_two_classes_of_one_box_are_one_source() -> None:
    table = detections(("s", "1C_2P", 0.85, SMALL), ("s", "1C_1P", 0.9, SMALL))
    assert selected(table) == [("1C_1P", False)]


def test_part_of_a_source_is_not_listed_beside_it() -> None:
    whole, core = (20, 20, 100, 100), (50, 50, 70, 70)  # IoU 1/16, wholly inside
    assert selected(detections(("s", "3C_3P", 0.95, whole), ("s", "1C_1P", 0.9, core))) == [("3C_3P", False)]


def test_neighbours_that_overlap_little_are_two_sources() -> None:
    left, right = (0, 0, 20, 20), (12, 0, 32, 20)  # IoU 8/32, contained 0.4
    table = detections(("s", "1C_1P", 0.95, left), ("s", "1C_2P", 0.9, right))
    assert selected(table) == [("1C_1P", False), ("1C_2P", False)]


def test_overlap_limits_are_exclusive() -> None:
    first, second = (0, 0, 10, 10), (0, 0, 10, 5)  # IoU 0.5, contained 1
    table = detections(("s", "1C_1P", 0.9, first), ("s", "1C_2P", 0.8, second))
    assert len(resolve_competing(table, max_iou=0.5, max_contained=1.0)) == 2
    assert len(resolve_competing(table, max_iou=0.49, max_contained=1.0)) == 1
    assert len(resolve_competing(table, max_iou=0.5, max_contained=0.99)) == 1


def test_a_chain_is_not_swallowed_by_its_first_member() -> None:
    # a-b and b-c overlap (IoU 12/28), a-c do not compete: b goes, c stays.
    a, b, c = (0, 0, 20, 20), (8, 0, 28, 20), (16, 0, 36, 20)
    table = detections(("s", "1C_1P", 0.95, a), ("s", "1C_2P", 0.9, b), ("s", "1C_3P", 0.85, c))
    assert selected(table) == [("1C_1P", False), ("1C_3P", False)]


def test_subjects_do_not_compete() -> None:
    table = detections(("s", "1C_1P", 0.9, SMALL), ("t", "1C_1P", 0.85, SMALL))
    assert len(selected(table)) == 2


def test_ties_do_not_depend_on_the_order_of_rows() -> None:
    rows = [("s", "1C_2P", 0.9, SMALL), ("s", "1C_1P", 0.9, SMALL), ("s", "1C_1P", 0.9, (9, 10, 29, 30))]
    expected = [("1C_1P", False)]
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
        table = detections(*[rows[at] for at in order])
        assert selected(table) == expected
        assert resolve_competing(keep_probable(table, 0.8))["box_x1"].tolist() == [9]


def test_nothing_detected_is_nothing_selected() -> None:
    nothing = tables.DETECTIONS.empty_table().to_pandas()
    kept = resolve_competing(keep_probable(nothing, 0.8))
    assert len(kept) == 0
    assert kept["flags"].dtype == np.int32
    assert len(select_survey(nothing, [], 0.8).outcome) == 0
    assert len(select_paper(nothing, 0.8).outcome) == 0


def survey(*rows: tuple, min_probability: float = 0.8) -> tuple[list[str], list[int]]:
    """Outcomes and winners of (detection, components)."""
    verdict = select_survey(
        pd.DataFrame([row for row, _ in rows]), [members for _, members in rows], min_probability
    )
    assert not verdict.flags.any()
    return verdict.outcome.tolist(), verdict.winner.tolist()


def test_survey_leaves_a_blank_field_blank() -> None:
    outcome, _ = survey((detection("s", SMALL, probability=0.7), (0,)), (detection("t", SMALL), (0,)))
    assert outcome == ["improbable", "kept"]


def test_survey_adds_up_the_classes_of_a_box() -> None:
    # Surely a source, but of one peak or two?  The paper's rule would drop it.
    shared = {"p_1c_1p": 0.5, "p_1c_2p": 0.4}
    one = detection("s", SMALL, morphology="1C_1P", probability=0.5, **shared)
    two = detection("s", SMALL, morphology="1C_2P", probability=0.4, **shared)
    assert survey((two, (0,)), (one, (0,))) == (["competing", "kept"], [1, -1])
    np.testing.assert_allclose(source_probability(pd.DataFrame([one])), [0.9])


def test_survey_never_takes_the_lesser_class_of_a_box() -> None:
    # Two combinations of components with one box: of the second only its lesser class was reported.
    first = detection("s", SMALL, morphology="3C_3P", probability=0.91, p_2c_3p=0.04)
    second = detection("s", SMALL, morphology="2C_3P", probability=0.08, p_3c_3p=0.90)
    assert source_probability(pd.DataFrame([first, second])).argmax() == 1
    assert survey((second, (0, 1, 2)), (first, (0, 1, 2))) == (["competing", "kept"], [1, -1])


def test_survey_lets_sources_compete_by_components_and_not_by_boxes() -> None:
    whole, lobe, core = (20, 20, 100, 100), (25, 25, 40, 40), (50, 50, 70, 70)
    outcome, winner = survey(
        (detection("s", whole, morphology="2C_2P", probability=0.95), (0, 1)),
        (detection("s", lobe, probability=0.9), (0,)),
        (detection("s", core, probability=0.85), (2,)),  # an unrelated source between the lobes
    )
    assert (outcome, winner) == (["kept", "competing", "kept"], [-1, 0, -1])


def test_survey_lets_boxes_decide_where_there_is_no_component() -> None:
    whole, inside = (20, 20, 100, 100), (50, 50, 70, 70)
    for members in ((), (0,)):
        outcome, winner = survey(
            (detection("s", inside, probability=0.9), members), (detection("s", whole, probability=0.85), ())
        )
        assert (outcome, winner) == (["kept", "competing"], [-1, 0])
    assert survey((detection("s", SMALL), ()), (detection("s", FAR), ()))[0] == ["kept", "kept"]


def test_survey_judges_against_rows_that_stay_only() -> None:
    chain = [((0, 1), 0.95), ((1, 2), 0.9), ((2, 3), 0.85)]
    rows = [(detection("s", SMALL, probability=p), members) for members, p in chain]
    assert survey(*rows)[0] == ["kept", "competing", "kept"]


def test_survey_does_not_depend_on_the_order_of_rows() -> None:
    rows = [
        (detection("s", (k, 10, k + 20, 30), morphology=kind, probability=p), members)
        for k, (kind, p, members) in enumerate(
            [("1C_1P", 0.9, (0,)), ("1C_2P", 0.9, (0, 1)), ("2C_2P", 0.9, (1,)), ("1C_1P", 0.6, (1,))]
        )
    ]
    outcome, _ = survey(*rows)
    for order in ([3, 2, 1, 0], [1, 3, 0, 2]):
        mixed, winner = survey(*[rows[at] for at in order])
        assert [mixed[order.index(at)] for at in range(4)] == outcome
        assert all((won >= 0) == (what == "competing") for won, what in zip(winner, mixed, strict=True))


def test_paper_keeps_the_best_of_a_blank_field_and_flags_it() -> None:
    rows = [
        detection("s", SMALL, probability=0.3),
        detection("s", FAR, probability=0.5),
        detection("t", SMALL),
    ]
    verdict = select_paper(pd.DataFrame(rows), 0.8)
    assert verdict.outcome.tolist() == ["improbable", "kept", "kept"]
    assert verdict.flags.tolist() == [0, int(Flag.BELOW_MIN_PROBABILITY), 0]


def test_paper_may_assume_one_source_per_field() -> None:
    rows = [detection("s", SMALL, probability=0.85), detection("s", FAR, probability=0.95)]
    table = pd.DataFrame(rows)
    assert select_paper(table, 0.8).outcome.tolist() == ["kept", "kept"]
    assert select_paper(table, 0.8, one_source_per_field=True).outcome.tolist() == ["second", "kept"]
