"""Rare sources of the simulated sky: numbers, sizes, and compact pairs."""

import numpy as np
import pytest

from claran_core.simulation.field_sources import FIELD_SIZE_ARCSEC
from claran_core.simulation.geometry import cell_area_deg2, sky_to_cell
from claran_core.simulation.population import DrawnPopulation, cells_reaching, radio_cell
from claran_core.simulation.rare_sources import (
    LARGE_ARCSEC,
    LARGE_DENSITY_DEG2,
    PAIR_DENSITY_DEG2,
    RADIO_NSIDE,
    RareSource,
    compact_pairs,
    large_sources,
)
from claran_core.simulation.source_shapes import POINT_ARCSEC

CELLS = range(90_000, 96_000)
AREA_DEG2 = len(CELLS) * cell_area_deg2(RADIO_NSIDE)


@pytest.fixture(scope="module")
def large() -> list[RareSource]:
    return [source for cell in CELLS for source in large_sources(1, cell)]


def test_large_sources_have_their_density_and_sizes(large: list[RareSource]) -> None:
    assert len(large) / AREA_DEG2 == pytest.approx(LARGE_DENSITY_DEG2, rel=0.15)
    extent = np.array([source.extent_arcsec for source in large])
    assert LARGE_ARCSEC[0] <= extent.min() and extent.max() <= LARGE_ARCSEC[1]
    # N(> size) ~ size^-2.3: a fifth is larger than 4 arcmin, one in forty larger than 10.
    assert (extent > 240).mean() == pytest.approx(2**-2.3, abs=0.05)
    assert (extent > 600).mean() == pytest.approx(5**-2.3, abs=0.015)


def test_sources_lie_in_their_cell_and_are_among_its_sources(large: list[RareSource]) -> None:
    cell = next(cell for cell in CELLS if large_sources(1, cell) and compact_pairs(1, cell))
    drafts = [*compact_pairs(1, cell), *large_sources(1, cell)]
    sources = radio_cell(1, cell)
    for draft, source in zip(drafts, list(sources)[-len(drafts) :], strict=True):
        assert sky_to_cell(draft.ra_deg, draft.dec_deg, RADIO_NSIDE) == cell
        assert (source.kind, source.ra_deg, source.dec_deg) == (draft.kind, draft.ra_deg, draft.dec_deg)
        assert source.host_magnitude == draft.host_magnitude and not source.is_compact
        np.testing.assert_array_equal(source.model.gaussians, draft.build().gaussians)
    assert any(source.extent_arcsec > 300 for source in large)


def test_cells_of_large_sources_reach_farther() -> None:
    sky = DrawnPopulation(1)
    source = next(one for cell in CELLS for one in large_sources(1, cell) if one.extent_arcsec > 700)
    cell = sky_to_cell(source.ra_deg, source.dec_deg, RADIO_NSIDE)
    north = source.dec_deg + 1300 / 3600
    assert cell in cells_reaching(sky, source.ra_deg, north, 100.0)
    far = set(cells_reaching(sky, source.ra_deg, north, 100.0))
    near = set(cells_reaching(NoLarge(1), source.ra_deg, north, 100.0))
    assert near < far and all(sky.has_large(index) for index in far - near)


class NoLarge(DrawnPopulation):
    """A sky that claims to have no large sources."""

    def has_large(self, index: int) -> bool:
        return False


def test_pairs_are_unresolved_doubles_with_a_host_between() -> None:
    pairs = [source for cell in CELLS for source in compact_pairs(1, cell)]
    assert len(pairs) / AREA_DEG2 == pytest.approx(PAIR_DENSITY_DEG2, rel=0.15)
    sizes = []
    for source in pairs[:200]:
        model = source.build()
        first, second = model.peaks
        assert np.hypot(*(first - second)) == pytest.approx(source.extent_arcsec)
        # The host is on the line between them.
        assert np.hypot(*first) + np.hypot(*second) == pytest.approx(source.extent_arcsec)
        assert min(np.hypot(*first), np.hypot(*second)) > 0.37 * source.extent_arcsec
        peak = model.gaussians[:, 2]
        assert peak[0] == pytest.approx(source.peak_snr) and 0.5 <= peak[1] / peak[0] <= 1
        sizes += np.sqrt(model.gaussians[:, 3] ** 2 - POINT_ARCSEC**2).tolist()
    assert np.mean(sizes) == pytest.approx(FIELD_SIZE_ARCSEC, rel=0.2)
