"""Sources of the simulated sky: counts, mix, reach, and geometry."""

from collections import Counter

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from hypothesis import given
from hypothesis import strategies as st

from claran_core.common.constants import FWHM_PER_SIGMA
from claran_core.common.sky import offset_to_sky
from claran_core.simulation import field_sources, infrared, population
from claran_core.simulation.baselines import sidelobe_pattern
from claran_core.simulation.field_sources import FIELD_DENSITY_DEG2, FIELD_LIMIT_JY
from claran_core.simulation.gaussians import Gaussians
from claran_core.simulation.geometry import (
    Tile,
    TileGrid,
    TileWindow,
    cell_area_deg2,
    cell_positions,
    cells_near,
    sky_to_cell,
    subcells,
)
from claran_core.simulation.infrared import host_gaussians, infrared_cell
from claran_core.simulation.noise import surroundings
from claran_core.simulation.population import RADIO_NSIDE, radio_cell

GRID = TileGrid(nside=128, pixel_scale_arcsec=1.8, size_px=2000)
CELLS = range(1000, 1250)


@pytest.fixture(scope="module")
def sources() -> list[population.RadioSource]:
    return [source for cell in CELLS for source in radio_cell(1, cell)]


def test_cell_is_reproducible_and_contains_its_sources() -> None:
    first = radio_cell(1, 4711)
    radio_cell.cache_clear()
    again = radio_cell(1, 4711)
    assert [s.source_id for s in first] == [s.source_id for s in again]
    for a, b in zip(first, again, strict=True):
        assert sky_to_cell(a.ra_deg, a.dec_deg, RADIO_NSIDE) == 4711
        np.testing.assert_array_equal(a.gaussians.peak, b.gaussians.peak)
    assert {s.ra_deg for s in first}.isdisjoint(s.ra_deg for s in radio_cell(2, 4711))


def test_ids_are_unique(sources: list[population.RadioSource]) -> None:
    assert len({source.source_id for source in sources}) == len(sources)


def test_field_counts_follow_first(sources: list[population.RadioSource]) -> None:
    area = len(CELLS) * cell_area_deg2(RADIO_NSIDE)
    peak = np.array([s.gaussians.peak.max() for s in sources if s.kind == "field"])
    above = (peak > FIELD_LIMIT_JY).sum() / area
    assert above == pytest.approx(FIELD_DENSITY_DEG2, rel=0.08)
    slope = np.log((peak > 1e-3).sum() / (peak > 1e-2).sum()) / np.log(10)
    assert slope == pytest.approx(0.89, abs=0.1)


def test_mix_is_that_of_table_1(sources: list[population.RadioSource]) -> None:
    seen = Counter(f"{s.n_components}C_{s.n_peaks}P" for s in sources if s.kind != "pair")
    assert seen.most_common(1)[0][0] == "1C_1P"
    # DR1: 14,242 1C_2P and 9,772 2C_2P, the other classes at most a tenth of them.
    assert seen["1C_2P"] / seen["2C_2P"] == pytest.approx(14242 / 9772, rel=0.3)
    assert seen["3C_3P"] / seen["1C_2P"] == pytest.approx(1347 / 14242, rel=0.5)
    # Sources of more than three components or peaks are one in a hundred of those of the recipes.
    extended = sum(s.kind not in ("field", "pair", "large") for s in sources)
    assert 0.003 < sum(s.kind == "beyond" for s in sources) / extended < 0.02


def test_extended_sources_have_companions(sources: list[population.RadioSource]) -> None:
    field = SkyCoord([(s.ra_deg, s.dec_deg) for s in sources if s.kind == "field"], unit="deg")
    extended = SkyCoord([(s.ra_deg, s.dec_deg) for s in sources if s.kind != "field"], unit="deg")
    near = extended.match_to_catalog_sky(field)[1].arcsec < 85
    # 190 field sources per square degree come within 85 arcsec of 28 % of places by chance.
    assert near.mean() == pytest.approx(1 - 0.72 * (1 - field_sources.COMPANION_CHANCE), abs=0.06)


def test_no_source_exceeds_the_search_radius(sources: list[population.RadioSource]) -> None:
    large = [source for source in sources if source.kind == "large"]
    others = [source for source in sources if source.kind != "large"]
    assert large
    for source in sources:
        assert source.gaussians.reach_arcsec().max() <= source.reach_arcsec
    # Hardly any emission lies beyond the reach and is cut off.
    assert all(len(source.gaussians) >= 0.95 * len(source.model.gaussians) for source in large)
    assert max(source.reach_arcsec for source in others) < population.MAX_REACH_ARCSEC
    corner = np.sqrt(2) * (sidelobe_pattern().shape[0] // 2) * 1.8
    assert max(s.peak_reach_arcsec for s in others) + corner < population.MAX_REACH_ARCSEC
    assert max(s.reach_arcsec for s in large) + corner < population.FAR_REACH_ARCSEC
    assert np.sqrt(2) * (surroundings().shape[0] // 2) * 1.8 < population.MAX_REACH_ARCSEC
    stars = [infrared_cell(1, cell) for cell in range(300)]
    assert max(s.reach_arcsec(infrared.DRAWN_TO_DN).max() for s in stars) < infrared.MAX_REACH_ARCSEC
    columns = np.array([(s.ra_deg, s.dec_deg, s.host_magnitude) for s in sources]).T
    assert host_gaussians(*columns).reach_arcsec(infrared.DRAWN_TO_DN).max() < infrared.MAX_REACH_ARCSEC


def one_gaussian(ra: float, dec: float, **changed: float) -> Gaussians:
    values = {"east": 0.0, "north": 0.0, "peak": 2.0, "major": 20.0, "minor": 8.0, "angle": 0.0} | changed
    return Gaussians(np.array([[ra, dec, *values.values()]]))


def drawn(gaussians: Gaussians, tile: Tile, half_px: int = 40) -> tuple[np.ndarray, TileWindow]:
    window = TileWindow(1000 - half_px, 1000 - half_px, 2 * half_px + 1, 2 * half_px + 1)
    image = np.zeros(window.shape)
    placed = gaussians.place(tile)
    placed.add_to(image, window)
    return image, window


def test_gaussian_has_its_height_width_and_angle() -> None:
    tile = GRID.tile(70000)
    ra, dec = tile.pixel_to_sky(1000, 1000)
    image, _ = drawn(one_gaussian(ra, dec), tile)
    assert image[40, 40] == pytest.approx(2.0, rel=1e-6)
    # 10 arcsec north, half the FWHM of the major axis: half the height. The same to the east: far less.
    north = np.interp(40 + 10 / 1.8, np.arange(81), image[:, 40])
    assert north == pytest.approx(1.0, abs=0.03)
    assert image[40, 40 - 6] < 0.05
    # Turned to the east by 90 degrees, it lies along the row; at 45 degrees it points north-east (left).
    turned, _ = drawn(one_gaussian(ra, dec, angle=90.0), tile)
    assert turned[40, 45] > 1.0 > turned[45, 40]
    diagonal, _ = drawn(one_gaussian(ra, dec, angle=45.0), tile)
    assert diagonal[43, 37] > 1.0 > diagonal[43, 43]
    total = image.sum() * 1.8**2
    assert total == pytest.approx(2.0 * 2 * np.pi * 20 * 8 / FWHM_PER_SIGMA**2, rel=1e-3)


@given(ra=st.floats(0, 360), dec=st.floats(-90, 90), east=st.floats(-300, 300), north=st.floats(-300, 300))
def test_offsets_have_their_length_everywhere(ra: float, dec: float, east: float, north: float) -> None:
    there = SkyCoord(*offset_to_sky(ra, dec, east, north), unit="deg")
    separation = SkyCoord(ra, dec, unit="deg").separation(there).arcsec
    assert separation == pytest.approx(np.hypot(east, north), abs=1e-3)


@given(ra=st.floats(0, 359.99), dec=st.floats(-90, 90))
def test_tiles_cover_their_cells(ra: float, dec: float) -> None:
    tile = GRID.tile_at(ra, dec)
    x, y = tile.sky_to_pixel(ra, dec)
    # 60 pixels from the rim there is room for half of a 3 arcmin subject.
    assert 60 < x < GRID.size_px - 60 and 60 < y < GRID.size_px - 60
    back = SkyCoord(*tile.pixel_to_sky(float(x), float(y)), unit="deg")
    assert back.separation(SkyCoord(ra, dec, unit="deg")).arcsec < 1e-6


def test_cells_near_and_subcells() -> None:
    cell = sky_to_cell(33.0, 44.0, 64)
    assert cell in cells_near(33.0, 44.0, 10.0, 64)
    assert sky_to_cell(33.0, 44.0, 512) in subcells(cell, 64, 512)
    assert len(subcells(cell, 64, 512)) == 64
    assert len(cells_near(33.0, 44.0, 7200.0, 64)) > 8


@pytest.mark.parametrize("radius", [5.0, 240.0, 480.0, 4000.0])
def test_cells_near_include_cells_with_only_a_corner_in_the_disc(radius: float) -> None:
    rng = np.random.default_rng(8)
    for cell in rng.integers(12 * 256**2, size=100):
        across, along = rng.integers(2, size=2)
        corner = cell_positions(cell, 256, float(across), float(along))
        angle = rng.uniform(0, 2 * np.pi)
        middle = offset_to_sky(*corner, 0.999 * radius * np.sin(angle), 0.999 * radius * np.cos(angle))
        assert cell in cells_near(*middle, radius, 256)
