"""Labels on the sky: which components they own, and what the contour rule measures of them."""

from dataclasses import replace

import numpy as np
import pytest
from true_sources import gaussian, native_wcs, observe

from claran_core.common.frame import Frame
from claran_core.common.subject import Subject
from claran_core.common.tables import LABELS
from claran_core.components.find import component_tables
from claran_core.labels.owner_table import COMPONENT_COLUMNS
from claran_core.labels.owners import NO_OWNER, Rows
from claran_core.labels.sky_labels import SkyLabel, SkyLabels, own_rows

FRAME = Frame()
SUBJECT = Subject("here", 150.0, 20.0, "train", FRAME)


def sky(points: list[tuple[float, float]]) -> np.ndarray:
    """Return the sky positions (n, 2) of frame positions."""
    x, y = np.array(points, float).T
    return np.stack(FRAME.frame_to_sky(150.0, 20.0, x, y), axis=-1)


def label(name: str, kind: str, *box: float, outline: list[tuple[float, float]] | None = None) -> SkyLabel:
    """Return a label with a box ``x1 y1 x2 y2`` in frame px."""
    x1, y1, x2, y2 = box
    corners = sky([(x1, y1), (x2, y1), (x2, y2), (x1, y2)])
    return SkyLabel(name, kind, corners, outlines=() if outline is None else (sky(outline),))


@pytest.fixture(scope="module")
def rows() -> Rows:
    """Three point sources, at frame positions (40, 60), (80, 60) and (60, 62)."""
    places = native_wcs().sky_to_pixels(*sky([(40, 60), (80, 60), (60, 62)]).T)
    sources = [gaussian(x, y, 50.0) for x, y in zip(*places, strict=True)]
    components, _ = component_tables([(SUBJECT, observe(*sources), (1.0, 0.9))], FRAME)
    found = {name: components[name].to_numpy() for name in COMPONENT_COLUMNS}
    assert (found["level"] == 1).sum() == 3
    return found


def owners(rows: Rows, owner: np.ndarray) -> dict[float, int]:
    """Return the owner of each component at the nominal level, by its frame position x."""
    nominal = rows["level"] == 1
    x, _ = FRAME.sky_to_frame(150.0, 20.0, rows["ra"][nominal], rows["dec"][nominal])
    return dict(zip(np.round(x, -1).tolist(), owner[nominal].tolist(), strict=True))


def test_the_smallest_box_around_a_peak_owns_its_component(rows: Rows) -> None:
    both, middle = label("d", "FR-II", 30, 50, 90, 70), label("m", "compact", 55, 57, 65, 67)
    found, owner = own_rows(SUBJECT, [both, middle], rows)
    assert owners(rows, owner) == {40.0: 0, 80.0: 0, 60.0: 1}
    assert [(row["label_id"], row["morphology"], row["n_components"]) for row in found] == [
        ("d", "FR-II", 2),
        ("m", "compact", 1),
    ]
    assert set(found[0]) == set(LABELS.names)
    # The box is that of the contour rule: around both components, not the drawn one.
    assert (found[0]["box_x1"] + found[0]["box_x2"]) / 2 == pytest.approx(60, abs=0.5)
    assert found[1]["angular_size"] < 30
    for level in (1.0, 0.9):
        assert (owner[rows["level"] == level] != NO_OWNER).all()


def test_an_outline_decides_instead_of_the_box(rows: Rows) -> None:
    outline = [(30, 56), (90, 56), (90, 61.4), (30, 61.4)]  # below the peak at y = 62
    _, owner = own_rows(SUBJECT, [label("d", "FR-II", 30, 50, 90, 70, outline=outline)], rows)
    assert owners(rows, owner) == {40.0: 0, 80.0: 0, 60.0: NO_OWNER}


def test_a_label_that_is_cut_by_the_frame_owns_nothing(rows: Rows) -> None:
    cut = label("c", "FR-II", -5, 50, 50, 70)
    found, owner = own_rows(SUBJECT, [cut, label("w", "FR-I", 1, 1, 131, 131)], rows)
    # Its component is of an unknown source, not of the larger label around it.
    assert owners(rows, owner) == {40.0: NO_OWNER, 80.0: 1, 60.0: 1}
    assert [row["label_id"] for row in found] == ["w"]


def test_a_box_without_a_component_is_no_label(rows: Rows) -> None:
    found, owner = own_rows(SUBJECT, [label("e", "FR-I", 5, 5, 20, 20)], rows)
    assert found == [] and (owner == NO_OWNER).all()


def test_labels_near_a_subject() -> None:
    here, wide = label("here", "FR-I", 60, 60, 70, 70), label("wide", "FR-I", -400, 60, 10, 70)
    far = SkyLabel("far", "FR-I", here.corners + [1, 0])
    named = replace(here, label_id="named", subject_id="another")
    labels = SkyLabels([here, wide, far, named])
    assert [one.label_id for one in labels.near(SUBJECT)] == ["here", "wide"]
    assert [one.label_id for one in labels.near(replace(SUBJECT, subject_id="another"))] == [
        "here",
        "wide",
        "named",
    ]
    x, y = FRAME.sky_to_frame(150.0, 20.0, *labels.centres_deg[0])
    assert (x, y) == pytest.approx((65, 65), abs=1e-4)
