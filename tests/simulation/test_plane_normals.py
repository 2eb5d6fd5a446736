"""Normal numbers of planes: those of NumPy's generator, in any window."""

import numpy as np
import pytest

from claran_core.simulation.plane_normals import BLOCK_ORIGIN, fill_normals

KEY = np.random.SeedSequence(5).generate_state(2, np.uint64)


def numpy_block(size_px: int, x: int, y: int) -> np.ndarray:
    generator = np.random.Generator(
        np.random.Philox(key=KEY, counter=[0, 0, x + BLOCK_ORIGIN, y + BLOCK_ORIGIN])
    )
    return generator.standard_normal((size_px, size_px))


def plane(shape: tuple[int, int], x0: int, y0: int, block_px: int) -> np.ndarray:
    values = np.empty(shape)
    fill_normals(values, KEY, x0, y0, block_px)
    return values


@pytest.mark.parametrize("block_px", [32, 3, 1])
def test_blocks_hold_the_numbers_of_numpy(block_px: int) -> None:
    n = 1 + 600 // block_px  # with 32 px, some four hundred thousand numbers, a hundred of them in the tail
    values = plane((n * block_px, n * block_px), -2 * block_px, 3 * block_px, block_px)
    for column in range(n):
        for row in range(n) if block_px > 3 else (0, n - 1):
            own = values[row * block_px : (row + 1) * block_px, column * block_px : (column + 1) * block_px]
            np.testing.assert_allclose(own, numpy_block(block_px, column - 2, row + 3), rtol=1e-12)
    assert block_px < 32 or np.abs(values).max() > 3.7


@pytest.mark.parametrize(("x0", "y0", "nx", "ny"), [(-70, -3, 20, 90), (0, 0, 1, 1), (31, 32, 2, 65)])
def test_numbers_do_not_depend_on_the_window(x0: int, y0: int, nx: int, ny: int) -> None:
    whole = plane((300, 300), -100, -100, 32)
    part = whole[y0 + 100 : y0 + 100 + ny, x0 + 100 : x0 + 100 + nx]
    np.testing.assert_array_equal(plane((ny, nx), x0, y0, 32), part)
