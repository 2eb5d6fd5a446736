"""Tables of components: positions in the frame, levels, and prominences."""

import numpy as np
import pandas as pd
import pytest
from component_images import blob

from claran_core.common.boxes import BOX_COLUMNS
from claran_core.common.cutout import Cutout
from claran_core.common.frame import Frame
from claran_core.common.subject import Subject
from claran_core.common.tables import COMPONENTS
from claran_core.components.component_table import (
    LEVELS,
    NO_COMPONENTS,
    NOMINAL_LEVEL,
    SubjectComponents,
    component_rows,
    components_by_subject,
)

FRAME = Frame(size_px=132, pixel_scale_arcsec=1.375)
SUBJECT = Subject("S", 180.0, 40.0, "train", FRAME)


def made(
    *blobs: tuple[float, float, float, float], size: int = 101, scale: float = 1.8, seed: int = 0
) -> Cutout:
    """Return a cut-out with noise of 1 and blobs ``(x, y, peak, fwhm)``."""
    image = np.random.default_rng(seed).normal(0, 1, (size, size))
    for x, y, peak, fwhm in blobs:
        image += blob(image.shape, x, y, peak, fwhm)
    return Cutout(image.astype(np.float32), Frame(size, scale).wcs(180.0, 40.0), "made")


def measured(cutout: Cutout, level: float = NOMINAL_LEVEL) -> SubjectComponents:
    """Return the components of a cut-out by way of the table."""
    table = pd.DataFrame(component_rows(SUBJECT, cutout, (level,)), columns=COMPONENTS.names)
    return components_by_subject(table).get("S", {}).get(level, NO_COMPONENTS)


def test_component_has_its_position_and_size_in_the_frame() -> None:
    # 20 px of 1.8 arcsec to the east and 10 px to the north of the centre: x and y decrease.
    found = measured(made((50 - 20, 50 + 10, 300.0, 6.0)))
    zoom = 1.8 / 1.375
    middle = np.array([66 - 20 * zoom, 66 - 10 * zoom])
    assert len(found) == 1
    assert found.peaks[0] == pytest.approx(middle, abs=0.1)
    assert (found.boxes[0, :2] + found.boxes[0, 2:]) / 2 == pytest.approx(middle, abs=0.3)
    radius = 6.0 / 2 * np.sqrt(np.log2(300 / 5.3)) * zoom
    assert (found.boxes[0, 2:] - found.boxes[0, :2]) / 2 == pytest.approx([radius, radius], rel=0.1)
    assert found.snr[0] == pytest.approx(300, rel=0.1) and found.n_peaks.tolist() == [1]
    assert found.area[0] == pytest.approx(found.n_pixels[0] * zoom**2)
    assert found.flux[0] > found.area[0] * 5.3


def test_pixels_outside_the_frame_are_ignored() -> None:
    assert len(measured(made((3, 50, 300.0, 6.0), (50, 50, 100.0, 6.0), size=151))) == 1


def test_higher_level_gives_fewer_and_smaller_components() -> None:
    cutout = made((40, 50, 5.8, 8.0), (70, 50, 100.0, 6.0), seed=3)
    low, high = measured(cutout, 0.8), measured(cutout, 1.6)
    assert len(low) > len(high) == 1
    assert high.area[0] < low.area[np.argmax(low.snr)]


def test_prominence_of_a_secondary_peak_by_hand() -> None:
    image = np.zeros((101, 101), np.float32)
    image[::3], image[1::3] = 0.1, -0.1  # 1.4826 x MAD: 0.148
    image[50, 40:45] = [30, 15, 10, 15, 20]
    cutout = Cutout(image, Frame(101, 1.8).wcs(180.0, 40.0), "made")
    found = measured(cutout)
    assert len(found) == 1
    assert found.prominences[0] == pytest.approx([np.log(20 / 10) / np.log(3**0.5), 0, 0])


def test_saddles_below_the_level_separate_components() -> None:
    image = np.zeros((101, 101), np.float32)
    image[::3], image[1::3] = 0.1, -0.1
    image[50, 40:43] = [8, 0.9, 6]  # the levels are 0.71 and 1.18
    cutout = Cutout(image, Frame(101, 1.8).wcs(180.0, 40.0), "made")
    together, apart = measured(cutout, 0.9), measured(cutout, 1.5)
    assert len(together) == 1 and together.prominences[0, 0] > 3
    assert len(apart) == 2 and (apart.prominences == 0).all()


@pytest.mark.parametrize("data", [np.full((60, 60), np.nan), np.zeros((60, 60)), np.full((60, 60), 7.0)])
def test_images_without_noise_have_no_components(data: np.ndarray) -> None:
    cutout = Cutout(data.astype(np.float32), Frame(60, 1.8).wcs(180.0, 40.0), "made")
    assert component_rows(SUBJECT, cutout, LEVELS["train"]) == []


def test_training_levels_surround_that_of_the_rule() -> None:
    assert LEVELS["none"] == LEVELS["test"] == (NOMINAL_LEVEL,)
    assert NOMINAL_LEVEL in LEVELS["train"]
    assert np.mean(np.log(LEVELS["train"])) == pytest.approx(0, abs=1e-3)


def test_rows_are_grouped_by_subject_and_level() -> None:
    rows = component_rows(SUBJECT, made((50, 50, 50.0, 6.0)), (0.9, 1.0))
    table = pd.DataFrame(rows, columns=COMPONENTS.names)
    both = pd.concat([table, table.assign(subject_id="T", box_x1=-1.0)], ignore_index=True)
    found = components_by_subject(both.sample(frac=1, random_state=1))
    assert {name: sorted(levels) for name, levels in found.items()} == {"S": [0.9, 1.0], "T": [0.9, 1.0]}
    assert (found["T"][1.0].boxes[:, 0] == -1).all()
    expected = table[table.level == 1.0][BOX_COLUMNS].to_numpy(np.float32)
    assert sorted(map(tuple, found["S"][1.0].boxes)) == sorted(map(tuple, expected))
    assert components_by_subject(table.iloc[:0]) == {} and len(NO_COMPONENTS) == 0
