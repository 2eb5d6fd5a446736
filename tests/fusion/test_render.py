"""The five fused images, also for missing and partial radio and infrared images."""

import numpy as np
import pytest

from claran_core.common.flags import Flag
from claran_core.fusion import render as module
from claran_core.fusion.render import METHODS, Drawing, Planes, render

SIZE = 60
DRAWING = Drawing(contour_sigma=5.0, hull_fill=(213, 45, 14))
FILL = list(DRAWING.hull_fill)


def radio() -> np.ndarray:
    """Return an image with two sources."""
    rows, columns = np.indices((SIZE, SIZE))
    image = np.random.default_rng(1).normal(0, 1, (SIZE, SIZE))
    for x, y, peak in [(20, 30, 60), (42, 26, 30)]:
        image += peak * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8)
    return image.astype(np.float32)


def infrared() -> np.ndarray:
    """Return an image with one source."""
    image = np.random.default_rng(2).normal(4, 0.2, (SIZE, SIZE))
    image[28:31, 30:33] = 60
    return image.astype(np.float32)


BLANK = np.full((SIZE, SIZE), np.nan, np.float32)
PLANES = Planes(radio(), infrared(), 1.0)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("planes", "flags"),
    [
        (PLANES, Flag(0)),
        (Planes(BLANK, infrared(), np.nan), Flag.RADIO_MISSING),
        (Planes(radio(), BLANK, 1.0), Flag.INFRARED_MISSING),
        (Planes(BLANK, BLANK, np.nan), Flag.RADIO_MISSING | Flag.INFRARED_MISSING),
        (Planes(np.zeros((SIZE, SIZE), np.float32), infrared(), 0.0), Flag.RADIO_BLANK),
        (Planes(radio(), np.full((SIZE, SIZE), 4.0, np.float32), 1.0), Flag(0)),
    ],
)
def test_all_methods_draw_all_planes(method: str, planes: Planes, flags: Flag) -> None:
    image, n_contours = render(planes, method, DRAWING)
    assert image.shape == (SIZE, SIZE, 3) and image.dtype == np.uint8
    assert planes.flags == flags
    assert (n_contours == 0) == bool(flags & (Flag.RADIO_MISSING | Flag.RADIO_BLANK))


def test_partial_planes_are_flagged() -> None:
    part = radio()
    part[:10] = np.nan
    assert Planes(part, infrared(), 1.0).flags == Flag.RADIO_PARTIAL
    assert Planes(radio(), np.where(part > -99, infrared(), np.nan), 1.0).flags == Flag.INFRARED_PARTIAL
    image, _ = render(Planes(part, infrared(), 1.0), "D1", DRAWING)
    assert (image[:10] == 255).all() and not (image[10:] == 255).all()


def test_d1_shows_the_brightest_pixel_in_white() -> None:
    image, _ = render(PLANES, "D1", DRAWING)
    brightest = np.unravel_index(PLANES.radio.argmax(), PLANES.radio.shape)
    assert image[brightest].tolist() == [255, 255, 255]


def test_d2_only_raises_the_red_channel() -> None:
    d1, d2 = render(PLANES, "D1", DRAWING)[0], render(PLANES, "D2", DRAWING)[0]
    assert (d1[..., 1:] == d2[..., 1:]).all()
    assert (d2[..., 0] >= d1[..., 0]).all() and d2[29, 31, 0] == 255 > d1[29, 31, 0]


def test_d2_without_infrared_is_d1() -> None:
    planes = Planes(radio(), BLANK, 1.0)
    assert np.array_equal(render(planes, "D1", DRAWING)[0], render(planes, "D2", DRAWING)[0])


def test_d3_draws_blue_lines_over_infrared() -> None:
    image, n_contours = render(PLANES, "D3", DRAWING)
    bare, _ = render(Planes(np.zeros_like(PLANES.radio), infrared(), 0.0), "D3", DRAWING)
    changed = (image != bare).any(axis=-1)
    assert n_contours == 2
    assert 0.01 < changed.mean() < 0.15
    assert (image[changed][:, 2] >= bare[changed][:, 2]).all()
    assert (bare[..., 2] <= bare[..., 0]).all()  # gist_heat: never more blue than red


def test_d3_and_d4_without_infrared_use_the_constant_fill() -> None:
    image, _ = render(Planes(radio(), BLANK, 1.0), "D3", DRAWING)
    assert image[0, 0].tolist() == FILL and (image != FILL).any()


def test_d4_is_d3_inside_the_hull_and_constant_outside() -> None:
    d3, d4 = render(PLANES, "D3", DRAWING)[0], render(PLANES, "D4", DRAWING)[0]
    outside = (d4 == FILL).all(axis=-1)
    assert outside[0, 0] and not outside[30, 20] and not outside[28, 31]
    assert np.array_equal(d3[~outside], d4[~outside])
    assert 0.05 < (~outside).mean() < 0.5


def test_d4_without_contours_is_constant() -> None:
    image, n_contours = render(Planes(radio() * 0 + 1e-9, infrared(), 1.0), "D4", DRAWING)
    assert n_contours == 0 and (image == FILL).all()


@pytest.mark.parametrize(("method", "name"), [("D2", "_add_red"), ("D3", "_draw_lines")])
def test_compiled_functions_give_the_results_of_the_written_ones(
    method: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = render(PLANES, method, DRAWING)[0]
    monkeypatch.setattr(module, name, getattr(module, name).py_func)
    assert np.array_equal(render(PLANES, method, DRAWING)[0], image)


def test_fill_is_an_option() -> None:
    image, _ = render(PLANES, "D4", Drawing(5.0, (1, 2, 3)))
    assert image[0, 0].tolist() == [1, 2, 3]


def test_unknown_method_is_refused() -> None:
    with pytest.raises(ValueError, match="D5"):
        render(PLANES, "D5", DRAWING)
