"""Celestial systems of headers: the two axes alone, faults named by card and value, longitudes that wrap."""

from typing import Any

import numpy as np
import pytest
from astropy.coordinates import FK4NoETerms, SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from sky_images import image_header

from claran_core.survey.celestial import pixels_to_sky, sky_to_pixels
from claran_core.survey.fits_image import UnusableImage, celestial_plane, quiet_astropy
from claran_core.survey.header_wcs import celestial_system

SHAPE = (60, 60)
RA, DEC = 214.6, 31.3
PLACES = np.array([0.0, 7.5, 59.0]), np.array([2.0, 41.0, 59.0])


def header(**cards: Any) -> fits.Header:
    given = image_header(RA, DEC, size_px=60, **cards)
    for key in ("BLANK", "DATE-OBS"):
        del given[key]
    return given


def sky(given: fits.Header, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    system = celestial_system(given, shape)
    assert system is not None
    return np.array(pixels_to_sky(system.wcs, *PLACES))


@pytest.mark.parametrize("projection", ["TAN", "SIN", "NCP", "ZEA", "ARC"])
@pytest.mark.parametrize(
    "cards",
    [
        {},
        {"EPOCH": 1950.0, "EQUINOX": 1950.0},
        {"CROTA2": 30.0},
        {"CD1_1": -4e-4, "CD2_2": 4e-4, "CD1_2": 1e-4},
    ],
)
def test_the_system_is_that_of_astropy(projection: str, cards: dict[str, Any]) -> None:
    given = header(projection=projection, **cards)
    with quiet_astropy():
        expected = pixels_to_sky(WCS(given), *PLACES)
    np.testing.assert_allclose(sky(given), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "third",
    [
        {"CDELT3": 0.0},
        {"CTYPE3": "FELO-HEL", "CUNIT3": "km/s"},
        {"CUNIT3": "PLANES"},
        {"CRVAL3": 0.0, "CTYPE3": "FREQ"},
        {"PC1_3": 0.4},  # the only pixel of the axis is its reference
        {"PC3_1": 0.4},
    ],
)
def test_a_fault_in_an_axis_that_nobody_needs_loses_nothing(third: dict[str, Any]) -> None:
    given = header(**({"CTYPE3": "FREQ", "CRVAL3": 8.9e8, "CRPIX3": 1.0, "CDELT3": 2.9e8} | third))
    np.testing.assert_allclose(sky(given, (1, *SHAPE)), sky(header()), rtol=0, atol=1e-12)


def test_axes_in_any_order() -> None:
    given = header()
    turned = fits.Header()
    for key, value in given.items():
        at = {"1": "3", "2": "1"}.get(key[-1], "") if key[:-1] in ("CTYPE", "CRVAL", "CRPIX", "CDELT") else ""
        turned[key[:-1] + at if at else key] = value
    turned["CTYPE2"] = "STOKES"
    system = celestial_system(turned, (60, 1, 60))
    assert system is not None and (system.longitude, system.latitude) == (2, 0)
    np.testing.assert_allclose(pixels_to_sky(system.wcs, *PLACES), sky(given), rtol=0, atol=1e-12)


def test_exponents_with_d() -> None:
    text = header().tostring().replace(f"{'CDELT1':<8}= {-5e-4:>20}", f"{'CDELT1':<8}= {'-5.00D-04':>20}")
    assert "D-04" in text
    np.testing.assert_array_equal(sky(fits.Header.fromstring(text)), sky(header()))


@pytest.mark.parametrize(
    ("cards", "message"),
    [
        ({"EQUINOX": 0.0}, "EQUINOX = 0.0 is not a year"),
        ({"EQUINOX": "B1950"}, "EQUINOX = 'B1950' is not a finite number"),
        ({"RADESYS": "Fk5"}, "RADESYS = 'Fk5' is not one of ICRS"),
        ({"RADESYS": "ICRS", "EQUINOX": 1950.0}, "EQUINOX = 1950.0 contradicts RADESYS = 'ICRS'"),
        ({"CTYPE1": "ra---sin"}, "CTYPE1 = 'ra---sin' is not spelled as in the standard"),
        ({"CTYPE2": "DEC-TAN"}, "CTYPE2 = 'DEC-TAN' is not spelled"),
        ({"CTYPE2": "DEC--SIN"}, "CTYPE1 = 'RA---TAN' and CTYPE2 = 'DEC--SIN' do not agree"),
        ({"CTYPE2": "GLAT-TAN"}, "do not agree"),
        ({"CTYPE2": "FREQ"}, "CTYPE1 = 'RA---TAN', but no other axis"),
        ({"CTYPE1": "ELON-TAN", "CTYPE2": "ELAT-TAN"}, "CTYPE1 = 'ELON-TAN' is of a frame that is not read"),
        ({"CTYPE1": "SLON-TAN", "CTYPE2": "SLAT-TAN"}, "CTYPE1 = 'SLON-TAN'"),
        ({"CTYPE1": "RA---TPV", "CTYPE2": "DEC--TPV"}, "CTYPE1 = 'RA---TPV' has a polynomial"),
        ({"PV2_1": 1.0, "PV2_4": 0.1}, "with PV2_1 = 1.0 has a polynomial"),
        ({"CDELT2": 5e-14}, "its pixels are 1.8 x 1.8e-10 arcsec wide (CDELT1 = -0.0005, CDELT2 = 5e-14)"),
        ({"CDELT1": -40.0, "CDELT2": 40.0}, "CDELT1 = -40.0"),
        ({"CUNIT1": "furlong"}, "CUNIT1 = 'furlong' is not an angle"),
        ({"CRVAL1": "12:30:00"}, "CRVAL1 = '12:30:00' is not a finite number"),
        ({"A_ORDER": 1000000}, "A_ORDER = 1000000 is no order of a distortion"),
        ({"PC1_3": 0.4, "CRPIX3": 7.0}, "PC1_3 = 0.4 mixes the sky with axis 3"),
    ],
)
def test_a_fault_is_named_by_card_and_value(cards: dict[str, Any], message: str) -> None:
    with pytest.raises(UnusableImage) as caught:
        celestial_plane(header(**cards), SHAPE)
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["CRVAL1", "CRPIX2", "CDELT1"])
def test_a_missing_card_is_named(key: str) -> None:
    given = header()
    del given[key]
    with pytest.raises(ValueError, match=key):
        celestial_system(given, SHAPE)


def test_a_card_that_is_no_value_is_named() -> None:
    text = header().tostring().replace(f"{'CRVAL2':<8}= {DEC:>20}", f"{'CRVAL2':<8}= {'-NaN':>20}")
    with quiet_astropy(), pytest.raises(ValueError, match="CRVAL2 = '-NaN' is not a finite number"):
        celestial_system(fits.Header.fromstring(text), SHAPE)


@pytest.mark.parametrize("cards", [{"RADESYS": "ICRS"}, {"RADESYS": "FK5"}, {"EQUINOX": 1950.0}])
def test_galactic_axes_are_galactic_whatever_the_reference_system(cards: dict[str, Any]) -> None:
    given = header(CTYPE1="GLON-TAN", CTYPE2="GLAT-TAN", CRVAL1=41.0, CRVAL2=7.0, **cards)
    middle = SkyCoord(41.0, 7.0, unit="deg", frame="galactic").icrs
    system = celestial_system(given, SHAPE)
    assert system is not None
    found = pixels_to_sky(system.wcs, 29.5, 29.5)
    np.testing.assert_allclose(found, [middle.ra.deg, middle.dec.deg], atol=1e-9)


def test_fk4_without_e_terms() -> None:
    middle = SkyCoord(RA, DEC, unit="deg", frame=FK4NoETerms(equinox="B1950")).icrs
    system = celestial_system(header(RADESYS="FK4-NO-E", EQUINOX=1950.0), SHAPE)
    assert system is not None
    np.testing.assert_allclose(
        pixels_to_sky(system.wcs, 29.5, 29.5), [middle.ra.deg, middle.dec.deg], atol=1e-9
    )


@pytest.mark.parametrize("projection", ["CAR", "CEA", "MER"])
@pytest.mark.parametrize("ra_deg", [10.0, 180.0, 181.0, 233.0, 359.99])
def test_longitudes_wrap_around_the_image_and_not_around_the_reference(
    projection: str, ra_deg: float
) -> None:
    given = header(CTYPE1=f"RA---{projection}", CTYPE2=f"DEC--{projection}", RADESYS="ICRS")
    scale = 1 / 2000
    given.update(
        CRVAL1=0.0, CRVAL2=0.0, CRPIX1=30.5 + ra_deg / scale, CRPIX2=30.5, CDELT1=-scale, CDELT2=scale
    )
    footprint, _ = celestial_plane(given, SHAPE)
    x, y = footprint.sky_to_pixels(np.array([ra_deg, ra_deg + 3 * scale, ra_deg - 4 * scale]), np.zeros(3))
    np.testing.assert_allclose(x, [29.5, 26.5, 33.5], atol=1e-6)
    np.testing.assert_allclose(y, 29.5, atol=1e-6)
    assert footprint.radius_deg < 0.05


@pytest.mark.parametrize(
    ("cards", "message"),
    [
        ({"A_ORDER": 2, "B_ORDER": 2, "A_2_0": 0.03}, "do not lead back to its pixels"),
        # An oblique plate carree, the image of which lies beyond half a turn.
        (
            {"CTYPE1": "RA---CAR", "CTYPE2": "DEC--CAR", "CRPIX1": 460030.5, "CRVAL2": 20.0},
            "none of its pixels lies on the sky",
        ),
    ],
)
def test_a_system_without_a_way_back_is_refused(cards: dict[str, Any], message: str) -> None:
    with pytest.raises(UnusableImage, match=message):
        celestial_plane(header(**cards), SHAPE)


def test_sip_counts_with_and_without_the_suffix_and_in_the_usual_order_of_axes() -> None:
    sip = {"A_ORDER": 2, "B_ORDER": 2, "A_2_0": 3e-4, "B_0_2": 1e-4}
    plain, named = (header(projection=projection, **sip) for projection in ("TAN", "TAN-SIP"))
    np.testing.assert_array_equal(sky(plain), sky(named))
    assert np.abs(sky(plain) - sky(header())).max() > 1e-4
    given = header(CTYPE1="DEC--TAN", CTYPE2="RA---TAN", **sip)
    with pytest.raises(
        ValueError, match="A_ORDER is a distortion, but longitude and latitude are axes 2 and 1"
    ):
        celestial_system(given, SHAPE)


def test_an_image_without_celestial_axes_has_no_system() -> None:
    assert celestial_system(header(CTYPE1="LINEAR", CTYPE2="FREQ"), SHAPE) is None


def test_positions_lead_back_to_pixels() -> None:
    system = celestial_system(header(CROTA2=71.0, CDELT1=-3e-4), SHAPE)
    assert system is not None
    np.testing.assert_allclose(
        sky_to_pixels(system.wcs, *pixels_to_sky(system.wcs, *PLACES)), PLACES, atol=1e-6
    )
