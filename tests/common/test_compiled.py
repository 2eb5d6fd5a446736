"""Functions compiled with numba."""

import numpy as np

from claran_core.common.compiled import compiled


@compiled
def summed(values: np.ndarray) -> float:
    total = 0.0
    for value in values:
        total += value / values.size
    return total


def test_compiled_function_gives_the_result_of_the_written_one() -> None:
    values = np.arange(7.0)
    assert summed(values) == summed.py_func(values) == 3.0  # type: ignore[attr-defined]
    assert np.isnan(summed(np.full(3, np.nan)))
