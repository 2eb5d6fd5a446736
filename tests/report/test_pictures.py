"""Pictures show faint emission, contours surround it, and sheets hold each picture in its place."""

import re
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from report_inputs import SIZE, images_of, planes_of

from claran_core.report.pictures import (
    BLANK_RGB,
    PAD_PX,
    PANELS,
    batches,
    contour_paths,
    infrared_picture,
    radio_picture,
    write_sheets,
)


def brightness(picture: np.ndarray) -> np.ndarray:
    return picture.astype(int).sum(axis=-1)


def test_faint_emission_is_visible_beside_a_bright_peak() -> None:
    radio = np.zeros((9, 9))
    radio[2, 2], radio[6, 6] = 1000.0, 5.0
    seen = brightness(radio_picture(radio, 1.0))
    assert seen[2, 2] == seen.max()
    assert seen[0, 0] < seen[6, 6] < seen[2, 2]
    assert seen[6, 6] - seen[0, 0] > 60  # of 765: on a linear scale it would be 4


@pytest.mark.parametrize("sigma", [np.nan, 0.0, 1.0])
@pytest.mark.parametrize("fill", [0.0, np.nan, 7.0])
def test_images_without_noise_or_pixels_have_a_picture(sigma: float, fill: float) -> None:
    plane = np.full((4, 4), fill)
    picture = radio_picture(plane, sigma)
    assert (picture.shape, picture.dtype) == ((4, 4, 3), np.uint8)
    assert infrared_picture(plane).shape == (4, 4, 3)


def test_pixels_without_data_are_grey() -> None:
    plane = planes_of("S001").radio.copy()
    plane[3, 5] = np.nan
    for picture in (radio_picture(plane, 1.0), infrared_picture(plane)):
        assert tuple(picture[3, 5]) == BLANK_RGB


def test_contours_are_closed_paths_around_the_emission() -> None:
    y, x = np.mgrid[:30, :30] + 0.5  # centres of pixels in the frame
    radio = 100 * np.exp(-((x - 12) ** 2 + (y - 20) ** 2) / 18)
    paths = contour_paths(radio, 10.0)
    assert len(paths) == 4  # 10, 20, 40, 80
    for path, level in zip(paths, (10, 20, 40, 80), strict=True):
        assert re.fullmatch(r"M[\d. L]+Z", path)
        points = np.array([[float(n) for n in point.split()] for point in path[1:-1].split("L")])
        radius = np.hypot(*(points - [12, 20]).T)
        np.testing.assert_allclose(radius, np.sqrt(18 * np.log(100 / level)), atol=0.15)


@pytest.mark.parametrize("level", [np.nan, 0.0, 1e9])
def test_no_level_below_the_peak_gives_no_contours(level: float) -> None:
    assert contour_paths(planes_of("S001").radio, level) == []


def test_sheets_hold_the_pictures_below_each_other(tmp_path: Path) -> None:
    subjects = list(images_of(["S001", "S002"]))
    write_sheets(tmp_path, "00000", subjects)
    step = SIZE + 2 * PAD_PX
    sheets = {panel: matplotlib.image.imread(tmp_path / f"00000.{panel}.webp") for panel in PANELS}
    for sheet in sheets.values():
        assert sheet.shape[:2] == (2 * step, SIZE)
    fused = sheets["fused"][..., :3]
    for row, images in enumerate(subjects):
        np.testing.assert_array_equal(fused[row * step + PAD_PX : (row + 1) * step - PAD_PX], images.fused)
        np.testing.assert_array_equal(fused[row * step], images.fused[0])
    shown = sheets["radio"][step + PAD_PX : 2 * step - PAD_PX, :, :3].astype(int)
    own, other = (np.abs(shown - radio_picture(images.planes.radio, 1.0)).mean() for images in subjects[::-1])
    assert own < 0.4 * other  # compressed, but this very picture


def test_batches_hold_all_in_order() -> None:
    names = [f"S{i:03d}" for i in range(5)]
    groups = list(batches(images_of(names), 2))
    assert [[images.subject_id for images in group] for group in groups] == [names[:2], names[2:4], names[4:]]
    assert list(batches(iter(()), 2)) == []
