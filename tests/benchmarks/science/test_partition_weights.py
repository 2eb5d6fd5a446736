"""The fit of the weights of sets finds what made the truth, and knows the true set of each component."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from view_tables import ViewTables

from benchmarks.science.partition_weights import (
    ARTEFACT,
    LARGE_WEIGHT,
    LOST,
    LOST_WEIGHT,
    SEVERAL_WEIGHT,
    SKIPPED,
    Problem,
    fitted,
    loss,
    report,
    true_sets,
    weights_of,
)
from claran_core.catalogue.associate.candidate_sets import find_votes
from claran_core.catalogue.associate.set_weights import SetWeights
from claran_core.catalogue.associate.sky_components import find_sky_components
from claran_core.common.ragged import Ragged, starts_of


def pairs(n: int, factor: float) -> Problem:
    """Return n pairs of components, which are one source with `factor` times the logit that a view says."""
    rng = np.random.default_rng(2)
    said = rng.normal(0, 1.5, n)
    is_pair = rng.random(n) < 1 / (1 + np.exp(-factor * said))
    columns = np.zeros((3 * n, 23))
    columns[2::3, 6], columns[2::3, 7] = 1.0, said
    atoms = 2 * np.arange(n)[:, None]
    values = np.concatenate([atoms, atoms + 1, atoms, atoms + 1], axis=1).ravel()
    sets = Ragged(starts_of(np.tile([1, 1, 2], n)), values)
    first = 3 * np.arange(n)[:, None]
    truth = np.where(is_pair[:, None], first + 2, np.concatenate([first, first + 1], axis=1)).ravel()
    artefact = np.tile([0.0, -20.0, 0.0, 0.0], (2 * n, 1))
    return Problem(sets, columns, artefact, truth, np.ones(2 * n))


def weights(factor: float) -> np.ndarray:
    return SetWeights(
        of_one=(0.0,) * 6,
        of_several=(0.0, factor, 0.0, 0.0, 0.0, 0.0),
        of_extent=(0.0,) * 4,
        of_parts=(0.0,) * 4,
        dismissed=0.0,
        cut=0.0,
        size=0.0,
        artefact=(0.0, 1.0, 0.0, 0.0),
    ).values


def test_the_likelihood_is_greatest_for_what_made_the_truth() -> None:
    one = pairs(3000, 2.0)
    values = {factor: loss(weights(factor), [one], weights(factor)) for factor in (0.5, 1.0, 2.0, 4.0)}
    assert min(values, key=lambda factor: values[factor]) == 2.0
    assert "in several" in report(one, weights(2.0))
    assert fitted([one], weights(1.0))[7] == pytest.approx(2.0, abs=0.2)


def test_components_of_a_source_share_its_weight_and_large_ones_count_more() -> None:
    sets = Ragged(starts_of(np.array([1, 2, 3])), np.array([0, 1, 2, 3, 4, 5]))
    truth = np.array([0, 1, 1, 2, 2, 2, LOST, ARTEFACT, SKIPPED])
    found = weights_of(truth, sets, np.array([0.0, 20.0, 90.0]))
    several, large = SEVERAL_WEIGHT / 2, LARGE_WEIGHT / 3
    expected = [1.0, several, several, large, large, large, LOST_WEIGHT, 1.0, 0.0]
    np.testing.assert_allclose(found, expected)


def test_true_sets_are_those_of_all_components_of_a_source(tmp_path: Path) -> None:
    tables = ViewTables()
    tables.view("a")
    ids = [tables.component("a", east) for east in (0.0, 20.0, 40.0, 60.0, 70.0)]
    for own in (ids[:1], ids[1:2], ids[2:3], ids[3:4], ids[4:], ids[:2]):
        tables.candidate("a", own, 0.5)
    sky = tables.sky(tmp_path)
    atoms = find_sky_components(sky.components, 5.4)
    sets = find_votes(sky, atoms).sets
    # A double, an artefact, and a double that no view proposes.
    owners = pd.DataFrame(
        {"component_id": ids, "scale": 1, "source_id": ["double", "double", "", "other", "other"]}
    )
    truth = true_sets(sets, atoms, owners)
    place = {own: int(np.flatnonzero(atoms.ids == own)[0]) for own in ids}
    double = truth[place[ids[0]]]
    assert double == truth[place[ids[1]]] and sets.starts[double + 1] - sets.starts[double] == 2
    assert truth[place[ids[2]]] == ARTEFACT
    assert truth[place[ids[3]]] == truth[place[ids[4]]] == LOST
