"""Probability against the consensus level, binned by hand."""

import numpy as np
import pandas as pd

from claran_core.evaluation.consensus_levels import probability_by_level


def sources(*rows: tuple) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["morphology", "consensus", "probability"])
    return table.astype({"consensus": np.float32, "probability": float})


def test_bins_by_hand() -> None:
    levels = probability_by_level(
        sources(
            ("a", 0.7, 0.2),  # on an edge: in the bin above
            ("a", 0.75, 0.4),
            ("a", 0.79, 0.9),
            ("a", 0.72, np.nan),  # not found
            ("a", 1.0, 0.5),
            ("b", 0.65, 0.3),
            ("b", np.nan, 0.1),  # no level
        ),
        ["a", "b"],
    )
    assert [(one["low"], one["high"]) for one in levels["a"]] == [(0.6, 0.7), (0.7, 0.8), (0.9, 1.0)]
    assert [(one["n_sources"], one["n_found"]) for one in levels["a"]] == [(0, 0), (4, 3), (1, 1)]
    middle = levels["a"][1]
    # Quartiles of 0.2, 0.4, 0.9 by linear interpolation.
    np.testing.assert_allclose(
        [middle["quartile_1"], middle["median"], middle["quartile_3"]], [0.3, 0.4, 0.65]
    )
    assert np.isnan(levels["a"][0]["median"])
    assert [one["n_found"] for one in levels["b"]] == [1, 0, 0]
    assert [one["n_sources"] for one in levels["all"]] == [1, 4, 1]


def test_levels_below_those_of_the_paper_have_a_bin() -> None:
    (one,) = probability_by_level(sources(("a", 0.4, 0.8)), ["a"])["a"]
    assert (one["low"], one["high"], one["median"]) == (0.0, 0.6, 0.8)


def test_no_level_known() -> None:
    assert probability_by_level(sources(("a", np.nan, 0.8)), ["a"]) is None
    assert probability_by_level(sources(), ["a"]) is None
