"""Windows around the bright pixels of a coarse view, compared with its native pixels on a full array."""

from typing import Any

import numpy as np
import pytest
from component_images import blob
from scipy import ndimage

from claran_core.common.cutout import Cutout
from claran_core.common.frame import Frame
from claran_core.common.subject import Subject, visible_in_frame
from claran_core.components import sheets
from claran_core.components.sheets import Sheet, bright_sheet, image_sheet
from claran_core.cutouts.coarse import coarse_cutout
from claran_core.survey.surveys import SURVEYS

FRAME = Frame(40, 1.8)


def view(seed: int, scale: int, size: int = 150, *, wide: bool = False) -> tuple[Subject, Cutout]:
    """Return a view of an image with blobs and missing pixels, in a frame within or beyond its border."""
    rng = np.random.default_rng(seed)
    image = rng.normal(0, 1, (size, size))
    for _ in range(25):
        image += blob(image.shape, *rng.uniform(0, size, 2), rng.uniform(5, 50), rng.uniform(3, 9))
    image[rng.random(image.shape) < 0.002] = np.nan
    image[60:75, 70:90] = np.nan
    cutout = Cutout(image.astype(np.float32), Frame(size, 1.8).wcs(180.0, 40.0), "made")
    frame = FRAME.at_scale(2 * scale if wide else scale)
    subject = Subject("S", 180.004, 39.997, "none", frame, scale)
    return subject, coarse_cutout(cutout, scale, SURVEYS["FIRST"])


def islands_of(pixels: np.ndarray, rows: np.ndarray, first: np.ndarray, lowest: float) -> dict[Any, Any]:
    """Return the pixels of each island, and those beside them, by place in the image."""
    labels, count = ndimage.label(np.nan_to_num(pixels) > lowest)
    found = {}
    for number in range(1, count + 1):
        own = labels == number
        y, x = np.nonzero(ndimage.binary_dilation(own))
        places = zip((x + first[y]).tolist(), rows[y].tolist(), strict=True)
        values = dict(zip(places, pixels[y, x].tolist(), strict=True))
        found[min(zip(*(where.tolist() for where in own.nonzero()), strict=True))] = values
    return found


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("seed", range(4))
def test_windows_hold_the_islands_of_the_native_pixels(seed: int, scale: int, wide: bool) -> None:
    subject, cutout = view(seed, scale, wide=wide)
    bright, native = cutout.bright, cutout.native
    assert bright is not None and native is not None
    lowest = 5.0 * bright.sigma
    sheet = bright_sheet(subject, cutout, bright, lowest)
    full = np.pad(visible_in_frame(subject, native).astype(float), 1, constant_values=np.nan)
    everywhere = np.arange(-1, len(full) - 1)
    expected = islands_of(full, everywhere, np.full(len(full), -1), lowest)
    found = islands_of(*sheet, lowest)
    assert len(found) > 5
    assert sum(np.isnan(list(values.values())).any() for values in found.values()) > 0
    key = repr  # NaN is equal to NaN in text
    assert sorted(key(sorted(one.items())) for one in found.values()) == sorted(
        key(sorted(one.items())) for one in expected.values()
    )
    assert sheet.pixels.size < native.data.size or wide


def test_offsets_lead_to_places_in_the_image() -> None:
    sheet = Sheet(np.zeros((4, 3)), np.array([7, 8, 20, 21]), np.array([5, 5, 0, 0]))
    assert sheet.offsets(np.array([[1, 0], [2, 3]])).tolist() == [[5, 7], [0, 18]]


def test_image_without_bright_pixels_has_an_empty_sheet() -> None:
    assert image_sheet(np.zeros((9, 9), np.float32), 1.0).pixels.size == 0
    subject, cutout = view(0, 2)
    assert cutout.bright is not None
    assert bright_sheet(subject, cutout, cutout.bright, np.inf).pixels.size == 0


def test_sheet_of_an_image_is_the_window_around_its_bright_pixels() -> None:
    image = np.zeros((20, 30), np.float32)
    image[5, 8] = image[9, 20] = 3.0
    image[6, 8] = np.nan
    sheet = image_sheet(image, 1.0)
    np.testing.assert_array_equal(sheet.pixels, image[4:11, 7:22])
    assert sheet.rows.tolist() == list(range(4, 11)) and set(sheet.first.tolist()) == {7}


@pytest.mark.parametrize("seed", range(4))
def test_compiled_functions_equal_python(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    subject, cutout = view(seed, 2)
    bright = cutout.bright
    assert bright is not None
    fast = bright_sheet(subject, cutout, bright, 4.0 * bright.sigma)
    for name in ("_stacked", "_islands"):
        monkeypatch.setattr(sheets, name, getattr(sheets, name).py_func)
    plain = bright_sheet(subject, cutout, bright, 4.0 * bright.sigma)
    for one, other in zip(fast, plain, strict=True):
        np.testing.assert_array_equal(one, other)
