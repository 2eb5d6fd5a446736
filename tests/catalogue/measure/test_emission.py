"""Where the emission of made-up sources lies, in images of one and of two scales."""

from typing import Any

import numpy as np
import pytest
from smoothed_views import MJY, View, view_of

from claran_core.catalogue.measure.emission import Emission
from claran_core.catalogue.measure.host import NO_HOST
from claran_core.catalogue.measure.measure_subject import measured_columns
from claran_core.catalogue.measure.shape import shape_columns

BEAM = 5.4


def measured(view: View) -> tuple[Emission, dict[str, Any]]:
    """Return the emission of everything in a view as one source, and its columns with those of the shape."""
    columns = measured_columns(view.image, *view.whole())
    emission = columns.pop("emission")
    return emission, columns | shape_columns(view.subject, emission, columns, NO_HOST)


@pytest.mark.parametrize("scale", [2, 4])
def test_peaks_and_pixels_are_those_of_the_finest_image(scale: int) -> None:
    apart = 40.0 * scale
    emission, row = measured(view_of(scale, [(apart, 0, 300, 1), (-apart, 0, 200, 1), (0, 0, 100, 1)]))
    assert emission.beam_arcsec == pytest.approx(BEAM, rel=0.01)
    order = np.argsort(-emission.peaks[:, 2])
    np.testing.assert_allclose(
        emission.peaks[order],
        [(apart, 0, 300 * MJY), (-apart, 0, 200 * MJY), (0, 0, 100 * MJY)],
        rtol=0.05,
        atol=1.0,
    )
    brightest = emission.finest.places[emission.finest.values.argmax()]
    np.testing.assert_allclose(brightest, [apart, 0], atol=1.0)
    np.testing.assert_allclose(np.linalg.det(emission.finest.form) ** -0.25, BEAM, rtol=0.01)
    np.testing.assert_allclose(np.linalg.det(emission.summed.form) ** -0.25, BEAM * scale, rtol=0.05)
    # Half the distance and the extent of the contours beyond the hotspots are known.
    assert row["fr_ratio"] == pytest.approx(2 * apart / (2 * apart + 13), abs=0.03)
    assert row["arm_flux_ratio"] == pytest.approx(200 / 300, abs=0.05)
    assert row["core_prominence"] == pytest.approx(100 / 600, rel=0.1)
    assert (row["shape_centre"], row["n_prominent_peaks"]) == ("core", 3)
    assert row["bending_angle"] < 8


def test_bare_pixels_of_a_coarse_image_are_fainter_than_hotspots() -> None:
    # A lobe of 1.5 sigma is seen in the smoothed image only, with 64 times the flux density per beam.
    emission, row = measured(view_of(8, [(-300, 0, 300, 1), (-250, 0, 30, 1), (250, 0, 1.5, 20)]))
    is_east = emission.finest.places[:, 0] > 100
    assert is_east.any()
    assert emission.finest.values[is_east].max() == pytest.approx(1.5 * MJY, rel=0.4)
    assert row["fr_ratio"] > 0.55


def test_a_source_of_smoothed_pixels_alone_has_the_beam_of_these() -> None:
    emission, _ = measured(view_of(8, [(-200, 0, 1.5, 20), (-100, 0, 1.5, 20), (200, 0, 1.5, 20)]))
    assert emission.beam_arcsec == pytest.approx(8 * BEAM, rel=0.05)
    np.testing.assert_array_equal(emission.summed.values, emission.finest.values)


def test_a_peak_on_the_flank_of_a_brighter_one_counts_if_it_is_prominent() -> None:
    prominent, flat = (
        measured_columns(view.image, *view.whole())["n_prominent_peaks"]
        for view in (view_of(2, [(0, 0, 100, 1), (9, 0, height, 1)]) for height in (80, 8))
    )
    assert (prominent, flat) == (2, 1)
