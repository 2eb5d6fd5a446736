"""The celestial world coordinate system of an image, from the cards of its two celestial axes alone.

Only cards that decide positions are read: a fault in an axis that nobody needs, such as a spectral axis
without rest frequency, loses nothing.  Their values are read as astropy reads them (also exponents with D)
and checked one by one, because WCSLIB guesses or ignores what it does not understand.  A fault is a
`ValueError` that names card and value.
"""

import re
from typing import NamedTuple

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS, Wcsprm

from claran_core.common.constants import ARCSEC_PER_DEG
from claran_core.survey.header_limits import absurd_card
from claran_core.survey.header_values import has_value, number_of, value_of

__all__ = ["CelestialSystem", "celestial_system"]

LONGITUDES, LATITUDES = ("RA", "GLON"), ("DEC", "GLAT")
# Ecliptic, helioecliptic, supergalactic, terrestrial, planetary and solar axes.
OTHER_FRAMES = re.compile(r"[A-Z]{0,2}(LON|LAT|LN|LT)")
SPELLED = re.compile(r"(RA--|DEC-|GLON|GLAT)-([A-Z]{3})(-SIP)?")
REFERENCE_SYSTEMS = ("ICRS", "FK5", "FK4", "FK4-NO-E")
# Years in which the equinox of a catalogue may lie.
FIRST_EQUINOX, LAST_EQUINOX = 1750.0, 2100.0
ICRS_EQUINOX = 2000.0
ANGLES = {
    "": "deg",
    "deg": "deg",
    "degree": "deg",
    "degrees": "deg",
    "arcmin": "arcmin",
    "arcsec": "arcsec",
    "mas": "mas",
    "rad": "rad",
}

# Cards of the matrix: PC1_2, CD1_2, and PC001002 of old files.  Parameters of a projection.
MATRIX = re.compile(r"(PC|CD)(\d+)_(\d+)|PC(\d{3})(\d{3})")
PARAMETER = re.compile(r"PV(\d+)_(\d+)")
# Distortions: SIP, lookup tables, corrections of a detector.
SIP_ORDER, SIP_TERM = re.compile(r"(A|B|AP|BP)_ORDER"), re.compile(r"(A|B|AP|BP)_\d+_\d+|[AB]_DMAX")
TABLES = re.compile(r"(CPDIS|CQDIS|D2IM|DP|DQ|CPERR|CQERR|AXISCORR)")

# Widths of a pixel that an image of the sky may have, and the largest ratio of its sides.
MIN_PIXEL_ARCSEC, MAX_PIXEL_ARCSEC = 1e-4, 10 * ARCSEC_PER_DEG
MAX_SIDE_RATIO = 20.0
# Projections with a polynomial of the plane; SCAMP writes TPV as TAN with parameters.
POLYNOMIALS = ("TPV", "TNX", "ZPX", "TPD", "TPU", "DSS")
# Cylindrical projections whose x is the longitude.
CYLINDRICAL = ("CAR", "CEA", "MER")

Value = float | str
Cards = dict[str, Value]


class CelestialSystem(NamedTuple):
    """The celestial system of an image.

    Attributes
    ----------
    wcs : WCS
        Two-dimensional, longitude first.
    longitude, latitude : int
        Axes of the file, from 0.
    shape : (int, int)
        Pixels along latitude and longitude.
    """

    wcs: WCS
    longitude: int
    latitude: int
    shape: tuple[int, int]


def celestial_system(
    header: fits.Header, shape: tuple[int, ...], hdus: fits.HDUList | None = None
) -> CelestialSystem | None:
    """Return the celestial system of a header.

    Parameters
    ----------
    header : Header
        Header of an image.
    shape : tuple of int
        Shape of its pixels, numpy order.
    hdus : HDUList, optional
        The file, which holds the lookup tables of distortions.

    Returns
    -------
    CelestialSystem or None
        None if no axis is celestial.

    Raises
    ------
    ValueError
        If a card is missing, damaged or not understood.
    """
    axes = _celestial_axes(header)
    if axes is None:
        return None
    cards = _plane_cards(header, axes) | _frame_cards(header, axes)
    _check_polynomial(cards)
    absurd = absurd_card(header)
    if absurd:
        raise ValueError(absurd)
    distortion = _distortion_cards(header)
    if distortion and axes != (1, 2):
        raise ValueError(
            f"{distortion[0].keyword} is a distortion, but longitude and latitude are axes"
            f" {axes[0]} and {axes[1]}"
        )
    if distortion:
        if "A_ORDER" in header:  # SIP counts with and without the suffix
            cards |= {key: f"{str(cards[key])[:8]}-SIP" for key in ("CTYPE1", "CTYPE2")}
        wcs = WCS(fits.Header([*fits.Header.fromstring(_text(cards)).cards, *distortion]), hdus)
    else:
        wcs = _undistorted(cards)
    _check_pixels(wcs, header, axes)
    nx, ny = (_length(shape, axis) for axis in axes)
    _recentre(wcs, [(nx - 1) / 2, (ny - 1) / 2])
    return CelestialSystem(wcs, axes[0] - 1, axes[1] - 1, (ny, nx))


def _length(shape: tuple[int, ...], axis: int) -> int:
    """Return the pixels along a FITS axis; numpy counts axes from the other end."""
    if axis > len(shape):
        raise ValueError(f"CTYPE{axis} is celestial, but the image has {len(shape)} axes")
    return shape[len(shape) - axis]


def _celestial_axes(header: fits.Header) -> tuple[int, int] | None:
    """Return the FITS axes (from 1) of longitude and latitude, which must be spelled as in the standard."""
    found: dict[str, tuple[int, str]] = {}
    for key in header:
        if not re.fullmatch(r"CTYPE\d", key):
            continue
        text = str(value_of(header, key)).strip()
        family = text.upper().partition("-")[0]
        if family in LONGITUDES or family in LATITUDES:
            found.setdefault("longitude" if family in LONGITUDES else "latitude", (int(key[5:]), text))
        elif OTHER_FRAMES.fullmatch(family):
            raise ValueError(
                f"{key} = {text!r} is of a frame that is not read; convert the image to RA and DEC"
            )
    if not found:
        return None
    if len(found) == 1:
        ((axis, text),) = found.values()
        raise ValueError(f"CTYPE{axis} = {text!r}, but no other axis belongs to it")
    _check_types(*found.values())
    return found["longitude"][0], found["latitude"][0]


def _check_types(*types: tuple[int, str]) -> None:
    codes = set()
    for axis, text in types:
        spelled = SPELLED.fullmatch(text)
        if not spelled:
            raise ValueError(f"CTYPE{axis} = {text!r} is not spelled as in the standard, such as 'RA---TAN'")
        codes.add((spelled[1] in ("GLON", "GLAT"), spelled[2]))
    if len(codes) > 1:
        raise ValueError(" and ".join(f"CTYPE{axis} = {text!r}" for axis, text in types) + " do not agree")


def _plane_cards(header: fits.Header, axes: tuple[int, int]) -> Cards:
    """Return the cards of the plane of projection, of axes 1 (longitude) and 2."""
    cards: Cards = {"WCSAXES": 2}
    number = {axis: place for place, axis in enumerate(axes, 1)}
    for axis, place in number.items():
        cards[f"CTYPE{place}"] = str(value_of(header, f"CTYPE{axis}")).strip()
        cards[f"CUNIT{place}"] = _angle(header, f"CUNIT{axis}")
        for name in ("CRVAL", "CRPIX"):
            if f"{name}{axis}" not in header:
                raise ValueError(f"{name}{axis} is missing")
            cards[f"{name}{place}"] = number_of(header, f"{name}{axis}")
    for key in ("LONPOLE", "LATPOLE"):
        if has_value(header, key):
            cards[key] = number_of(header, key)
    for key in header:
        parameter = PARAMETER.fullmatch(key)
        if parameter and int(parameter[1]) in number:
            cards[f"PV{number[int(parameter[1])]}_{parameter[2]}"] = number_of(header, key)
    return cards | _matrix_cards(header, number)


def _check_polynomial(cards: Cards) -> None:
    """Refuse the polynomials of SCAMP and IRAF, which WCSLIB reads wrongly or takes for other parameters."""
    code = str(cards["CTYPE1"])[5:8]
    terms = [key for key in cards if key.startswith("PV2_")]
    if code in POLYNOMIALS or (code == "TAN" and terms):
        term = f" with {terms[0]} = {cards[terms[0]]!r}" if terms else ""
        raise ValueError(
            f"CTYPE1 = {cards['CTYPE1']!r}{term} has a polynomial that is not read; resample the image to TAN"
        )


def _matrix_cards(header: fits.Header, number: dict[int, int]) -> Cards:
    """Return the cards of the matrix: CD, or CDELT with PC, or CDELT with CROTA, in this order."""
    turned = _terms(header, "CD", number)
    if turned:
        return turned
    cards = turned = _terms(header, "PC", number)
    for axis, place in number.items():
        if not has_value(header, f"CDELT{axis}"):
            raise ValueError(f"neither CDELT{axis} nor CD{axis}_{axis} gives the size of a pixel")
        cards = cards | {f"CDELT{place}": number_of(header, f"CDELT{axis}")}
        if not turned and has_value(header, f"CROTA{axis}"):
            cards = cards | {f"CROTA{place}": number_of(header, f"CROTA{axis}")}
    return cards


def _terms(header: fits.Header, kind: str, number: dict[int, int]) -> Cards:
    """Return the terms of the matrix of a kind, PC or CD."""
    cards: Cards = {}
    for key in header:
        term = MATRIX.fullmatch(key)
        if not term or (term[1] or "PC") != kind:
            continue
        row, column = int(term[2] or term[4]), int(term[3] or term[5])
        if row in number and column in number:
            cards[f"{kind}{number[row]}_{number[column]}"] = number_of(header, key)
        elif row in number and number_of(header, key) != 0 and header.get(f"CRPIX{column}", 0.0) != 1.0:
            raise ValueError(f"{key} = {header[key]!r} mixes the sky with axis {column}")
    return cards


def _frame_cards(header: fits.Header, axes: tuple[int, int]) -> Cards:
    """Return the cards of the reference system; galactic axes have none, whatever the header says."""
    cards: Cards = {}
    if str(value_of(header, f"CTYPE{axes[0]}")).startswith("GLON"):
        return cards
    for key in ("RADESYS", "RADECSYS"):
        text = str(value_of(header, key)).strip() if has_value(header, key) else ""
        if text and text not in REFERENCE_SYSTEMS:
            raise ValueError(f"{key} = {text!r} is not one of {', '.join(REFERENCE_SYSTEMS)}")
        if text:
            cards.setdefault("RADESYS", text)
    given = [key for key in ("EQUINOX", "EPOCH") if has_value(header, key)]
    if not given:
        return cards
    year = number_of(header, given[0])
    if not FIRST_EQUINOX <= year <= LAST_EQUINOX:
        raise ValueError(f"{given[0]} = {year!r} is not a year of an equinox, such as 2000.0")
    if cards.get("RADESYS") == "ICRS" and year != ICRS_EQUINOX:
        raise ValueError(f"{given[0]} = {year!r} contradicts RADESYS = 'ICRS', which has no equinox")
    return cards | {"EQUINOX": year}


def _distortion_cards(header: fits.Header) -> list[fits.Card]:
    """Return the cards of distortions as they are, with SIP's numbers checked."""
    found = []
    for card in header.cards:
        key = card.keyword
        if SIP_ORDER.fullmatch(key):
            found.append(fits.Card(key, int(number_of(header, key))))
        elif SIP_TERM.fullmatch(key):
            found.append(fits.Card(key, number_of(header, key)))
        elif TABLES.match(key):
            found.append(card)
    return found


def _undistorted(cards: Cards) -> WCS:
    """Return a WCS without distortions, in a tenth of the time that `WCS` needs to look for them."""
    parsed = Wcsprm(header=_text(cards).encode("ascii"), relax=True)
    parsed.fix()  # AIPS's NCP and GLS projections
    wcs = WCS(naxis=2)
    wcs.wcs = parsed
    wcs.wcs.set()
    return wcs


def _check_pixels(wcs: WCS, header: fits.Header, axes: tuple[int, int]) -> None:
    """Refuse pixels of an impossible size or shape."""
    long, short = np.linalg.svd(wcs.pixel_scale_matrix, compute_uv=False) * ARCSEC_PER_DEG
    possible = MIN_PIXEL_ARCSEC <= short and long <= MAX_PIXEL_ARCSEC and long <= MAX_SIDE_RATIO * short
    if not possible:
        keys = [f"CDELT{axis}" for axis in axes] + [f"CD{axis}_{axis}" for axis in axes]
        given = ", ".join(f"{key} = {header[key]!r}" for key in keys if has_value(header, key))
        raise ValueError(f"its pixels are {long:.4g} x {short:.4g} arcsec wide ({given})")


def _recentre(wcs: WCS, middle: list[float]) -> None:
    """Move the reference of a cylindrical projection to the middle of an image.

    Longitudes wrap half a turn from the reference: a map with CRVAL1 = 0 shows RA 230 at x = 230 deg, where
    WCSLIB looks for it at -130 deg.  Along the equator of the projection the reference may be anywhere.
    """
    is_plain = wcs.wcs.crval[1] == 0 and wcs.wcs.lonpole == 0 and wcs.sip is None
    if wcs.wcs.ctype[0][5:8] not in CYLINDRICAL or not is_plain:
        return
    matrix = wcs.pixel_scale_matrix
    x = float((matrix @ (np.array(middle) + 1 - wcs.wcs.crpix))[0])
    wcs.wcs.crpix = wcs.wcs.crpix + np.linalg.solve(matrix, [x, 0.0])
    wcs.wcs.crval = [wcs.wcs.crval[0] + x, 0.0]
    wcs.wcs.set()


def _angle(header: fits.Header, key: str) -> str:
    text = str(value_of(header, key)).strip() if has_value(header, key) else ""
    unit = ANGLES.get(text.lower())
    if unit is None:
        raise ValueError(f"{key} = {text!r} is not an angle, such as 'deg'")
    return unit


def _text(cards: Cards) -> str:
    """Return cards as the text of a header."""
    lines = []
    for key, value in cards.items():
        shown = f"'{value:<8}'" if isinstance(value, str) else f"{value:>20.17G}"
        lines.append(f"{key:<8}= {shown}".ljust(80))
    return "".join(lines)
