"""Cut-outs combined where no single one covers the subject: fluxes, seams, gaps and backgrounds."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.wcs import WCS, Sip

from claran_core.common.cutout import Beam, Cutout, Provenance
from claran_core.common.flags import Flag
from claran_core.common.frame import Frame
from claran_core.common.reprojection import reproject
from claran_core.survey.celestial import pixels_to_sky
from claran_core.survey.coadd import coadd
from claran_core.survey.footprint import Footprint
from claran_core.survey.regular import exact_linear_wcs, regular_image

RA, DEC = 150.0, 30.0
FRAME = Frame(size_px=60, pixel_scale_arcsec=1.8)
FWHM_ARCSEC = 5.4
# Integral of a Gaussian of peak 1, arcsec2.
FLUX = np.pi * FWHM_ARCSEC**2 / (4 * np.log(2))


def image_wcs(crpix: tuple[float, float], *, scale_arcsec: float = 1.8, turn_deg: float = 0.0) -> WCS:
    """WCS of an image with the subject's centre at a 1-based pixel position."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---SIN", "DEC--SIN"]
    wcs.wcs.crval = [RA, DEC]
    wcs.wcs.crpix = crpix
    wcs.wcs.cdelt = [-scale_arcsec / 3600, scale_arcsec / 3600]
    cos, sin = np.cos(np.deg2rad(turn_deg)), np.sin(np.deg2rad(turn_deg))
    wcs.wcs.pc = [[cos, -sin], [sin, cos]]
    return wcs


def point_source(wcs: WCS, shape: tuple[int, int], name: str = "a.fits") -> Cutout:
    """Cut-out of a Gaussian of peak 1 at the subject's centre."""
    rows, columns = np.indices(shape)
    sky = pixels_to_sky(wcs, columns.ravel(), rows.ravel())
    x, y = Frame(size_px=2, pixel_scale_arcsec=1.0).sky_to_frame(RA, DEC, *sky)
    radius2 = ((x - 1) ** 2 + (y - 1) ** 2).reshape(shape)
    data = np.exp(-4 * np.log(2) * radius2 / FWHM_ARCSEC**2).astype(np.float32)
    return Cutout(*regular_image(data, wcs), name)


def combine(*cutouts: Cutout, match_backgrounds: bool = False) -> Cutout:
    return coadd(cutouts, FRAME, RA, DEC, match_backgrounds=match_backgrounds)


def flux(cutout: Cutout) -> float:
    """Integrated flux density relative to the true one."""
    return float(cutout.data.sum() * cutout.pixel_scale_arcsec**2 / FLUX)


@pytest.mark.parametrize("offset_px", [-2.0, -0.5, 0.0, 0.3, 1.0])
@pytest.mark.parametrize(
    ("overlap_px", "scale_arcsec", "turn_deg", "tolerance"),
    [
        (0, 1.8, 0.0, 0.001),
        (20, 1.8, 0.0, 0.001),
        (20, 1.7, 1.3, 0.01),
        (20, 1.5, -5.0, 0.01),
        (3, 1.6, 0.0, 0.02),
    ],
    ids=["shared border", "overlap", "other grid", "finer grid", "narrow overlap"],
)
def test_a_point_source_at_the_border_of_two_images_keeps_its_flux(
    offset_px: float, overlap_px: int, scale_arcsec: float, turn_deg: float, tolerance: float
) -> None:
    # The left border of the western image is `offset_px` to the right of the source.
    west = point_source(image_wcs((0.5 - offset_px, 60.5)), (120, 70), "west.fits")
    edge = 70.5 - (overlap_px + offset_px) * 1.8 / scale_arcsec
    east = point_source(
        image_wcs((edge, 60.5), scale_arcsec=scale_arcsec, turn_deg=turn_deg), (120, 70), "east.fits"
    )
    combined = combine(west, east)
    assert combined.flags == Flag.COADDED
    assert sorted(combined.origin.split(" + ")) == ["east.fits", "west.fits"]
    assert np.isfinite(reproject(combined, FRAME, RA, DEC)).all()
    assert flux(combined) == pytest.approx(1, abs=tolerance)


def test_pixels_of_the_image_that_covers_most_are_not_resampled() -> None:
    whole = point_source(image_wcs((60.3, 60.1)), (120, 120))
    most = replace(whole, data=np.where(np.arange(120) < 80, whole.data, np.nan))
    rest = replace(whole, data=np.where(np.arange(120) >= 75, whole.data, np.nan), origin="b.fits")
    combined = combine(rest, most)
    assert combined.origin == "a.fits + b.fits"
    corner = round(whole.wcs.x - combined.wcs.x), round(whole.wcs.y - combined.wcs.y)
    ny, nx = combined.data.shape
    expected = whole.data[corner[1] : corner[1] + ny, corner[0] : corner[0] + nx]
    np.testing.assert_allclose(combined.data, expected, rtol=1e-6, atol=1e-12)
    assert max(ny, nx) < 75


def test_blank_borders_that_meet_leave_no_gap() -> None:
    whole = point_source(image_wcs((60.5, 60.5)), (120, 120))
    columns = np.arange(120)
    left = replace(whole, data=np.where(columns < 60, whole.data, np.nan), origin="left.fits")
    right = replace(whole, data=np.where(columns >= 60, whole.data, np.nan), origin="right.fits")
    combined = combine(left, right)
    assert np.isfinite(combined.data).all()
    assert flux(combined) == pytest.approx(1, abs=1e-4)


def test_a_hole_that_no_image_fills_stays_blank() -> None:
    whole = point_source(image_wcs((60.5, 60.5)), (120, 120))
    whole.data[50:55, 58:64] = np.nan
    columns = np.arange(120)
    left = replace(whole, data=np.where(columns < 60, whole.data, np.nan))
    right = replace(whole, data=np.where(columns >= 50, whole.data, np.nan), origin="b.fits")
    combined = combine(left, right)
    hole = np.isnan(reproject(combined, FRAME, RA, DEC)).sum()
    assert 5 * 6 <= hole <= 7 * 8


def test_images_that_add_nothing_are_left_out() -> None:
    whole = point_source(image_wcs((60.5, 60.5)), (120, 120))
    part = replace(whole, data=np.where(np.arange(120) < 60, whole.data, np.nan), origin="part.fits")
    assert combine(part, whole) is whole
    assert combine(whole) is whole
    rest = replace(whole, data=np.where(np.arange(120) >= 40, whole.data, np.nan), origin="rest.fits")
    smaller = replace(part, data=np.where(np.arange(120) < 50, whole.data, np.nan), origin="smaller.fits")
    assert combine(smaller, part, rest).origin == "rest.fits + part.fits"


def test_noise_of_the_overlap_is_averaged() -> None:
    rng = np.random.default_rng(1)
    wcs, columns = exact_linear_wcs(image_wcs((60.5, 60.5))), np.arange(120)
    assert wcs is not None
    one, other = (rng.normal(0, 1, (120, 120)).astype(np.float32) for _ in range(2))
    left = Cutout(np.where(columns < 85, one, np.nan), wcs, "left.fits")
    right = Cutout(np.where(columns >= 35, other, np.nan), wcs, "right.fits")
    combined = combine(left, right)
    shared = slice(*(np.array([45, 75]) - round(59.5 - combined.wcs.x)))
    assert np.std(combined.data[:, shared]) == pytest.approx(np.sqrt(0.5), rel=0.1)


def test_backgrounds_are_matched_to_the_best_image() -> None:
    frame = Frame(size_px=20, pixel_scale_arcsec=1.375)
    wcs = frame.wcs(10.0, 20.0)
    place = Provenance("irsa", "u", "s", "t")
    pixels = np.arange(400, dtype=np.float32).reshape(20, 20)
    left, right = pixels[:, :14], pixels[:, 6:] + 100
    cutouts = [
        Cutout(left, wcs, "irsa", provenance=place),
        Cutout(right, wcs.window(6, 0), "irsa", provenance=replace(place, url="v", fetched_at="z")),
    ]
    inner = Frame(size_px=16, pixel_scale_arcsec=1.375)
    combined = coadd(cutouts, inner, 10.0, 20.0, match_backgrounds=True)
    image = reproject(combined, inner, 10.0, 20.0)
    np.testing.assert_allclose(image, pixels[2:-2, 2:-2][::-1], atol=1e-3)
    assert combined.origin == "irsa" and combined.provenance == Provenance("irsa", "u v", "s s", "z")
    unmatched = reproject(coadd(cutouts, inner, 10.0, 20.0, match_backgrounds=False), inner, 10.0, 20.0)
    assert unmatched[0, -1] == pytest.approx(pixels[-3, -3] + 100, abs=1e-3)


def test_distortions_are_extended_with_the_grid() -> None:
    wcs = image_wcs((60.5, 60.5))
    wcs.wcs.ctype = ["RA---TAN-SIP", "DEC--TAN-SIP"]
    quadratic = np.zeros((3, 3))
    quadratic[2, 0] = 2e-5
    wcs.sip = Sip(quadratic, quadratic, None, None, [60.5, 60.5])
    whole, columns = point_source(wcs, (120, 120)), np.arange(120)
    left = replace(whole, data=np.where(columns < 70, whole.data, np.nan))
    right = replace(whole, data=np.where(columns >= 50, whole.data, np.nan))
    truth = reproject(whole, FRAME, RA, DEC)
    np.testing.assert_allclose(reproject(combine(left, right), FRAME, RA, DEC), truth, atol=1e-4)


def test_where_a_projection_tears_the_subjects_own_grid_is_used() -> None:
    """Two halves of an all-sky map that meet at its edge, opposite to its reference position."""
    frame, halves = Frame(size_px=10, pixel_scale_arcsec=1800.0), []
    for start in (0, 190):
        wcs = WCS(naxis=2)
        wcs.wcs.ctype = ["RA---CAR", "DEC--CAR"]
        wcs.wcs.crval, wcs.wcs.cdelt = [0.0, 0.0], [-0.5, 0.5]
        wcs.wcs.crpix = [360.5 - start * 2, 90.5]
        rows, columns = np.indices((180, 340))
        ra, dec = pixels_to_sky(wcs, columns.ravel(), rows.ravel())
        data = (dec + 0.1 * (ra % 360)).reshape(180, 340).astype(np.float32)
        footprint = Footprint.of(wcs, data.shape)
        window = footprint.window(frame, 180.0, 0.0)
        assert window is not None
        image = footprint.regular(data[window.slices], window, frame, 180.0, 0.0)
        halves.append(Cutout(*image, f"{start}"))
    combined = coadd(halves, frame, 180.0, 0.0, match_backgrounds=False)
    assert max(combined.data.shape) < 20
    image = reproject(combined, frame, 180.0, 0.0)
    ra, dec = frame.frame_to_sky(180.0, 0.0, *frame.pixel_centres(*np.indices((10, 10))))
    np.testing.assert_allclose(image[::-1], dec + 0.1 * ra, atol=0.02)


@pytest.mark.parametrize(("major_arcsec", "differs"), [(5.4, False), (5.5, False), (6.4, True)])
def test_images_of_different_beams_are_flagged(major_arcsec: float, differs: bool) -> None:
    west = replace(point_source(image_wcs((30.5, 45.5)), (90, 30)), beam=Beam(5.4, 5.4, 0.0))
    east = replace(point_source(image_wcs((0.5, 45.5)), (90, 60)), beam=Beam(major_arcsec, 5.4, 0.0))
    combined = combine(west, east)
    assert Flag.COADDED in combined.flags and (Flag.BEAM_DIFFERS in combined.flags) is differs
