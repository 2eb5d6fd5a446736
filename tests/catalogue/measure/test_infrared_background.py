"""The background of an image is that of a plain implementation."""

import numpy as np
import pytest
from scipy.interpolate import RegularGridInterpolator

from claran_core.catalogue.measure import infrared_background
from claran_core.catalogue.measure.infrared_background import background


def clipped_median(values: np.ndarray) -> float:
    """Return the median after clipping, from the definition."""
    kept = np.sort(values)
    for _ in range(5):
        median = kept[len(kept) // 2]
        sigma = median - kept[int(0.1587 * len(kept))]
        left = kept[kept <= median + 2.5 * sigma]
        if len(left) == len(kept):
            break
        kept = left
    return float(kept[len(kept) // 2])


def plain_background(image: np.ndarray, finite: np.ndarray, cell_px: float) -> np.ndarray:
    """Return the background from clipped medians, interpolated by scipy."""
    cells = [max(1, round(size / cell_px)) for size in image.shape]
    bands = [np.array_split(np.arange(size), n) for size, n in zip(image.shape, cells, strict=True)]
    level = np.empty(cells)
    for i, rows in enumerate(bands[0]):
        for j, columns in enumerate(bands[1]):
            part = np.ix_(rows[::2], columns[::2])
            enough = finite[part].mean() > 0.4
            level[i, j] = clipped_median(image[part][finite[part]] if enough else image[finite])
    places = [
        np.clip((np.arange(size) + 0.5) / size * n - 0.5, 0, n - 1)
        for size, n in zip(image.shape, cells, strict=True)
    ]
    level = np.pad(level, ((0, 1), (0, 1)), mode="edge")  # two points at least, for the interpolator
    grid = RegularGridInterpolator([np.arange(n + 1) for n in cells], level)
    return grid(np.stack(np.meshgrid(*places, indexing="ij"), axis=-1))


@pytest.mark.parametrize("shape", [(134, 134), (97, 150), (20, 160), (1, 40), (9, 9)])
@pytest.mark.parametrize("blank", [0, 0.7])
def test_the_background_is_interpolated_between_clipped_medians(shape: tuple[int, int], blank: float) -> None:
    rng = np.random.default_rng(1)
    image = rng.normal(4.0, 0.2, shape) + np.where(rng.random(shape) > 0.9, rng.exponential(20, shape), 0.0)
    finite = np.ones(shape, bool)
    finite[:, : int(blank * shape[1])] = rng.random((shape[0], int(blank * shape[1]))) > 0.8
    image[~finite] = np.nan
    np.testing.assert_allclose(background(image, finite, 48.6), plain_background(image, finite, 48.6))


def test_compiled_and_written_functions_agree() -> None:
    image = np.random.default_rng(2).normal(size=(13, 10))
    cells = infrared_background._cell_values(image, image > -1, 3, 2)
    written = infrared_background._cell_values.py_func(image, image > -1, 3, 2)  # type: ignore[attr-defined]
    for one, other in zip(cells, written, strict=True):
        np.testing.assert_array_equal(one, other)
    ordered, counts = np.sort(cells[0], axis=1), np.append(cells[1][:-1], 0)
    medians = infrared_background._clipped_medians.py_func(ordered, counts)  # type: ignore[attr-defined]
    np.testing.assert_array_equal(infrared_background._clipped_medians(ordered, counts), medians)
    assert np.isnan(medians[-1]) and np.isfinite(medians[:-1]).all()
