"""How whole true sources of each range of sizes are, counted by hand."""

from truth_rows import catalogue_of, row, source, truth_of

from claran_core.evaluation.by_size import completeness_by_size
from claran_core.evaluation.catalogue_truth import compare_with_truth

ISLANDS = [(400, 0), (450, 0), (500, 0)]


def test_every_range_by_hand() -> None:
    truth = truth_of(
        source("small", (0, 0)),
        source("lost", (50, 0)),
        source("double", (100, 0), (190, 0), size=100.0),
        source("giant", *ISLANDS, size=150.0, component_snr=[60.0, 60.0, 6.0]),
        source("joined", (700, 0), (900, 0), size=220.0),
        source("near", (720, 0)),
    )
    catalogue = catalogue_of(
        row("a", (0, 0)),
        row("b", (100, 0)),
        row("c", (190, 0)),
        row("d", *ISLANDS[:2]),  # all but the faintest island
        row("e", (700, 0), (720, 0), (900, 0)),
    )
    table = completeness_by_size(compare_with_truth(catalogue, truth).sources)
    small, double, large = (table[name] for name in ("0-60", "60-120", "120-300"))
    assert (small["n_sources"], small["missed"], small["rows_per_source"]) == (3, 0.333333, 1.0)
    assert (small["found"], small["whole"], small["blended"]) == (0.333333, 0.333333, 0.333333)
    assert double == {"n_sources": 1, "found": 0.0, "whole": 0.0, "blended": 0.0} | {
        "in_pieces": 1.0,
        "missed": 0.0,
        "rows_per_source": 2.0,
    }
    assert (large["n_sources"], large["found"], large["whole"], large["blended"]) == (2, 0.0, 0.5, 0.5)
    assert table[">= 300"]["n_sources"] == 0 and table[">= 300"]["whole"] is None
