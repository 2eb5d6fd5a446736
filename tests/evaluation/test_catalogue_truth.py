"""The catalogue against the truth, on a few sources placed by hand: every status and outcome."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from truth_rows import catalogue_of, outcome, outcomes_of, row, source, truth_of

from claran_core.common.files import write_table
from claran_core.common.flags import Flag
from claran_core.components.sky_identity import healpix_index
from claran_core.evaluation.catalogue_truth import (
    REASONS,
    ROW_STATUSES,
    SOURCE_OUTCOMES,
    STATUSES,
    TRUE_OUTCOMES,
    Comparison,
    compare_with_truth,
)
from claran_core.evaluation.close_pairs import close_pairs
from claran_core.evaluation.component_links import shared_components


def compared(
    truth: pd.DataFrame, catalogue: pd.DataFrame, outcomes: pd.DataFrame | None = None
) -> Comparison:
    return compare_with_truth(catalogue, truth, outcomes)


def outcomes(comparison: Comparison) -> dict[str, str]:
    return comparison.sources.set_index("source_id")["outcome"].to_dict()


def statuses(comparison: Comparison) -> dict[str, str]:
    return comparison.rows.set_index("source_id")["status"].to_dict()


def owned(*places: tuple[str, tuple[float, float]]) -> pd.DataFrame:
    """Return owners of components at places."""
    rows = [(outcome("source", at), name) for name, at in places]
    ids = healpix_index(*(np.array([row[axis] for row, _ in rows]) for axis in ("ra", "dec")))
    return pd.DataFrame({"component_id": ids, "source_id": [name for _, name in rows]})


def test_components_that_the_image_of_a_true_source_does_not_show() -> None:
    truth = truth_of(
        source("faint", at=(0, 0)),
        source("pieces", at=(100, 0)),
        source("bridged", (200, 0), (260, 0), size=60),
        source("bright", (400, 0)),
    )
    catalogue = catalogue_of(
        row("a", (0, 1)),
        row("b1", (90, 0)),
        row("b2", (110, 0)),
        row("c", (200, 0), (230, 0), (260, 0)),
        row("d", (400, 0), (430, 0)),
        row("e", (600, 0)),
    )
    owners = owned(
        ("faint", (0, 1)),
        *(("pieces", at) for at in ((90.0, 0.0), (110.0, 0.0))),
        ("bridged", (230, 0)),
        ("faint", (430, 0)),
        ("", (600, 0)),
        ("elsewhere", (600, 0)),
    )
    known = compare_with_truth(catalogue, truth, owners=owners)
    assert list(statuses(known).values()) == ["fragment", "fragment", "fragment", "true", "blend", "false"]
    assert known.rows["n_unmatched"].tolist() == [0, 0, 0, 0, 0, 1]
    known = compare_with_truth(catalogue.drop(4).reset_index(drop=True), truth, owners=owners)
    assert list(statuses(known).values()) == ["true", "fragment", "fragment", "true", "false"]
    assert outcomes(known) == {
        "faint": "found",
        "pieces": "fragmented",
        "bridged": "found",
        "bright": "missed",
    }
    without = statuses(compare_with_truth(catalogue, truth))
    assert list(without.values()) == ["false", "false", "false", "blend", "blend", "false"]


def test_every_outcome_and_status_by_hand() -> None:
    truth = truth_of(
        source("single", (0, 0)),
        source("double", (100, 0), (130, 0), size=40),
        source("split", (200, 0), (230, 0), size=40),
        source("half", (300, 0), (330, 0), size=40),
        source("left", (400, 0)),
        source("right", (430, 0)),
        source("noisy", (500, 0)),
        source("lost", (600, 0)),
    )
    catalogue = catalogue_of(
        row("a", (1.9, -1.8)),  # 2.6 arcsec away: the same component
        row("b", (130, 0), (100, 0)),
        row("c1", (200, 0)),
        row("c2", (230, 0)),
        row("d", (330, 0)),
        row("e", (400, 0), (430, 0)),
        row("f", (500, 0), (540, 0)),  # one component is noise
        row("g", (600, 5)),  # beyond the contour, which is 4 arcsec high: another component
        row("h"),
    )
    comparison = compared(truth, catalogue)
    assert outcomes(comparison) == {
        "single": "found",
        "double": "found",
        "split": "fragmented",
        "half": "partial",
        "left": "blended",
        "right": "blended",
        "noisy": "blended",
        "lost": "missed",
    }
    expected = ["true", "true", "fragment", "fragment", "fragment", "blend", "blend", "false", "false"]
    assert list(statuses(comparison).values()) == expected
    assert comparison.rows["n_unmatched"].tolist() == [0, 0, 0, 0, 0, 0, 1, 1, 0]
    assert comparison.rows["n_components"].tolist() == [1, 2, 1, 1, 1, 2, 2, 1, 0]
    assert comparison.rows["true_ids"].tolist()[5] == ["left", "right"]
    assert comparison.sources["row_ids"].tolist()[2] == ["c1", "c2"]
    for classes in (comparison.sources["listed_as"], comparison.rows["true_morphology"]):
        assert classes.fillna("").tolist()[:3] == ["1C_1P", "2C_2P", ""]
    assert comparison.sources["reason"].tolist() == [""] * 7 + ["unaccounted"]
    np.testing.assert_allclose(comparison.sources["share"], [1, 1, 0.5, 0.5, 1, 1, 1, 0])
    assert set(SOURCE_OUTCOMES) == set(outcomes(comparison).values())
    assert set(STATUSES) == set(statuses(comparison).values())


def test_a_missed_source_has_the_first_reason_that_applies() -> None:
    truth = truth_of(
        source("faint", placement="outside"),
        source("confused", state="confused", snr=20.0),
        source("outside", (100, 0), placement="outside"),
        source("edge", (200, 0), placement="edge", snr=8.0),
        source("sidelobe", (300, 0)),
        source("weak", (350, 0), (380, 0), component_snr=[8.0, 6.0]),
        source("pixel", (400, 0)),
        source("elsewhere", (500, 0)),
        source("gone", (600, 0)),
    )
    outcomes = outcomes_of(
        outcome("artefact", (300, 1)),
        outcome("artefact", (380, 0)),  # not the brightest
        outcome("noise", (350, 0)),
        outcome("below_limit", (400, 0)),
        outcome("source", (500, 0)),
        outcome("source", (603, 0)),  # beyond half a beam
        outcome("source", (600, 0), scale=2),
    )
    sources = compared(truth, catalogue_of(), outcomes).sources
    assert sources["reason"].tolist() == [
        "not_visible",
        "confused",
        "outside",
        "edge",
        "artefact",
        "noise",
        "below_limit",
        "unlisted",
        "unaccounted",
    ]
    assert set(sources["reason"]) == set(REASONS)
    assert sources["n_called_artefact"].tolist() == [0, 0, 0, 0, 1, 2, 0, 0, 0]
    assert (sources["outcome"] == "missed").all()


def test_a_source_in_a_blend_is_blended_even_if_another_row_has_a_part_of_it() -> None:
    truth = truth_of(source("double", (0, 0), (30, 0)), source("other", (60, 0)))
    comparison = compared(truth, catalogue_of(row("a", (0, 0)), row("b", (30, 0), (60, 0))))
    assert outcomes(comparison) == {"double": "blended", "other": "blended"}
    assert statuses(comparison) == {"a": "fragment", "b": "blend"}


def test_duplicates_are_rows_that_share_a_component() -> None:
    catalogue = catalogue_of(
        row("a", (0, 0), (30, 0)), row("b", (30, 1), (60, 0)), row("c", (60, 4)), row("d", (0, 2), (2, 0))
    )
    # d's two components are within half a beam of the first of a, and of each other (which is one row).
    n_shared, n_surplus = shared_components(catalogue)
    assert (n_shared.tolist(), n_surplus) == ([2, 1, 0, 2], 2)
    n_shared, n_surplus = shared_components(catalogue_of())
    assert (n_shared.tolist(), n_surplus) == ([], 0)
    truth = truth_of(source("one", (0, 0)))
    twice = compared(truth, catalogue_of(row("a", (0, 0)), row("b", (0, 0))))
    assert outcomes(twice) == {"one": "found"} and twice.rows["n_shared"].tolist() == [1, 1]
    assert twice.n_duplicates == 1


def test_a_truncated_component_duplicates_the_row_with_the_whole_one() -> None:
    truth = truth_of(source("one", (0, 0)), source("two", (100, 0), (130, 0)))
    rows = [row("whole", (0, 0)), row("left", (100, 0)), row("right", (130, 0))]
    cut = compared(truth, catalogue_of(*rows, row("cut", (-11, 1), flags=int(Flag.EDGE))))
    assert (cut.rows["n_shared"].tolist(), cut.n_duplicates) == ([1, 0, 0, 1], 1)
    # In the noise of another subject a component may fall apart: a fragment, but other emission.
    apart = compared(truth, catalogue_of(*rows, row("blob", (-11, 1))))
    assert (apart.rows["n_shared"].tolist(), apart.n_duplicates) == ([0] * 4, 0)
    assert statuses(apart)["blob"] == "fragment"


def test_a_truncated_component_is_a_part_of_the_one_whose_contour_contains_it() -> None:
    truth = truth_of(source("one", (0, 0)), source("two", (100, 0), (130, 0)))
    rows = row("whole", (0, 0)), row("cut", (-11, 1)), row("both", (100, 0), (138, 0)), row("off", (-14, 0))
    comparison = compared(truth, catalogue_of(*rows))
    assert statuses(comparison) == {"whole": "true", "cut": "fragment", "both": "fragment", "off": "false"}
    assert outcomes(comparison) == {"one": "found", "two": "partial"}
    # Another subject may show one component as two: all of it is there.
    both = compared(truth, catalogue_of(row("split", (0, 0), (8, 0))))
    assert statuses(both) == {"split": "true"}
    assert both.rows["n_unmatched"].tolist() == [0]
    # Of two contours that hold a place it is a part of the nearer one.
    truth = truth_of(source("left", (0, 0)), source("right", (15, 0)))
    near = compared(truth, catalogue_of(row("a", (6, 0)), row("b", (9, 0))))
    assert near.rows["true_ids"].tolist() == [["left"], ["right"]]


def test_close_pairs() -> None:
    truth = truth_of(
        source("a", (0, 0)),
        source("b", (0, 30)),
        source("c", (0, 85)),
        source("d", (0, 200)),
        source("e", (0, 230)),
        source("weak", (0, 215), snr=9.0),
    )
    catalogue = catalogue_of(row("1", (0, 0)), row("2", (0, 85)), row("3", (0, 200), (0, 230)))
    pairs = close_pairs(compared(truth, catalogue).sources)
    assert pairs[["first", "second"]].to_numpy().tolist() == [["a", "b"], ["b", "c"], ["d", "e"]]
    np.testing.assert_allclose(pairs["separation"], [30, 55, 30], atol=0.01)
    assert pairs["lost"].tolist() == [True, True, False]
    assert pairs["blended"].tolist() == [False, False, True]
    places = [(0, 0), (0, 30), (0, 85), (0, 200), (0, 230)]
    complete = catalogue_of(*[row(f"{k}", place) for k, place in enumerate(places)])
    assert not close_pairs(compared(truth, complete).sources)[["lost", "blended"]].to_numpy().any()


@pytest.mark.parametrize("n_sources", [0, 1])
@pytest.mark.parametrize("n_rows", [0, 1])
def test_empty_tables_are_normal(n_sources: int, n_rows: int, tmp_path: Path) -> None:
    truth = truth_of(*[source("one", (0, 0))] * n_sources)
    catalogue = catalogue_of(*[row("a", (0, 0))] * n_rows)
    comparison = compared(truth, catalogue, outcomes_of())
    assert (len(comparison.sources), len(comparison.rows)) == (n_sources, n_rows)
    assert close_pairs(comparison.sources).empty
    write_table(tmp_path / "sources.parquet", comparison.sources, TRUE_OUTCOMES)
    write_table(tmp_path / "rows.parquet", comparison.rows, ROW_STATUSES)


def test_the_order_of_rows_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    places = rng.uniform(-300, 300, (40, 2))
    truth = truth_of(*[source(f"t{k}", *map(tuple, places[2 * k : 2 * k + 1 + k % 2])) for k in range(20)])
    rows = [row(f"r{k}", *map(tuple, places[k : k + 1 + k % 3])) for k in range(0, 38, 2)]
    forward, backward = (compared(truth, catalogue_of(*some)) for some in (rows, rows[::-1]))
    assert outcomes(forward) == outcomes(backward)
    assert statuses(forward) == statuses(backward)
    assert len(set(outcomes(forward).values())) > 2
