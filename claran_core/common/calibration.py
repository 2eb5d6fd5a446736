"""A monotone map from the logit of a probability to the fraction of such cases that are true."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from claran_core.common.errors import InputError

__all__ = ["Calibration", "logit"]


def logit(probability: np.ndarray) -> np.ndarray:
    """Return ln(p / (1 - p)); 0 and 1 give minus and plus infinity."""
    probability = np.asarray(probability, float)
    with np.errstate(divide="ignore"):
        return np.log(probability) - np.log1p(-probability)


def _probability(logits: np.ndarray) -> np.ndarray:
    """Return the inverse of `logit`."""
    with np.errstate(over="ignore"):  # exp(-logit) is infinite far below 0, which gives 0
        return 1.0 / (1.0 + np.exp(-np.asarray(logits, float)))


@dataclass(frozen=True)
class Calibration:
    """A monotone map of probabilities.

    The map is linear in the logits between the knots, and a shift outside them, so that it keeps the order
    of unequal probabilities.

    Attributes
    ----------
    knots : tuple of (float, float)
        Logit, and the probability that it means; both rise, and the probability lies between 0 and 1.
        Without knots the map changes nothing.

    Raises
    ------
    InputError
        If the knots do not rise, or a probability is not between 0 and 1.
    """

    knots: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        """Refuse knots that are no monotone map."""
        values = np.array(self.knots, float).reshape(-1, 2)
        if not np.isfinite(values).all() or (np.diff(values, axis=0) <= 0).any():
            raise InputError(f"the knots of a calibration must rise, not {self.knots}; fit it again")
        if ((values[:, 1] <= 0) | (values[:, 1] >= 1)).any():
            raise InputError(f"a calibrated probability must lie between 0 and 1: {self.knots}; fit it again")

    @classmethod
    def of(cls, knots: Iterable[Iterable[float]]) -> "Calibration":
        """Return the map of knots as JSON stores them, a list of lists."""
        return cls(tuple((float(first), float(second)) for first, second in knots))

    def inverse(self) -> "Calibration":
        """Return the map that undoes this one."""
        if not self.knots:
            return self
        at, means = np.array(self.knots, float).T
        return Calibration.of(np.stack([logit(means), _probability(at)], axis=1).tolist())

    def apply(self, logits: np.ndarray) -> np.ndarray:
        """Return the calibrated probability of each logit, float64 of the same shape."""
        logits = np.asarray(logits, float)
        if not self.knots:
            return _probability(logits)
        at, means = np.array(self.knots, float).T
        shift = logit(means) - at
        # Between the knots the shift is linear as well; outside them it is that of the nearest knot.
        return _probability(logits + np.interp(logits, at, shift))
