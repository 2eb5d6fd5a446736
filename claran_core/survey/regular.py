"""Convert the world coordinate system of an image to the linear one of cut-outs (`LinearWCS`).

TAN and SIN images in a frame that is a pure rotation of ICRS are linear as they are; only the reference
position and the matrix are turned.  Any other system is replaced by the tangent plane that fits a window of
the image best.  Where the fit is not exact enough, the pixels are resampled once onto that plane.
"""

from dataclasses import replace

import numpy as np
from astropy import units as u
from astropy.coordinates import FK5, ICRS, BaseCoordinateFrame, CartesianRepresentation, Galactic
from astropy.io import fits
from astropy.wcs import WCS
from astropy.wcs.utils import wcs_to_celestial_frame
from scipy.ndimage import map_coordinates

from claran_core.common.constants import ARCSEC_PER_DEG
from claran_core.common.linear_wcs import LinearWCS, Projection, local_axes, sky_of_vectors
from claran_core.common.sky import sky_to_tangent_plane, unit_vectors
from claran_core.survey.celestial import pixel_scale_at, pixels_to_sky, sky_to_pixels

__all__ = ["astropy_wcs", "exact_linear_wcs", "regular_image", "wcs_cards"]

# Frames that are pure rotations of ICRS.  FK4 is not: its positions contain the terms of aberration.
ROTATIONS = (ICRS, FK5, Galactic)
# Distance from the reference up to which a conversion is compared with the original, and its largest error.
TEST_REACH_PX, TEST_REACH_DEG = 1000.0, 30.0
TEST_ERROR_PX = 1e-5
# Points along each side of a window at which a plane is fitted.
FIT_POINTS = 9
# Largest error of a fit whose pixels are kept as they are.
MAX_FIT_ERROR_PX = 1e-3
# Largest error of a fit whose grid is used for resampling, so that pixels move little; else the grid is
# north up.
MAX_GRID_ERROR_PX = 1.0
# Margin of a north-up grid around the positions it shows, and its largest side.
MARGIN_PX = 2
MAX_SIDE_PX = 2000

# Positions: RA and Dec, deg, ICRS.
Sky = tuple[np.ndarray, np.ndarray]


def exact_linear_wcs(wcs: WCS) -> LinearWCS | None:
    """Return the same system as a `LinearWCS`; None if it is not linear.

    Parameters
    ----------
    wcs : WCS
        Two-dimensional, celestial, longitude first.
    """
    frame = wcs_to_celestial_frame(wcs)
    wcs.wcs.set()
    code = wcs.wcs.ctype[0][5:8]
    tables = (wcs.sip, wcs.cpdis1, wcs.cpdis2, wcs.det2im1, wcs.det2im2)
    if code not in ("TAN", "SIN") or not isinstance(frame, ROTATIONS) or tables != (None,) * 5:
        return None
    projection: Projection = "TAN" if code == "TAN" else "SIN"
    lon_deg, lat_deg = (float(value) for value in wcs.wcs.crval)
    # LONPOLE turns the plane; its default is 180 deg, but 0 where the reference position is the pole.
    matrix = _turn(wcs.wcs.lonpole - 180.0) @ wcs.pixel_scale_matrix
    if not isinstance(frame, ICRS):
        rotation = _rotation_to_icrs(frame)
        east, _, outwards = local_axes(lon_deg, lat_deg) @ rotation.T
        lon_deg, lat_deg = (float(value) for value in sky_of_vectors(outwards))
        new_east, new_north, _ = local_axes(lon_deg, lat_deg)
        matrix = _turn(np.rad2deg(np.arctan2(-(east @ new_north), east @ new_east))) @ matrix
    x, y = wcs.wcs.crpix - 1.0
    a, b, c, d = matrix.ravel().tolist()
    linear = LinearWCS(projection, lon_deg, lat_deg, float(x), float(y), (a, b, c, d))
    return linear if _agrees(linear, wcs) else None


def regular_image(
    data: np.ndarray, wcs: WCS, *, x0: int = 0, y0: int = 0, sky: Sky | None = None
) -> tuple[np.ndarray, LinearWCS]:
    """Return the pixels of a window of an image, and their linear system.

    Parameters
    ----------
    data : (ny, nx) float32 array
        Pixels of the window.
    wcs : WCS
        System of the image: two-dimensional, celestial, longitude first.
    x0, y0 : int
        Pixel of the image that is the first one of the window.
    sky : tuple of array, optional
        Positions (RA, Dec; deg, ICRS) over the part of the sky that the result must show; default: a grid
        over the window.

    Returns
    -------
    data : (ny, nx) float32 array
        The same pixels, unless the system is too irregular: then they are interpolated bilinearly on a
        tangent plane, NaN where the window has no data.
    wcs : LinearWCS
        System of the returned pixels.

    Raises
    ------
    ValueError
        If no part of the window lies on the sky.
    """
    exact = exact_linear_wcs(wcs)
    if exact is not None:
        return data, exact.window(x0, y0)
    sky = _grid_on_sky(data.shape, wcs, x0, y0) if sky is None else sky
    fitted, error_px = _fit(wcs, *sky)
    fitted = fitted.window(x0, y0)
    if error_px <= MAX_FIT_ERROR_PX:
        return data, fitted
    shape = data.shape
    if error_px > MAX_GRID_ERROR_PX:
        fitted, shape = _north_up(fitted, wcs, *sky)
    return _resampled(data, wcs, x0, y0, fitted, shape), fitted


def astropy_wcs(wcs: LinearWCS) -> WCS:
    """Return a linear system as astropy's."""
    return WCS(fits.Header(wcs_cards(wcs)))


def wcs_cards(wcs: LinearWCS) -> dict[str, str | float]:
    """Return the FITS cards of a linear system, with all digits."""
    cards: dict[str, str | float] = {
        "CTYPE1": f"RA---{wcs.projection}",
        "CTYPE2": f"DEC--{wcs.projection}",
        "CUNIT1": "deg",
        "CUNIT2": "deg",
        "CRVAL1": wcs.ra_deg,
        "CRVAL2": wcs.dec_deg,
        "CRPIX1": wcs.x + 1,
        "CRPIX2": wcs.y + 1,
        "RADESYS": "ICRS",
    }
    a, b, c, d = wcs.matrix
    if b == c == 0:
        return cards | {"CDELT1": a, "CDELT2": d}
    return cards | {"CD1_1": a, "CD1_2": b, "CD2_1": c, "CD2_2": d}


def _agrees(linear: LinearWCS, wcs: WCS) -> bool:
    """Return whether two systems agree around their reference pixel.

    They do not if the projection has parameters (slant SIN, TPV), which not all versions of astropy list.
    """
    reach = min(TEST_REACH_PX, TEST_REACH_DEG * ARCSEC_PER_DEG / linear.pixel_scale_arcsec)
    steps = np.linspace(-reach, reach, 5)
    x, y = (axis.ravel() for axis in np.meshgrid(linear.x + steps, linear.y + steps))
    one, two = (unit_vectors(*sky) for sky in (linear.pixels_to_sky(x, y), pixels_to_sky(wcs, x, y)))
    off_arcsec = np.rad2deg(np.linalg.norm(one - two, axis=1)) * ARCSEC_PER_DEG
    return bool((off_arcsec <= TEST_ERROR_PX * linear.pixel_scale_arcsec).all())


def _turn(angle_deg: float) -> np.ndarray:
    """Return the matrix that adds an angle to the position angles of east and north offsets."""
    cos, sin = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
    return np.array([[cos, sin], [-sin, cos]])


def _rotation_to_icrs(frame: BaseCoordinateFrame) -> np.ndarray:
    """Return the matrix ``(3, 3)`` that turns vectors of a frame to ICRS."""
    axes = frame.realize_frame(CartesianRepresentation(np.eye(3) * u.one))
    turned: np.ndarray = axes.transform_to(ICRS()).cartesian.xyz.value
    return turned


def _grid_on_sky(shape: tuple[int, ...], wcs: WCS, x0: int, y0: int) -> Sky:
    """Return the sky positions of a grid of points over a window, as far as they lie on the sky."""
    across, up = (np.linspace(-0.5, n - 0.5, FIT_POINTS) for n in reversed(shape))
    x, y = (axis.ravel() for axis in np.meshgrid(across, up))
    ra_deg, dec_deg = pixels_to_sky(wcs, x + x0, y + y0)
    seen = np.isfinite(ra_deg) & np.isfinite(dec_deg)
    if not seen.any():
        raise ValueError("no part of the window lies on the sky")
    return ra_deg[seen], dec_deg[seen]


def _fit(wcs: WCS, ra_deg: np.ndarray, dec_deg: np.ndarray) -> tuple[LinearWCS, float]:
    """Return the tangent plane that fits an image best at some positions, and its largest error in pixels.

    The plane touches the sky amid the positions.  The error is infinite where no plane fits.
    """
    ra, dec = (float(value) for value in sky_of_vectors(unit_vectors(ra_deg, dec_deg).mean(axis=0)))
    north_up = LinearWCS("TAN", ra, dec, 0.0, 0.0, (-1.0, 0.0, 0.0, 1.0))
    x, y = sky_to_pixels(wcs, ra_deg, dec_deg)
    plane = np.rad2deg(np.stack(sky_to_tangent_plane(ra, dec, ra_deg, dec_deg)))
    if not (np.isfinite(plane).all() and np.isfinite(x).all() and np.isfinite(y).all()):
        return north_up, np.inf
    middle = np.array([x.mean(), y.mean()])
    terms = np.stack([x - middle[0], y - middle[1], np.ones_like(x)], axis=1)
    solution, _, rank, _ = np.linalg.lstsq(terms, plane.T, rcond=1e-6)
    if rank < 3 or np.linalg.matrix_rank(solution[:2], rtol=1e-3) < 2:
        return north_up, np.inf
    matrix, offset = solution[:2].T, solution[2]
    errors = np.linalg.solve(matrix, (terms @ solution).T - plane)
    reference = middle - np.linalg.solve(matrix, offset)
    a, b, c, d = matrix.ravel().tolist()
    fitted = replace(north_up, x=float(reference[0]), y=float(reference[1]), matrix=(a, b, c, d))
    return fitted, float(np.hypot(*errors).max())


def _north_up(
    fitted: LinearWCS, wcs: WCS, ra_deg: np.ndarray, dec_deg: np.ndarray
) -> tuple[LinearWCS, tuple[int, int]]:
    """Return a tangent plane, north up, with pixels as large as the image's, and its shape."""
    x, y = sky_to_pixels(wcs, fitted.ra_deg, fitted.dec_deg)
    scale = pixel_scale_at(wcs, float(x), float(y)) / ARCSEC_PER_DEG
    plane = np.rad2deg(np.stack(sky_to_tangent_plane(fitted.ra_deg, fitted.dec_deg, ra_deg, dec_deg)))
    half = np.nanmax(np.abs(plane), initial=0.0) / scale + MARGIN_PX
    side = 2 * int(np.ceil(min(half, MAX_SIDE_PX / 2))) + 1
    middle = (side - 1) / 2
    return replace(fitted, x=middle, y=middle, matrix=(-scale, 0.0, 0.0, scale)), (side, side)


def _resampled(
    data: np.ndarray, wcs: WCS, x0: int, y0: int, grid: LinearWCS, shape: tuple[int, ...]
) -> np.ndarray:
    """Interpolate a window at the pixels of a grid, as `claran_core.common.reprojection.reproject` does."""
    rows, columns = np.indices(shape)
    ra_deg, dec_deg = grid.pixels_to_sky(columns.ravel(), rows.ravel())
    x, y = (np.asarray(axis).reshape(shape) for axis in sky_to_pixels(wcs, ra_deg, dec_deg))
    x, y = x - x0, y - y0
    ny, nx = data.shape
    inside = (x >= -0.5) & (x <= nx - 0.5) & (y >= -0.5) & (y <= ny - 0.5)
    padded = np.pad(data, 1, mode="edge")
    places = [np.where(inside, y, 0.0) + 1, np.where(inside, x, 0.0) + 1]
    values = map_coordinates(padded, places, order=1, mode="nearest", output=np.float64)
    return np.where(inside, values, np.nan).astype(np.float32)
