"""The report of a blind survey of the simulated sky: doubles, counted by hand."""

import numpy as np
from truth_rows import catalogue_of, row, source, truth_of

from benchmarks.science.blind_survey import doubles_report
from claran_core.evaluation.catalogue_truth import compare_with_truth


def test_doubles_by_hand() -> None:
    truth = truth_of(
        source("whole", (0, 0), (150, 0), size=160.0),
        source("pieces", (0, 500), (150, 500), size=160.0),
        source("unseen", at=(0, 900)),
        source("other", (400, 0)),
    )
    catalogue = catalogue_of(
        row("a", (0, 0), (150, 0)), row("b", (0, 500)), row("c", (150, 500)), row("d", (400, 0))
    )
    places = truth[["host_ra", "host_dec"]].to_numpy(float)[:3]
    places = np.append(places, [[10.0, -10.0]], axis=0)  # a double that the truth does not have
    text = doubles_report(compare_with_truth(catalogue, truth).sources, truth, places)
    assert text == (
        "doubles: 4, visible 2; as good as whole in one row 1 (0.500); by outcome: found 1, fragmented 1"
    )
