"""Values of FITS cards, with errors that name card and value."""

import math

from astropy.io import fits

__all__ = ["finite_number", "has_value", "number_of", "value_of"]


def has_value(header: fits.Header, key: str) -> bool:
    """Return whether a header has a card, and the card a value."""
    return key in header and value_of(header, key) is not None


def value_of(header: fits.Header, key: str) -> object:
    """Return the value of a card: None if it is empty, its text if that is no value of FITS, such as NaN."""
    try:
        return header[key]
    except fits.VerifyError:
        return header.cards[key].image[9:].partition("/")[0].strip("' ")


def finite_number(header: fits.Header, key: str) -> float | None:
    """Return the value of a card; None if it is absent or not a finite number."""
    value = value_of(header, key) if key in header else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def number_of(header: fits.Header, key: str) -> float:
    """Return the value of a card that must be a finite number.

    Raises
    ------
    ValueError
        If it is not one.
    """
    number = finite_number(header, key)
    if number is None:
        raise ValueError(f"{key} = {value_of(header, key)!r} is not a finite number")
    return number
