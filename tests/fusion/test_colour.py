"""Scales and colour maps, compared with values by hand, numpy and an original image of the authors."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from matplotlib.image import imread

from claran_core.common.frame import flip_rows
from claran_core.fusion import colour
from claran_core.fusion.colour import COOL, cool, gist_heat, log_minmax, zscale

BLANK = (9, 8, 7)


def test_log_minmax_by_hand() -> None:
    scaled = log_minmax(np.array([[1.0, 3.0, 2.0, np.nan]]))
    assert scaled[0, 0] == 0 and scaled[0, 1] == 1
    assert scaled[0, 2] == pytest.approx(np.log10(501) / 3)
    assert np.isnan(scaled[0, 3])


def test_pixels_that_are_not_shown_count_for_the_limits() -> None:
    image = np.random.default_rng(1).normal(0, 1, (20, 20)).astype(np.float32)
    image[2, 3] = np.nan
    shown = np.zeros((20, 20), bool)
    shown[:5] = True
    scaled = log_minmax(image, shown)
    np.testing.assert_array_equal(scaled, np.where(shown, log_minmax(image), np.nan))


@pytest.mark.parametrize("scale", [log_minmax, zscale])
def test_constant_image_scales_to_zero_and_blank_image_to_nan(
    scale: Callable[[np.ndarray], np.ndarray],
) -> None:
    assert scale(np.full((3, 3), 5.0)).tolist() == np.zeros((3, 3)).tolist()
    assert np.isnan(scale(np.full((3, 3), np.nan))).all()


def test_zscale_saturates_outside_its_limits() -> None:
    image = np.random.default_rng(1).normal(0, 1, (100, 100))
    image[0, 0] = 1e6
    scaled = zscale(image)
    assert scaled[0, 0] == 1.0 and 0.2 < np.median(scaled) < 0.8


def test_colour_maps_at_their_knots() -> None:
    ends = np.array([[0.0, 0.53, 1.0]])
    assert cool(ends, BLANK)[0, ::2].tolist() == [[0, 0, 0], [255, 255, 255]]
    assert cool(ends, BLANK)[0, 1, 2] == 255
    assert gist_heat(ends, BLANK)[0, ::2].tolist() == [[191, 0, 0], [255, 255, 255]]


def test_colour_maps_are_linear_between_their_knots() -> None:
    x = np.random.default_rng(2).uniform(0, 1, (50, 60))
    expected = np.stack([np.interp(x, *channel) for channel in COOL], axis=-1)
    assert np.array_equal(cool(x, BLANK), np.rint(expected * 255))
    position = np.clip(0.684 * x + 0.5, 0, 1)[..., None]
    expected = np.clip(position * [1.5, 2.0, 4.0] - [0.0, 1.0, 3.0], 0, 1)
    assert np.array_equal(gist_heat(x, BLANK), np.rint(expected * 255))


@pytest.mark.parametrize("colours", [cool, gist_heat])
def test_blank_pixels_get_the_blank_colour(
    colours: Callable[[np.ndarray, tuple[int, int, int]], np.ndarray],
) -> None:
    rgb = colours(np.array([[np.nan, 0.1], [0.2, 0.3]]), BLANK)
    assert rgb.dtype == np.uint8 and rgb.shape == (2, 2, 3)
    assert (rgb == BLANK).all(axis=-1).tolist() == [[True, False], [False, False]]


def test_compiled_functions_give_the_results_of_the_written_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.random.default_rng(3).normal(0, 1, (9, 11)).astype(np.float32)
    image[0, :3] = np.nan
    scaled = log_minmax(image)
    compiled = cool(scaled, BLANK), gist_heat(scaled, BLANK)
    for name in ("_log_scaled", "cool", "gist_heat", "_interpolated", "_grey_level", "_set_colour"):
        monkeypatch.setattr(colour, name, getattr(colour, name).py_func)
    np.testing.assert_allclose(log_minmax(image), scaled, rtol=0, atol=1e-15)
    assert np.array_equal(colour.cool(scaled, BLANK), compiled[0])
    assert np.array_equal(colour.gist_heat(scaled, BLANK), compiled[1])


@pytest.mark.data
def test_d1_of_the_authors_is_reproduced(shared_data: Path) -> None:
    """The original PNG is 396 px wide, magnified bilinearly from 132 px and moved by two of its pixels."""
    golden = shared_data / "golden"
    original = imread(golden / "FIRSTJ000315.0+111543_logminmax_D1.png")[..., :3] * 255
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with fits.open(golden / "FIRSTJ000315.0+111543_no_wcs.fits") as hdus:
            radio = flip_rows(hdus[0].data.squeeze().astype(float))
    drawn = cool(log_minmax(radio), (255, 255, 255)).astype(float)
    # Pixel (i, j) covers rows 3 i + 2 .. 3 i + 4 of the PNG; the central row is 3 i + 3.
    ours, theirs = drawn[5:125, 5:125], original[3 * 5 + 3 : 3 * 125 + 3 : 3, 3 * 5 + 3 : 3 * 125 + 3 : 3]
    difference = np.abs(ours - theirs)
    assert np.mean(difference) < 1.0
    assert np.percentile(difference, 95) < 3.0
