"""HEALPix cells and positions: equal to those of astropy_healpix."""

import numpy as np
import pytest
from astropy_healpix import healpix_to_xyz, xyz_to_healpix

from claran_core.common.healpix import nested_cells, nested_vectors


@pytest.mark.parametrize("nside", [1, 8, 128, 256])
def test_cells_of_directions_are_those_of_astropy_healpix(nside: int) -> None:
    vectors = np.random.default_rng(nside).normal(size=(20_000, 3))
    vectors = np.concatenate([vectors, np.eye(3), -np.eye(3)])
    vectors /= np.linalg.norm(vectors, axis=1)[:, None]
    np.testing.assert_array_equal(
        nested_cells(vectors, nside), xyz_to_healpix(*vectors.T, nside, order="nested")
    )


@pytest.mark.parametrize("nside", [1, 8, 128, 256])
def test_positions_in_cells_are_those_of_astropy_healpix(nside: int) -> None:
    rng = np.random.default_rng(nside)
    for cell in rng.integers(0, 12 * nside**2, 200).tolist():
        across, along = rng.random((2, 20))
        across[:3], along[:3] = (0.0, 1.0, 1.0), (0.0, 1.0, 0.0)
        expected = np.stack(healpix_to_xyz(cell, nside, across, along, order="nested"), axis=1)
        np.testing.assert_allclose(nested_vectors(cell, nside, across, along), expected, rtol=0, atol=3e-16)
