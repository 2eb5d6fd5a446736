"""Names made from positions by the IAU convention: ``JHHMMSS.s+DDMMSS``.

Coordinates are truncated, not rounded (IAU Recommendations for Nomenclature,
https://cds.unistra.fr/Dic/iau-spec.html).
"""

import numpy as np

__all__ = ["position_names", "source_names"]

SECONDS_PER_DEG = 240  # of time, in right ascension
ARCSEC_PER_DEG = 3600

# Coordinates are rounded to 1e-6 of the last digit of the name before truncation.  Without this, binary
# rounding errors would turn exactly 46.7 s into 46.6 s.
NOISE_DECIMALS = 6


def position_names(
    ra_deg: np.ndarray, dec_deg: np.ndarray, *, ra_decimals: int = 1, dec_decimals: int = 0
) -> np.ndarray:
    """Return the truncated names ``JHHMMSS.s+DDMMSS`` of positions; close positions share a name.

    Parameters
    ----------
    ra_deg, dec_deg : (N,) float arrays
        Positions, deg, ICRS.
    ra_decimals, dec_decimals : int
        Decimals of the seconds.

    Returns
    -------
    (N,) str array
    """
    return _characters(ra_deg, dec_deg, ra_decimals, dec_decimals).astype(str)


def source_names(ra_deg: np.ndarray, dec_deg: np.ndarray) -> np.ndarray:
    """Return unique names: sources with the same truncated position get ``a``, ``b``, ``c`` ..

    The letters follow right ascension, then declination; rows at exactly the same position keep their
    order.

    Parameters
    ----------
    ra_deg, dec_deg : (N,) float arrays
        Positions, deg, ICRS.

    Returns
    -------
    (N,) object array of str
    """
    plain = _characters(ra_deg, dec_deg, ra_decimals=1, dec_decimals=0)
    names = plain.astype(str).astype(object)
    order = np.lexsort((dec_deg, ra_deg, plain))
    is_first = np.ones(len(names), bool)
    is_first[1:] = plain[order[1:]] != plain[order[:-1]]
    first = np.flatnonzero(is_first)
    size = np.diff(first, append=len(names))
    for start, count in zip(first[size > 1].tolist(), size[size > 1].tolist(), strict=True):
        for rank in range(count):
            names[order[start + rank]] += _letters(rank)
    return names


def _characters(ra_deg: np.ndarray, dec_deg: np.ndarray, ra_decimals: int, dec_decimals: int) -> np.ndarray:
    """Return the names (N,) as byte strings."""
    ra_deg, dec_deg = np.atleast_1d(np.asarray(ra_deg, float)), np.atleast_1d(np.asarray(dec_deg, float))
    sign = np.where(dec_deg < 0, ord("-"), ord("+"))
    parts = [
        np.full((len(ra_deg), 1), ord("J")),
        _digits(ra_deg, SECONDS_PER_DEG, ra_decimals),
        sign[:, None],
        _digits(np.abs(dec_deg), ARCSEC_PER_DEG, dec_decimals),
    ]
    characters = np.ascontiguousarray(np.concatenate(parts, axis=1), np.uint8)
    return characters.view(f"S{characters.shape[1]}")[:, 0]


def _digits(angle_deg: np.ndarray, per_deg: int, decimals: int) -> np.ndarray:
    """Return the characters HHMMSS.s or DDMMSS (N, n) of angles; a degree is `per_deg` seconds."""
    parts = 10**decimals
    counted = np.floor(np.round(angle_deg * per_deg * parts, NOISE_DECIMALS)).astype(np.int64)
    seconds, rest = np.divmod(counted % (360 * per_deg * parts), parts)
    minutes = seconds // 60
    whole = _decimal(minutes // 60 * 10_000 + minutes % 60 * 100 + seconds % 60, 6)
    if not decimals:
        return whole
    return np.concatenate([whole, np.full((len(whole), 1), ord(".")), _decimal(rest, decimals)], axis=1)


def _decimal(numbers: np.ndarray, n_digits: int) -> np.ndarray:
    """Return the digits (N, n) of whole numbers, as characters."""
    return numbers[:, None] // 10 ** np.arange(n_digits - 1, -1, -1) % 10 + ord("0")


def _letters(rank: int) -> str:
    """Return ``a`` .. ``z``, ``aa``, ``ab`` .. for 0, 1, 2 .."""
    text = ""
    rank += 1
    while rank:
        rank, digit = divmod(rank - 1, 26)
        text = chr(ord("a") + digit) + text
    return text
