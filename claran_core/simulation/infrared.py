"""The infrared sky of the simulation: stars, galaxies and the hosts of the radio sources, in W1 counts.

Another survey sees the same sources with its own point-spread function, pixels, zero point and noise
(`InfraredView`).  Colours are not simulated: a source has its W1 magnitude in every band.

Sources above `FAINTEST_DN` are drawn one by one per HEALPix cell; the rest is part of the noise.  Counts,
background and noise are those of 12 AllWISE W1 images, the point-spread function and the profiles of
galaxies those of the stars and hosts in six of them; `benchmarks/sky/infrared_sky.py` compares.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from claran_core.common.compiled import compiled
from claran_core.common.constants import FWHM_PER_SIGMA, GAUSSIAN_AREA
from claran_core.common.errors import ConfigError
from claran_core.simulation.gaussians import Gaussians
from claran_core.simulation.geometry import TileGrid, cell_area_deg2, cell_positions
from claran_core.simulation.noise import INFRARED_NOISE, NoiseLayer
from claran_core.simulation.random_streams import Stream, generator, quantile_draw
from claran_core.survey.surveys import SURVEYS, Survey

__all__ = [
    "INFRARED_NSIDE",
    "InfraredView",
    "MAX_REACH_ARCSEC",
    "field",
    "half_light_arcsec",
    "host_gaussians",
    "infrared_cell",
    "peak_of_magnitude",
    "scan_angle_deg",
]

# Cells of 13.7 arcmin with about nine hundred sources each.  Smaller cells would waste fewer sources outside
# a window, but a window would need more of them.
INFRARED_NSIDE = 256

# Largest distance of a source's emission from its position.
MAX_REACH_ARCSEC = 105.0

W1 = SURVEYS["WISE_W1"]

# Background of W1 images and the standard deviation of their noise between sources, DN, at p0, p5, p25, p50,
# p75, p95 and p100.  Confusion by drawn sources raises it to 0.15 DN (MAD) and 0.12 DN (below the median).
BACKGROUND_DN = (1.9, 2.0, 3.8, 4.1, 4.3, 4.5, 4.6)
NOISE_DN = (0.064, 0.072, 0.088, 0.098, 0.11, 0.135, 0.165)

# Counts N(>S) of point-source peaks S: number per square degree above the 5 sigma limit, that limit, slope,
# and the range drawn, DN.  Of 14 sources in 3' x 3' some are blended, so that 12.4 to 13.4 are counted, and
# the measured slope is that of sources that are not blended.
DENSITY_DEG2 = 14.4 * 400
LIMIT_DN = 0.9
SLOPE = 0.82
FAINTEST_DN, BRIGHTEST_DN = 0.25, 2500.0

# Standard deviation of the natural logarithm of the density from cell to cell: clusters, and latitude.
DENSITY_SCATTER = 0.4

# Point-spread function as circular Gaussians: height and FWHM (arcsec).  The two of the core are elongated
# with this axis ratio, at a fixed angle to the scan direction.
PSF = np.array([[0.668, 7.65], [0.312, 10.72], [0.0188, 21.5], [0.0018, 55.0]])
PSF_AXIS_RATIO, PSF_TURN_DEG = 1.083, -35.0

# A diffraction spike: height, length and width (FWHM, arcsec).  Two cross at 45 degrees to the scans.
SPIKE_HEIGHT, SPIKE_LENGTH_ARCSEC, SPIKE_WIDTH_ARCSEC = 0.0028, 60.0, 9.0

# Below this peak the point-spread function is one circular Gaussian of this height and FWHM; the difference
# is below the noise.
ONE_PART_BELOW_DN = 4.0
ONE_PART_HEIGHT, ONE_PART_ARCSEC = 0.98, 8.7

# Parts of a source with a lower peak than this are omitted; the others are drawn down to this height.
SEEN_DN, DRAWN_TO_DN = 0.05, 0.005

# WISE scans along great circles through the poles of the ecliptic (J2000).
ECLIPTIC_POLE_RA_DEG, ECLIPTIC_POLE_DEC_DEG = 270.0, 66.5607

# Share of galaxies among sources at the limit, how it falls with brightness, and its largest value: counts
# of galaxies rise as S^-1.5 (Euclidean) to 40 per square degree at W1 = 13.3 (2MASS extended sources).
GALAXY_SHARE, GALAXY_SHARE_SLOPE, MOST_GALAXIES = 1.1, 0.76, 0.7

# Brighter sources are stars; galaxies of several arcminutes are too rare to simulate.
BRIGHTEST_GALAXY_DN = 100.0

# Half-light radius of a galaxy of this magnitude, slope of its logarithm with magnitude, scatter of its
# natural logarithm, and largest value, from seven galaxies of W1 = 10.2 to 14.7.
HALF_LIGHT_ARCSEC, HALF_LIGHT_MAGNITUDE = 5.5, 12.0
HALF_LIGHT_SLOPE, HALF_LIGHT_SCATTER, LARGEST_HALF_LIGHT_ARCSEC = -0.25, 0.3, 10.0

# De Vaucouleurs profile: share of the light and sigma (half-light radii) of Gaussians, after the eight of
# Hogg & Lang (2013, PASP 125, 719); the inner five are merged, because the beam does not resolve them.
PROFILE = np.array([[0.252, 0.205], [0.211, 0.536], [0.271, 1.155], [0.266, 2.9]])

# Sigma (half-light radii) of a galaxy as one Gaussian, for faint and small galaxies.
WHOLE_SIGMA = 0.6

# Area of the point-spread function: counts of a source per DN of its peak.
PSF_PX = GAUSSIAN_AREA * float(PSF[:, 0] @ PSF[:, 1] ** 2) / W1.pixel_scale_arcsec**2


def _star_parts() -> np.ndarray:
    """Return height, FWHM along and across (arcsec), angle to the scans (deg) of a star's parts; (6, 4)."""
    stretch = np.array([PSF_AXIS_RATIO**0.5] * 2 + [1.0] * 2)
    height, fwhm = PSF.T
    point = np.column_stack([height, fwhm * stretch, fwhm / stretch, np.full(len(PSF), PSF_TURN_DEG)])
    spike = [SPIKE_HEIGHT, SPIKE_LENGTH_ARCSEC, SPIKE_WIDTH_ARCSEC]
    return np.vstack([point, [*spike, 45.0], [*spike, 135.0]])


def _galaxy_parts() -> np.ndarray:
    """Return height, FWHM (arcsec) and sigma (half-light radii) of each part of a galaxy; (6, 3).

    The core of the point-spread function is convolved with the whole profile.  Its wings are as wide as most
    galaxies and are convolved with one Gaussian.
    """
    share, sigma = PROFILE.T
    core = np.column_stack(
        [ONE_PART_HEIGHT * share, np.full(len(PROFILE), ONE_PART_ARCSEC), sigma],
    )
    return np.vstack([core, np.column_stack([PSF[2:], [1.0, 1.0]])])


STAR_PARTS, GALAXY_PARTS = _star_parts(), _galaxy_parts()


def peak_of_magnitude(magnitude: np.ndarray) -> np.ndarray:
    """Return the peak (DN) of a point source of a W1 magnitude (Vega)."""
    return 10 ** (0.4 * (W1.magnitude_zero_point - magnitude)) / PSF_PX


def half_light_arcsec(magnitude: np.ndarray) -> np.ndarray:
    """Return the half-light radius (major axis) of a typical galaxy of a W1 magnitude."""
    radius = HALF_LIGHT_ARCSEC * 10 ** (HALF_LIGHT_SLOPE * (magnitude - HALF_LIGHT_MAGNITUDE))
    return np.minimum(radius, LARGEST_HALF_LIGHT_ARCSEC)


@compiled
def scan_angle_deg(ra_deg: float, dec_deg: float) -> float:
    """Return the position angle of the scans, towards the north ecliptic pole, from north through east."""
    ahead, dec = math.radians(ECLIPTIC_POLE_RA_DEG - ra_deg), math.radians(dec_deg)
    pole = math.tan(math.radians(ECLIPTIC_POLE_DEC_DEG))
    north = math.cos(dec) * pole - math.sin(dec) * math.cos(ahead)
    return math.degrees(math.atan2(math.sin(ahead), north))


def field(rng: np.random.Generator) -> tuple[float, float]:
    """Draw the background and the standard deviation of the noise (without sources) of a W1 image, DN."""
    return quantile_draw(rng, BACKGROUND_DN), quantile_draw(rng, NOISE_DN)


# Tiles cover their HEALPix cells (0.95 deg to a corner) and frames of 24.2 arcmin, as those of FIRST.
TILE_NSIDE, TILE_WIDTH_PX, TILE_OVERLAP_ARCSEC = 64, 5200, 800.0


@dataclass(frozen=True)
class InfraredView:
    """How an infrared survey sees the sources of W1.

    Attributes
    ----------
    grid : TileGrid
        Its tiles.
    wider : float
        Width of its point-spread function over that of W1.
    counts : float
        Peak of a point source over that in W1.
    noisier : float
        Its noise over that of W1, in counts; the background is as much higher.
    noise_layers : tuple of NoiseLayer
        Autocorrelation of its noise.
    """

    grid: TileGrid
    wider: float
    counts: float
    noisier: float
    noise_layers: tuple[NoiseLayer, ...]

    @classmethod
    def of(cls, survey: Survey) -> "InfraredView":
        """Return the view of a survey.

        Raises
        ------
        ConfigError
            If it has no zero point.
        """
        if survey.magnitude_zero_point is None or W1.magnitude_zero_point is None:
            raise ConfigError(
                f"config: survey.infrared: the simulated sky needs the zero point of {survey.name}; "
                "write description.magnitude_zero_point"
            )
        coarser = survey.pixel_scale_arcsec / W1.pixel_scale_arcsec
        wider = survey.beam_arcsec / W1.beam_arcsec
        fainter_mag = survey.magnitude_zero_point - W1.magnitude_zero_point
        layers = [
            NoiseLayer(layer.variance, layer.fwhm_x_arcsec * wider, layer.fwhm_y_arcsec * wider)
            for layer in INFRARED_NOISE
        ]
        return cls(
            grid=TileGrid(
                TILE_NSIDE,
                survey.pixel_scale_arcsec,
                2 * round(TILE_WIDTH_PX / coarser / 2),
                TILE_OVERLAP_ARCSEC,
            ),
            wider=wider,
            counts=10 ** (0.4 * fainter_mag) * (coarser / wider) ** 2,
            noisier=survey.rms / W1.rms,
            noise_layers=tuple(layers),
        )

    @property
    def drawn_to(self) -> float:
        """Height down to which sources are drawn, counts."""
        return DRAWN_TO_DN * self.counts

    def seen(self, sources: Gaussians) -> Gaussians:
        """Return sources whose peaks are in counts of W1 in counts of the survey."""
        rows = sources.rows.copy()
        rows[:, 4] *= self.counts
        return Gaussians(rows)


@lru_cache(maxsize=512)
def infrared_cell(seed: int, cell: int, wider: float = 1.0) -> Gaussians:
    """Return the stars and galaxies of a nested HEALPix cell of `INFRARED_NSIDE`, without radio hosts.

    The point-spread function is that of W1, `wider` times as wide; peaks are those in W1.
    """
    rng = generator(seed, Stream.INFRARED_SOURCES, cell)
    low, high = ((level / LIMIT_DN) ** -SLOPE for level in (FAINTEST_DN, BRIGHTEST_DN))
    local = np.exp(rng.normal(-0.5 * DENSITY_SCATTER**2, DENSITY_SCATTER))
    n = int(rng.poisson(DENSITY_DEG2 * local * (low - high) * cell_area_deg2(INFRARED_NSIDE)))
    ra, dec = cell_positions(cell, INFRARED_NSIDE, rng.random(n), rng.random(n))
    peak = LIMIT_DN * rng.uniform(high, low, n) ** (-1 / SLOPE)
    galaxies = np.minimum(MOST_GALAXIES, GALAXY_SHARE * (peak / LIMIT_DN) ** -GALAXY_SHARE_SLOPE)
    is_galaxy = (rng.random(n) < galaxies) & (peak < BRIGHTEST_GALAXY_DN)
    radius = _typical_half_light_arcsec(peak) * np.exp(rng.normal(0, HALF_LIGHT_SCATTER, n))
    radius = np.where(is_galaxy, np.minimum(radius, LARGEST_HALF_LIGHT_ARCSEC), 0.0)
    return _sources(ra, dec, peak, radius, rng.uniform(0.4, 1, n), rng.uniform(0, 180, n), wider)


def host_gaussians(
    ra_deg: np.ndarray, dec_deg: np.ndarray, magnitude: np.ndarray, wider: float = 1.0
) -> Gaussians:
    """Return the hosts of radio sources: galaxies, of which bright and near ones are resolved.

    All arguments but the last are ``(n,)`` arrays; `magnitude` is that in W1 (Vega), `wider` as for
    `infrared_cell`.  The shape of a host comes from
    insignificant digits of its position, because it has no random stream.
    """
    ratio, angle = 0.6 + 0.4 * (1e6 * dec_deg % 1.0), 180.0 * (1e6 * ra_deg % 1.0)
    peak, radius = peak_of_magnitude(magnitude), half_light_arcsec(magnitude)
    return _sources(ra_deg, dec_deg, peak, radius, ratio, angle, wider)


def _typical_half_light_arcsec(peak: np.ndarray) -> np.ndarray:
    return half_light_arcsec(W1.magnitude_zero_point - 2.5 * np.log10(peak * PSF_PX))


def _sources(
    ra_deg: np.ndarray,
    dec_deg: np.ndarray,
    peak: np.ndarray,
    radius_arcsec: np.ndarray,
    ratio: np.ndarray,
    angle_deg: np.ndarray,
    wider: float,
) -> Gaussians:
    """Return sources convolved with a point-spread function `wider` times as wide as that of W1.

    All other arguments are (n,) arrays.

    `peak` is that of a point source of the same counts, DN; `radius_arcsec` is the half-light radius along
    the major axis, 0 for stars.
    """
    # A narrower function resolves more.
    radius_arcsec = radius_arcsec / wider
    rows = _parts(np.stack([ra_deg, dec_deg, peak, radius_arcsec, ratio, angle_deg], axis=1))
    rows[:, 5:7] *= wider
    return Gaussians(rows)


@compiled
def _parts(sources: np.ndarray) -> np.ndarray:
    """Return the rows of `Gaussians` of sources, ``(m, 8)``; the columns of `sources` are as `_sources`.

    A faint source is one circular Gaussian; galaxies are wider than stars.  Of other sources, the parts above
    the brightness limit are returned.
    """
    rows = np.zeros((6 * len(sources), 8))
    m = 0
    for k in range(len(sources)):
        ra, dec, peak, radius, ratio, position_angle = sources[k]
        is_star = radius == 0
        n_parts = 1 if peak < ONE_PART_BELOW_DN else 6
        scan = scan_angle_deg(ra, dec) if n_parts > 1 and is_star else 0.0
        for part in range(n_parts):
            if n_parts == 1:
                major = math.hypot(ONE_PART_ARCSEC, FWHM_PER_SIGMA * WHOLE_SIGMA * radius)
                minor, angle = major, 0.0
                height = ONE_PART_HEIGHT * peak * (ONE_PART_ARCSEC / major) ** 2
            elif is_star:
                height, major, minor = peak * STAR_PARTS[part, 0], STAR_PARTS[part, 1], STAR_PARTS[part, 2]
                angle = scan + STAR_PARTS[part, 3]
            else:
                width, size = GALAXY_PARTS[part, 1], FWHM_PER_SIGMA * GALAXY_PARTS[part, 2] * radius
                major, minor, angle = math.hypot(width, size), math.hypot(width, size * ratio), position_angle
                height = peak * GALAXY_PARTS[part, 0] * width**2 / (major * minor)
            if n_parts == 1 or height > SEEN_DN:
                rows[m, 0], rows[m, 1] = ra, dec
                rows[m, 4], rows[m, 5], rows[m, 6], rows[m, 7] = height, major, minor, angle
                m += 1
    return rows[:m]
