"""One component seen in several views, and positions inside contour boxes."""

from pathlib import Path

import numpy as np
from view_tables import ViewTables

from claran_core.catalogue.associate.same_component import inside_boxes, same_component
from claran_core.common.sky import sky_to_offset


def test_positions_in_boxes_match_a_plain_comparison(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    tables = ViewTables(dec=-60.0)
    tables.view("a")
    for _ in range(60):
        tables.component("a", *rng.uniform(-80, 80, 2), size=float(rng.choice([4.0, 20.0, 90.0])))
    rows = tables.sky(tmp_path).components
    points, boxes = np.arange(0, 40), np.arange(20, 60)
    found = set(
        zip(*(one.tolist() for one in inside_boxes(rows, points, boxes, np.full(60, 1.0))), strict=True)
    )
    expected = set()
    for i, point in enumerate(points):
        for k, box in enumerate(boxes):
            east, north = sky_to_offset(rows.ra[box], rows.dec[box], rows.ra[point], rows.dec[point])
            half = rows.extent[box].mean() + 1.0
            if max(abs(east), abs(north)) < half:
                expected.add((i, k))
    assert found == expected and 40 < len(found) < 1000


def test_numbers_match_a_plain_comparison_of_all_pairs(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    tables = ViewTables(ra=359.999, dec=80.0)
    for name in "abc":
        tables.view(name)
    places = rng.uniform(-60, 60, (40, 2))
    peaks = []
    for name in "abc":
        for east, north in places[rng.random(40) < 0.7] + (0.0 if name < "c" else 1.0):
            second = (east + 9.0, north, 4.0)
            tables.component(name, east, north, peaks=[second])
            peaks.append({(east, north), second[:2]})
    rows = tables.sky(tmp_path).components
    own = np.arange(len(rows.view))
    label = same_component(rows, own, np.full(len(own), 2.7))
    near = [
        [any(np.hypot(a[0] - b[0], a[1] - b[1]) <= 2.7 for a in one for b in other) for other in peaks]
        for one in peaks
    ]
    linked = np.array(near)
    for _ in range(len(peaks)):  # friends of friends
        linked = linked @ linked
    np.testing.assert_array_equal(label[:, None] == label, linked)
    assert 5 < len(set(label.tolist())) < 40


def test_of_two_images_the_wider_beam_says_how_far_apart_one_peak_may_be(tmp_path: Path) -> None:
    tables = ViewTables()
    for name in "abc":
        tables.view(name)
    for name, east in (("a", 0.0), ("b", 3.0), ("c", 9.5)):
        tables.component(name, east)
    rows = tables.sky(tmp_path).components
    own = np.arange(3)
    for tolerance, expected in (
        ([2.5, 2.5, 2.5], [0, 1, 2]),
        ([2.5, 3.5, 2.5], [0, 0, 1]),
        ([2.5, 2.5, 7.0], [0, 1, 1]),
        ([3.5, 2.5, 7.0], [0, 0, 0]),
        ([2.5, 2.5, 10.0], [0, 0, 0]),
    ):
        label, group = same_component(rows, own, np.array(tolerance)), np.array(expected)
        np.testing.assert_array_equal(label[:, None] == label, group[:, None] == group)
