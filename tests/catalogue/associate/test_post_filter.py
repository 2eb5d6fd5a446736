"""Which detections become sources: hand-made subjects, one for each rule."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from detection_rows import detection

from claran_core.catalogue.associate.post_filter import (
    select_detections,
    select_paper,
    select_survey,
    source_probability,
)
from claran_core.common import tables
from claran_core.common.flags import Flag
from claran_core.common.morphology import probability_columns
from claran_core.settings.config import load_config

SMALL, FAR = (10, 10, 30, 30), (90, 90, 120, 120)
FLOAT32 = dict.fromkeys(["probability", *probability_columns()], np.float32)


@pytest.mark.parametrize("threshold", [0.8, 0.9, 0.7])
def test_exactly_the_minimum_probability_is_kept(threshold: float) -> None:
    # float32(0.9) is below the float64 0.9 that the configuration holds.
    table = pd.DataFrame([detection("s", SMALL, probability=threshold)]).astype(FLOAT32)
    for found in (select_paper(table, threshold), select_survey(table, [()], threshold)):
        assert found.outcome.tolist() == ["kept"]
        assert found.flags.tolist() == [0]


def test_no_detections_give_no_sources() -> None:
    nothing = tables.DETECTIONS.empty_table().to_pandas()
    assert len(select_survey(nothing, [], 0.8).outcome) == 0
    assert len(select_paper(nothing, 0.8).outcome) == 0
    assert select_paper(nothing, 0.8).flags.dtype == np.int32


def test_the_options_choose_the_filter_and_its_minimum_probability() -> None:
    rows = [detection("s", SMALL, probability=0.6), detection("s", FAR, probability=0.85)]
    table, members = pd.DataFrame(rows), [(0,), (1,)]

    def kept(post_filter: str, min_probability: float | None = None, **options: bool) -> list[str]:
        settings = load_config({"catalogue": {"post_filter": post_filter, **options}}).catalogue
        found = select_detections(table, members, settings, min_probability=min_probability)
        return found.outcome.tolist()

    assert kept("survey") == ["kept", "kept"]  # 0.5 by default
    assert kept("paper") == ["improbable", "kept"]  # 0.8 by default
    assert kept("survey", 0.7) == ["improbable", "kept"]
    assert kept("paper", 0.5) == ["kept", "kept"]
    assert kept("paper", 0.5, one_source_per_field=True) == ["second", "kept"]


def survey(
    *rows: tuple[dict[str, Any], tuple[int, ...]], min_probability: float = 0.8
) -> tuple[list[str], list[int]]:
    """Outcomes and winners of (detection, components)."""
    verdict = select_survey(
        pd.DataFrame([row for row, _ in rows]), [members for _, members in rows], min_probability
    )
    assert not verdict.flags.any()
    return verdict.outcome.tolist(), verdict.winner.tolist()


def test_survey_leaves_a_blank_field_blank() -> None:
    outcome, _ = survey((detection("s", SMALL, probability=0.7), (0,)), (detection("t", SMALL), (0,)))
    assert outcome == ["improbable", "kept"]


def test_survey_sums_the_classes_of_a_box() -> None:
    # Surely a source, but of one peak or two?  The paper's rule would drop it.
    shared = {"p_1c_1p": 0.5, "p_1c_2p": 0.4}
    one = detection("s", SMALL, morphology="1C_1P", probability=0.5, **shared)
    two = detection("s", SMALL, morphology="1C_2P", probability=0.4, **shared)
    assert survey((two, (0,)), (one, (0,))) == (["competing", "kept"], [1, -1])
    np.testing.assert_allclose(source_probability(pd.DataFrame([one])), [0.9])


def test_survey_keeps_the_most_probable_class_of_a_box() -> None:
    # Two combinations of components with one box: of the second only its lesser class was reported.
    first = detection("s", SMALL, morphology="3C_3P", probability=0.91, p_2c_3p=0.04)
    second = detection("s", SMALL, morphology="2C_3P", probability=0.08, p_3c_3p=0.90)
    assert source_probability(pd.DataFrame([first, second])).argmax() == 1
    assert survey((second, (0, 1, 2)), (first, (0, 1, 2))) == (["competing", "kept"], [1, -1])


def test_survey_compares_components_rather_than_boxes() -> None:
    whole, lobe, core = (20, 20, 100, 100), (25, 25, 40, 40), (50, 50, 70, 70)
    outcome, winner = survey(
        (detection("s", whole, morphology="2C_2P", probability=0.95), (0, 1)),
        (detection("s", lobe, probability=0.9), (0,)),
        (detection("s", core, probability=0.85), (2,)),  # an unrelated source between the lobes
    )
    assert (outcome, winner) == (["kept", "competing", "kept"], [-1, 0, -1])


def test_survey_compares_boxes_where_there_is_no_component() -> None:
    whole, inside = (20, 20, 100, 100), (50, 50, 70, 70)
    for members in ((), (0,)):
        outcome, winner = survey(
            (detection("s", inside, probability=0.9), members), (detection("s", whole, probability=0.85), ())
        )
        assert (outcome, winner) == (["kept", "competing"], [-1, 0])
    assert survey((detection("s", SMALL), ()), (detection("s", FAR), ()))[0] == ["kept", "kept"]


@pytest.mark.parametrize(
    ("boxes", "outcomes"),
    [
        ([(0, 0, 20, 20), (12, 0, 32, 20)], ["kept", "kept"]),  # neighbours: IoU 8/32, contained 0.4
        ([(0, 0, 13, 10), (7, 0, 20, 10)], ["kept", "kept"]),  # IoU of exactly 0.3
        ([(0, 0, 13, 10), (6.9, 0, 19.9, 10)], ["kept", "competing"]),
        ([(0, 0, 100, 100), (92, 0, 102, 10)], ["kept", "kept"]),  # exactly 0.8 of the smaller is inside
        ([(0, 0, 100, 100), (91.9, 0, 101.9, 10)], ["kept", "competing"]),
        # a-b and b-c overlap (IoU 12/28), a-c do not compete: b goes, c stays.
        ([(0, 0, 20, 20), (8, 0, 28, 20), (16, 0, 36, 20)], ["kept", "competing", "kept"]),
    ],
)
def test_survey_compares_boxes_without_components(
    boxes: list[tuple[float, ...]], outcomes: list[str]
) -> None:
    rows = [
        (detection("s", box, probability=probability), ())
        for box, probability in zip(boxes, (0.95, 0.9, 0.85), strict=False)
    ]
    assert survey(*rows)[0] == outcomes


def test_subjects_do_not_compete() -> None:
    rows = [(detection(subject, SMALL), ()) for subject in ("s", "t")]
    assert survey(*rows)[0] == ["kept", "kept"]


def test_survey_compares_only_with_rows_that_stay() -> None:
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
