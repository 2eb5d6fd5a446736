"""The compiled Gaussian filter gives what scipy's gives."""

import numpy as np
import pytest
from scipy import ndimage

from claran_core.catalogue.measure import gaussian_filter
from claran_core.catalogue.measure.gaussian_filter import smoothed


@pytest.mark.parametrize("shape", [(40, 31), (134, 134), (1, 9), (3, 2)])
@pytest.mark.parametrize(("sigma", "truncate"), [(1.03, 3.0), (2.58, 3.0), (2.58, 2.0), (0.1, 3.0)])
def test_an_image_is_smoothed_as_by_scipy(shape: tuple[int, int], sigma: float, truncate: float) -> None:
    image = np.random.default_rng(1).normal(5.0, 1.0, shape)
    expected = ndimage.gaussian_filter(image, sigma, truncate=truncate)
    np.testing.assert_allclose(smoothed(image, sigma, truncate=truncate), expected, rtol=1e-13)


def test_compiled_and_written_functions_agree() -> None:
    image, weights = np.random.default_rng(2).normal(size=(7, 5)), np.array([0.5, 0.2, 0.05])
    written = gaussian_filter._convolved.py_func(image, weights)  # type: ignore[attr-defined]
    np.testing.assert_allclose(gaussian_filter._convolved(image, weights), written, rtol=1e-14)
