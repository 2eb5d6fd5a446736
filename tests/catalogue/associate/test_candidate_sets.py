"""Candidates vote for sets of sky components; the votes of all views are averaged scale by scale."""

from pathlib import Path

import numpy as np
import pytest
from view_tables import ViewTables

from claran_core.catalogue.associate import candidate_sets
from claran_core.catalogue.associate.candidate_sets import Evidence, Votes, find_votes, gather_evidence
from claran_core.catalogue.associate.sky_components import find_sky_components
from claran_core.common.calibration import logit
from claran_core.common.errors import InputError
from claran_core.common.ragged import Ragged, starts_of

BEAM = 5.4


def two_views(scale_of_b: int = 1) -> tuple[ViewTables, list[int]]:
    """Return views `a` and `b` of two components."""
    tables = ViewTables()
    tables.view("a")
    tables.view("b", 20.0, scale=scale_of_b)
    ids = [tables.component("a", east) for east in (0.0, 30.0)]
    return tables, ids


def evidence_of(tables: ViewTables, folder: Path) -> tuple[dict[tuple[int, ...], int], Evidence, Votes]:
    """Return the number of each set, by the identities of its components, and what the votes say of it."""
    sky = tables.sky(folder)
    atoms = find_sky_components(sky.components, BEAM)
    votes = find_votes(sky, atoms)
    lists = np.split(votes.sets.values, votes.sets.starts[1:-1])
    named = {tuple(sorted(atoms.ids[one].tolist())): k for k, one in enumerate(lists)}
    return named, gather_evidence(sky, votes), votes


def logits(*probabilities: float) -> np.ndarray:
    """Return the logits at scales 1, 2, 4 and 8; NaN stands for no vote."""
    return logit(np.array([*probabilities, *[np.nan] * (4 - len(probabilities))]))


def mean_of(probabilities: list[float], weights: list[float]) -> float:
    """Return the weighted mean of the logits of probabilities."""
    return float(np.average(logit(np.array(probabilities)), weights=weights))


def test_views_of_one_scale_are_averaged_by_their_room(tmp_path: Path) -> None:
    tables, ids = two_views()
    for view, probability, room in (("a", 0.9, 100.0), ("b", 0.3, 15.0)):
        tables.component(view, 0.0) if view == "b" else None
        tables.candidate(view, ids[:1], probability, artefact=0.1 * probability, room=room)
    named, found, _ = evidence_of(tables, tmp_path)
    own = named[(ids[0],)]
    assert found.source[own, 0] == pytest.approx(mean_of([0.9, 0.3], [1.0, 15 / 45]), abs=1e-5)
    assert np.isnan(found.source[own, 1:]).all()
    assert found.artefact[own, 0] == pytest.approx(mean_of([0.09, 0.03], [1.0, 15 / 45]), abs=1e-5)
    assert found.n_views[own] == 2 and found.disagree[own] and not found.at_edge[own]


def test_scales_are_kept_apart(tmp_path: Path) -> None:
    # A lobe looks like a source of its own in a fine view; only the coarse view sees both lobes.
    tables, ids = two_views(scale_of_b=2)
    tables.candidate("a", ids[:1], 0.9)
    coarse = [tables.component("b", east, size=20.0, scale=2) for east in (0.0, 30.0)]
    for east, unit in zip((0.0, 30.0), coarse, strict=True):
        tables.component("b", east, part_of=unit)
    tables.candidate("b", coarse[:1], 0.05)
    tables.candidate("b", coarse, 0.95, morphology="2C_2P")
    named, found, _ = evidence_of(tables, tmp_path)
    np.testing.assert_allclose(found.source[named[(ids[0],)]], logits(0.9, 0.05), atol=1e-5)
    both = named[tuple(sorted(ids))]
    np.testing.assert_allclose(found.source[both], logits(np.nan, 0.95), atol=1e-5)
    assert found.classes[both].argmax() == 3 and np.isnan(found.artefact[both]).all()


def test_a_unit_that_mixes_sources_says_nothing_of_each(tmp_path: Path) -> None:
    tables, ids = two_views(scale_of_b=4)
    for own in ids:
        tables.candidate("a", [own], 0.8)
    tables.candidate("a", ids, 0.1)
    blend = tables.component("b", 1.0, size=90.0, scale=4)
    for east in (0.0, 30.0):
        tables.component("b", east, part_of=blend)
    tables.candidate("b", [blend], 0.9)
    named, found, _ = evidence_of(tables, tmp_path)
    for own in ids:
        np.testing.assert_allclose(found.source[named[(own,)]], logits(0.8), atol=1e-5)
    both = found.source[named[tuple(sorted(ids))]]
    np.testing.assert_allclose(both, logits(0.1, np.nan, 0.9), atol=1e-5)


def test_cut_views_count_only_where_no_view_is_whole(tmp_path: Path) -> None:
    tables, ids = two_views()
    tables.component("b", 0.0)
    tables.candidate("a", ids[:1], 0.9)
    tables.candidate("b", ids[:1], 0.2, at_edge=True)
    tables.candidate("a", ids[1:], 0.7, at_edge=True)
    named, found, _ = evidence_of(tables, tmp_path)
    first, second = named[(ids[0],)], named[(ids[1],)]
    np.testing.assert_allclose(found.source[[first, second], 0], logit(np.array([0.9, 0.7])), atol=1e-5)
    assert found.at_edge[[first, second]].tolist() == [False, True]
    assert found.n_views[first] == 1 and not found.disagree[first]


def test_part_of_a_component_is_no_vote_for_it(tmp_path: Path) -> None:
    # Another image splits the component at its second peak.
    tables = ViewTables()
    tables.view("a")
    tables.view("b", 10.0)
    whole = tables.component("a", 0.0, peaks=[(14.0, 0.0, 9.0)])
    tables.candidate("a", [whole], 0.9, morphology="1C_2P")
    parts = [tables.component("b", east) for east in (0.4, 14.0)]
    tables.candidate("b", parts[:1], 0.1)
    tables.candidate("b", parts[1:], 0.1)
    tables.candidate("b", parts, 0.8, morphology="2C_2P")
    named, found, votes = evidence_of(tables, tmp_path)
    assert len(votes.sets) == 1 and votes.is_whole.all()
    assert found.source[0, 0] == pytest.approx(mean_of([0.9, 0.8], [1.0, 1.0]), abs=1e-5)
    assert found.n_views[0] == 2


def test_classes_and_best_view_are_of_the_finest_scale_with_votes(tmp_path: Path) -> None:
    tables, ids = two_views()
    tables.view("wide", scale=2)
    tables.component("b", 0.0)
    unit = tables.component("wide", 0.0, scale=2)
    tables.component("wide", 0.0, part_of=unit)
    tables.candidate("a", ids[:1], 0.8, room=20.0)
    tables.candidate("b", ids[:1], 0.8, room=40.0, morphology="1C_2P")
    tables.candidate("wide", [unit], 0.6, room=300.0, morphology="1C_3P")
    named, found, _ = evidence_of(tables, tmp_path)
    own = named[(ids[0],)]
    np.testing.assert_allclose(found.source[own], logits(0.8, 0.6), atol=1e-5)
    share = found.classes[own] / found.classes[own].sum()
    np.testing.assert_allclose(share, [1 / 3, 2 / 3, 0, 0, 0, 0], atol=1e-6)
    assert tables.sky(tmp_path).candidates.row[found.best[own]] == 1


def test_one_view_has_one_vote_for_a_set(tmp_path: Path) -> None:
    tables, ids = two_views()  # a detector may find two boxes of one group
    for probability in (0.6, 0.9, 0.7):
        tables.candidate("a", ids[:1], probability)
    named, found, _ = evidence_of(tables, tmp_path)
    assert found.source[0, 0] == pytest.approx(float(logit(np.array(0.9))), abs=1e-5)
    assert found.n_views[0] == 1


def test_a_component_inside_a_coarser_one_is_no_unit(tmp_path: Path) -> None:
    tables, _ = two_views(scale_of_b=2)
    unit = tables.component("b", 0.0, scale=2)
    inside = tables.component("b", 5.0, part_of=unit)
    tables.candidate("b", [inside], 0.9)
    with pytest.raises(InputError, match=f"component {inside} lies inside a coarser one"):
        evidence_of(tables, tmp_path)


def test_sets_match_a_plain_computation() -> None:
    rng = np.random.default_rng(4)
    unit_atoms = [sorted(rng.choice(12, rng.integers(1, 4), replace=False).tolist()) for _ in range(30)]
    candidates = [rng.choice(30, rng.integers(1, 5), replace=False).tolist() for _ in range(400)]
    units = Ragged(starts_of(np.array([len(one) for one in unit_atoms])), np.array(sum(unit_atoms, [])))
    lists = Ragged(starts_of(np.array([len(one) for one in candidates])), np.array(sum(candidates, [])))
    count = np.bincount(units.values, minlength=12)
    arguments = (lists.starts, lists.values, units.starts, units.values, count[units.values])
    starts, values, closed = candidate_sets._sets_of(*arguments)
    expected = [sorted({atom for unit in one for atom in unit_atoms[unit]}) for one in candidates]
    assert [part.tolist() for part in np.split(values, starts[1:-1])] == expected
    for one, atoms, own in zip(candidates, expected, closed, strict=True):
        others = [unit for unit in range(30) if unit not in one and set(unit_atoms[unit]) & set(atoms)]
        assert own == (not others)
    number, leader = candidate_sets._distinct(Ragged(starts, values))
    keys = [tuple(one) for one in expected]
    assert len(leader) == len(set(keys))
    assert all(keys[leader[number[k]]] == key for k, key in enumerate(keys))


def test_sets_with_one_digest_stay_apart() -> None:
    lists = Ragged(starts_of(np.array([1, 2, 1, 2])), np.array([1, 1, 2, 3, 1, 2]))
    number, leader = candidate_sets._grouped(lists.starts, lists.values, np.zeros(4, np.uint64), np.arange(4))
    assert number.tolist() == [0, 1, 2, 1] and leader.tolist() == [0, 1, 2]


@pytest.mark.parametrize("shows_both", [True, False])
def test_a_pair_that_a_fine_view_does_not_propose_is_dismissed(tmp_path: Path, shows_both: bool) -> None:
    tables = ViewTables()
    for name, east, scale in (("a", 0.0, 1), ("b", 20.0, 1), ("wide", 10.0, 2)):
        tables.view(name, east, scale=scale)
    ids = [tables.component(view, east) for view, east in (("a", 0.0), ("b", 20.0))]
    if shows_both:
        tables.component("a", 20.0)
    blend = tables.component("wide", 2.0, size=50.0, scale=2)
    for east in (0.0, 20.0):
        tables.component("wide", east, part_of=blend)
    for view, own in zip("ab", ids, strict=True):
        tables.candidate(view, [own], 0.9)
    tables.candidate("wide", [blend], 0.9)
    named, found, _ = evidence_of(tables, tmp_path)
    pair = named[tuple(sorted(ids))]
    assert found.is_dismissed[pair] == shows_both and found.is_dismissed.sum() == shows_both


def test_a_proposed_pair_is_not_dismissed(tmp_path: Path) -> None:
    tables, ids = two_views(scale_of_b=2)
    tables.candidate("a", ids, 0.7)
    blend = tables.component("b", 2.0, size=60.0, scale=2)
    for east in (0.0, 30.0):
        tables.component("b", east, part_of=blend)
    tables.candidate("b", [blend], 0.9)
    named, found, votes = evidence_of(tables, tmp_path)
    np.testing.assert_allclose(found.source[0], logits(0.7, 0.9), atol=1e-5)
    assert not found.is_dismissed.any() and len(votes.dismissed) == 0
