"""Sources fainter than FIRST's noise: counts, and the same ones for every survey."""

import numpy as np
import pytest

from claran_core.simulation.faint_sources import MAX_LAYERS, faint_layer, layers_above
from claran_core.simulation.geometry import cell_area_deg2, sky_to_cell, sky_to_cells

CELL = sky_to_cell(150.0, 20.0, 128)


@pytest.mark.parametrize(
    ("flux_jy", "layers"), [(1e-3, 0), (3e-4, 0), (2e-4, 1), (1e-4, 2), (1e-9, MAX_LAYERS)]
)
def test_layers_down_to_a_flux_density(flux_jy: float, layers: int) -> None:
    assert layers_above(flux_jy) == layers


def test_counts_continue_those_of_first() -> None:
    found = np.concatenate(
        [faint_layer(6, cell, layer) for cell in range(CELL, CELL + 40) for layer in range(3)]
    )
    area = 40 * cell_area_deg2(128)
    # 84 (0.3 / 0.78)^-0.89 = 196.5 per square degree above 0.3 mJy, and 8^1.05 times as many above an eighth.
    assert len(found) / area == pytest.approx(196.5 * (8**1.05 - 1), rel=0.03)
    assert found[:, 2].max() <= 3e-4 and found[:, 2].min() >= 3e-4 / 8
    above = np.count_nonzero(found[:, 2] > 1e-4) / area
    assert above == pytest.approx(196.5 * (3**1.05 - 1), rel=0.05)


def test_a_layer_is_the_same_for_all_and_within_its_cell() -> None:
    one = faint_layer(6, CELL, 1)
    np.testing.assert_array_equal(one, faint_layer(6, CELL, 1))
    assert set(sky_to_cells(one[:, 0], one[:, 1], 128).tolist()) == {CELL}
    assert (one[:, 3] >= one[:, 4]).all() and len(one) > 20
    assert len(faint_layer(7, CELL, 1)) != len(one) or (faint_layer(7, CELL, 1) != one).any()
