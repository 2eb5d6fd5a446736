"""Sky positions in images with any celestial WCS of astropy, before the cut-outs stage makes it linear."""

import numpy as np
from astropy.coordinates import ICRS, SkyCoord
from astropy.wcs import WCS
from astropy.wcs.utils import wcs_to_celestial_frame

from claran_core.common.sky import FloatOrArray

__all__ = ["pixels_to_sky", "sky_to_pixels"]


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
