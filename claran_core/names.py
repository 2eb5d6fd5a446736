"""Names after positions, as the IAU asks: ``JHHMMSS.s+DDMMSS``.

Coordinates are truncated, not rounded, so a name never claims a position the source has not reached
(IAU Recommendations for Nomenclature, https://cds.unistra.fr/Dic/iau-spec.html).
"""

import numpy as np

__all__ = ["position_names", "source_names"]

SECONDS_PER_DEG = 240  # of time, in right ascension
ARCSEC_PER_DEG = 3600

# Before truncation the binary noise of a coordinate is rounded away (1e-6 of the last digit of the name),
# or 46.7 s exactly would become 46.6 s.
NOISE_DECIMALS = 6


def position_names(
    ra_deg: np.ndarray, dec_deg: np.ndarray, *, ra_decimals: int = 1, dec_decimals: int = 0
) -> np.ndarray:
    """Names ``JHHMMSS.s+DDMMSS`` of positions, truncated; equal for positions that are close together.

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
    dec_deg = np.asarray(dec_deg, float)
    right = _digits(np.asarray(ra_deg, float), SECONDS_PER_DEG, ra_decimals)
    sign = np.where(dec_deg < 0, "-", "+")
    up = _digits(np.abs(dec_deg), ARCSEC_PER_DEG, dec_decimals)
    return np.char.add(np.char.add(np.char.add("J", right), sign), up)


def source_names(ra_deg: np.ndarray, dec_deg: np.ndarray) -> np.ndarray:
    """Unique names: sources that would share one get ``a``, ``b``, ``c`` .. in order of position.

    The order is that of right ascension, then declination; rows at exactly the same position keep the
    order they are given in.

    Parameters
    ----------
    ra_deg, dec_deg : (N,) float arrays
        Positions, deg, ICRS.

    Returns
    -------
    (N,) object array of str
    """
    names = position_names(ra_deg, dec_deg).astype(object)
    order = np.lexsort((dec_deg, ra_deg, names.astype(str)))
    _, group, size = np.unique(names[order].astype(str), return_inverse=True, return_counts=True)
    rank = np.arange(len(names)) - (np.cumsum(size) - size)[group]
    for row in np.flatnonzero(size[group] > 1):
        names[order[row]] += _letters(int(rank[row]))
    return names


def _digits(angle_deg: np.ndarray, per_deg: int, decimals: int) -> np.ndarray:
    """Digits HHMMSS.s or DDMMSS of angles, whose unit goes `per_deg` seconds to the degree."""
    parts = 10**decimals
    counted = np.floor(np.round(angle_deg * per_deg * parts, NOISE_DECIMALS)).astype(np.int64)
    seconds, rest = np.divmod(counted % (360 * per_deg * parts), parts)
    minutes = seconds // 60
    text = np.char.mod("%06d", minutes // 60 * 10_000 + minutes % 60 * 100 + seconds % 60)
    return np.char.add(text, np.char.mod(f".%0{decimals}d", rest)) if decimals else text


def _letters(rank: int) -> str:
    """``a`` .. ``z``, ``aa``, ``ab`` .. for 0, 1, 2 .."""
    text = ""
    rank += 1
    while rank:
        rank, digit = divmod(rank - 1, 26)
        text = chr(ord("a") + digit) + text
    return text
