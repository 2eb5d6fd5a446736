"""The infrared sky of the simulation: stars, galaxies and the hosts of the radio sources, in W1 counts.

Sources above `FAINTEST_DN` are drawn one by one per HEALPix cell; the rest is part of the noise.  The
numbers are those of 12 AllWISE W1 images: 12.4 sources above 5 sigma in 3' x 3', N(>S) ~ S^-0.74, a
point-spread function of FWHM 8.36".
"""

from functools import lru_cache

import numpy as np

from claran_core.survey.base import SURVEYS
from claran_core.survey.simulated.gaussians import Gaussians
from claran_core.survey.simulated.geometry import cell_area_deg2, cell_positions
from claran_core.survey.simulated.population import RadioSource
from claran_core.survey.simulated.streams import Purpose, generator

__all__ = ["INFRARED_NSIDE", "MAX_REACH_ARCSEC", "host_gaussians", "infrared_cell", "peak_of_magnitude"]

# Cells of 6.9 arcmin: some hundred and sixty sources each.
INFRARED_NSIDE = 512

# No source is drawn farther than this from its position.
MAX_REACH_ARCSEC = 150.0

W1 = SURVEYS["WISE_W1"]

# Sources per square degree above 5 sigma, that limit, and the range drawn (peak, DN).
DENSITY_DEG2 = 12.4 * 400
LIMIT_DN = 0.9
SLOPE = 0.74
FAINTEST_DN, BRIGHTEST_DN = 0.22, 1800.0

# Part of the sources that are galaxies, and the FWHM of galaxies before the point-spread function.
GALAXY_FRACTION = 0.5
GALAXY_SIZE_ARCSEC = 2.0

# Stars brighter than this show the wings of the point-spread function and its diffraction spikes.
HALO_ABOVE_DN = 25.0

# Wings of the point-spread function: height relative to the peak, FWHM along and across (arcsec), position
# angle (deg).
WINGS = np.array(
    [[0.02, 26.0, 26.0, 0.0], [0.0025, 56.0, 56.0, 0.0], [0.008, 50.0, 9.0, 45.0], [0.008, 50.0, 9.0, 135.0]]
)

# Hosts brighter than this are near enough to be resolved: envelope of this FWHM and relative height.
RESOLVED_BELOW_MAGNITUDE = 14.0
ENVELOPE_ARCSEC, ENVELOPE_HEIGHT = 26.0, 0.18


def peak_of_magnitude(magnitude: float) -> float:
    """Peak (DN) of a point source of a W1 magnitude (Vega): its counts over the beam's area."""
    beam_px = np.pi / (4 * np.log(2)) * (W1.beam_arcsec / W1.pixel_scale_arcsec) ** 2
    return 10 ** (0.4 * (W1.magnitude_zero_point - magnitude)) / beam_px


@lru_cache(maxsize=512)
def infrared_cell(seed: int, cell: int) -> Gaussians:
    """Stars and galaxies of a nested HEALPix cell of `INFRARED_NSIDE`, radio hosts not among them."""
    rng = generator(seed, Purpose.INFRARED_SOURCES, cell)
    low, high = ((level / LIMIT_DN) ** -SLOPE for level in (FAINTEST_DN, BRIGHTEST_DN))
    n = int(rng.poisson(DENSITY_DEG2 * (low - high) * cell_area_deg2(INFRARED_NSIDE)))
    ra, dec = cell_positions(cell, INFRARED_NSIDE, rng.random(n), rng.random(n))
    peak = LIMIT_DN * rng.uniform(high, low, n) ** (-1 / SLOPE)
    galaxy = rng.random(n) < GALAXY_FRACTION
    size = np.where(galaxy, rng.exponential(GALAXY_SIZE_ARCSEC, n), 0.0)
    major, minor = np.hypot(W1.beam_arcsec, size), np.hypot(W1.beam_arcsec, size * rng.uniform(0.3, 1, n))
    zero = np.zeros(n)
    everything = Gaussians(ra, dec, zero, zero, peak, major, minor, rng.uniform(0, 180, n))
    bright = ~galaxy & (peak > HALO_ABOVE_DN)
    return Gaussians.join([everything, _wings(ra[bright], dec[bright], peak[bright])])


def _wings(ra_deg: np.ndarray, dec_deg: np.ndarray, peak: np.ndarray) -> Gaussians:
    height, major, minor, angle = (np.tile(column, peak.size) for column in WINGS.T)
    ra_deg, dec_deg, peak = (np.repeat(values, len(WINGS)) for values in (ra_deg, dec_deg, peak))
    zero = np.zeros(peak.size)
    return Gaussians(ra_deg, dec_deg, zero, zero, peak * height, major, minor, angle)


def host_gaussians(sources: tuple[RadioSource, ...]) -> Gaussians:
    """Hosts of radio sources: a point each, and an envelope around the bright, near ones."""
    magnitude = np.array([source.host_magnitude for source in sources])
    ra = np.array([source.ra_deg for source in sources])
    dec = np.array([source.dec_deg for source in sources])
    peak, zero = peak_of_magnitude(magnitude), np.zeros(len(sources))
    width = np.full(len(sources), W1.beam_arcsec)
    points = Gaussians(ra, dec, zero, zero, peak, width, width, zero)
    near = magnitude < RESOLVED_BELOW_MAGNITUDE
    wide = np.full(near.sum(), ENVELOPE_ARCSEC)
    envelope = Gaussians(
        ra[near],
        dec[near],
        zero[near],
        zero[near],
        ENVELOPE_HEIGHT * peak[near],
        wide,
        0.8 * wide,
        zero[near],
    )
    return Gaussians.join([points, envelope])
