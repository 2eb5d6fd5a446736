"""Candidate sources: groups, boxes, points and features."""

import dataclasses
import math

import numpy as np
import pytest
from component_images import components
from hypothesis import given
from hypothesis import strategies as st

from claran_core.common.morphology import MORPHOLOGIES, morphology_of
from claran_core.components.component_batch import ComponentBatch
from claran_core.components.component_groups import MAX_MEMBERS, REACH_PX
from claran_core.components.component_table import NO_COMPONENTS, SubjectComponents
from claran_core.components.contour_rule import box_gaps, dr1_extent
from claran_core.model.association import candidates
from claran_core.model.association.candidates import (
    BRIDGE_SAMPLES,
    FAR_PX,
    FIRST_CLASS,
    N_AXIS_FEATURES,
    N_FEATURES,
    find_candidates,
)
from claran_core.model.layers.types import Candidates


def candidates_of(own: SubjectComponents) -> Candidates:
    return find_candidates(ComponentBatch.of([own]))


def members(found: Candidates) -> list[tuple[int, ...]]:
    return [tuple(int(k) for k in row if k >= 0) for row in found.members]


def test_no_components_give_no_candidates() -> None:
    found = candidates_of(NO_COMPONENTS)
    assert len(found) == 0 and found.features.shape == (0, N_FEATURES)


def test_all_groups_of_near_components_are_candidates() -> None:
    found = candidates_of(components((20, 20), (40, 20), (60, 20)))
    assert members(found) == [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)]


def test_components_far_apart_are_linked_by_those_between_them() -> None:
    step = REACH_PX + 5  # middles 77.7 px apart, edges 71.7 px
    found = candidates_of(components((0, 0), (step, 0), (2 * step, 0)))
    assert (0, 2) not in members(found)
    assert (0, 1, 2) in members(found) and (0, 1) in members(found)


def test_boxes_follow_the_rule_of_the_labels() -> None:
    found = candidates_of(components((20, 30), (60, 60)))
    boxes = dict(zip(members(found), found.boxes, strict=True))
    diagonal = 3 * 2**0.5
    np.testing.assert_allclose(
        boxes[0,], [20 - diagonal, 30 - diagonal, 20 + diagonal, 30 + diagonal], rtol=1e-5
    )
    np.testing.assert_allclose(boxes[0, 1], [40 - 25, 45 - 25, 40 + 25, 45 + 25])  # 3-4-5: extent 50


def test_single_pixels_are_surroundings_but_not_members() -> None:
    alone = candidates_of(components((20, 20)))
    beside = candidates_of(components((20, 20), (28, 20), n_pixels=[20, 1]))
    assert members(beside) == [(0,)]
    assert (beside.features != alone.features).any()


def test_points_lie_on_peaks_and_between_them() -> None:
    found = candidates_of(components((10, 10), (10, 38)))
    pair = members(found).index((0, 1))
    points = found.points[pair][found.is_point[pair]]
    assert len(points) == 2 + BRIDGE_SAMPLES
    np.testing.assert_allclose(points[:2], [[10, 10], [10, 38]])
    np.testing.assert_allclose(np.sort(points[2:, 1]), 10 + 4 * np.arange(1, BRIDGE_SAMPLES + 1))
    assert found.is_point[0].sum() == 1


def axis_features(*peaks: tuple[float, float], boxes: list[tuple[float, float, float, float]]) -> np.ndarray:
    """Return the features along the axis of the group of all components."""
    own = components(*peaks)
    own = dataclasses.replace(own, boxes=np.array(boxes, own.boxes.dtype))
    found = candidates_of(own)
    return found.features[
        members(found).index(tuple(range(len(peaks)))), FIRST_CLASS - N_AXIS_FEATURES : FIRST_CLASS
    ]


def test_peaks_on_a_line_and_outer_hotspots_are_told() -> None:
    # Two lobes of 20 x 10 px with peaks 6 px outside their middles, and a core at a quarter of the axis.
    lobes = [(10.0, 45.0, 30.0, 55.0), (70.0, 45.0, 90.0, 55.0)]
    found = axis_features((14, 50), (86, 50), (32, 50), boxes=[*lobes, (30.0, 48.0, 34.0, 52.0)])
    off_axis, off_middle, least, most, stretch, _, _, _, gap, *_ = found
    assert off_axis == 0 and off_middle == pytest.approx(0.25)
    assert least == pytest.approx(0.6) and most == pytest.approx(0.6)
    assert stretch == pytest.approx(math.log(2))
    assert gap == pytest.approx((72 - 20) / 72)


def test_peaks_that_face_each_other_and_bends_are_told() -> None:
    lobes = [(10.0, 45.0, 30.0, 55.0), (70.0, 45.0, 90.0, 55.0)]
    found = axis_features((26, 50), (74, 50), (50, 62), boxes=[*lobes, (48.0, 60.0, 52.0, 64.0)])
    assert found[0] == pytest.approx(12 / 48) and found[1] == pytest.approx(0.0)
    assert found[2] == pytest.approx(-0.6) and found[3] == pytest.approx(-0.6)


def test_lobes_that_the_finest_scale_shows_along_or_across_the_axis_are_told() -> None:
    own = components((20, 50), (80, 50))
    along, across = (14.0, 48.0, 26.0, 52.0), (78.0, 44.0, 82.0, 56.0)
    own = dataclasses.replace(own, fine_boxes=np.array([along, across], own.boxes.dtype))
    found = candidates_of(own)
    least, most = found.features[members(found).index((0, 1)), FIRST_CLASS - 2 : FIRST_CLASS]
    assert least == pytest.approx(-math.log(3)) and most == pytest.approx(math.log(3))


def test_features_along_the_axis_of_one_component_are_zero() -> None:
    assert (axis_features((20, 20), boxes=[(10.0, 18.0, 30.0, 22.0)]) == 0).all()


def test_what_is_far_changes_no_candidate() -> None:
    near = [(30, 300), (60, 300)]
    far = np.random.default_rng(0).uniform([240, 0], [660, 660], (300, 2))
    alone, crowd = candidates_of(components(*near)), candidates_of(components(*near, *far, half=3.0))
    own = [members(crowd).index(one) for one in members(alone)]
    np.testing.assert_array_equal(crowd.features[own], alone.features)
    np.testing.assert_array_equal(crowd.boxes[own], alone.boxes)


def test_crowded_subjects_keep_all_single_components() -> None:
    crowd = candidates_of(components(*np.random.default_rng(0).uniform(0, 132, (200, 2)), half=1.0))
    assert {(k,) for k in range(200)} <= set(members(crowd))
    assert np.abs(crowd.features).max() < 10


def test_touching_boxes_are_linked() -> None:
    found = candidates_of(components((20, 20), (22, 22)))
    assert members(found)[-1] == (0, 1) and found.is_point[-1].sum() == 2 + BRIDGE_SAMPLES


@given(n=st.integers(1, 6), seed=st.integers(0, 99))
def test_order_of_components_changes_no_candidate(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    one = components(*rng.uniform(0, 132, (n, 2)), snr=rng.uniform(6, 90, n), n_peaks=rng.integers(1, 3, n))
    order = rng.permutation(n)
    other = SubjectComponents(*(getattr(one, f.name)[order] for f in dataclasses.fields(one)))
    first, second = candidates_of(one), candidates_of(other)
    named = {tuple(sorted(order[list(own)])): k for k, own in enumerate(members(second))}
    assert set(named) == set(members(first))
    for k, own in enumerate(members(first)):
        np.testing.assert_allclose(second.features[named[own]], first.features[k], rtol=1e-5)
        np.testing.assert_allclose(second.boxes[named[own]], first.boxes[k], rtol=1e-5)


def test_features_are_finite_and_of_the_order_of_one() -> None:
    found = candidates_of(components((20, 20), (60, 90), (70, 90), snr=[5.4, 1e4, 30], n_peaks=[1, 9, 2]))
    assert np.isfinite(found.features).all() and np.abs(found.features).max() < 10
    assert MAX_MEMBERS == found.members.shape[1]


def test_a_source_of_many_peaks_has_the_nearest_class() -> None:
    found = candidates_of(components((20, 20), n_peaks=[7]))
    assert found.features[0, -6:].tolist() == [0, 0, 1, 0, 0, 0]  # 1C_3P


@pytest.mark.parametrize("place", [(0.0, 0.0), (131.0, 5.0)])
def test_candidates_at_the_border_are_not_clipped(place: tuple[float, float]) -> None:
    found = candidates_of(components(place))
    assert (found.boxes[0, 2:] - found.boxes[0, :2]) == pytest.approx([72**0.5] * 2, rel=1e-5)


def test_candidates_do_not_depend_on_the_other_subjects() -> None:
    rng = np.random.default_rng(1)
    subjects = [components(*rng.uniform(0, 132, (n, 2)), snr=rng.uniform(6, 90, n)) for n in (3, 0, 7, 1, 40)]
    together = find_candidates(ComponentBatch.of(subjects))
    ends = np.cumsum(together.counts)
    assert ends[-1] == len(together) and together.counts[1] == 0
    for own, count, end in zip(subjects, together.counts, ends, strict=True):
        alone = candidates_of(own)
        for name in ("boxes", "members", "points", "is_point", "features"):
            np.testing.assert_array_equal(getattr(together, name)[end - count : end], getattr(alone, name))


def test_links_form_a_minimum_spanning_tree() -> None:
    # Edge to edge: 0-1 14, 1-2 24, 0-2 44: the pair furthest apart is not linked.
    found = candidates_of(components((10, 60), (30, 60), (60, 60)))
    triple = members(found).index((0, 1, 2))
    bridge = found.points[triple][found.is_point[triple]][3:]
    np.testing.assert_allclose(np.sort(bridge[:BRIDGE_SAMPLES, 0]), 10 + 20 / 7 * np.arange(1, 7), rtol=1e-6)
    np.testing.assert_allclose(np.sort(bridge[BRIDGE_SAMPLES:, 0]), 30 + 30 / 7 * np.arange(1, 7), rtol=1e-6)


def random_components(n: int, seed: int) -> SubjectComponents:
    """Return components with different values in every column."""
    rng = np.random.default_rng(seed)
    middles, half = rng.uniform(0, 132, (n, 2)), rng.uniform(1, 9, (n, 2))
    fine_half = half * rng.uniform(0.1, 1, (n, 2))
    snr = rng.uniform(5, 500, n).astype(np.float32)
    return SubjectComponents(
        ids=np.arange(n),
        boxes=np.concatenate([middles - half, middles + half], axis=1).astype(np.float32),
        peaks=(middles + rng.uniform(-1, 1, (n, 2))).astype(np.float32),
        n_peaks=rng.integers(1, 4, n),
        snr=snr,
        flux=rng.uniform(0.5, 900, n).astype(np.float32),
        area=rng.uniform(0.5, 90, n).astype(np.float32),
        prominences=(rng.uniform(0, 4, (n, 3)) * rng.integers(0, 2, (n, 3))).astype(np.float32),
        n_pixels=rng.integers(1, 9, n),
        scale=2 ** rng.integers(0, 4, n),
        n_fine=rng.integers(1, 5, n),
        fine_snr=rng.uniform(5, 500, n).astype(np.float32),
        fine_ratio=rng.uniform(0, 1, n).astype(np.float32),
        fine_boxes=np.concatenate([middles - fine_half, middles + fine_half], axis=1).astype(np.float32),
        at_edge=rng.integers(0, 2, n).astype(bool),
    )


def expected_features(own: list[int], found: SubjectComponents, bridge: list[float]) -> list[float]:
    """Return the features of one group by their definition; `bridge` holds the gaps of its links."""
    others = [k for k in range(len(found)) if k not in own]
    gap = {k: min(box_gaps(found.boxes.astype(float))[own, k].min(), FAR_PX) for k in others}
    near = {k: value for k, value in gap.items() if value < FAR_PX}
    highest = sorted(found.prominences[own].astype(float).ravel())[::-1][:3]
    flux = [*sorted(found.flux[own].astype(float))[::-1], 0.0, 0.0]
    nearest = min(near, key=lambda k: near[k], default=None)
    boxes, peaks = found.boxes[own], found.peaks
    inside = [
        k
        for k in others
        if (peaks[k] >= boxes[:, :2].min(0)).all() and (peaks[k] <= boxes[:, 2:].max(0)).all()
    ]
    extent = dr1_extent(found.boxes[own])
    around = 2 * max(extent, 8)
    n_peaks = int(found.n_peaks[own].sum())
    rule = MORPHOLOGIES.index(morphology_of(len(own), n_peaks)[0])
    brightest = found.snr[own].max()
    return [
        len(own) / 3,
        n_peaks / 3,
        (len(own) + sum(min(value, 1.0) for value in highest)) / 3,
        *(min(value, 3.0) for value in highest),
        math.log(brightest) / 3,
        math.log(found.snr[own].min()) / 3,
        math.log(max(sum(flux), 1.0)) / 3,
        flux[1] / flux[0],
        flux[2] / flux[0],
        math.log(max(found.area[own].min(), 1.0)) / 3,
        (found.scale[own] > 1).any(),
        (found.scale[own] > 1).all(),
        math.log(found.n_fine[own].sum()) / 3,
        math.log(found.fine_snr[own].max()) / 3,
        found.fine_ratio[own].max(),
        found.at_edge[own].max(),
        math.log(found.scale[own].max()) / 3,
        math.log(found.fine_snr[own].min()) / 3,
        max(bridge, default=0.0) / 20,
        sum(bridge) / 20,
        extent / 40,
        min(gap.values(), default=FAR_PX) / 20,
        0.0 if nearest is None else math.log(found.snr[nearest]) / 3,
        math.log(max((found.snr[k] for k in others if gap[k] <= around), default=1.0)) / 3,
        min(sum(gap[k] <= around for k in others), 12) / 3,
        min(len(inside), 12) / 3,
        math.log(1 + min(sum(gap[k] <= REACH_PX for k in others), 12)) / 3,
        min(min(gap.values(), default=FAR_PX) / around, 3),
        math.log(max([found.snr[k] / (1 + gap[k] / 20) for k in others] + [1.0]) / brightest) / 3,
        *expected_axis_features(own, found),
        *(float(k == rule) for k in range(len(MORPHOLOGIES))),
    ]


def expected_axis_features(own: list[int], found: SubjectComponents) -> list[float]:
    """Return the features along the axis of one group by their definition."""
    if len(own) < 2:
        return [0.0] * N_AXIS_FEATURES
    peaks, boxes, fine = (values.astype(float) for values in (found.peaks, found.boxes, found.fine_boxes))
    pairs = [(one, other) for one in own for other in own if one < other]
    ends = max(pairs, key=lambda pair: np.linalg.norm(peaks[pair[0]] - peaks[pair[1]]))
    start, axis = peaks[ends[0]], peaks[ends[1]] - peaks[ends[0]]
    length = np.linalg.norm(axis)
    axis = axis / length
    normal = np.array([-axis[1], axis[0]])
    inner = [peaks[k] - start for k in own if k not in ends]
    outwards, stretch, fine_stretch, half = [], [], [], []
    for end, sign in zip(ends, (-1, 1), strict=True):
        sides = (boxes[end, 2:] - boxes[end, :2]) / 2
        half.append(sides @ np.abs(axis))
        outwards.append(sign * (peaks[end] - boxes[end].reshape(2, 2).mean(axis=0)) @ axis / half[-1])
        stretch.append(np.clip(np.log(half[-1] / (sides @ np.abs(normal))), -2, 2))
        sides = fine[end, 2:] - fine[end, :2]
        fine_stretch.append(np.clip(np.log(sides @ np.abs(axis) / (sides @ np.abs(normal))), -2, 2))
    flux, area = found.flux[[*ends]].astype(float), found.area[[*ends]].astype(float)
    return [
        max((abs(place @ normal) / length for place in inner), default=0.0),
        min((abs(place @ axis / length - 0.5) for place in inner), default=0.5),
        min(outwards),
        max(outwards),
        min(stretch),
        max(stretch),
        min(flux) / max(flux),
        math.sqrt(min(area) / max(area)),
        max(length - sum(half), 0.0) / length,
        min(fine_stretch),
        max(fine_stretch),
    ]


def link_gaps(own: list[int], gaps: np.ndarray) -> list[float]:
    """Return the gaps of the minimum spanning tree of a group, shortest first (Kruskal 1956)."""
    tree = {k: {k} for k in own}
    chosen = []
    for gap, one, other in sorted((gaps[i, j], i, j) for i in own for j in own if i < j):
        if tree[one] is not tree[other]:
            chosen.append(float(gap))
            joined = tree[one] | tree[other]
            tree |= dict.fromkeys(joined, joined)
    return chosen


@pytest.mark.parametrize(("n", "seed"), [(1, 0), (3, 1), (6, 2), (14, 3)])
def test_features_follow_their_definition(n: int, seed: int) -> None:
    own = random_components(n, seed)
    found, gaps = candidates_of(own), box_gaps(own.boxes.astype(float))
    for number, group in enumerate(map(list, members(found))):
        expected = expected_features(group, own, link_gaps(group, gaps))
        np.testing.assert_allclose(found.features[number], expected, rtol=1e-6, atol=1e-6)


def test_compiled_code_gives_what_is_written() -> None:
    own, found = random_components(5, 4), candidates_of(random_components(5, 4))
    columns = [own.n_peaks, own.snr, own.flux, own.area, own.scale, own.n_fine, own.fine_snr]
    numbers = np.stack([*columns, own.fine_ratio, own.at_edge], axis=1).astype(float)
    first, end = np.zeros(len(found), np.int64), np.full(len(found), len(own))
    squares, boxes, fine = (values.astype(float) for values in (found.boxes, own.boxes, own.fine_boxes))
    places = squares, boxes, fine, own.peaks
    arguments = found.members, first, end, *places, numbers, own.prominences.astype(float)
    for one, other in zip(
        candidates._described(*arguments), candidates._described.py_func(*arguments), strict=True
    ):
        np.testing.assert_array_equal(one, other)
