"""Scales and colour maps, compared with values by hand and with an original image of the authors."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from matplotlib.image import imread

from claran_core.common.frame import flip_rows
from claran_core.fusion.colour import cool, gist_heat, log_minmax, to_rgb, zscale


def test_log_minmax_by_hand() -> None:
    scaled = log_minmax(np.array([[1.0, 3.0, 2.0, np.nan]]))
    assert scaled[0, 0] == 0 and scaled[0, 1] == 1
    assert scaled[0, 2] == pytest.approx(np.log10(501) / 3)
    assert np.isnan(scaled[0, 3])


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
    assert cool(np.array([0.0])).tolist() == [[0, 0, 0]]
    assert cool(np.array([1.0])).tolist() == [[1, 1, 1]]
    assert cool(np.array([0.53]))[0, 2] == 1.0
    assert gist_heat(np.array([0.0])).tolist() == [[0.75, 0.0, 0.0]]
    assert gist_heat(np.array([1.0])).tolist() == [[1.0, 1.0, 1.0]]


def test_blank_pixels_get_the_blank_colour() -> None:
    rgb = to_rgb(np.zeros((2, 2, 3)), np.array([[True, False], [False, False]]), (9, 8, 7))
    assert rgb[0, 0].tolist() == [9, 8, 7] and rgb[1, 1].tolist() == [0, 0, 0] and rgb.dtype == np.uint8


@pytest.mark.data
def test_d1_of_the_authors_is_reproduced(shared_data: Path) -> None:
    """The original PNG is 396 px wide, magnified bilinearly from 132 px and moved by two of its pixels."""
    golden = shared_data / "golden"
    original = imread(golden / "FIRSTJ000315.0+111543_logminmax_D1.png")[..., :3] * 255
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with fits.open(golden / "FIRSTJ000315.0+111543_no_wcs.fits") as hdus:
            radio = flip_rows(hdus[0].data.squeeze().astype(float))
    scaled = cool(log_minmax(radio)) * 255
    # Pixel (i, j) covers rows 3 i + 2 .. 3 i + 4 of the PNG; the central row is 3 i + 3.
    ours, theirs = scaled[5:125, 5:125], original[3 * 5 + 3 : 3 * 125 + 3 : 3, 3 * 5 + 3 : 3 * 125 + 3 : 3]
    difference = np.abs(ours - theirs)
    assert np.mean(difference) < 1.0
    assert np.percentile(difference, 95) < 3.0
