"""Build the columns of a table from name, unit, UCD and description.

No column holds nulls: a missing value is NaN, 0, false, empty text or an empty list.
"""

import pyarrow as pa

__all__ = [
    "boolean",
    "count",
    "identity",
    "integer",
    "list_of",
    "number",
    "position",
    "position_errors",
    "text",
]


def boolean(name: str, ucd: str, description: str) -> pa.Field:
    """Return a column of truth values."""
    return _column(name, pa.bool_(), "", ucd, description)


def count(name: str, description: str) -> pa.Field:
    """Return a column of numbers of things."""
    return integer(name, "meta.number", description)


def integer(name: str, ucd: str, description: str) -> pa.Field:
    """Return a column of integers without unit."""
    return _column(name, pa.int32(), "", ucd, description)


def identity(name: str, ucd: str, description: str) -> pa.Field:
    """Return a column of 64-bit identities."""
    return _column(name, pa.int64(), "", ucd, description)


def text(name: str, ucd: str, description: str) -> pa.Field:
    """Return a column of text."""
    return _column(name, pa.string(), "", ucd, description)


def number(name: str, unit: str, ucd: str, description: str) -> pa.Field:
    """Return a column of single-precision numbers."""
    return _column(name, pa.float32(), unit, ucd, description)


def position(name: str, ucd: str, description: str) -> list[pa.Field]:
    """Return the columns ``{name}ra`` and ``{name}dec`` of a sky position (deg, ICRS)."""
    return [
        _column(
            f"{name}{axis}", pa.float64(), "deg", f"pos.eq.{axis};{ucd}", f"{word} of {description}, ICRS"
        )
        for axis, word in (("ra", "right ascension"), ("dec", "declination"))
    ]


def position_errors(name: str, description: str) -> list[pa.Field]:
    """Return the columns ``{name}ra_err`` and ``{name}dec_err`` (arcsec) of a sky position."""
    return [
        number(
            f"{name}{axis}_err",
            "arcsec",
            f"stat.error;pos.eq.{axis}",
            f"standard error of {description} towards the {towards}, from the noise and from the survey's"
            " astrometry",
        )
        for axis, towards in (("ra", "east (on the sky)"), ("dec", "north"))
    ]


def list_of(
    name: str,
    kind: pa.DataType,
    unit: str,
    ucd: str,
    description: str,
    *,
    entries: str = "one entry per component, brightest first",
) -> pa.Field:
    """Return a column of lists; `entries` says what each entry belongs to, and their order."""
    item = pa.field("item", kind, nullable=False)
    return _column(name, pa.list_(item), unit, ucd, f"{description}; {entries}")


def _column(name: str, kind: pa.DataType, unit: str, ucd: str, description: str) -> pa.Field:
    metadata = {"unit": unit, "ucd": ucd, "description": description}
    return pa.field(name, kind, nullable=False, metadata=metadata)
