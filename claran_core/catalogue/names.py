"""Names of sources after their positions, as the IAU asks: ``JHHMMSS.s+DDMMSS``.

Coordinates are truncated, not rounded, so a name never claims a position the source has not reached
(IAU Recommendations for Nomenclature, https://cds.unistra.fr/Dic/iau-spec.html).
"""

import numpy as np

__all__ = ["position_names", "source_names"]

TENTHS_PER_DEG = 2400  # tenths of a second of right ascension
TENTHS_PER_TURN = 360 * TENTHS_PER_DEG
ARCSEC_PER_DEG = 3600

# Before truncation the binary noise of a coordinate is rounded away (1e-6 of the last digit of the name:
# 1 micro-arcsec), or 46.7 s exactly would become 46.6 s.
NOISE_DECIMALS = 6


def position_names(ra_deg: np.ndarray, dec_deg: np.ndarray) -> np.ndarray:
    """Names ``JHHMMSS.s+DDMMSS`` of positions, truncated; equal for sources that are close together.

    Parameters
    ----------
    ra_deg, dec_deg : (N,) float arrays
        Positions, deg, ICRS.

    Returns
    -------
    (N,) str array
    """
    turns = np.round(np.asarray(ra_deg, float) * TENTHS_PER_DEG, NOISE_DECIMALS)
    tenths = np.floor(turns).astype(np.int64) % TENTHS_PER_TURN
    dec_deg = np.asarray(dec_deg, float)
    arcsec = np.floor(np.round(np.abs(dec_deg) * ARCSEC_PER_DEG, NOISE_DECIMALS)).astype(np.int64)
    sign = np.where(dec_deg < 0, "-", "+")
    name = np.char.mod("J%06d.", _sexagesimal(tenths // 10))
    name = np.char.add(name, np.char.mod("%d", tenths % 10))
    return np.char.add(np.char.add(name, sign), np.char.mod("%06d", _sexagesimal(arcsec)))


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


def _sexagesimal(seconds: np.ndarray) -> np.ndarray:
    """Whole seconds as the number whose digits are HHMMSS or DDMMSS."""
    minutes = seconds // 60
    return minutes // 60 * 10_000 + minutes % 60 * 100 + seconds % 60


def _letters(rank: int) -> str:
    """``a`` .. ``z``, ``aa``, ``ab`` .. for 0, 1, 2 .."""
    text = ""
    rank += 1
    while rank:
        rank, digit = divmod(rank - 1, 26)
        text = chr(ord("a") + digit) + text
    return text
