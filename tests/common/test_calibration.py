"""The calibration of probabilities: identity without knots, monotone with them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from claran_core.common.calibration import Calibration, logit
from claran_core.common.errors import InputError

KNOTS = ((-2.0, 0.3), (0.0, 0.4), (1.0, 0.9))


def test_without_knots_the_logits_become_their_probabilities() -> None:
    probability = np.array([0.0, 0.001, 0.25, 0.5, 0.999, 1.0])
    np.testing.assert_allclose(Calibration().apply(logit(probability)), probability)


def test_knots_are_met_and_joined_by_lines_in_the_logits() -> None:
    calibration = Calibration(KNOTS)
    np.testing.assert_allclose(calibration.apply(np.array([-2.0, 0.0, 1.0])), [0.3, 0.4, 0.9])
    between = calibration.apply(np.array([0.5]))
    np.testing.assert_allclose(logit(between), (logit(np.array(0.4)) + logit(np.array(0.9))) / 2)


def test_outside_the_knots_the_shift_stays() -> None:
    calibration = Calibration(KNOTS)
    np.testing.assert_allclose(
        logit(calibration.apply(np.array([-7.0, 4.0]))),
        [logit(np.array(0.3)) - 5.0, logit(np.array(0.9)) + 3.0],
    )


def test_certain_probabilities_stay_certain() -> None:
    assert Calibration(KNOTS).apply(np.array([-np.inf, np.inf])).tolist() == [0.0, 1.0]


@given(st.lists(st.floats(-20, 20), min_size=2, max_size=20, unique=True))
def test_the_order_of_the_probabilities_stays(logits: list[float]) -> None:
    applied = Calibration(KNOTS).apply(np.sort(logits))
    assert (np.diff(applied) >= -1e-12).all()  # rounding


@pytest.mark.parametrize(
    "knots",
    [((0.0, 0.5), (0.0, 0.6)), ((0.0, 0.5), (1.0, 0.5)), ((0.0, 0.0), (1.0, 0.5)), ((0.0, float("nan")),)],
)
def test_knots_that_are_no_monotone_map_are_refused(knots: tuple[tuple[float, float], ...]) -> None:
    with pytest.raises(InputError, match="fit it again"):
        Calibration(knots)


def test_knots_survive_json() -> None:
    assert Calibration.of([[-2, 0.3], [0, 0.4], [1.0, 0.9]]) == Calibration(KNOTS)


def test_the_inverse_undoes_the_map() -> None:
    logits = np.linspace(-6, 6, 50)
    mapped = logit(Calibration(KNOTS).apply(logits))
    np.testing.assert_allclose(logit(Calibration(KNOTS).inverse().apply(mapped)), logits, atol=1e-9)
    assert Calibration().inverse() == Calibration()
