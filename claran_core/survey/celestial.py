"""Sky positions in images with any celestial WCS of astropy, before the cut-outs stage makes it linear."""

import numpy as np
from astropy.coordinates import ICRS, SkyCoord
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_scales, wcs_to_celestial_frame

from claran_core.common.constants import ARCSEC_PER_DEG
from claran_core.common.sky import FloatOrArray, unit_vectors

__all__ = ["pixel_scale_at", "pixels_to_sky", "sky_to_pixels"]


def sky_to_pixels(wcs: WCS, ra_deg: FloatOrArray, dec_deg: FloatOrArray) -> tuple[np.ndarray, np.ndarray]:
    """Return the 0-based FITS array positions of ICRS positions, for any celestial system of astropy.

    Positions outside the projection give NaN.  Cut-outs have their own, linear system (`LinearWCS`).
    """
    system = wcs_to_celestial_frame(wcs)
    if not isinstance(system, ICRS):
        sky = SkyCoord(ra_deg, dec_deg, unit="deg", frame="icrs").transform_to(system).spherical
        ra_deg, dec_deg = sky.lon.deg, sky.lat.deg
    return wcs.all_world2pix(ra_deg, dec_deg, 0, quiet=True)


def pixels_to_sky(wcs: WCS, x: FloatOrArray, y: FloatOrArray) -> tuple[np.ndarray, np.ndarray]:
    """Return the ICRS positions (deg) of 0-based FITS array positions; inverse of `sky_to_pixels`."""
    ra_deg, dec_deg = wcs.all_pix2world(x, y, 0)
    system = wcs_to_celestial_frame(wcs)
    if isinstance(system, ICRS):
        return ra_deg, dec_deg
    sky = SkyCoord(ra_deg, dec_deg, unit="deg", frame=system).icrs
    return sky.ra.deg, sky.dec.deg


def pixel_scale_at(wcs: WCS, x: float, y: float) -> float:
    """Return the square root of the area of a pixel, arcsec.

    Off the sky, as at the corners of an all-sky map, it is that of a pixel in the plane of projection.
    """
    corners = unit_vectors(
        *pixels_to_sky(wcs, x + np.array([-0.5, 0.5, -0.5]), y + np.array([-0.5, -0.5, 0.5]))
    )
    area = float(np.linalg.norm(np.cross(corners[1] - corners[0], corners[2] - corners[0])))
    scale_deg = np.rad2deg(np.sqrt(area))
    if not np.isfinite(scale_deg):
        scale_deg = np.sqrt(np.prod(proj_plane_pixel_scales(wcs)))
    return float(scale_deg) * ARCSEC_PER_DEG
