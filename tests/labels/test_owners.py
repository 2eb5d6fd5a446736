"""Owners of components: flux in contours, all levels, two scales, the label table."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from true_sources import Source, gaussian, native_wcs, observe

from claran_core.common.cutout import Cutout
from claran_core.common.frame import Frame
from claran_core.common.subject import Subject
from claran_core.components.component_table import NOMINAL_LEVEL
from claran_core.components.contour_rule import find_components
from claran_core.components.find import component_tables
from claran_core.cutouts.coarse import coarse_cutout
from claran_core.labels import owners
from claran_core.labels.dr1_labels import coarse_rows, simulated_rows
from claran_core.labels.owner_table import COMPONENT_COLUMNS
from claran_core.labels.owners import (
    NO_OWNER,
    Rows,
    classes_in_view,
    owners_from_table,
    owners_of,
    simulated_owners,
    true_flux,
)
from claran_core.survey.surveys import SURVEYS

FRAME = Frame()
SUBJECT = Subject("here", 150.0, 20.0, "train", FRAME)
LEVELS = (1.0, 0.9, 1.1)


def found(subject: Subject, cutout: Cutout, levels: tuple[float, ...] = LEVELS) -> tuple[Rows, float]:
    """Return the components of a subject, and the noise of its image."""
    components, noise = component_tables([(subject, cutout, levels)], FRAME)
    return {name: components[name].to_numpy() for name in COMPONENT_COLUMNS}, float(noise["sigma"][0])


def named(sources: list[Source], owner: np.ndarray) -> list[str]:
    return ["" if index == NO_OWNER else sources[index].source_id for index in owner]


def coarser(fine: Cutout, scale: int) -> tuple[Subject, Cutout]:
    """Return the subject of the wide image `fine` at a coarser scale, and its smoothed and binned image."""
    subject = replace(SUBJECT, frame=FRAME.at_scale(scale), scale=scale)
    return subject, coarse_cutout(fine, scale, SURVEYS["FIRST"])


@given(
    seed=st.integers(0, 10_000),
    zoom=st.integers(1, 4),
    left=st.integers(-9, 20),
    bottom=st.integers(-9, 20),
)
def test_flux_in_contours_equals_that_of_a_plain_sum(seed: int, zoom: int, left: int, bottom: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, (5, 6)).astype(np.int32)
    emission = rng.uniform(0, 1, (7, 8)).astype(np.float32)
    expected = np.zeros(3)
    wide = labels.repeat(zoom, axis=0).repeat(zoom, axis=1)
    for (j, i), value in np.ndenumerate(emission):
        y, x = bottom + j, left + i
        if 0 <= y < wide.shape[0] and 0 <= x < wide.shape[1] and wide[y, x]:
            expected[wide[y, x] - 1] += value
    flux = np.zeros(3)
    owners._add_flux.py_func(labels, emission, left, bottom, zoom, flux)
    np.testing.assert_allclose(flux, expected, rtol=1e-12)
    again = np.zeros(3)
    owners._add_flux(labels, emission, left, bottom, zoom, again)
    np.testing.assert_array_equal(again, flux)


def test_emission_counts_at_its_place() -> None:
    image, bright = gaussian(40, 70, 50), np.zeros((106, 106))
    bright[60:80, 30:50] = bright[:20] = 10.0
    sources = [Source("a", image), Source("none", 0 * image)]
    flux = true_flux(find_components(bright, 1.0), sources, native_wcs())
    np.testing.assert_allclose(flux, [[0, 0], [image.sum(), 0]], rtol=1e-5)
    window = true_flux(find_components(bright[50:, 20:], 1.0), sources, native_wcs().window(20, 50))
    np.testing.assert_allclose(window, [[image.sum(), 0]], rtol=1e-5)


def test_owner_has_most_flux_and_a_third_of_that_measured() -> None:
    flux = np.array([[3.0, 4.0, 0.0], [3.0, 3.0, 0.0], [3.2, 3.3, 3.4], [0.0, 0.0, 0.0]])
    assert owners_of(flux, np.array([12.0, 9.1, 10.0, 1.0])).tolist() == [1, NO_OWNER, 2, NO_OWNER]
    assert owners_of(np.zeros((2, 0)), np.ones(2)).tolist() == [NO_OWNER, NO_OWNER]


def test_components_of_all_levels_have_owners() -> None:
    double = gaussian(40, 52, 60) + gaussian(65, 52, 50)
    faint, artefact = gaussian(80, 80, 8), gaussian(20, 20, 30)
    sources = [Source("faint", faint), Source("double", double)]
    cutout = observe(double, faint, artefact)
    rows, sigma = found(SUBJECT, cutout)
    owner = simulated_owners(SUBJECT, cutout, sources, rows, sigma)
    # The brightest pixels tell which is which.
    places = {(40, 52): "double", (65, 52): "double", (80, 80): "faint", (20, 20): ""}
    brightest = zip(rows["pixel_x"], rows["pixel_y"], strict=True)
    for name, (x, y), pixels in zip(named(sources, owner), brightest, rows["n_pixels"], strict=True):
        near = [known for place, known in places.items() if np.hypot(place[0] - x, place[1] - y) < 3]
        assert near == [name] or (pixels == 1 and not name)
    for level in LEVELS:
        assert sorted(filter(None, np.array(named(sources, owner))[rows["level"] == level])) == [
            *["double"] * 2,
            "faint",
        ]
    assert classes_in_view(SUBJECT, rows, owner) == {0: "1C_1P", 1: "2C_2P"}
    # The label of the faint source, below 10 sigma, is missing.
    assert [row["label_id"] for row in simulated_rows(SUBJECT, cutout, sources, sigma=sigma)] == ["double"]
    with pytest.raises(ValueError, match="'here': its components are not those of its image"):
        simulated_owners(SUBJECT, cutout, sources, rows, 10 * sigma)


@pytest.mark.parametrize("scale", [2, 4])
def test_components_of_a_coarser_view_have_the_owners_of_their_parts(scale: int) -> None:
    size = 106 * scale
    middle = size // 2
    # Lobes that merge at the coarser scale, a compact source outside, and one too diffuse to be seen alone.
    lobes = gaussian(middle, middle, 60, size=size) + gaussian(middle + 9, middle, 40, size=size)
    compact = gaussian(middle - 30, middle - 30, 12, fwhm=2.0, size=size)
    diffuse = gaussian(middle + 35, middle + 30, 2.2, fwhm=14.0, size=size)
    sources = [Source("lobes", lobes), Source("compact", compact), Source("diffuse", diffuse)]
    subject, cutout = coarser(observe(lobes, compact, diffuse), scale)
    rows, sigma = found(subject, cutout)
    names = pd.Series(named(sources, simulated_owners(subject, cutout, sources, rows, sigma)))
    nominal = (rows["level"] == NOMINAL_LEVEL) & (rows["n_pixels"] > 1)
    coarse, fine = (names[nominal & (rows["scale"] == own)] for own in (scale, 1))
    assert sorted(filter(None, coarse)).count("lobes") == 1 and "diffuse" in set(coarse)
    assert sorted(filter(None, fine)).count("lobes") == 2 and "compact" in set(fine)


def test_coarser_component_with_parts_of_two_sources_belongs_to_the_brighter() -> None:
    size, middle = 212, 106
    one, other = gaussian(middle, middle, 60, size=size), gaussian(middle + 9, middle, 40, size=size)
    sources = [Source("faint", other), Source("bright", one)]
    subject, cutout = coarser(observe(one, other), 2)
    rows, sigma = found(subject, cutout)
    owner = simulated_owners(subject, cutout, sources, rows, sigma)
    nominal = rows["level"] == NOMINAL_LEVEL
    whole = nominal & (rows["scale"] == 2) & (owner != NO_OWNER)
    assert named(sources, owner[whole]) == ["bright"]
    parts = nominal & (rows["part_of"] == rows["component_id"][whole][0])
    assert sorted(named(sources, owner[parts])) == ["bright", "faint"]
    assert classes_in_view(subject, rows, owner).keys() == {1}


def test_labels_of_a_coarser_view_are_those_of_its_units() -> None:
    scale, size = 2, 212
    middle = (size - 1) / 2
    lobes = gaussian(middle - 30, middle, 60, size=size) + gaussian(middle + 30, middle, 60, size=size)
    sources = [Source("double", lobes)]
    subject, cutout = coarser(observe(lobes), scale)
    rows, sigma = found(subject, cutout)
    [label] = coarse_rows(subject, rows, simulated_owners(subject, cutout, sources, rows, sigma), sources)
    # 60 px of 1.8 arcsec lie between the lobes; a pixel of the frame has 2.75 arcsec.
    assert (label["morphology"], label["angular_size"]) == ("2C_2P", pytest.approx(108, rel=0.03))
    assert label["box_x2"] - label["box_x1"] == pytest.approx(108 / 2.75, rel=0.03)
    assert (label["ra"], label["dec"]) == (pytest.approx(150, abs=3e-4), pytest.approx(20, abs=3e-4))
    assert (label["box_x1"] + label["box_x2"]) / 2 == pytest.approx(66, abs=0.5)
    np.testing.assert_allclose(
        np.sort(label["component_ra"]),
        150 + np.array([-1, 1]) * 30 * 5e-4 / np.cos(np.deg2rad(20)),
        atol=6e-4,  # half a pixel of the coarser image
    )


def test_labelled_positions_name_the_owners() -> None:
    cutout = observe(
        gaussian(40, 52, 60) + gaussian(65, 52, 50) + gaussian(80, 80, 30) + gaussian(20, 20, 30)
    )
    rows, sigma = found(SUBJECT, cutout, (NOMINAL_LEVEL,))
    wcs = native_wcs()
    positions = [
        tuple(axis.tolist() for axis in wcs.pixels_to_sky(np.array(x), np.array(y)))
        for x, y in (
            ([40.4, 65.0], [52.0, 51.0]),
            ([80.0, 5.0], [80.0, 100.0]),
            ([20.0], [20.0]),
            ([20.0], [21]),
        )
    ]
    owner = owners_from_table(SUBJECT, cutout, positions, rows, sigma)
    by_place = {
        (x, y): index for x, y, index in zip(rows["pixel_x"], rows["pixel_y"], owner.tolist(), strict=True)
    }
    assert [by_place[place] for place in ((40, 52), (65, 52), (80, 80))] == [0, 0, 1]
    assert by_place[20, 20] == NO_OWNER  # two sources claim it
    assert (owner >= 0).sum() == 3
