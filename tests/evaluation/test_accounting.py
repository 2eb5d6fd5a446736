"""Every component of the sky is in the table of outcomes: counted by hand."""

from typing import Any

import pandas as pd
from truth_rows import outcome, outcomes_of, source, truth_of

from claran_core.evaluation.accounting import component_accounts, unaccounted


def component(place: dict[str, Any], number: int, **known: Any) -> dict[str, Any]:
    """Return a component of subject "s" where an outcome is."""
    facts = {"subject_id": "s", "component_id": number, "scale": 1, "level": 1.0, "part_of": -1}
    peaks: dict[str, list[float]] = {"secondary_ra": [], "secondary_dec": []}
    return (
        facts
        | peaks
        | {name: place[name] for name in ("ra", "dec")}
        | {"snr": 20.0, "at_edge": False}
        | known
    )


def test_components_that_are_in_no_table_by_hand() -> None:
    places = [outcome("source", (30 * k, 0)) for k in range(8)]
    components = pd.DataFrame(
        [
            component(places[0], 0),
            component(outcome("source", (1, 0)), 1, subject_id="t"),  # the same one in another subject
            component(places[1], 2),  # missing
            component(places[2], 3, snr=6.0),  # missing, faint
            component(places[3], 4, at_edge=True),
            component(places[4], 5, level=0.8),  # of another contour level
            component(places[5], 6, scale=2),  # stands for what it contains
            component(places[6], 7, part_of=6),
            component(places[7], 8, scale=2),
        ]
    )
    known = outcomes_of(places[0], places[6], outcome("source", (213, 0), scale=2))
    assert unaccounted(components, known) == {
        "n": 7,
        "n_missing": 2,
        "n_missing_labelled": 1,
        "n_missing_at_edge": 1,
    }
    nothing = unaccounted(components.head(0), outcomes_of())
    assert set(nothing.values()) == {0}


def test_two_contours_that_are_one_in_another_view() -> None:
    bright, faint = outcome("source", (0, 0)), outcome("source", (20, 0))
    joined = component(bright, 0, secondary_ra=[faint["ra"]], secondary_dec=[faint["dec"]])
    alone = component(faint, 1, subject_id="t")
    assert unaccounted(pd.DataFrame([joined, alone]), outcomes_of(bright))["n_missing"] == 0
    assert unaccounted(pd.DataFrame([joined, alone]), outcomes_of())["n_missing"] == 2
    assert unaccounted(pd.DataFrame([component(bright, 0), alone]), outcomes_of(bright))["n_missing"] == 1


def test_true_and_other_components_by_hand() -> None:
    truth = truth_of(
        source("one", (0, 0), (40, 0), component_snr=[50.0, 6.0]),
        source("far", (200, 0), placement="outside"),
        source("gone", (100, 0)),
    )
    outcomes = outcomes_of(
        outcome("source", (0, 1)),
        outcome("noise", (40, 0)),
        outcome("artefact", (48, 0)),  # within the contour of the second component: a part of it
        outcome("source", (200, 0)),  # of a true source outside
        outcome("source", (300, 0)),
        outcome("artefact", (330, 0)),
        outcome("artefact", (360, 0), scale=2),
    )
    accounts = component_accounts(truth, outcomes)
    zero = dict.fromkeys(("source", "artefact", "noise", "below_limit", "absent"), 0)
    assert accounts["true_components"] == {"n": 3} | zero | {"source": 1, "noise": 1, "absent": 1} | {
        "rejected": 0.333333
    }
    assert accounts["true_components_labelled"] == {"n": 2} | zero | {"source": 1, "absent": 1} | {
        "rejected": 0.0
    }
    assert accounts["other_components"] == {"n": 2} | zero | {"source": 1, "artefact": 1, "listed": 0.5}


def test_an_empty_sky_has_no_fractions() -> None:
    accounts = component_accounts(truth_of(), outcomes_of())
    assert accounts["true_components"]["rejected"] is None
    assert accounts["other_components"]["listed"] is None
