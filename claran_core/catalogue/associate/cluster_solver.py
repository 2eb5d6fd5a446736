"""Find the best partition of one cluster of sky components: exactly, or by a bounded search."""

import numpy as np

from claran_core.common.compiled import compiled

__all__ = ["ROUNDING", "solve"]

# Sums that differ by less are equal.
ROUNDING = 1e-9

# Options of an atom other than a set: alone, or not tried yet.
ALONE, UNTRIED = -1, -2


@compiled
def solve(
    alone: np.ndarray,
    starts: np.ndarray,
    members: np.ndarray,
    probability: np.ndarray,
    exact_atoms: int,
    max_steps: int,
) -> np.ndarray:
    """Return which sets of one cluster are chosen.

    Parameters
    ----------
    alone : (n,) float array
        What each atom counts alone.
    starts, members : int arrays
        Set j has the atoms ``members[starts[j]]`` to ``members[starts[j + 1] - 1]``, ascending.
    probability : (m,) float array
        Of the sets.
    exact_atoms, max_steps : int
        See `EXACT_ATOMS` and `MAX_STEPS`.
    """
    value = probability * (starts[1:] - starts[:-1])
    lead = members[starts[:-1]]
    order = np.argsort(lead, kind="mergesort")
    by_lead = np.searchsorted(lead[order], np.arange(len(alone) + 1))
    if len(alone) <= exact_atoms:
        return _exact(alone, starts, members, value, order, by_lead)
    return _searched(alone, starts, members, value, order, by_lead, max_steps)


@compiled
def _exact(
    alone: np.ndarray,
    starts: np.ndarray,
    members: np.ndarray,
    value: np.ndarray,
    order: np.ndarray,
    by_lead: np.ndarray,
) -> np.ndarray:
    """Return the exact solution, from the best total for each subset of placed atoms."""
    masks = np.zeros(len(value), np.int64)
    for j in range(len(value)):
        for at in range(starts[j], starts[j + 1]):
            masks[j] |= 1 << members[at]
    last = _last_steps(alone, masks, value, order, by_lead)
    chosen = np.zeros(len(value), np.bool_)
    placed = (1 << len(alone)) - 1
    while placed:
        j = last[placed]
        if j >= 0:
            chosen[j] = True
            placed ^= masks[j]
        else:
            placed ^= 1 << (-1 - j)
    return chosen


@compiled
def _last_steps(
    alone: np.ndarray, masks: np.ndarray, value: np.ndarray, order: np.ndarray, by_lead: np.ndarray
) -> np.ndarray:
    """Return the last step of the best way to place each subset of n atoms, (2**n,) int64.

    A step places the lowest free atom: with set j of its own and higher atoms (j >= 0), or alone
    (-1 - atom).
    """
    n = len(alone)
    total = np.full(1 << n, -1.0)
    last = np.full(1 << n, -1, np.int64)
    total[0] = 0.0
    for placed in range((1 << n) - 1):
        if total[placed] < 0:  # no sequence of steps leads here
            continue
        low = 0
        while placed >> low & 1:
            low += 1
        for at in range(by_lead[low], by_lead[low + 1] + 1):
            j = order[at] if at < by_lead[low + 1] else -1 - low
            mask = masks[j] if j >= 0 else 1 << low
            then = total[placed] + (value[j] if j >= 0 else alone[low])
            if placed & mask == 0 and then > total[placed | mask] + ROUNDING:
                total[placed | mask], last[placed | mask] = then, j
    return last


@compiled
def _searched(
    alone: np.ndarray,
    starts: np.ndarray,
    members: np.ndarray,
    value: np.ndarray,
    order: np.ndarray,
    by_lead: np.ndarray,
    max_steps: int,
) -> np.ndarray:
    """Return the best solution of a depth-first search of `max_steps`, which starts from a greedy one."""
    most = _most(alone, starts, members, value)
    best, best_total = _greedy(alone, starts, members, value)
    covered = np.zeros(len(alone), np.int64)
    taken = np.full(len(alone), UNTRIED, np.int64)  # option in use, for the atoms of the levels up to `depth`
    atom, option = np.zeros(len(alone), np.int64), np.zeros(len(alone), np.int64)
    # `bound` is the most that the free atoms can count.
    depth, total, bound = 0, 0.0, most.sum()
    for _ in range(max_steps):
        low = atom[depth]
        if taken[low] != UNTRIED:
            gained, given = _placed(taken[low], low, -1, alone, starts, members, value, most, covered)
            total, bound, taken[low] = total - gained, bound + given, UNTRIED
        j, option[depth] = _next_option(low, option[depth], order, by_lead, starts, members, covered)
        if j == UNTRIED:
            if depth == 0:
                break
            depth -= 1
            continue
        gained, given = _placed(j, low, 1, alone, starts, members, value, most, covered)
        total, bound, taken[low] = total + gained, bound - given, j
        if total + bound > best_total + ROUNDING:
            then = _next_free(low, covered)
            if then == len(alone):
                best_total = total
                best[:] = False
                best[taken[taken >= 0]] = True
            else:
                depth += 1
                atom[depth], option[depth] = then, 0
    return best


@compiled
def _most(alone: np.ndarray, starts: np.ndarray, members: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Return the most that each atom can count: its greatest probability in any set, or alone."""
    most = alone.copy()
    for j in range(len(value)):
        for at in range(starts[j], starts[j + 1]):
            most[members[at]] = max(most[members[at]], value[j] / (starts[j + 1] - starts[j]))
    return most


@compiled
def _next_option(
    low: int,
    number: int,
    order: np.ndarray,
    by_lead: np.ndarray,
    starts: np.ndarray,
    members: np.ndarray,
    covered: np.ndarray,
) -> tuple[int, int]:
    """Return how to place atom `low` next, from option `number` on, and the number of the option after it.

    Options are the sets that the atom leads, and `ALONE` at last; `UNTRIED` when all are tried.
    """
    n_sets = by_lead[low + 1] - by_lead[low]
    while number < n_sets:
        j = order[by_lead[low] + number]
        number += 1
        if not _is_blocked(j, starts, members, covered):
            return j, number
    return (ALONE if number == n_sets else UNTRIED), number + 1


@compiled
def _next_free(low: int, covered: np.ndarray) -> int:
    """Return the first atom from `low` on that is not placed, or the number of atoms."""
    while low < len(covered) and covered[low]:
        low += 1
    return low


@compiled
def _is_blocked(j: int, starts: np.ndarray, members: np.ndarray, covered: np.ndarray) -> bool:
    """Return whether an atom of set j is placed already."""
    for at in range(starts[j], starts[j + 1]):
        if covered[members[at]]:
            return True
    return False


@compiled
def _placed(
    j: int,
    low: int,
    sign: int,
    alone: np.ndarray,
    starts: np.ndarray,
    members: np.ndarray,
    value: np.ndarray,
    most: np.ndarray,
    covered: np.ndarray,
) -> tuple[float, float]:
    """Place set j, or atom `low` alone if j is `ALONE`; `sign` -1 takes it back.

    Returns what is counted, and what it takes from the bound.
    """
    if j < 0:
        covered[low] += sign
        return alone[low], most[low]
    given = 0.0
    for at in range(starts[j], starts[j + 1]):
        covered[members[at]] += sign
        given += most[members[at]]
    return value[j], given


@compiled
def _greedy(
    alone: np.ndarray, starts: np.ndarray, members: np.ndarray, value: np.ndarray
) -> tuple[np.ndarray, float]:
    """Return the sets taken in the order of what each adds to its atoms alone, and the total."""
    added = value.copy()
    for j in range(len(value)):
        for at in range(starts[j], starts[j + 1]):
            added[j] -= alone[members[at]]
    chosen = np.zeros(len(value), np.bool_)
    covered = np.zeros(len(alone), np.int64)
    total = alone.sum()
    for j in np.argsort(-added, kind="mergesort"):
        if not _is_blocked(j, starts, members, covered):
            chosen[j] = True
            total += added[j]
            for at in range(starts[j], starts[j + 1]):
                covered[members[at]] = 1
    return chosen, total
