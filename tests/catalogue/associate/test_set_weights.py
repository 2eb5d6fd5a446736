"""Weights of sets follow from what the scales say of them."""

import numpy as np
import pytest

from claran_core.catalogue.associate.candidate_sets import Evidence
from claran_core.catalogue.associate.set_weights import FITTED, NO_ARTEFACT_LOGIT, SetWeights
from claran_core.common.ragged import Ragged, starts_of

SETS = Ragged(starts_of(np.array([1, 1, 2, 3])), np.array([0, 1, 0, 1, 0, 1, 2]))
NAN = np.nan


def evidence(source: list[list[float]], artefact: list[float], **flags: list[bool]) -> Evidence:
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
    dismissed=-3.0,
    cut=-0.7,
    size=0.25,
    artefact=(-1.0, 0.8),
)


def test_weights_are_linear_in_the_logits_of_the_scales() -> None:
    found = evidence(
        [[2.0, NAN, NAN, NAN], [1.0, -1.0, NAN, 0.5], [NAN, 1.5, -2.0, NAN], [-1.0, NAN, NAN, NAN]],
        [-2.0, 1.5, NAN, NAN],
        dismissed=[False, False, False, True],
        cut=[False, True, False, False],
    )
    weight, artefact = WEIGHTS.log_weights(SETS, found, 4)
    expected = [
        0.1 + 2.0,
        0.1 + 1.0 - 0.2 * 2 + 0.5 * (-1.0 + 0.5) - 0.7,
        -0.4 + 0.9 * 1.5 + 0.6 * 1 + 0.7 * -2.0 - 0.3 + 0.2 * 1.5,
        -0.4 - 0.9 - 3.0 + 0.25 * np.log(1.5),
    ]
    np.testing.assert_allclose(weight, expected)
    np.testing.assert_allclose(artefact, -1.0 + 0.8 * np.array([-2.0, 1.5, *[NO_ARTEFACT_LOGIT] * 2]))


def test_coefficients_are_the_same_after_a_round_trip() -> None:
    assert SetWeights.of(WEIGHTS.values) == WEIGHTS
    assert FITTED.values == pytest.approx(SetWeights.of(FITTED.values).values)


def test_a_set_without_votes_has_the_weight_of_no_knowledge() -> None:
    nothing = [NAN, NAN, NAN, NAN]
    found = evidence([nothing] * 4, [NAN] * 4)
    weight, _ = WEIGHTS.log_weights(SETS, found, 4)
    np.testing.assert_allclose(weight[:3], [0.1, 0.1, -0.4])
