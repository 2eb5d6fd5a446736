"""Nested HEALPix cells and positions in them (Gorski et al. 2005, ApJ 622, 759), compiled.

The results are those of astropy_healpix, which checks its arguments at length and loads astropy's coordinate
frames.  Close to a pole they are more accurate.
"""

import math

import numpy as np

from claran_core.common.compiled import compiled

__all__ = ["nested_cells", "nested_vectors"]

TWO_THIRDS, HALF_PI = 2.0 / 3.0, 0.5 * math.pi

# First base cells of the equator and of the south; those of the north are 0 to 3.
EQUATOR, SOUTH = 4, 8


@compiled
def nested_cells(vectors: np.ndarray, nside: int) -> np.ndarray:
    """Return the nested cells, ``(n,)`` int64, that contain the directions of unit vectors ``(n, 3)``."""
    cells = np.empty(len(vectors), np.int64)
    for k in range(len(vectors)):
        longitude = math.atan2(vectors[k, 1], vectors[k, 0])
        if longitude < 0.0:
            longitude += 2.0 * math.pi
        within = longitude % HALF_PI
        sector = int(round((longitude - within) / HALF_PI)) % 4
        if abs(vectors[k, 2]) >= TWO_THIRDS:
            square = vectors[k, 0] ** 2 + vectors[k, 1] ** 2
            x, y, base = _place_near_pole(vectors[k, 2], square, within, sector, nside)
        else:
            x, y, base = _place_near_equator(vectors[k, 2], within, sector, nside)
        column = max(0, min(nside - 1, int(math.floor(x))))
        row = max(0, min(nside - 1, int(math.floor(y))))
        cell, bit = base * nside * nside, 0
        while nside >> bit > 1:
            cell += (column >> bit & 1) << 2 * bit
            cell += (row >> bit & 1) << 2 * bit + 1
            bit += 1
        cells[k] = cell
    return cells


@compiled
def _place_near_pole(
    z: float, square: float, within: float, sector: int, nside: int
) -> tuple[float, float, int]:
    """Return the place ``x y`` of a direction in its base cell, and that cell; equations 20 and 19.

    `square` is that of the sine of the distance from the pole.  `within` is the longitude from the start of
    the quarter `sector`, rad.
    """
    near = square / (1.0 + abs(z)) * 3.0  # 1 - |z| without loss of digits
    from_pole_x = math.sqrt(near * (nside * (2.0 * within - math.pi) / math.pi) ** 2)
    from_pole_y = math.sqrt(near * (nside * 2.0 * within / math.pi) ** 2)
    if z > 0:
        return nside - from_pole_x, nside - from_pole_y, sector
    return from_pole_y, from_pole_x, SOUTH + sector


@compiled
def _place_near_equator(z: float, within: float, sector: int, nside: int) -> tuple[float, float, int]:
    """Return what `_place_near_pole` returns, between the latitudes of +-41.8 deg."""
    height, along = (z + TWO_THIRDS) / (4.0 / 3.0), within / HALF_PI
    x, y = (height + along) * nside, (height - along + 1.0) * nside
    if x >= nside and y >= nside:
        return x - nside, y - nside, sector
    if x >= nside:
        return x - nside, y, EQUATOR + (sector + 1) % 4
    if y >= nside:
        return x, y - nside, EQUATOR + sector
    return x, y, SOUTH + sector


@compiled
def nested_vectors(cell: int, nside: int, across: np.ndarray, along: np.ndarray) -> np.ndarray:
    """Return the unit vectors ``(n, 3)`` at fractions 0..1 of a nested cell, both ``(n,)`` float64 arrays."""
    base, inside = cell // (nside * nside), cell % (nside * nside)
    column, row, bit = 0, 0, 0
    while nside >> bit > 1:
        column += (inside >> 2 * bit & 1) << bit
        row += (inside >> 2 * bit + 1 & 1) << bit
        bit += 1
    vectors = np.empty((len(across), 3))
    for k in range(len(across)):
        x, y = column + across[k], row + along[k]
        if (base < EQUATOR and x + y > nside) or (base >= SOUTH and x + y < nside):
            z, flat, longitude = _polar(x, y, nside, base)
        else:
            x, y = x / nside, y / nside
            shift, below = 1.0, 0.0
            if base >= SOUTH:
                below = -2.0
            elif base >= EQUATOR:
                shift, below = 0.0, -1.0
            z = 2.0 / 3.0 * (x + y + below)
            flat = math.sqrt(1.0 - z * z)
            longitude = math.pi / 4 * (x - y + shift + 2 * (base % 4))
        if longitude < 0.0:
            longitude += 2.0 * math.pi
        vectors[k, 0], vectors[k, 1], vectors[k, 2] = (
            flat * math.cos(longitude),
            flat * math.sin(longitude),
            z,
        )
    return vectors


@compiled
def _polar(x: float, y: float, nside: int, base: int) -> tuple[float, float, float]:
    """Return z, distance from the axis and longitude (rad) at a place ``x y`` of a base cell near a pole."""
    if base >= SOUTH:
        x, y = nside - y, nside - x
    within = 0.0
    if not (x == nside and y == nside):
        within = math.pi * (nside - y) / (2.0 * ((nside - x) + (nside - y)))
    if within < math.pi / 4.0:
        root = abs(math.pi * (nside - x) / ((2.0 * within - math.pi) * nside) / math.sqrt(3.0))
    else:
        root = abs(math.pi * (nside - y) / (2.0 * within * nside) / math.sqrt(3.0))
    z = (1 - root) * (1 + root)
    flat = root * math.sqrt(1 + z)
    return (-z if base >= SOUTH else z), flat, HALF_PI * (base % 4) + within
