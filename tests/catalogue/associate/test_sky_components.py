"""Components of views become components of the sky: by identity, peaks, pieces and coarse contours."""

from pathlib import Path

import numpy as np
import pytest
from view_tables import ViewTables

from claran_core.catalogue.associate.sky_components import SkyComponents, find_sky_components
from claran_core.catalogue.associate.views import Sky

BEAM = 5.4


def atoms_of_units(sky: Sky, found: SkyComponents) -> list[list[int]]:
    """Return the atoms of each row, in the order of the views."""
    return [part.tolist() for part in np.split(found.units.values, found.units.starts[1:-1])]


def found_in(tables: ViewTables, folder: Path) -> tuple[Sky, SkyComponents, list[list[int]]]:
    sky = tables.sky(folder)
    found = find_sky_components(sky.components, BEAM)
    return sky, found, atoms_of_units(sky, found)


def three_views(scale_of_c: int = 1) -> ViewTables:
    tables = ViewTables()
    for name, east, scale in (("a", 0.0, 1), ("b", 60.0, 1), ("c", 30.0, scale_of_c)):
        tables.view(name, east, scale=scale)
    return tables


def test_one_identity_is_one_component(tmp_path: Path) -> None:
    tables = three_views()
    one = [tables.component(view, 10.0, snr=snr) for view, snr in (("a", 20.0), ("b", 25.0))]
    tables.component("b", 40.0)
    tables.component("c", 10.0, level=0.9)  # another contour level than the rule's
    assert one[0] == one[1]
    sky, found, units = found_in(tables, tmp_path)
    assert len(found.ids) == 2 and units[0] == units[1] != units[2]
    assert found.n_views[units[0][0]] == 2 and found.snr[units[0][0]] == 25.0
    assert found.ids[units[0][0]] == one[0]


def test_images_with_other_pixels_share_peaks(tmp_path: Path) -> None:
    tables = three_views()
    tables.component("a", 10.0, peaks=[(25.0, 0.0, 3.0)])
    tables.component("b", 24.0, 1.0)  # the secondary peak of the first, 1.4 arcsec off
    tables.component("b", 45.0)
    _, found, units = found_in(tables, tmp_path)
    assert len(found.ids) == 2 and units[0] == units[1]


@pytest.mark.parametrize(("beams", "n"), [((0, 0), 2), ((14, 14), 1), ((0, 14), 1), ((11, 11), 2)])
def test_beams_that_images_state_decide_how_far_apart_one_peak_may_be(
    tmp_path: Path, beams: tuple[float, float], n: int
) -> None:
    tables = ViewTables()
    for name, beam, east in zip("ab", beams, (0.0, 6.0), strict=True):
        tables.view(name)
        tables.component(name, east, beam_arcsec=beam)
    assert len(found_in(tables, tmp_path)[1].ids) == n


@pytest.mark.parametrize(("beam", "n"), [(0.0, 1), (10.8, 1), (5.0, 2)])
def test_a_coarse_view_without_a_stated_beam_has_that_of_the_survey_so_many_times_wider(
    tmp_path: Path, beam: float, n: int
) -> None:
    tables = ViewTables()
    for name, east in (("a", 0.0), ("b", 5.0)):  # half the beam of scale 2 is 5.4
        tables.view(name, scale=2)
        tables.component(name, east, scale=2, size=4.0, beam_arcsec=beam)
    assert len(found_in(tables, tmp_path)[1].ids) == n


@pytest.mark.parametrize(("rise", "n"), [(2.5, 1), (1.5, 2)])
def test_a_bump_of_the_noise_identifies_nothing(tmp_path: Path, rise: float, n: int) -> None:
    tables = three_views()
    tables.component("a", 10.0, peaks=[(25.0, 0.0, rise)])
    tables.component("b", 25.0)
    assert len(found_in(tables, tmp_path)[1].ids) == n


def test_a_piece_belongs_to_the_smallest_whole_component_around_it(tmp_path: Path) -> None:
    tables = three_views()
    tables.component("a", 0.0, size=200.0, snr=90.0)
    tables.component("a", 30.0, size=40.0)
    tables.component("b", 42.0, size=14.0, snr=12.0, at_edge=True)  # in the boxes of both
    tables.component("b", 95.0, size=14.0, snr=12.0, at_edge=True)  # in that of the first
    tables.component("b", 160.0, size=14.0, at_edge=True)  # in none
    tables.component("b", 35.0, size=14.0, snr=500.0, at_edge=True)  # brighter than those around it
    _, found, (large, small, *pieces) = found_in(tables, tmp_path)
    assert pieces[:2] == [small, large]
    assert len(found.ids) == 4 and pieces[2] != pieces[3]


def test_a_cut_component_that_another_view_shows_whole_is_no_piece(tmp_path: Path) -> None:
    tables = three_views()
    tables.component("a", 0.0, size=200.0, snr=90.0)
    for view, at_edge in (("b", True), ("c", False)):
        tables.component(view, 42.0, at_edge=at_edge)
    assert len(found_in(tables, tmp_path)[1].ids) == 2


def test_a_coarse_unit_stands_for_the_fine_components_inside(tmp_path: Path) -> None:
    tables = three_views(scale_of_c=2)
    for east in (0.0, 20.0):
        tables.component("a", east)
    whole = tables.component("c", 1.0, size=60.0, scale=2)
    for east in (0.0, 20.0):
        tables.component("c", east, part_of=whole)
    tables.component("c", 80.0)
    tables.component("c", 10.0, part_of=whole, n_pixels=1)  # below the limit
    sky, found, units = found_in(tables, tmp_path)
    first, second, unit, *rest = units
    assert sorted(unit) == sorted(first + second) and len(first) == len(second) == 1
    assert rest[:2] == [[], []] and len(rest[2]) == 1 and rest[3] == []
    assert len(found.ids) == 4 and found.usable.sum() == 3
    members = found.members[found.units.starts[2] : found.units.starts[3]]
    np.testing.assert_array_equal(np.sort(sky.components.ids[members]), np.sort(found.ids[unit]))


def test_coarse_components_without_fine_ones_are_joined(tmp_path: Path) -> None:
    tables = ViewTables()
    for name, scale in (("a", 2), ("b", 2), ("wide", 4)):
        tables.view(name, scale=scale)
    tables.component("a", 0.0, size=30.0, scale=2)
    tables.component("b", 4.0, size=30.0, scale=2)  # the binned pixels of this view are others
    tables.component("b", 60.0, size=30.0, scale=2)
    tables.component("wide", 20.0, size=120.0, scale=4)
    tables.component("wide", 300.0, size=40.0, scale=4)
    _, found, (one, same, other, both, alone) = found_in(tables, tmp_path)
    assert one == same != other
    assert sorted(both) == sorted(one + other)
    assert len(found.ids) == 3 and found.scale[alone].tolist() == [4]
    assert found.scale[one].tolist() == [2] and found.n_views[one].tolist() == [2]


def test_a_coarse_unit_stands_for_fine_components_that_only_other_views_show(tmp_path: Path) -> None:
    tables = three_views(scale_of_c=2)
    tables.component("a", 0.0)  # just below 5.3 sigma in the wider image
    tables.component("a", 30.0)
    tables.component("c", 3.0, size=90.0, scale=2)
    tables.component("c", 30.0)  # outside the contour, though inside the box
    _, found, (faint, other, unit, again) = found_in(tables, tmp_path)
    assert unit == faint and again == other and len(found.ids) == 2


def test_a_component_cut_by_all_fine_views_is_whole_in_a_coarse_one(tmp_path: Path) -> None:
    tables = three_views(scale_of_c=2)
    tables.component("a", -40.0, size=150.0, at_edge=True, snr=30.0)
    tables.component("b", 70.0, size=60.0, at_edge=True, snr=25.0)
    whole = tables.component("c", 1.0, size=260.0, scale=2)
    tables.component("c", -40.0, size=290.0, snr=29.0, part_of=whole)
    _, found, (first, second, unit, _) = found_in(tables, tmp_path)
    assert first == second == unit and len(found.ids) == 1


@pytest.mark.parametrize(("snr", "n"), [(5.5, 2), (30.0, 1)])
def test_a_coarse_unit_takes_faint_components_that_its_view_misses(
    tmp_path: Path, snr: float, n: int
) -> None:
    tables = three_views(scale_of_c=2)
    tables.component("a", 0.0)
    tables.component("a", 30.0, snr=snr)
    whole = tables.component("c", 3.0, size=90.0, scale=2)
    tables.component("c", 0.0, part_of=whole)
    _, found, (_, _, unit, _) = found_in(tables, tmp_path)
    assert len(found.ids) == 2 and len(unit) == n
