"""Duplicate detections of one source: hand-made rows, and the greedy choice on random graphs."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from source_rows import source_row, sources_table

from claran_core.catalogue.associate.merge import (
    Links,
    Resolution,
    SourceRows,
    connected_groups,
    link_duplicates,
    resolve,
)

ARCSEC = 1 / 3600


def resolution(*rows: dict[str, Any]) -> Resolution:
    """Return the result of merging some rows."""
    table = SourceRows.of(sources_table(rows))
    return resolve(table.rank, link_duplicates(table, 2.7))


def merged(*rows: dict[str, Any]) -> list[int]:
    """Return the winner of each row."""
    return resolution(*rows).winner.tolist()


def agreeing(*rows: dict[str, Any]) -> list[bool]:
    """Return whether each row has the components of its winner."""
    return resolution(*rows).agrees.tolist()


def test_a_source_seen_from_four_subjects_is_one() -> None:
    at = (10.0, 5.0)
    rows = [
        source_row(f"s{k}", [at], frame_quality=quality) for k, quality in enumerate((0.3, 0.9, 0.8, 0.1))
    ]
    assert merged(*rows) == [1, 1, 1, 1] and agreeing(*rows) == [True] * 4


def test_neighbours_6_arcsec_apart_stay_two() -> None:
    one, two = (10.0, 5.0), (10.0, 5.0 + 6 * ARCSEC)
    rows = [
        source_row("a", [one], frame_quality=0.8),
        source_row("a", [two], frame_quality=0.9),
        source_row("b", [one], frame_quality=0.7),
    ]
    assert merged(*rows) == [0, 1, 0]


@pytest.mark.parametrize(("ra", "dec"), [(0.0, 0.0), (123.0, 89.9999), (17.0, -90.0)])
def test_across_ra_0_and_at_the_poles(ra: float, dec: float) -> None:
    near = [((ra - 0.2 * ARCSEC) % 360, dec), ((ra + 0.2 * ARCSEC) % 360, dec)]
    winners = merged(
        *(source_row(f"s{k}", [place], frame_quality=0.5 + k / 10) for k, place in enumerate(near))
    )
    assert winners == [1, 1]
    if dec == -90.0:  # every right ascension is the same place
        assert merged(
            source_row("a", [(0, dec)], frame_quality=0.9), source_row("b", [(180, dec)], frame_quality=0.1)
        ) == [
            0,
            0,
        ]


def test_the_visible_part_of_a_triple_is_merged_but_does_not_agree() -> None:
    places = [(10.0, 5.0 + k * 30 * ARCSEC) for k in range(3)]
    rows = [source_row("cut", places[:2], frame_quality=0.4), source_row("whole", places, frame_quality=0.8)]
    assert merged(*rows) == [1, 1]
    assert agreeing(*rows) == [False, True]


def test_secondary_peaks_link_without_disagreement() -> None:
    a, b = (10.0, 5.0), (10.0, 5.0 + 10 * ARCSEC)
    rows = [
        source_row("a", [a, b], n_components=1, frame_quality=0.9),
        source_row("b", [b], frame_quality=0.5),
    ]
    assert merged(*rows) == [0, 0]  # b is a component of its own where the noise is a little higher
    assert agreeing(*rows) == [True, False]
    assert agreeing(source_row("a", [a, b], n_components=1), source_row("b", [a], frame_quality=0.1)) == [
        True,
        True,
    ]


def test_without_peaks_boxes_decide() -> None:
    def box(subject: str, dec: float, **more: float) -> dict[str, Any]:
        return source_row(subject, [], ra=10.0, dec=dec, angular_size=30.0, **more)

    near = merged(box("a", 5.0, frame_quality=0.9), box("b", 5.0 + 9 * ARCSEC, frame_quality=0.5))
    far = merged(box("a", 5.0, frame_quality=0.9), box("b", 5.0 + 11 * ARCSEC, frame_quality=0.5))
    assert (near, far) == ([0, 0], [0, 1])
    measured = source_row("c", [(10.0, 5.0 + 3 * ARCSEC)], angular_size=30.0, frame_quality=0.95)
    assert merged(box("a", 5.0), measured) == [1, 1]


def test_a_chain_keeps_rows_that_its_best_row_does_not_touch() -> None:
    places = [(10.0, 5.0 + k * 40 * ARCSEC) for k in range(4)]
    rows = [
        source_row("a", places[:2], frame_quality=0.5),
        source_row("b", places[1:3], frame_quality=0.9),
        source_row("c", places[2:], frame_quality=0.6),
        source_row("d", places[3:], frame_quality=0.2),
    ]
    assert merged(*rows) == [1, 1, 1, 3]


def test_no_rows_give_no_winners() -> None:
    assert merged() == []


def one_by_one(rank: np.ndarray, links: Links) -> set[int]:
    """Return the rows that stay when detections are taken one by one from the best to the worst."""
    pairs = {frozenset(pair) for pair in zip(links.first.tolist(), links.second.tolist(), strict=True)}
    stays: set[int] = set()
    for row in np.argsort(rank).tolist():
        if not any(frozenset((row, other)) in pairs for other in stays):
            stays.add(row)
    return stays


graphs = st.integers(1, 14).flatmap(
    lambda n: st.tuples(
        st.permutations(range(n)),
        st.sets(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).filter(lambda p: p[0] < p[1])),
    )
)


@settings(max_examples=300)
@given(graphs)
def test_rounds_choose_the_rows_of_the_greedy_order(
    graph: tuple[list[int], set[tuple[int, int]]],
) -> None:
    rank, pairs = np.array(graph[0]), np.array(sorted(graph[1]), int).reshape(-1, 2)
    links = Links(pairs[:, 0], pairs[:, 1], np.ones(len(pairs), bool))
    winner = resolve(rank, links).winner
    stays = one_by_one(rank, links)
    assert {int(w) for w in winner} == stays
    linked = {frozenset(pair) for pair in pairs.tolist()}
    for row, other in enumerate(winner.tolist()):
        assert (row == other) == (row in stays)
        assert row == other or (frozenset((row, other)) in linked and rank[other] < rank[row])
    groups = connected_groups(len(rank), links)
    assert all(groups[row] == groups[other] for row, other in enumerate(winner.tolist()))
