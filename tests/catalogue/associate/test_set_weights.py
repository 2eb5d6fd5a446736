"""Weights of sets follow from what the scales say of them."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from view_tables import ViewTables

from claran_core.catalogue.associate.candidate_sets import Evidence
from claran_core.catalogue.associate.set_design import NO_ARTEFACT_LOGIT
from claran_core.catalogue.associate.set_weights import COEFFICIENTS, SetWeights
from claran_core.catalogue.associate.sky_components import SkyComponents, find_sky_components
from claran_core.common.ragged import Ragged, starts_of

SETS = Ragged(starts_of(np.array([1, 1, 2, 3])), np.array([0, 1, 0, 1, 0, 1, 2]))
NAN = np.nan


@pytest.fixture
def atoms(tmp_path: Path) -> SkyComponents:
    """Return three atoms in a row, 30 arcsec apart."""
    tables = ViewTables(ra=0.01, dec=60.0)
    tables.view("a")
    for east in (-30.0, 0.0, 30.0):
        tables.candidate("a", [tables.component("a", east)], 0.5)
    found = find_sky_components(tables.sky(tmp_path).components, 5.4)
    order = np.argsort((found.ra + 180) % 360)
    return dataclasses.replace(found, ra=found.ra[order], dec=found.dec[order])


def evidence(source: list[list[float]], artefact: list[list[float]], **flags: list[bool]) -> Evidence:
    """Return what is said of `SETS`."""
    n = len(SETS)
    false = np.zeros(n, bool)
    return Evidence(
        source=np.array(source),
        artefact=np.array(artefact),
        is_dismissed=np.array(flags.get("dismissed", false)),
        classes=np.ones((n, 6)),
        best=np.arange(n),
        n_views=np.ones(n, int),
        disagree=false,
        at_edge=np.array(flags.get("cut", false)),
    )


WEIGHTS = SetWeights(
    of_one=(0.1, 1.0, -0.2, 0.5, 0.3, -0.1),
    of_several=(-0.4, 0.9, 0.6, 0.7, -0.3, 0.2),
    of_extent=(0.05, -0.1, 0.3, 0.2),
    dismissed=-3.0,
    cut=-0.7,
    size=0.25,
    of_parts=(0.15, -0.35, 0.45, -0.55),
    artefact=(-1.0, 0.8, 0.1, 0.3),
)


def test_weights_are_linear_in_the_logits_of_the_scales(atoms: SkyComponents) -> None:
    found = evidence(
        [[2.0, NAN, NAN, NAN], [1.0, -1.0, NAN, 0.5], [NAN, 1.5, -2.0, NAN], [-1.0, NAN, NAN, NAN]],
        [[-2.0, NAN, NAN, NAN], [1.5, NAN, -0.5, -4.0], [NAN] * 4, [NAN] * 4],
        dismissed=[False, False, False, True],
        cut=[False, True, False, False],
    )
    weight, artefact = WEIGHTS.log_weights(SETS, found, atoms)
    expected = [
        0.1 + 2.0,
        0.1 + 1.0 - 0.2 * 2 + 0.5 * (-1.0 + 0.5) - 0.7,
        -0.4 + 0.9 * 1.5 + 0.6 * 1 + 0.7 * -2.0 - 0.3 + 0.2 * 1.5,
        -0.4 - 0.9 - 3.0 + 0.25 * np.log(1.5),
    ]
    # The pair is 30 arcsec wide and seen from scale 2 on, the triple 60 arcsec at scale 1.
    # Scale 1 shows both atoms of the pair alone, scale 2 the second one.
    expected[2] += 0.15 * 2 - 0.35 * (2.0 + 1.0) + 0.45 * 1 - 0.55 * -1.0
    expected[2] += 0.25 * (0.05 - 0.1 * 1.5 + 0.3 + 0.2 * -2.0)
    expected[3] += 0.05 + 0.1
    np.testing.assert_allclose(weight, expected, atol=1e-6)
    np.testing.assert_allclose(
        artefact, [-1.0 - 0.8 * 2.0, -1.0 + 0.8 * 1.5 + 0.1 * 2 - 0.3 * 4.5, -1.0 + 0.8 * NO_ARTEFACT_LOGIT]
    )


def test_coefficients_are_the_same_after_a_round_trip() -> None:
    assert SetWeights.of(WEIGHTS.values) == WEIGHTS
    assert COEFFICIENTS.values == pytest.approx(SetWeights.of(COEFFICIENTS.values).values)


def test_a_set_without_votes_has_the_weight_of_no_knowledge(atoms: SkyComponents) -> None:
    nothing = [NAN, NAN, NAN, NAN]
    found = evidence([nothing] * 4, [nothing] * 4)
    weight, _ = WEIGHTS.log_weights(SETS, found, atoms)
    np.testing.assert_allclose(weight[:3], [0.1, 0.1, -0.4 + 0.5 * 0.05], atol=1e-6)
