"""Hosts by likelihood ratio: one calculated by hand, and properties of all."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claran_core.catalogue.measure.host import (
    HOSTS,
    MAGNITUDES,
    MIN_RELIABILITY,
    NO_HOST,
    PLACES,
    UNRELATED_DEG2,
    VISIBLE,
    WEIGHTS,
    RadioPosition,
    host_of,
    position_densities,
    radio_kind,
)
from claran_core.catalogue.measure.infrared_sources import InfraredSources
from claran_core.catalogue.product.schema import CATALOGUE, HOST_COLUMNS
from claran_core.survey.surveys import SURVEYS

RA, DEC = 150.0, 20.0


def sky(
    east: npt.ArrayLike, north: npt.ArrayLike, ra_deg: float = RA, dec_deg: float = DEC
) -> tuple[np.ndarray, np.ndarray]:
    """Return the position at offsets (arcsec) from another; accurate to 1 mas within an arcmin."""
    ra = ra_deg + np.asarray(east) / 3600 / np.cos(np.deg2rad(dec_deg))
    return ra % 360, dec_deg + np.asarray(north) / 3600


def radio(
    peaks: Sequence[tuple[float, float]] = ((0, 0),),
    *,
    components: int = 1,
    size: float = 15.0,
    angle: float = 0.0,
    snr: float = 50.0,
    ra_deg: float = RA,
) -> RadioPosition:
    """Return a source with its centroid at (`ra_deg`, DEC); peaks are offsets to east and north, arcsec."""
    east, north = np.array(peaks, float).T
    ra, dec = sky(east, north, ra_deg)
    return RadioPosition(ra_deg, DEC, ra.tolist(), dec.tolist(), components, size, angle, snr, 5.4)


def infrared(
    *rows: tuple[float, float, float], ra_deg: float = RA, beam_arcsec: float = 8.36
) -> InfraredSources:
    """Return sources at offsets to east and north (arcsec) with W1 magnitudes, all of SNR 100."""
    east, north, magnitude = np.array(rows, float).reshape(-1, 3).T
    ra, dec = sky(east, north, ra_deg)
    snr = np.full(ra.size, 100.0)
    return InfraredSources(ra, dec, magnitude, np.full(ra.size, 0.03), snr, 0.4 * beam_arcsec / snr)


def along(distance: float, angle_deg: float, across: float = 0.0) -> tuple[float, float]:
    """Return the offset to east and north of a point along and across a position angle."""
    sin, cos = np.sin(np.deg2rad(angle_deg)), np.cos(np.deg2rad(angle_deg))
    return distance * sin + across * cos, distance * cos - across * sin


DOUBLE = radio([(0, 20), (0, -14)], components=2, size=45.0)
TRIPLE = radio([(0, 25), (0, 4), (0, -18)], components=3, size=55.0)


def test_reliability_of_one_candidate_agrees_with_a_calculation_by_hand() -> None:
    host = host_of(infrared((0, 1.0, 15.0)), radio(snr=50.0, size=20.0))
    # Errors: 0.5 systematic, 0.4 x 8.36 / 100 infrared, 5.4 / 2.3548 / 50 radio.
    error = np.sqrt(0.5**2 + 0.03344**2 + 0.04586**2)
    north, east = np.hypot(error, 0.101 * 20), np.hypot(error, 0.032 * 20)
    point = np.exp(-0.5 / error**2) / (2 * np.pi * error**2)
    spread = np.exp(-0.5 / north**2) / (2 * np.pi * north * east)
    ratio = 0.235 * (0.75 * point + 0.25 * spread) / (1830 / 3600**2)
    doubt = (1 - 0.67) / (ratio + 1 - 0.67)
    assert 1 - host.reliability == pytest.approx(doubt, rel=1e-3)
    assert host.separation == pytest.approx(1.0, abs=1e-4)
    assert host.w1 == 15.0
    assert host.w1_err == 0.03


def test_a_sharper_infrared_beam_makes_the_position_more_certain() -> None:
    allwise, unwise = infrared((0, 0.2, 16.5)), infrared((0, 0.2, 16.5), beam_arcsec=6.1)
    faint = [dataclasses.replace(found, position_err=20 * found.position_err) for found in (allwise, unwise)]
    assert host_of(faint[0], radio()).reliability < host_of(faint[1], radio()).reliability


def test_magnitudes_of_all_infrared_surveys_are_w1() -> None:
    """The priors and the columns ``host_w1`` are those of W1; another band needs its own."""
    assert {name for name, survey in SURVEYS.items() if survey.band == "infrared"} == {"WISE_W1", "UNWISE_W1"}


def test_candidates_are_sorted_and_their_reliabilities_sum_to_at_most_one() -> None:
    host = host_of(infrared((0, 1.5, 16), (0, 0.5, 15), (40, 0, 14)), radio())
    assert host.candidate_w1[:2] == (15.0, 16.0)
    assert host.w1 == 15.0
    assert host.candidate_reliability[0] == host.reliability
    assert 14.0 not in host.candidate_w1
    assert sum(host.candidate_reliability) <= 1


@pytest.mark.parametrize(
    "case",
    [
        (None, radio()),
        (infrared(), radio()),
        (infrared((60, 0, 15)), radio()),
        (infrared((0, 0, 15)), RadioPosition.from_columns({"peak_ra": [], "peak_dec": []}, 5.4)),
        (infrared((0, 0, 15)), dataclasses.replace(radio(), centroid_ra_deg=float("nan"))),
        (infrared((0, 0, 15)), dataclasses.replace(radio(), snr=float("nan"))),
    ],
    ids=["no image", "empty image", "far off", "nothing measured", "no centroid", "no noise"],
)
def test_there_is_no_host_without_image_candidate_or_radio_position(
    case: tuple[InfraredSources | None, RadioPosition],
) -> None:
    assert host_of(*case) is NO_HOST


def test_columns_without_a_host_are_nan_zero_and_empty_lists() -> None:
    values = NO_HOST.columns
    assert list(values) == HOST_COLUMNS
    assert values["host_reliability"] == 0.0
    assert all(values[name] == [] for name in HOST_COLUMNS if "candidate" in name)
    assert all(np.isnan(values[name]) for name in HOST_COLUMNS[:5])


def test_columns_of_a_host_are_those_of_the_catalogue() -> None:
    host = host_of(infrared((0, 0.2, 15), (1, 0, 16)), radio())
    table = pa.Table.from_pylist([host.columns], schema=pa.schema([CATALOGUE.field(k) for k in HOST_COLUMNS]))
    assert table["host_candidate_w1"].to_pylist() == [[15.0, 16.0]]


@pytest.mark.parametrize("source", [radio(), DOUBLE, TRIPLE, radio([(0, 9), (0, -9)]), radio([(0, 9)] * 4)])
def test_each_place_holds_one_host(source: RadioPosition) -> None:
    """Densities are per square arcsec and integrate to one for each place that the source has."""
    step = 0.4
    axis = np.arange(-60, 60, step)
    east, north = (plane.ravel() for plane in np.meshgrid(axis, axis))
    density = position_densities(source, *sky(east, north), error_arcsec=0.3)
    total = density.sum(axis=1) * step**2
    expected = [1, 1, 1, len(source.peak_ra_deg) > 2, 1]
    np.testing.assert_allclose(total, expected, atol=2e-3)


def test_every_kind_of_source_has_weights() -> None:
    kinds = {
        radio_kind(radio([(0, k) for k in range(n)], components=m)) for n in range(1, 6) for m in (1, 2, 3)
    }
    assert kinds == set(WEIGHTS)
    for kind, weights in WEIGHTS.items():
        assert len(weights) == len(PLACES)
        assert sum(weights) == pytest.approx(1.0)
        assert (weights[PLACES.index("inner peak")] > 0) == kind.startswith("3")
    for kind, hosts in HOSTS.items():
        assert len(hosts) == len(MAGNITUDES) == len(UNRELATED_DEG2)
        assert sum(hosts) == pytest.approx(VISIBLE[kind], abs=0.02)


def test_host_of_a_double_lies_between_its_peaks() -> None:
    host = host_of(infrared((0, 3, 15.5), (0, 20, 15.5)), DOUBLE)
    assert host.dec == pytest.approx(DEC + 3 / 3600)
    assert host.reliability > 0.9


def test_host_of_a_triple_lies_at_its_core_rather_than_at_the_centroid() -> None:
    host = host_of(infrared((0, 0, 15.5), (0, 4, 15.5)), TRIPLE)
    assert host.dec == pytest.approx(DEC + 4 / 3600)
    assert host.reliability > 0.9


def test_the_brighter_of_two_candidates_at_equal_distance_is_the_host() -> None:
    host = host_of(infrared((1, 0, 16.5), (-1, 0, 14.5)), radio())
    assert host.candidate_w1 == (14.5, 16.5)


def test_the_host_of_a_double_may_be_farther_along_than_across() -> None:
    for angle in (0.0, 30.0, 120.0):
        peaks = [along(20, angle), along(-20, angle)]
        source = radio(peaks, components=2, size=50.0, angle=angle)
        ahead, aside = (
            host_of(infrared((*offset, 15.5)), source).reliability
            for offset in (along(6, angle), along(0, angle, across=6))
        )
        assert ahead > aside


def test_larger_position_errors_favour_distant_candidates() -> None:
    near, far = infrared((0.2, 0, 16)), infrared((4, 0, 16))
    sharp, blurred = radio(snr=100.0), radio(snr=1.5)
    assert host_of(near, sharp).reliability > host_of(near, blurred).reliability
    assert host_of(far, sharp).reliability < host_of(far, blurred).reliability


@pytest.mark.parametrize("ra_deg", [0.0, 359.9995, 0.0005])
def test_hosts_are_the_same_across_right_ascension_0(ra_deg: float) -> None:
    rows = [(2, 3, 15.5), (-5, 1, 16), (3, 18, 14)]
    peaks = [(4, 20), (-3, -14)]
    here = host_of(infrared(*rows), radio(peaks, components=2, size=45.0))
    there = host_of(infrared(*rows, ra_deg=ra_deg), radio(peaks, components=2, size=45.0, ra_deg=ra_deg))
    np.testing.assert_allclose(there.candidate_reliability, here.candidate_reliability, rtol=1e-3)
    assert there.separation == pytest.approx(here.separation, abs=1e-3)


offsets = st.floats(-90, 90)
rows = st.lists(st.tuples(offsets, offsets, st.floats(7, 18)), max_size=12)


@settings(max_examples=60)
@given(
    rows,
    st.lists(st.tuples(offsets, offsets), min_size=1, max_size=5),
    st.integers(1, 4),
    st.floats(5, 180),
    st.floats(0, 180, exclude_max=True),
    st.floats(4, 1000),
)
def test_reliabilities_are_probabilities_together_at_most_one(
    found: list[tuple[float, float, float]],
    peaks: list[tuple[float, float]],
    components: int,
    size: float,
    angle: float,
    snr: float,
) -> None:
    source = radio(peaks, components=components, size=size, angle=angle, snr=snr)
    host = host_of(infrared(*found), source)
    listed = np.array(host.candidate_reliability)
    assert listed.sum() <= 1 + 1e-12
    assert (listed >= MIN_RELIABILITY).all()
    assert (np.diff(listed) <= 0).all()
    assert host.reliability == (listed[0] if listed.size else 0.0)
