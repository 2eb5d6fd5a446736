"""The radio image of the simulated sky: noise level, negative bowls, artefacts, order of addition."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from claran_core.common.noise import noise_sigma
from claran_core.simulation.artefacts import ARTEFACTS_PX, drawn_artefacts
from claran_core.simulation.geometry import Tile, TileWindow
from claran_core.simulation.population import UNCLEANED_JY, RadioCell, RadioSource
from claran_core.simulation.provider import SimulatedProvider
from claran_core.simulation.radio import add_pattern, emission, radio_image, radio_rms
from claran_core.simulation.recipes import RECIPES, SNR_UNIT_JY
from claran_core.survey.surveys import SURVEYS


class OneSource:
    """A sky with one source in the middle of a tile, or none."""

    def __init__(self, tile: Tile, source: RadioSource | None, seed: int = 3) -> None:
        self.seed, self.tile, self.source = seed, tile, source

    def cell(self, index: int) -> RadioCell:
        is_here = self.source is not None and index == self.tile.index
        return RadioCell.of([self.source] if is_here else [])

    def has_large(self, index: int) -> bool:
        return False


TILE = SimulatedProvider(SURVEYS["FIRST"], seed=3).grid.tile_at(150.0, 30.0)
WINDOW = TileWindow(940, 940, 120, 120)


def source(
    *,
    peak_jy: float,
    compact: tuple[float, float, float] | None = None,
    kind: str = "field",
    uncleaned_jy: float = UNCLEANED_JY,
    build: Callable[..., Any] | None = None,
) -> RadioSource:
    return RadioSource(
        source_id="one",
        ra_deg=TILE.ra_deg,
        dec_deg=TILE.dec_deg,
        kind=kind,
        n_components=1,
        n_peaks=1,
        host_magnitude=15.0,
        reach_arcsec=120.0,
        peak_jy=peak_jy,
        uncleaned_jy=uncleaned_jy,
        sidelobe_gain=0.0,
        compact=compact,
        build=build,
    )


def extended(seed: int = 1, peak_snr: float = 60.0) -> RadioSource:
    from claran_core.simulation.source_models import build_extended

    rng = np.random.default_rng(seed)
    build = lambda: build_extended(rng, RECIPES["1C_3P"], peak_snr=peak_snr, extent_arcsec=50.0)  # noqa: E731
    return source(peak_jy=peak_snr * SNR_UNIT_JY, kind="1C_3P", build=build)


def test_noise_level_is_that_of_first_and_varies_smoothly() -> None:
    sky = SimulatedProvider(SURVEYS["FIRST"], seed=8)
    places = np.random.default_rng(0).uniform((0, -40), (360, 40), (300, 2))
    tiles = [sky.grid.tile_at(*place) for place in places]
    fields = (
        radio_image(OneSource(tile, None, seed=8), tile, TileWindow(500, 500, 100, 100)) for tile in tiles
    )
    levels = [noise_sigma(field) * 1e3 for field in fields]
    # Measured on 1,255 FIRST fields, mJy/beam.
    assert np.percentile(levels, [5, 50, 95]) == pytest.approx([0.140, 0.156, 0.190], rel=0.08)
    level = radio_rms(8, tiles[0], TileWindow(-50, -50, 400, 300))
    assert level.shape == (300, 400)
    assert np.abs(np.diff(level, axis=0)).max() < 0.005 * level.mean()
    assert 0.005 < level.std() / level.mean() < 0.1


def test_noise_level_does_not_depend_on_the_window() -> None:
    wide = radio_rms(8, TILE, TileWindow(-120, -130, 600, 500))
    np.testing.assert_array_equal(radio_rms(8, TILE, TileWindow(30, 77, 11, 5)), wide[207:212, 150:161])


def test_image_without_sources_is_noise() -> None:
    image = radio_image(OneSource(TILE, None), TILE, TileWindow(0, 0, 400, 400))
    assert abs(image.mean()) < 0.05 * image.std()
    assert noise_sigma(image) == pytest.approx(float(image.std()), rel=0.05)


def test_compact_source_adds_its_peak_and_stripes() -> None:
    bare = radio_image(OneSource(TILE, None), TILE, WINDOW)
    point = source(peak_jy=0.05, compact=(0.0, 0.0, 0.0))
    added = radio_image(OneSource(TILE, point), TILE, WINDOW) - bare
    row, column = np.unravel_index(added.argmax(), added.shape)
    # The peak may lie between pixels.
    assert 0.86 * 0.05 < added.max() < 1.02 * 0.05
    # Along the row there is a stripe; half way between the arms there is less.
    stripe = added[row, column + 20 : column + 35].mean()
    between = np.mean([added[row + d, column + round(1.6 * d)] for d in range(12, 20)])
    assert stripe > 0.03 * UNCLEANED_JY > between
    assert np.abs(added[added < 0.01]).max() < 0.02


def test_sidelobes_follow_the_uncleaned_height() -> None:
    bare = radio_image(OneSource(TILE, None), TILE, WINDOW)
    deep = source(peak_jy=0.015, compact=(0.0, 0.0, 0.0), uncleaned_jy=0.0)  # too faint for other artefacts
    added = radio_image(OneSource(TILE, deep), TILE, WINDOW) - bare
    assert np.count_nonzero(np.abs(added) > 1e-12) < 1000  # the Gaussian's own box


def test_extended_source_has_a_negative_bowl() -> None:
    wide = TileWindow(860, 860, 280, 280)
    bare = OneSource(TILE, None)
    there = OneSource(TILE, extended())
    added = radio_image(there, TILE, wide) - radio_image(bare, TILE, wide)
    (_, part, emitted), *rest = emission(there, TILE, wide)
    assert not rest
    own = np.zeros(wide.shape)
    own[wide.overlap(part)[0]] = emitted
    rows, columns = np.indices(added.shape)
    distance = np.hypot(columns - 140, rows - 140) * 1.8
    far = (own < 1e-6) & (distance > 60) & (distance < 120)
    assert added[far].mean() / SNR_UNIT_JY == pytest.approx(-0.14, abs=0.04)
    assert abs(added[distance > 215].mean()) < 0.02 * SNR_UNIT_JY


def worst_seed() -> int:
    """Seed of the sky in which the first source of the tile's cell has the strongest artefacts."""
    gains = [drawn_artefacts(seed, TILE.index, np.ones(1), np.zeros(1)).gain[0] for seed in range(30)]
    return int(np.argmax(gains))


def test_islands_of_artefacts_belong_to_no_source() -> None:
    wide, seed = TileWindow(800, 800, 400, 400), worst_seed()
    there = OneSource(TILE, source(peak_jy=2.0, compact=(0.0, 0.0, 0.0)), seed)
    image = radio_image(there, TILE, wide)
    ((_, part, emitted),) = emission(there, TILE, wide)
    own = np.zeros(wide.shape)
    own[wide.overlap(part)[0]] = emitted
    islands, n = ndimage.label(image > 5.3 * noise_sigma(image))
    share = ndimage.sum(own, islands, range(1, n + 1)) / ndimage.sum(image, islands, range(1, n + 1))
    assert np.count_nonzero(share > 1 / 3) == 1
    assert np.count_nonzero(share < 1e-3) == n - 1 > 20


def test_sources_below_the_limit_have_no_artefacts_and_brighter_ones_reach_five_arcminutes() -> None:
    wide, seed = TileWindow(800, 800, 400, 400), worst_seed()
    distance = np.hypot(*np.indices(wide.shape) - 200)
    bare = radio_image(OneSource(TILE, None, seed), TILE, wide)
    beyond_the_sidelobes = (distance > 90) & (distance < 160)

    def added(snr: float) -> np.ndarray:
        there = OneSource(TILE, source(peak_jy=snr * SNR_UNIT_JY, compact=(0.0, 0.0, 0.0)), seed)
        return radio_image(there, TILE, wide) - bare

    assert np.abs(added(99)[beyond_the_sidelobes]).max() < 1e-12
    bright = added(1000)
    assert 1e-4 < np.abs(bright[beyond_the_sidelobes]).max() / (1000 * SNR_UNIT_JY) < 2e-2
    assert np.abs(bright[distance > ARTEFACTS_PX + 2]).max() < 1e-12


@pytest.mark.parametrize("peak_snr", [60.0, 3000.0])
@pytest.mark.parametrize("window", [TileWindow(935, 950, 40, 31), TileWindow(1010, 900, 5, 160)])
def test_all_windows_have_the_same_bits(window: TileWindow, peak_snr: float) -> None:
    there = OneSource(TILE, extended(peak_snr=peak_snr))
    wide = TileWindow(900, 890, 200, 200)
    rows = slice(window.y0 - wide.y0, window.y0 - wide.y0 + window.ny)
    columns = slice(window.x0 - wide.x0, window.x0 - wide.x0 + window.nx)
    part = radio_image(OneSource(TILE, extended(peak_snr=peak_snr)), TILE, window)
    np.testing.assert_array_equal(part, radio_image(there, TILE, wide)[rows, columns])


@pytest.mark.parametrize(("x", "y"), [(0, 0), (9, 4), (-3, 2), (40, 40), (4, -2)])
def test_pattern_is_cropped_to_the_window(x: int, y: int) -> None:
    pattern = np.arange(35.0).reshape(5, 7)
    image, window = np.zeros((6, 10)), TileWindow(0, 0, 10, 6)
    add_pattern(image, window, pattern, x, y, 2.0)
    padded = np.zeros((120, 120))
    padded[50 + y - 2 : 50 + y + 3, 50 + x - 3 : 50 + x + 4] = 2 * pattern
    np.testing.assert_array_equal(image, padded[50:56, 50:60])
