"""Units as tables spell them: the factor that converts a column to the unit that the program needs."""

import warnings

from astropy import units as u

__all__ = ["is_sexagesimal", "is_unit", "stated_factor"]

# Units that say: the values are text such as 07:45:35.0 (VizieR).
SEXAGESIMAL = {"h:m:s", "d:m:s", "hms", "dms"}

# Quantities that the program reads, and one that is taken for them.
USEFUL = (u.deg, u.Jy, u.Jy / u.beam)

# Spellings outside the standards of units.  An angle "in hours" is an hour angle; astropy reads a time.
SPELLINGS = {
    "degree": u.deg,
    "degrees": u.deg,
    "degs": u.deg,
    "deg": u.deg,
    "h": u.hourangle,
    "hr": u.hourangle,
    "hrs": u.hourangle,
    "hour": u.hourangle,
    "hours": u.hourangle,
    "radians": u.rad,
    "jy": u.Jy,
    "mjy": u.mJy,
    "ujy": u.uJy,
}


def is_sexagesimal(spelling: str) -> bool:
    """Return whether a unit says that the values are sexagesimal text: ``h:m:s``, in quotes or not."""
    return spelling.strip().strip('"').lower() in SEXAGESIMAL


def is_unit(spelling: str) -> bool:
    """Return whether text is the spelling of a unit of an angle, a flux density or a surface brightness.

    Text such as J2000 is a unit as well, of no use: a power of the joule.
    """
    text = spelling.strip()
    useful = any(unit.is_equivalent(kind) for unit in _parsed(text) for kind in USEFUL)
    return useful or text.lower() in SPELLINGS or is_sexagesimal(text)


def stated_factor(spelling: str, wanted: u.UnitBase) -> float | None:
    """Return the factor that converts values in a unit to another unit.

    Parameters
    ----------
    spelling : str
        The unit as a table spells it: generic, CDS (``10-29W/m2/Hz``), VOUnit, FITS or OGIP.
    wanted : astropy.units.UnitBase
        Unit of the result.

    Returns
    -------
    float or None
        None for a unit that is unknown, or that measures something else.
    """
    text = spelling.strip()
    plain = SPELLINGS.get(text.lower())
    for unit in (*_parsed(text), plain):
        if unit is not None and unit.is_equivalent(wanted):
            return float(unit.to(wanted))
    return None


def _parsed(text: str) -> list[u.UnitBase]:
    """Return the unit that astropy reads, in a list; empty for an unknown one."""
    for standard in (None, "cds"):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", u.UnitsWarning)
                return [u.Unit(text, format=standard)]
        except (ValueError, TypeError):
            continue
    return []
