"""Two equal-area projections: Hammer-Aitoff for the whole sky, Lambert's azimuthal one for a part of it.

Plane coordinates are in degrees of arc at the centre, east to the left: x increases to the west, y to the
north.  In an equal-area projection, counts in square cells are densities.
"""

from collections.abc import Callable

import numpy as np

__all__ = ["HALF_HEIGHT", "HALF_WIDTH", "Projection", "centre_of", "hammer", "lambert"]

Projection = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]

# Semi-axes of the ellipse of `hammer`, degrees.
HALF_WIDTH = float(np.rad2deg(2 * np.sqrt(2)))
HALF_HEIGHT = float(np.rad2deg(np.sqrt(2)))


def hammer(
    ra_deg: np.ndarray, dec_deg: np.ndarray, *, centre_ra_deg: float = 180.0
) -> tuple[np.ndarray, np.ndarray]:
    """Project ICRS positions by Hammer-Aitoff (Calabretta & Greisen 2002, section 5.3.4).

    Returns
    -------
    x, y : arrays
        Degrees, within the ellipse of semi-axes `HALF_WIDTH` and `HALF_HEIGHT`.
    """
    half = np.deg2rad((np.asarray(ra_deg, float) - centre_ra_deg + 180.0) % 360.0 - 180.0) / 2
    dec = np.deg2rad(np.asarray(dec_deg, float))
    scale = np.sqrt(2 / (1 + np.cos(dec) * np.cos(half)))
    return -np.rad2deg(2 * scale * np.cos(dec) * np.sin(half)), np.rad2deg(scale * np.sin(dec))


def lambert(centre_ra_deg: float, centre_dec_deg: float) -> Projection:
    """Return Lambert's azimuthal projection about a position (Calabretta & Greisen 2002, section 5.1.8).

    Positions more than 90 degrees away give NaN.
    """
    dec0 = np.deg2rad(centre_dec_deg)

    def project(ra_deg: np.ndarray, dec_deg: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        offset = np.deg2rad(np.asarray(ra_deg, float) - centre_ra_deg)
        dec = np.deg2rad(np.asarray(dec_deg, float))
        cos_c = np.sin(dec0) * np.sin(dec) + np.cos(dec0) * np.cos(dec) * np.cos(offset)
        scale = np.sqrt(2 / (1 + np.where(cos_c > 0, cos_c, np.nan)))
        east = np.cos(dec) * np.sin(offset)
        north = np.cos(dec0) * np.sin(dec) - np.sin(dec0) * np.cos(dec) * np.cos(offset)
        return -np.rad2deg(scale * east), np.rad2deg(scale * north)

    return project


def centre_of(ra_deg: np.ndarray, dec_deg: np.ndarray) -> tuple[float, float, float]:
    """Return the mean of positions (RA, Dec, deg), and the distance of the farthest from it (deg).

    Positions whose vectors cancel, such as positions all over the sky, have no mean: the distance is 180.
    """
    ra, dec = np.deg2rad(np.asarray(ra_deg, float)), np.deg2rad(np.asarray(dec_deg, float))
    vectors = np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)
    mean = vectors.mean(axis=0)
    length = np.linalg.norm(mean)
    if length < 1e-6:
        return 0.0, 0.0, 180.0
    middle = mean / length
    # From the chord, which is accurate for small distances, unlike the arc cosine.
    chord = np.linalg.norm(vectors - middle, axis=1).max()
    farthest = np.rad2deg(2 * np.arcsin(min(chord / 2, 1.0)))
    ra0, dec0 = np.arctan2(middle[1], middle[0]), np.arcsin(np.clip(middle[2], -1, 1))
    return float(np.rad2deg(ra0) % 360), float(np.rad2deg(dec0)), float(farthest)
