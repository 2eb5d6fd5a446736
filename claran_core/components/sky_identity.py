"""The identity of a position on the sky: its pixel of the finest HEALPix grid.

The formulae are those of Gorski et al. 2005 (ApJ 622, 759), sections 4 and 5: the sphere consists of
twelve base pixels with ``NSIDE x NSIDE`` pixels each, numbered along a Z-shaped curve (nested scheme).
"""

import numpy as np

__all__ = ["ORDER", "healpix_index"]

# Pixels of 0.4 milliarcsec, the smallest whose index fits in an int64.
ORDER = 29
NSIDE = 2**ORDER

# Base pixels of the polar caps beyond this sine of the declination have another projection.
CAP_SIN_DEC = 2 / 3

# Step n of interleaving two numbers moves groups of 2**n bits apart, and keeps these bits.
SPREAD = tuple(
    (2**n, mask)
    for n, mask in (
        (4, 0x0000FFFF0000FFFF),
        (3, 0x00FF00FF00FF00FF),
        (2, 0x0F0F0F0F0F0F0F0F),
        (1, 0x3333333333333333),
        (0, 0x5555555555555555),
    )
)


def healpix_index(ra_deg: np.ndarray, dec_deg: np.ndarray) -> np.ndarray:
    """Return the index of positions (deg, ICRS) in the nested scheme of order 29; ``(n,)`` int64."""
    quarter = np.asarray(ra_deg, float) % 360.0 / 90.0  # longitude in units of pi / 2, in [0, 4]
    quarter = np.where(quarter >= 4.0, 0.0, quarter)
    dec = np.deg2rad(np.asarray(dec_deg, float))
    z = np.sin(dec)
    equator, cap = _in_equatorial_belt(z, quarter), _in_polar_cap(z, np.cos(dec), quarter)
    is_equator = np.abs(z) <= CAP_SIN_DEC
    base, x, y = (np.where(is_equator, one, two) for one, two in zip(equator, cap, strict=True))
    return base * NSIDE**2 + _spread(x) + 2 * _spread(y)


def _in_equatorial_belt(z: np.ndarray, quarter: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return base pixel and position ``x y`` in it, for positions between the caps."""
    along, across = NSIDE * (0.5 + quarter), NSIDE * 0.75 * z
    ascending = np.floor(along - across).astype(np.int64)  # lines of pixels towards north-east
    descending = np.floor(along + across).astype(np.int64)
    up, down = ascending // NSIDE, descending // NSIDE
    base = np.where(up == down, up % 4 + 4, np.where(up < down, up, down + 8))
    return base, descending % NSIDE, NSIDE - 1 - ascending % NSIDE


def _in_polar_cap(
    z: np.ndarray, cos_dec: np.ndarray, quarter: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the same for positions in the polar caps (exact at the poles)."""
    face = np.minimum(np.floor(quarter).astype(np.int64), 3)
    part = quarter - face
    from_pole = NSIDE * cos_dec / np.sqrt((1 + np.abs(z)) / 3)
    ascending = np.minimum(np.floor(part * from_pole).astype(np.int64), NSIDE - 1)
    descending = np.minimum(np.floor((1 - part) * from_pole).astype(np.int64), NSIDE - 1)
    north = z > 0
    return (
        np.where(north, face, face + 8),
        np.where(north, NSIDE - 1 - descending, ascending),
        np.where(north, NSIDE - 1 - ascending, descending),
    )


def _spread(value: np.ndarray) -> np.ndarray:
    """Return numbers with a zero between any two of their bits."""
    spread = value.astype(np.int64)
    for shift, mask in SPREAD:
        spread = (spread | (spread << shift)) & mask
    return spread
