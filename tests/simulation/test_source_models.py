"""Models of extended sources: counts of the recipe, given brightness and extent, realistic shapes."""

import numpy as np
import pytest

from claran_core.components.contour_rule import dr1_extent, find_components
from claran_core.simulation.gaussians import Gaussians
from claran_core.simulation.geometry import TileGrid, TileWindow
from claran_core.simulation.random_streams import quantile_draw
from claran_core.simulation.recipes import BEAM_ARCSEC, RECIPES, SOURCE_TYPES
from claran_core.simulation.source_models import (
    LAST_TYPE,
    PIXEL_ARCSEC,
    SourceModel,
    build_compact,
    build_extended,
)
from claran_core.simulation.source_shapes import SMEARING_ARCSEC

GRID = TileGrid(nside=128, pixel_scale_arcsec=PIXEL_ARCSEC, size_px=2000)
N = 25


def shown(model: SourceModel, *, half_px: int = 150) -> np.ndarray:
    """Return the signal-to-noise image of a model, with the host in the centre."""
    tile = GRID.tile(0)
    window = TileWindow(1000 - half_px, 1000 - half_px, 2 * half_px, 2 * half_px)
    image = np.zeros(window.shape)
    hosts = np.tile([tile.ra_deg, tile.dec_deg], (len(model.gaussians), 1))
    placed = Gaussians(np.hstack([hosts, model.gaussians])).place(tile)
    placed.add_to(image, window)
    return image


def built(name: str, seed: int = 11) -> list[tuple[SourceModel, float, float]]:
    rng, recipe = np.random.default_rng(seed), RECIPES[name]
    asked = [
        (quantile_draw(rng, recipe.peak_snr), quantile_draw(rng, recipe.extent_arcsec)) for _ in range(N)
    ]
    return [(build_extended(rng, recipe, peak_snr=s, extent_arcsec=e), s, e) for s, e in asked]


@pytest.mark.parametrize("name", list(RECIPES))
def test_recipes_are_consistent(name: str) -> None:
    recipe = RECIPES[name]
    assert name in (f"{recipe.n_components}C_{recipe.n_peaks}P", "beyond")
    for values in (recipe.peak_snr, recipe.extent_arcsec):
        assert len(values) == 7 and min(values) > 0 and list(values) == sorted(values)
    assert set(recipe.types) | {LAST_TYPE} <= set(SOURCE_TYPES) and sum(
        recipe.types.values()
    ) == pytest.approx(1)


@pytest.mark.parametrize("name", list(RECIPES))
def test_sources_have_the_counts_of_their_recipe(name: str) -> None:
    recipe, right, ratio = RECIPES[name], 0, []
    for model, snr, extent in built(name):
        counts = model.n_components, model.n_peaks
        right += max(counts) > 3 if name == "beyond" else counts == (recipe.n_components, recipe.n_peaks)
        image = shown(model)
        assert image.max() == pytest.approx(snr, rel=0.15)
        ratio.append(dr1_extent(find_components(image, 1.0).boxes) * PIXEL_ARCSEC / extent)
    assert right >= 0.55 * N  # by chance a shape is of a class one time in ten
    assert np.median(ratio) == pytest.approx(1, abs=0.1)


def test_models_have_the_counts_of_their_images() -> None:
    # On another grid a marginal contour may fall differently, but hardly ever.
    agree = []
    for name in ("1C_3P", "2C_2P", "3C_3P"):
        for model, _, _ in built(name):
            found = find_components(shown(model), 1.0)
            agree.append((len(found), found.n_peaks.sum()) == (model.n_components, model.n_peaks))
    assert np.mean(agree) > 0.85


def test_nothing_is_sharper_than_the_smeared_beam() -> None:
    sharpest = np.hypot(BEAM_ARCSEC, SMEARING_ARCSEC)
    for name in RECIPES:
        for model, _, _ in built(name)[:5]:
            gaussians = model.gaussians
            assert (gaussians[:, 4] >= sharpest - 1e-9).all()
            assert (gaussians[:, 3] >= gaussians[:, 4]).all()
            assert (gaussians[:, 2] > 0).all()


def test_peaks_are_local_maxima_of_the_emission_brightest_first() -> None:
    for model, _, _ in built("3C_3P"):
        image = shown(model)
        columns = np.rint(150 - model.peaks[:, 0] / PIXEL_ARCSEC).astype(int)
        rows = np.rint(150 + model.peaks[:, 1] / PIXEL_ARCSEC).astype(int)
        around = [image[r - 1 : r + 2, c - 1 : c + 2].max() for r, c in zip(rows, columns, strict=True)]
        assert min(around) > 4.5
        assert around == sorted(around, reverse=True) or np.diff(around).max() < 0.1 * max(around)


def test_same_stream_builds_the_same_source() -> None:
    first, again = built("2C_3P", seed=4)[:3], built("2C_3P", seed=4)[:3]
    for (a, _, _), (b, _, _) in zip(first, again, strict=True):
        np.testing.assert_array_equal(a.gaussians, b.gaussians)


def test_compact_source_is_one_gaussian_at_its_host() -> None:
    model = build_compact(20.0, 3.0, 1.0, 30.0)
    point = np.hypot(BEAM_ARCSEC, SMEARING_ARCSEC)
    assert model.gaussians.tolist() == [
        [0, 0, 20.0, pytest.approx(np.hypot(point, 3)), pytest.approx(np.hypot(point, 1)), 30.0]
    ]
    assert model.peaks.tolist() == [[0, 0]] and model.n_components == model.n_peaks == 1
