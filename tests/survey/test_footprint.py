"""Footprints of images, and windows of subjects on them."""

import numpy as np
import pytest
from astropy.wcs import WCS

from claran_core.common.frame import Frame
from claran_core.common.sky import unit_vectors
from claran_core.survey.footprint import Footprint
from claran_core.survey.regular import astropy_wcs

FRAME = Frame(size_px=40, pixel_scale_arcsec=1.8)


def tangent(ra: float = 30.0, dec: float = 10.0, size: int = 200, scale: float = 1.8) -> Footprint:
    frame = Frame(size_px=size, pixel_scale_arcsec=scale)
    return Footprint.of(astropy_wcs(frame.wcs(ra, dec)), (size, size))


def test_the_circle_holds_the_image_and_little_more() -> None:
    footprint = tangent()
    corner_deg = 100 * np.sqrt(2) * 1.8 / 3600
    assert corner_deg < footprint.radius_deg < 1.05 * corner_deg
    assert footprint.distance_deg(30.0, 10.0) == pytest.approx(0, abs=1e-6)
    assert footprint.pixel_scale_arcsec == pytest.approx(1.8)


def test_an_image_over_the_pole_is_centred_on_it() -> None:
    footprint = tangent(123.0, 90.0)
    np.testing.assert_allclose(footprint.centre, [0, 0, 1], atol=1e-9)
    assert footprint.window(FRAME, 300.0, 90.0).complete


def test_window_by_hand() -> None:
    # The subject's middle is the image's: FITS position 99.5, half a subject is 20 pixels.
    window = tangent().window(FRAME, 30.0, 10.0)
    assert (window.y0, window.y1, window.x0, window.x1) == (76, 124, 76, 124)
    assert window.complete
    assert window.slices == (slice(76, 124), slice(76, 124))


def test_window_at_the_edge_is_clipped_and_not_complete() -> None:
    # 90 pixels to the north: the subject wants FITS rows 169.5 to 209.5 of 0 to 199.
    window = tangent().window(FRAME, 30.0, 10.0 + 90 * 1.8 / 3600)
    assert (window.y1, window.complete) == (200, False)
    assert window.y0 == pytest.approx(166, abs=1)


def test_no_window_outside_and_on_the_far_side_of_the_sky() -> None:
    footprint = tangent()
    assert footprint.window(FRAME, 30.0, 10.2) is None
    assert footprint.window(FRAME, 210.0, -10.0) is None


def test_an_all_sky_map_may_show_anything() -> None:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---AIT", "DEC--AIT"]
    wcs.wcs.cdelt = [-1.0, 1.0]
    wcs.wcs.crpix = [180.5, 90.5]
    footprint = Footprint.of(wcs, (180, 360))
    assert footprint.radius_deg == 180
    for place in ((0.0, 0.0), (120.0, 60.0), (250.0, -80.0)):
        assert footprint.window(FRAME, *place).complete


def test_unit_vectors() -> None:
    np.testing.assert_allclose(
        unit_vectors(np.array([0, 90, 7]), np.array([0, 0, -90])),
        [[1, 0, 0], [0, 1, 0], [0, 0, -1]],
        atol=1e-15,
    )
