"""Lists of numbers of unequal lengths, stored one after the other."""

from dataclasses import dataclass

import numpy as np

from claran_core.common.compiled import compiled

__all__ = ["Ragged", "starts_of"]


def starts_of(counts: np.ndarray) -> np.ndarray:
    """Return where lists of some lengths (n,) start in one array, and where the last ends: (n + 1,) int64."""
    starts = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=starts[1:])
    return starts


@dataclass(frozen=True)
class Ragged:
    """Lists of numbers.

    Attributes
    ----------
    starts : (n + 1,) int64 array
        List k is ``values[starts[k]]`` to ``values[starts[k + 1] - 1]``.
    values : array
        All entries.
    """

    starts: np.ndarray
    values: np.ndarray

    def __len__(self) -> int:
        """Return the number of lists."""
        return len(self.starts) - 1

    @classmethod
    def grouped(cls, owner: np.ndarray, values: np.ndarray, n: int) -> "Ragged":
        """Return n lists: that of k holds the values whose owner is k, in their order."""
        order = np.argsort(owner, kind="stable")
        return cls(starts_of(np.bincount(owner, minlength=n)), values[order])

    def take(self, rows: np.ndarray) -> "Ragged":
        """Return some of the lists, in the order of `rows`."""
        starts = starts_of(np.diff(self.starts)[rows])
        return Ragged(starts, self.values[_places(self.starts, np.asarray(rows), starts)])

    def sums(self, weights: np.ndarray) -> np.ndarray:
        """Return the sum of ``weights[value]`` over each list; (n,) float64."""
        return _sums(self.starts, self.values, weights)

    def extremes(self, ranks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the least and the greatest ``ranks[value]`` of each list, none of which is empty."""
        of_each = ranks[self.values]
        if not len(self):
            return of_each, of_each
        return np.minimum.reduceat(of_each, self.starts[:-1]), np.maximum.reduceat(of_each, self.starts[:-1])


@compiled
def _places(starts: np.ndarray, rows: np.ndarray, new_starts: np.ndarray) -> np.ndarray:
    """Return where the entries of some lists are, one list after the other."""
    places = np.empty(new_starts[-1], np.int64)
    for k in range(len(rows)):
        first = starts[rows[k]]
        for at in range(new_starts[k + 1] - new_starts[k]):
            places[new_starts[k] + at] = first + at
    return places


@compiled
def _sums(starts: np.ndarray, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    sums = np.zeros(len(starts) - 1)
    for k in range(len(sums)):
        for at in range(starts[k], starts[k + 1]):
            sums[k] += weights[values[at]]
    return sums
