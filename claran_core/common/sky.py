"""Positions on the sky: unit vectors, angles between them, and tangent-plane offsets."""

from typing import overload

import numpy as np

from claran_core.common.constants import ARCSEC_PER_DEG

__all__ = [
    "FloatOrArray",
    "chord",
    "chord_angle",
    "offset_to_sky",
    "sky_to_offset",
    "sky_to_tangent_plane",
    "tangent_plane_to_sky",
    "unit_vectors",
]

# One number or an array of them; functions with several such arguments broadcast.
FloatOrArray = float | np.ndarray

RAD_PER_ARCSEC = np.deg2rad(1.0 / ARCSEC_PER_DEG)


def unit_vectors(ra_deg: FloatOrArray, dec_deg: FloatOrArray) -> np.ndarray:
    """Return the unit vectors ``(..., 3)`` of positions in deg."""
    ra, dec = np.deg2rad(ra_deg), np.deg2rad(dec_deg)
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)


def sky_to_tangent_plane(
    centre_ra_deg: FloatOrArray, centre_dec_deg: FloatOrArray, ra_deg: FloatOrArray, dec_deg: FloatOrArray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the gnomonic projection ``east, north`` (rad) of positions about a centre.

    The closed form is that of Calabretta & Greisen 2002, section 5.1.3.  All arguments are in deg (ICRS)
    and broadcast.  Positions 90 degrees or more from the centre have no projection and give NaN.
    """
    offset = np.deg2rad(np.asarray(ra_deg, float) - centre_ra_deg)
    dec, dec0 = np.deg2rad(np.asarray(dec_deg, float)), np.deg2rad(centre_dec_deg)
    sin_dec0, cos_dec0, sin_dec, cos_dec = np.sin(dec0), np.cos(dec0), np.sin(dec), np.cos(dec)
    towards = cos_dec * np.cos(offset)
    cos_c = sin_dec0 * sin_dec + cos_dec0 * towards
    cos_c = np.where(cos_c > 0, cos_c, np.nan)
    return cos_dec * np.sin(offset) / cos_c, (cos_dec0 * sin_dec - sin_dec0 * towards) / cos_c


def tangent_plane_to_sky(
    centre_ra_deg: FloatOrArray, centre_dec_deg: FloatOrArray, east: FloatOrArray, north: FloatOrArray
) -> tuple[np.ndarray, np.ndarray]:
    """Return positions (RA in [0, 360), Dec; deg) of tangent-plane points (rad).

    The inverse of `sky_to_tangent_plane`.
    """
    dec0 = np.deg2rad(np.asarray(centre_dec_deg, float))
    sin_dec0, cos_dec0 = np.sin(dec0), np.cos(dec0)
    down = cos_dec0 - north * sin_dec0
    ra = np.asarray(centre_ra_deg, float) + np.rad2deg(np.arctan2(east, down))
    dec = np.arctan2(sin_dec0 + north * cos_dec0, np.hypot(east, down))
    return ra % 360.0, np.rad2deg(dec)


def sky_to_offset(
    centre_ra_deg: FloatOrArray, centre_dec_deg: FloatOrArray, ra_deg: FloatOrArray, dec_deg: FloatOrArray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the offsets ``east, north`` (arcsec, tangent plane) of positions (deg) from a centre (deg)."""
    east, north = sky_to_tangent_plane(centre_ra_deg, centre_dec_deg, ra_deg, dec_deg)
    return east / RAD_PER_ARCSEC, north / RAD_PER_ARCSEC


def offset_to_sky(
    centre_ra_deg: FloatOrArray,
    centre_dec_deg: FloatOrArray,
    east_arcsec: FloatOrArray,
    north_arcsec: FloatOrArray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return positions (RA in [0, 360), Dec; deg) at offsets from a centre; inverse of `sky_to_offset`."""
    east = np.asarray(east_arcsec, float) * RAD_PER_ARCSEC
    north = np.asarray(north_arcsec, float) * RAD_PER_ARCSEC
    return tangent_plane_to_sky(centre_ra_deg, centre_dec_deg, east, north)


@overload
def chord(angle_arcsec: float) -> float: ...


@overload
def chord(angle_arcsec: np.ndarray) -> np.ndarray: ...


def chord(angle_arcsec: FloatOrArray) -> FloatOrArray:
    """Return the distance of unit vectors at an angle (arcsec)."""
    return 2 * np.sin(np.deg2rad(angle_arcsec / ARCSEC_PER_DEG) / 2)


def chord_angle(distance: np.ndarray) -> np.ndarray:
    """Return the angle (arcsec) between unit vectors at a distance; inverse of `chord`."""
    return np.rad2deg(2 * np.arcsin(distance / 2)) * ARCSEC_PER_DEG
