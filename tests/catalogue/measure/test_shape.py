"""Shapes of sources whose Gaussians, host and bends are known."""

from collections.abc import Sequence

import numpy as np
import pytest

from claran_core.catalogue.measure.emission import BrightPixels, Emission
from claran_core.catalogue.measure.host import NO_HOST, Host
from claran_core.catalogue.measure.shape import NO_SHAPE, Shape, shape_columns, shape_of
from claran_core.common.flags import Flag
from claran_core.common.frame import Frame
from claran_core.common.subject import Subject

BEAM, PIXEL = 5.4, 1.8
# A Gaussian: offset to east and north (arcsec), peak (sigma), and FWHM (beams).
Gaussian = tuple[float, float, float, float]


def emission(
    gaussians: Sequence[Gaussian],
    *,
    peaks: Sequence[int] | None = None,
    beam: tuple[float, float] = (BEAM, BEAM),
) -> Emission:
    """Return the emission of Gaussians of which some are peaks; the beam has axes along east and north."""
    form = np.diag(1 / np.square(beam))
    axis = np.arange(-99.0, 99.1, PIXEL)
    places = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    values = np.zeros(len(places))
    for east, north, peak, width in gaussians:
        apart = (places - [east, north]) / width
        values += peak * np.exp(-4 * np.log(2) * np.sum(apart @ form * apart, axis=1))
    bright = BrightPixels(places[values > 5.3], values[values > 5.3], form)
    chosen = range(len(gaussians)) if peaks is None else peaks
    heights = np.array([gaussians[i][:3] for i in chosen], float).reshape(-1, 3)
    return Emission(places[values > 3], bright, bright, heights, BEAM)


def shape(found: Emission, angle: float = 90.0, host: tuple[float, float] | None = None) -> Shape:
    return shape_of(found, angle, 1000.0, None if host is None else np.array(host))


def test_a_double_has_its_hotspots_at_the_ends_of_two_arms() -> None:
    found = shape(emission([(-40, 0, 100, 1), (40, 0, 50, 1)]))
    assert found.shape_centre == "middle"
    # The contours at 3 sigma are 6.1 and 5.4 arcsec around the peaks.
    assert found.fr_ratio == pytest.approx(80 / 91.5, abs=0.03)
    # The contours at 5.3 sigma hold 1 - 5.3 / 50 and 1 - 5.3 / 100 of the flux densities.
    assert found.arm_flux_ratio == pytest.approx(0.5 * 0.894 / 0.947, abs=0.01)
    unknown = [found.bright_arm_length, found.arm_length_ratio, found.bending_angle, found.core_prominence]
    assert np.isnan(unknown).all()


def test_a_compact_core_does_not_count() -> None:
    found = shape(emission([(-40, 0, 30, 1), (40, 0, 30, 1), (2, 0, 500, 1)]))
    assert found.shape_centre == "core"
    assert found.fr_ratio == pytest.approx(80 / 89.8, abs=0.03)
    assert found.core_prominence == pytest.approx(0.5)
    assert found.arm_flux_ratio == pytest.approx(1.0, abs=0.05)


def test_a_core_of_an_elliptical_beam_does_not_count() -> None:
    beam = (BEAM * 1.3, BEAM / 1.3)
    found = shape(emission([(-45, 0, 30, 1), (45, 0, 30, 1), (0, 0, 800, 1)], beam=beam))
    assert found.fr_ratio == pytest.approx(90 / 102.6, abs=0.03)


def test_arms_that_fade_from_the_core_are_brightest_beside_it() -> None:
    fading = [(side * 7.0 * step, 0, 60 * 0.75**step, 1.6) for side in (-1, 1) for step in range(1, 9)]
    found = shape(emission([(0, 0, 100, 1), *fading], peaks=[0]))
    assert found.shape_centre == "core"
    assert found.fr_ratio < 0.3


@pytest.mark.parametrize("bend", [0.0, 40.0, 90.0])
def test_the_bending_angle_is_that_at_the_host(bend: float) -> None:
    half = np.deg2rad(90 - bend / 2)
    arms = [(side * r * np.sin(half), r * np.cos(half), 30, 1) for side in (-1, 1) for r in range(5, 76, 5)]
    bent = emission([(0, 0, 60, 1), *arms], peaks=[0, 15, 30])
    with_host, with_core = shape(bent, host=(1.0, -1.0)), shape(bent)
    assert (with_host.shape_centre, with_core.shape_centre) == ("host", "core")
    # The ends are on the outer side of arms of half a beam's width: 4 deg at each.
    assert with_host.bending_angle == pytest.approx(bend, abs=8)
    assert with_core.bending_angle == pytest.approx(bend, abs=8)
    assert with_host.arm_length_ratio > 0.95


def test_the_host_divides_unequal_arms() -> None:
    found = emission([(-20, 0, 100, 1), (60, 0, 50, 1)])
    divided = shape(found, host=(0.0, 4.0))
    assert divided.shape_centre == "host"
    assert divided.bright_arm_length == pytest.approx(26, abs=2)
    assert divided.faint_arm_length == pytest.approx(65, abs=2)
    assert divided.arm_length_ratio == pytest.approx(26 / 65, abs=0.03)
    assert np.isnan(divided.core_prominence)
    assert shape(found, host=(-90.0, 0.0)).shape_centre == "middle"


def test_a_host_at_a_peak_is_at_the_core() -> None:
    found = shape(emission([(-40, 0, 100, 1), (40, 0, 50, 1)]), host=(-37.0, 0.0))
    assert found.core_prominence == pytest.approx(0.1)
    assert (found.bright_arm_length, found.faint_arm_length) == (
        pytest.approx(85, abs=2),
        pytest.approx(6, abs=2),
    )
    assert found.arm_flux_ratio == pytest.approx(0.0, abs=0.02)


def test_a_peak_beside_the_emission_is_no_core() -> None:
    lobes, bridge, neighbour = [(-40, 0, 100, 2), (40, 0, 100, 2)], (0, 0, 15, 5), (0, 35, 8, 1)
    found = shape(emission([*lobes, bridge, neighbour], peaks=[0, 1, 3]))
    assert found.shape_centre == "middle"
    assert found.fr_ratio > 0.55


def test_shapes_do_not_depend_on_how_the_source_is_turned() -> None:
    gaussians = [(0, -40, 100, 1), (5, 38, 50, 1), (1, 0, 20, 1)]
    turned = [(north, -east, peak, width) for east, north, peak, width in gaussians]
    one, other = shape(emission(gaussians), 3.7), shape(emission(turned), 93.7)
    for name in ("fr_ratio", "bright_arm_length", "arm_flux_ratio", "bending_angle"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-6), name


def host_at(ra: float, dec: float, reliability: float) -> Host:
    return Host(ra, dec, 14.0, 0.1, 1.0, reliability)


def test_only_a_reliable_host_divides_the_arms() -> None:
    subject = Subject("s", 150.0, 20.0, "none", Frame())
    measured = {"position_angle": 90.0, "integrated_flux": 100.0, "unresolved": False, "flags": 4}
    double = emission([(-40, 0, 100, 1), (40, 0, 50, 1)])
    ra = 150.0 + 20 / 3600 / np.cos(np.deg2rad(20.0))
    near = shape_columns(subject, double, measured, host_at(ra, 20.0, 0.9))
    assert near["shape_centre"] == "host" and near["flags"] == 4
    assert near["bright_arm_length"] == pytest.approx(66, abs=2)
    assert shape_columns(subject, double, measured, host_at(ra, 20.0, 0.4))["shape_centre"] == "middle"


def test_a_source_that_is_too_short_has_a_flag_and_no_shape() -> None:
    subject = Subject("s", 150.0, 20.0, "none", Frame())
    measured = {"position_angle": 90.0, "integrated_flux": 100.0, "flags": 4}
    resolved = shape_columns(subject, None, {**measured, "unresolved": False}, NO_HOST)
    assert resolved["flags"] == 4 | Flag.NO_SHAPE
    assert resolved["shape_centre"] == NO_SHAPE.shape_centre and np.isnan(resolved["fr_ratio"])
    assert shape_columns(subject, None, {**measured, "unresolved": True}, NO_HOST)["flags"] == 4
