"""Matching of detections by the paper's rule: hand-made cases, and independence of the row order."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from claran_core.common.boxes import BOX_COLUMNS, paired_iou
from claran_core.evaluation.matching import NO_TRUTH, match_detections, rank_classes

TEN = (0, 0, 10, 10)


def detections(*rows: tuple) -> pd.DataFrame:
    """Table of (subject, class, probability, box)."""
    flat = [(subject, kind, probability, *box) for subject, kind, probability, box in rows]
    return pd.DataFrame(flat, columns=["subject_id", "morphology", "probability", *BOX_COLUMNS])


def truths(*rows: tuple) -> pd.DataFrame:
    """Table of (subject, class, box)."""
    flat = [(subject, kind, *box) for subject, kind, box in rows]
    return pd.DataFrame(flat, columns=["subject_id", "morphology", *BOX_COLUMNS])


def test_second_detection_of_a_source_is_false() -> None:
    found = detections(("s", "1C_1P", 0.6, TEN), ("s", "1C_1P", 0.9, TEN))
    assert match_detections(found, truths(("s", "1C_1P", TEN)), 0.5).tolist() == [NO_TRUTH, 0]


@pytest.mark.parametrize(("subject", "kind"), [("s", "1C_2P"), ("other", "1C_1P")])
def test_wrong_class_or_subject_is_false(subject: str, kind: str) -> None:
    found = detections((subject, kind, 0.9, TEN))
    assert match_detections(found, truths(("s", "1C_1P", TEN)), 0.5).tolist() == [NO_TRUTH]


def test_overlap_of_exactly_the_threshold_is_false_but_true_for_coco() -> None:
    found, truth = detections(("s", "1C_1P", 0.9, (0, 0, 10, 5))), truths(("s", "1C_1P", TEN))
    assert match_detections(found, truth, 0.5).tolist() == [NO_TRUTH]
    assert match_detections(found, truth, 0.5, inclusive=True).tolist() == [0]
    assert match_detections(found, truth, 0.499).tolist() == [0]


def test_two_sources_of_one_subject_are_both_found() -> None:
    truth = truths(("s", "1C_1P", TEN), ("s", "1C_1P", (1, 0, 11, 10)))
    found = detections(("s", "1C_1P", 0.7, TEN), ("s", "1C_1P", 0.8, (1, 0, 11, 10)))
    assert match_detections(found, truth, 0.5).tolist() == [0, 1]


def test_the_second_detection_matches_the_remaining_source() -> None:
    # Both overlap source 0 most (IoU 1 and 9/11); the less probable one gets source 1 (IoU 8/12).
    truth = truths(("s", "1C_1P", TEN), ("s", "1C_1P", (3, 0, 13, 10)))
    found = detections(("s", "1C_1P", 0.9, TEN), ("s", "1C_1P", 0.5, (1, 0, 11, 10)))
    assert match_detections(found, truth, 0.5).tolist() == [0, 1]


def test_ties_are_broken_by_subject_then_box() -> None:
    found = detections(
        ("b", "1C_1P", 0.5, TEN), ("a", "1C_1P", 0.5, (1, 0, 11, 10)), ("a", "1C_1P", 0.5, TEN)
    )
    truth = truths(("a", "1C_1P", TEN), ("b", "1C_1P", TEN))
    matched = match_detections(found, truth, 0.5)
    assert matched.tolist() == [1, NO_TRUTH, 0]
    ranked = rank_classes(found, truth, np.array(["a", "b"]), ["1C_1P"], matched)["1C_1P"]
    assert ranked.true_positive.tolist() == [True, False, True]
    assert ranked.subject.tolist() == [0, 0, 1]


def test_of_equal_overlaps_the_leftmost_source_matches_first() -> None:
    left, right = (0, 0, 10, 10), (2, 0, 12, 10)
    found = detections(("s", "1C_1P", 0.9, (1, 0, 11, 10)))
    assert match_detections(found, truths(("s", "1C_1P", left), ("s", "1C_1P", right)), 0.5).tolist() == [0]
    assert match_detections(found, truths(("s", "1C_1P", right), ("s", "1C_1P", left)), 0.5).tolist() == [1]


def test_empty_tables_have_no_matches() -> None:
    none, truth = detections(), truths(("s", "1C_1P", TEN))
    assert match_detections(none, truth, 0.5).tolist() == []
    assert match_detections(detections(("s", "1C_1P", 0.9, TEN)), truths(), 0.5).tolist() == [NO_TRUTH]
    ranked = rank_classes(none, truths(), np.array([], str), ["1C_1P"], np.array([], int))["1C_1P"]
    assert len(ranked.true_positive) == len(ranked.truth_subject) == 0


corner = st.integers(0, 12)
some_box = st.tuples(corner, corner, st.integers(1, 8), st.integers(1, 8)).map(
    lambda box: (box[0], box[1], box[0] + box[2], box[1] + box[3])
)
some_detection = st.tuples(
    st.sampled_from("ab"), st.sampled_from(["1C_1P", "2C_2P"]), st.sampled_from([0.2, 0.5, 0.9]), some_box
)
some_truth = st.tuples(st.sampled_from("ab"), st.sampled_from(["1C_1P", "2C_2P"]), some_box)


@given(
    st.lists(some_detection, max_size=12, unique=True),
    st.lists(some_truth, max_size=8, unique=True),
    st.randoms(use_true_random=False),
)
def test_matches_do_not_depend_on_the_order_of_rows(found: list, truth: list, random: object) -> None:
    def as_rows(found_rows: list, truth_rows: list) -> set:
        matches = match_detections(detections(*found_rows), truths(*truth_rows), 0.5)
        return {
            (one, truth_rows[at] if at != NO_TRUTH else None)
            for one, at in zip(found_rows, matches, strict=True)
        }

    expected = as_rows(found, truth)
    shuffled_found, shuffled_truth = list(found), list(truth)
    random.shuffle(shuffled_found)
    random.shuffle(shuffled_truth)
    assert as_rows(shuffled_found, shuffled_truth) == expected


@given(st.lists(some_detection, max_size=12, unique=True), st.lists(some_truth, max_size=8, unique=True))
def test_every_match_satisfies_the_rule(found: list, truth: list) -> None:
    matches = match_detections(detections(*found), truths(*truth), 0.5)
    hits = [(one, truth[at]) for one, at in zip(found, matches, strict=True) if at != NO_TRUTH]
    assert len({true for _, true in hits}) == len(hits)
    for one, true in hits:
        assert one[:2] == true[:2]
        assert paired_iou(np.array(one[3], float), np.array(true[2], float)) > 0.5
