"""Models of labelled sources: the contour rule finds the properties of the label."""

import numpy as np
import pytest

from claran_core.components.contour_rule import dr1_extent, find_components
from claran_core.simulation.hotspot_models import draw_parts
from claran_core.simulation.labelled_sources import LabelledSource, _moved, build_labelled
from claran_core.simulation.recipes import RECIPES
from claran_core.simulation.source_models import SourceModel
from claran_core.simulation.source_shapes import POINT_ARCSEC

PIXEL = 1.8


def image_of(rows: np.ndarray, half_arcsec: float = 150.0) -> tuple[np.ndarray, float]:
    """Return Gaussians on FIRST's pixels, computed directly (columns run east), and the offset of pixel 0."""
    n = 2 * int(half_arcsec / PIXEL) + 1
    axis = (np.arange(n) - n // 2) * PIXEL
    image = np.zeros((n, n))
    for east, north, peak, major, minor, angle_deg in rows:
        angle = np.deg2rad(angle_deg)
        along = (axis[None] - east) * np.sin(angle) + (axis[:, None] - north) * np.cos(angle)
        across = (axis[None] - east) * np.cos(angle) - (axis[:, None] - north) * np.sin(angle)
        image += peak * 2.0 ** -(4 * ((along / major) ** 2 + (across / minor) ** 2))
    return image, axis[0]


def seen(rows: np.ndarray) -> tuple[tuple[int, int], float, np.ndarray]:
    """Counts of components and peaks, extent and brightest pixels (arcsec) by the contour rule."""
    image, start = image_of(rows)
    found = find_components(image, 1.0)
    counts = len(found), int(found.n_peaks.sum())
    return counts, dr1_extent(found.boxes) * PIXEL, start + PIXEL * found.brightest


# Places are east and north of the host; two of the doubles are larger, two smaller than their components
# are apart, and the first triple is bent.
LABELS = [
    ("1C_1P", [(0, 0)], 1, 17.0, 40.0),
    ("1C_2P", [(5, 4)], 2, 31.0, 60.0),
    ("1C_3P", [(0, 12)], 3, 50.0, 70.0),
    ("2C_2P", [(10, 8), (-10, -8)], 2, 36.0, 40.0),
    ("2C_2P", [(30, 0), (-30, 0)], 2, 50.0, 60.0),
    ("2C_3P", [(0, 15), (0, -15)], 3, 45.0, 80.0),
    ("2C_3P", [(-25, 20), (25, -20)], 3, 50.0, 60.0),
    ("3C_3P", [(25, 10), (0, 0), (-20, 14)], 3, 60.0, 50.0),
    ("3C_3P", [(0, 40), (0, 2), (0, -40)], 3, 75.0, 40.0),
    ("beyond", [(0, 40), (0, 15), (0, -15), (0, -40)], 4, 85.0, 40.0),
]


@pytest.mark.parametrize("number", range(len(LABELS)))
def test_contours_have_the_properties_of_the_label(number: int) -> None:
    recipe, places, n_peaks, extent, snr = LABELS[number]
    places = np.array(places, float)
    label = LabelledSource(places, n_peaks, extent, snr, RECIPES[recipe])
    counts, measured, brightest = seen(build_labelled(np.random.default_rng(number), label).gaussians)
    assert counts == (len(places), n_peaks)
    assert measured == pytest.approx(extent, rel=0.1)
    # Each component has its brightest pixel where the label has it, to two pixels.
    apart = np.hypot(*(places[:, None] - brightest[None]).T)
    assert sorted(apart.argmin(axis=0)) == list(range(len(places)))
    assert apart.min(axis=0).max() < 2 * PIXEL


def test_model_has_the_counts_of_its_image() -> None:
    label = LabelledSource(np.array([(20.0, 0.0), (-20.0, 0.0)]), 2, 44.0, 50.0, RECIPES["2C_2P"])
    structure = build_labelled(np.random.default_rng(1), label)
    assert (structure.n_components, structure.n_peaks) == (2, 2)
    assert structure.peaks.shape[1] == 2 and len(structure.peaks) >= 2
    image, start = image_of(structure.gaussians)
    row, column = np.unravel_index(image.argmax(), image.shape)
    np.testing.assert_allclose(structure.peaks[0], start + PIXEL * np.array([column, row]), atol=1e-6)
    assert image.max() == pytest.approx(50.0, rel=0.35)


def test_same_stream_builds_the_same_source() -> None:
    label = LabelledSource(np.array([(20.0, 0.0), (-20.0, 0.0)]), 3, 44.0, 50.0, RECIPES["2C_3P"])
    first, again, other = (
        build_labelled(np.random.default_rng(seed), label).gaussians.tolist() for seed in (7, 7, 8)
    )
    assert first == again != other


@pytest.mark.parametrize("extent", [6.0, 9.0, 17.0, 30.0])
def test_brightness_of_one_component_is_limited_by_its_extent(extent: float) -> None:
    snr = LabelledSource(np.zeros((1, 2)), 1, extent, 0.0, RECIPES["1C_1P"]).allowed_snr()
    point = np.array([[0.4, 0.3, min(snr, 1e4), POINT_ARCSEC, POINT_ARCSEC, 0.0]])
    assert seen(point)[1] <= 1.06 * extent  # in the contour of a point there is room for it, just


@pytest.mark.parametrize("apart", [12.0, 16.0, 24.0])
def test_two_components_are_faint_enough_for_a_gap(apart: float) -> None:
    places = np.array([(0.0, 0.0), (0.0, apart)])
    snr = min(LabelledSource(places, 2, 20.0, 0.0, RECIPES["2C_2P"]).allowed_snr(), 1e3)
    spots = [(*places[0], snr), (*places[1], 8.5)]
    rows = [[*spot, POINT_ARCSEC, POINT_ARCSEC, 0.0] for spot in spots]
    assert seen(np.array(rows))[0] == (2, 2)


@pytest.mark.parametrize("place", [(9, 3), (9, -3), (-9, 3), (-9, -3), (3, 9), (3, -9), (-3, 9), (-3, -9)])
def test_moved_source_is_mirrored_towards_the_host(place: tuple[float, float]) -> None:
    rows = np.array(
        [
            [10.0, 2.5, 60.0, 7.0, 6.0, 20.0],
            [0.0, 0.0, 30.0, 6.0, 6.0, 0.0],
            [-24.0, -12.0, 25.0, 16.0, 7.0, 65.0],
        ]
    )
    counts, extent, brightest = seen(rows)
    # The rule goes from south to north: the brightest of the source is in the northern one.
    structure = SourceModel("test", rows, brightest[::-1], *counts)
    moved, off_host = _moved(structure, np.array(place, float))
    counts_moved, extent_moved, brightest_moved = seen(moved)
    assert counts_moved == counts
    assert extent_moved == pytest.approx(extent, rel=0.03)  # other phases of the pixels
    assert np.hypot(*(brightest_moved - place).T).min() < PIXEL
    # The core is as far from where it should be as the mirrored vector leaves it.
    assert np.hypot(*moved[1, :2]) == pytest.approx(off_host)
    assert off_host < 4.0


def test_outward_tails_lengthen_and_inward_tails_shorten_the_source() -> None:
    places = np.array([(30.0, 0.0), (-30.0, 0.0)])
    parts = draw_parts(np.random.default_rng(3), places, n_peaks=2, peak_snr=60.0)
    extents = [
        seen(np.concatenate([part.rows(growth) for part in parts]))[1] for growth in (-20.0, 0.0, 20.0, 40.0)
    ]
    assert extents[0] < extents[1] - 10 < extents[2] - 20 < extents[3] - 30
