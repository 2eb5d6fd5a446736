"""Extended sources: built as the recipe says, and seen as such through noise."""

import numpy as np
import pytest

from claran_core.components import find_components
from claran_core.survey.simulated.chains import build_chain, build_single
from claran_core.survey.simulated.geometry import TileGrid, Window
from claran_core.survey.simulated.population import _source
from claran_core.survey.simulated.recipes import BEAM_ARCSEC, RECIPES, SNR_UNIT_JY

GRID = TileGrid(nside=128, pixel_scale_arcsec=1.8, size_px=2000)


def shown(structure, *, half_px: int = 130) -> np.ndarray:
    """Signal-to-noise image of a structure without noise, source in the middle."""
    tile = GRID.tile(0)
    source = _source("a", tile.ra_deg, tile.dec_deg, structure, np.random.default_rng(0))
    window = Window(1000 - half_px, 1000 - half_px, 2 * half_px, 2 * half_px)
    image = np.zeros(window.shape)
    placed = source.gaussians.place(tile)
    placed.add_to(image, window, placed.touching(window))
    return image / SNR_UNIT_JY


@pytest.mark.parametrize("name", list(RECIPES))
def test_recipes_say_what_their_names_say(name: str) -> None:
    recipe = RECIPES[name]
    assert name == f"{recipe.n_components}C_{recipe.n_peaks}P"
    for values in (recipe.peak_snr, recipe.span_arcsec, recipe.end_ratio, recipe.inner_ratio):
        assert len(values) == 7 and min(values) > 0 and list(values) == sorted(values)


@pytest.mark.parametrize("name", list(RECIPES))
def test_sources_show_what_they_are_meant_to(name: str) -> None:
    rng = np.random.default_rng(11)
    recipe = RECIPES[name]
    agree = 0
    for _ in range(25):
        structure = build_chain(rng, recipe)
        assert len(structure.peaks) == recipe.n_peaks
        assert structure.component.tolist() == np.cumsum([0, *np.diff(structure.component)]).tolist()
        assert structure.component[-1] == recipe.n_components - 1
        found = find_components(shown(structure), 1.0)
        agree += (len(found), found.n_peaks.sum()) == (recipe.n_components, recipe.n_peaks)
    assert agree >= 20


def test_single_is_one_component_as_wide_as_asked() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        structure = build_single(rng, peak_snr=60.0, size_arcsec=5.0)
        found = find_components(shown(structure), 1.0)
        assert len(found) == 1 and found.n_peaks.tolist() == [1]
        assert structure.gaussians[0, 2:4].tolist() == pytest.approx([60.0, np.hypot(5.0, BEAM_ARCSEC)])


def test_nothing_is_sharper_than_the_beam() -> None:
    rng = np.random.default_rng(4)
    for recipe in RECIPES.values():
        gaussians = build_chain(rng, recipe).gaussians
        assert (gaussians[:, 4] >= BEAM_ARCSEC - 1e-9).all()
        assert (gaussians[:, 3] >= gaussians[:, 4]).all()
        assert (gaussians[:, 2] > 0).all()


def test_host_of_a_triple_is_at_its_core_and_of_a_double_between_the_lobes() -> None:
    rng = np.random.default_rng(5)
    for _ in range(20):
        assert np.hypot(*build_chain(rng, RECIPES["3C_3P"]).peaks[1]) == pytest.approx(0, abs=1e-9)
        double = build_chain(rng, RECIPES["2C_2P"])
        along = double.peaks[1] - double.peaks[0]
        share = -double.peaks[0] @ along / (along @ along)
        assert (
            (share == pytest.approx(0, abs=0.1))
            if double.kind == "core_jet"
            else (0.1 < share < 0.9 or double.kind == "bent")
        )
