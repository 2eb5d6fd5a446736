"""Field sources: clustering and crowding."""

import numpy as np
import pytest

from claran_core.common.sky import sky_to_offset
from claran_core.simulation.field_sources import (
    CLUSTERING_AMPLITUDE,
    FIELD_LIMIT_JY,
    crowding,
    draw_field,
    move_clustered,
)
from claran_core.simulation.geometry import cell_area_deg2, cell_positions, sky_to_cell
from claran_core.simulation.population import RADIO_NSIDE, radio_cell


def test_the_sky_is_crowded_in_the_south_only() -> None:
    at = {dec: sky_to_cell(200.0, dec, RADIO_NSIDE) for dec in (60.0, 0.0, -39.0, -50.0, -70.0)}
    factors = [crowding(cell, RADIO_NSIDE) for cell in at.values()]
    assert factors[:3] == [1.0, 1.0, 1.0] and factors[3] == pytest.approx(6.0, rel=0.1)
    assert factors[4] == 36.0
    area = cell_area_deg2(RADIO_NSIDE)
    # Three thousand sources per square degree above 5 sigma.
    bright = (radio_cell(1, at[-70.0]).peak_jy > FIELD_LIMIT_JY).sum() / area
    assert bright == pytest.approx(3000, rel=0.15)


def test_moved_sources_follow_the_correlation_function() -> None:
    rng = np.random.default_rng(5)
    excess = []
    for cell in range(2000, 3200):
        peak, _ = draw_field(rng, cell_area_deg2(RADIO_NSIDE), 1.0)
        ra, dec = cell_positions(cell, RADIO_NSIDE, rng.random(len(peak)), rng.random(len(peak)))
        before = _close_pairs(ra, dec)
        move_clustered(rng, cell, RADIO_NSIDE, len(peak), ra, dec)
        assert all(sky_to_cell(*place, RADIO_NSIDE) == cell for place in zip(ra[:3], dec[:3], strict=True))
        expected = 0.5 * len(peak) ** 2 / cell_area_deg2(RADIO_NSIDE) * _integral(60.0)
        excess.append([_close_pairs(ra, dec) - before, expected])
    found, expected = np.sum(excess, axis=0)
    assert found == pytest.approx(expected, rel=0.3)


def _integral(radius_arcsec: float) -> float:
    """Return the integral (square degrees) of the correlation function over a disc."""
    return float(2 * np.pi / 1.2 * CLUSTERING_AMPLITUDE * (radius_arcsec / 3600) ** 1.2)


def _close_pairs(ra: np.ndarray, dec: np.ndarray) -> int:
    east, north = sky_to_offset(ra[:, None], dec[:, None], ra, dec)
    return int((np.hypot(east, north)[np.triu_indices(len(ra), 1)] < 60.0).sum())
