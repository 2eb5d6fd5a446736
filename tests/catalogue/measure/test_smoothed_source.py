"""Sources on smoothed images: flux densities, extents and components of known ones."""

from typing import Any

import numpy as np
import pytest
from smoothed_views import MJY, RA, View, view_of

from claran_core.catalogue.measure.measure_subject import measured_columns
from claran_core.common.errors import InputError
from claran_core.common.flags import Flag

BEAM = 5.4


def measured(view: View) -> dict[str, Any]:
    """Measure everything in a view as one source."""
    return measured_columns(view.image, *view.whole())


def offset_of(row: dict[str, Any], name: str) -> tuple[float, float]:
    """Return the offset of a position from the middle of the view, arcsec to east and north."""
    east = (row[f"{name}ra"] - RA) * np.cos(np.deg2rad(20.0)) * 3600
    return float(east), float((row[f"{name}dec"] - 20.0) * 3600)


@pytest.mark.parametrize("scale", [2, 4])
def test_hotspots_keep_their_native_extent_and_peaks(scale: int) -> None:
    apart = 60.0 * scale
    view = view_of(scale, [(0, apart / 2, 300, 1), (0, -apart / 2, 200, 1)])
    row = measured(view)
    assert row["rule_components"] == 2
    np.testing.assert_allclose(row["component_peak_flux"], [300 * MJY, 200 * MJY], rtol=0.04)
    np.testing.assert_allclose(row["component_flux"], [300 * MJY, 200 * MJY], rtol=0.08)
    assert row["local_rms"] == pytest.approx(MJY, rel=0.1)
    assert row["snr"] == pytest.approx(300, rel=0.15)
    assert row["integrated_flux"] == pytest.approx(500 * MJY, abs=3 * row["integrated_flux_err"])
    # The native contours of 300 and 200 sigma at 5.3 sigma are 6.5 and 6.2 arcsec around the peaks; those of
    # the smoothed image are scale times as far out.
    assert row["largest_angular_size"] == pytest.approx(apart + 12.7, abs=2.0)
    assert row["tight_width"] == pytest.approx(13.0, abs=1.5)
    assert row["position_angle"] % 180 == pytest.approx(0, abs=2) or row["position_angle"] > 178
    assert offset_of(row, "centroid_") == pytest.approx((0, apart / 2 * 0.2), abs=0.03 * apart)
    assert not row["flags"]


def test_diffuse_emission_beyond_the_native_contours_counts() -> None:
    lobes = [(0, 60, 300, 1), (0, -60, 300, 1)]
    alone, bridged = view_of(4, lobes), view_of(4, [*lobes, (70, 0, 4, 14)])
    narrow, wide = measured(alone), measured(bridged)
    assert narrow["tight_width"] < 18
    # The bridge, of 14 beams, is above the smoothed contour for some 100 arcsec around 70 arcsec east.
    assert wide["tight_width"] > 100
    more = 4 * 14**2 * MJY
    # Its wings below the contour are lost, but for one beam.
    assert 0.8 < (wide["integrated_flux"] - narrow["integrated_flux"]) / more < 1.0


def test_emission_without_native_component_is_a_component_itself() -> None:
    view = view_of(8, [(30, -20, 1.5, 20)])
    (unit,), components = view.source_at(30, -20)
    assert components == [unit] and unit in view.ids(8)
    row = measured_columns(view.image, [unit], components)
    assert (row["rule_components"], row["component_ids"]) == (1, [unit])
    # Half of the flux density of a Gaussian is below half its height, where the contour is here.
    assert 0.4 < row["integrated_flux"] / (1.5 * 20**2 * MJY) < 0.9
    # Smoothed to 8 beams, a Gaussian of 20 beams keeps 400 / (400 + 63) of its surface brightness.
    assert row["peak_flux"] == pytest.approx(64 * 1.5 * 400 / 463 * MJY, rel=0.25)
    assert row["local_rms"] > 4 * MJY
    assert offset_of(row, "centroid_") == pytest.approx((30, -20), abs=15)


@pytest.mark.parametrize("scale", [4, 8])
def test_a_native_component_without_smoothed_contour_counts_with_the_pixels_under_it(scale: int) -> None:
    places = [(100.0, 60.0), (-80.0, 30.0), (0.0, -120.0)]
    view = view_of(scale, [(*place, 12, 1) for place in places])
    assert view.ids(scale) == []
    lone = sorted(view.ids(1))
    for component in lone:
        row = measured_columns(view.image, [component], [component])
        east, north = offset_of(row, "centroid_")
        assert min(np.hypot(east - x, north - y) for x, y in places) < 1.0
        assert row["largest_angular_size"] == pytest.approx(6.5, abs=2.0)
        assert row["peak_flux"] == pytest.approx(12 * MJY, abs=3 * MJY)
        assert abs(row["integrated_flux"] - 12 * MJY) < 3.5 * row["integrated_flux_err"]
        assert not row["flags"] & Flag.BLEND
    assert len(lone) == 3


def test_where_the_smoothed_image_has_no_data_the_native_pixels_count() -> None:
    view = view_of(4, [(0, 0, 30, 1)])
    (component,) = view.ids(1)
    view.image.image.own.image.pixels[:] = np.nan  # as beyond the border of the data
    view.image.image.own.image.labels[:] = 0
    units = [component] if not view.ids(4) else view.ids(4)
    row = measured_columns(view.image, units, [component])
    assert row["integrated_flux"] == pytest.approx(30 * MJY, rel=0.3)
    assert np.isfinite(row["integrated_flux_err"]) and row["integrated_flux_err"] > 0
    assert offset_of(row, "centroid_") == pytest.approx((0, 0), abs=1.0)


def test_neighbours_in_one_smoothed_pixel_are_blends_and_each_is_measured() -> None:
    view = view_of(8, [(0, 0, 14, 1), (0, 12, 14, 1)])
    rows = [measured_columns(view.image, *view.source_at(0, north)) for north in (0, 12)]
    for row, north in zip(rows, (0, 12), strict=True):
        assert row["flags"] & Flag.BLEND
        assert offset_of(row, "centroid_") == pytest.approx((0, north), abs=1.0)
        assert np.isfinite(row["integrated_flux"]) and row["integrated_flux_err"] > 0
    assert rows[0]["component_ids"] != rows[1]["component_ids"]


@pytest.mark.parametrize(("brightest", "suspect"), [(4000, True), (400, False)])
def test_a_faint_source_beside_a_bright_one_may_be_a_sidelobe(brightest: float, suspect: bool) -> None:
    view = view_of(2, [(0, 0, brightest, 1), (120, 0, 16, 1)])
    row = measured_columns(view.image, *view.source_at(120, 0))
    assert row["peak_flux"] == pytest.approx(16 * MJY, abs=3 * MJY)
    assert bool(row["flags"] & Flag.ARTEFACT) is suspect


def test_unknown_units_and_components_are_refused() -> None:
    view = view_of(2, [(0, 0, 100, 1)])
    units, components = view.whole()
    for arguments in (([1], components), (units, [1])):
        with pytest.raises(InputError, match="subject 's' has no component 1"):
            measured_columns(view.image, *arguments)
    lone = view_of(2, [(0, 0, 100, 1), (120, 0, 100, 1)])
    one, other = lone.source_at(0, 0), lone.source_at(120, 0)
    with pytest.raises(InputError, match="is part of a unit that is not in its source"):
        measured_columns(lone.image, one[0], other[1])


@pytest.mark.parametrize("scale", [2, 4])
def test_errors_are_the_scatter_of_flux_densities(scale: int) -> None:
    pulls = []
    for seed in range(20):
        places = [(30.0 * scale * x, 30.0 * scale * y) for x in (-2, -1, 0, 1, 2) for y in (-2, -1, 0, 1, 2)]
        peak = 11 * scale
        view = view_of(scale, [(*place, peak, 1) for place in places], seed=seed)
        for component in view.components[view.components.scale == scale].itertuples():
            inside = view.components[view.components.part_of == component.component_id]
            if len(inside) == 1 and inside.snr.iloc[0] > 0.7 * peak:
                ids = inside.component_id.tolist()
                row = measured_columns(view.image, [component.component_id], ids)
                pulls.append((row["integrated_flux"] - peak * MJY) / row["integrated_flux_err"])
    assert len(pulls) > 300
    assert np.std(pulls) == pytest.approx(1.0, abs=0.2)
    assert abs(np.mean(pulls)) < 0.35
