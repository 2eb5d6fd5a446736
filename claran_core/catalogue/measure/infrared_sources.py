"""Find the point-like sources of an infrared image: position, magnitude and signal-to-noise ratio.

W1 images are crowded: a field of 3 arcmin has about twenty sources, many of them closer than two FWHM of the
point-spread function.  All sources are therefore fitted together, twice: the second time with the sources
found in the residual of the first fit.  A resolved galaxy is fitted as a point source, which underestimates
its total flux.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from claran_core.catalogue.measure.infrared_background import background
from claran_core.common.constants import FWHM_PER_SIGMA
from claran_core.common.cutout import Cutout
from claran_core.common.errors import InputError
from claran_core.common.frame import pixels_to_sky
from claran_core.common.noise import noise_sigma
from claran_core.survey.surveys import Survey

__all__ = ["DETECTION_SNR", "POINT_SPREAD", "InfraredSources", "find_infrared_sources"]

# Lowest signal-to-noise ratio of a listed source.
DETECTION_SNR = 5.0

# Point-spread functions as sums of circular Gaussians: height and FWHM (arcsec) of each; the peak is about 1.
# That of W1 is measured on the stars of six AllWISE images (benchmarks/sky/infrared_sky.py).  It includes the
# wings, so magnitudes are total.  Other surveys use a Gaussian of their beam.
POINT_SPREAD = {"WISE_W1": ((0.668, 7.65), (0.312, 10.72), (0.0188, 21.5), (0.0018, 55.0))}

# Peaks are searched in the difference of the image smoothed with two Gaussians of these FWHM, in units of the
# beam's FWHM.  The difference removes background and halos and splits blends.
NARROW, WIDE = 0.4, 1.0

# Lowest height of a peak in that difference, in units of its noise; the fit decides later.
PEAK_SNR = 3.0

# Residual that the fit of a point leaves, as a fraction of its height, and the FWHM of its extent in units of
# the beam's FWHM: galaxies and the elongated core; halos and diffraction spikes.  It is noise to neighbours.
RESIDUAL = ((0.06, 1.7), (0.0012, 7.0))

# Radius of the pixels in a fit, in units of the beam's FWHM.
FIT_RADIUS = 0.8

# Number of steps of the two fits; the largest move per step (px) and from the peak (units of the FWHM).
FIRST_STEPS, STEPS = 3, 5
LONGEST_STEP_PX, LONGEST_MOVE = 0.5, 0.5

# Fraction of each step that is taken, since neighbours move at the same time; regularisation for points with
# few pixels.
DAMPING, RIDGE = 0.8, 1e-3

# Lowest fraction of valid pixels in the fit of a point.
MIN_SHARE = 0.4

# Size of the cells of the background, in units of the beam's FWHM.
CELL = 8.0

# Error of a position along each axis, in units of the beam's FWHM over the signal to noise: that of stars
# injected into W1 images (benchmarks/science/infrared_sources.py).
POSITION_ERROR = 0.4

# Error of the magnitudes of bright sources: W1's core is 8 per cent longer than wide, the fit is circular.
MAGNITUDE_FLOOR = 0.02


@dataclass(frozen=True)
class InfraredSources:
    """Sources of one image, brightest first; all fields are (n,) float64 arrays.

    Attributes
    ----------
    ra, dec : array
        Position, deg, ICRS.
    magnitude, magnitude_err : array
        Magnitude as a point source in the survey's system (Vega for W1), and its standard error.
    snr : array
        Signal-to-noise ratio; at least `DETECTION_SNR`.
    position_err : array
        Standard error of the position along each axis, arcsec.
    """

    ra: np.ndarray
    dec: np.ndarray
    magnitude: np.ndarray
    magnitude_err: np.ndarray
    snr: np.ndarray
    position_err: np.ndarray

    def __len__(self) -> int:
        return self.ra.size


@dataclass(frozen=True)
class _Points:
    """Point sources in pixels: (n,) arrays of position and height."""

    x: np.ndarray
    y: np.ndarray
    height: np.ndarray

    def __len__(self) -> int:
        return self.x.size

    def take(self, which: np.ndarray) -> "_Points":
        return _Points(self.x[which], self.y[which], self.height[which])

    def join(self, other: "_Points") -> "_Points":
        return _Points(*(np.concatenate([getattr(self, k), getattr(other, k)]) for k in ("x", "y", "height")))


@dataclass(frozen=True)
class _Optics:
    """Point-spread function in pixels: height and sigma (k,) of its Gaussians, and FWHM of the beam."""

    height: np.ndarray
    sigma: np.ndarray
    fwhm: float

    @property
    def counts(self) -> float:
        """Total counts of a source of height 1."""
        return float(2 * np.pi * self.height @ self.sigma**2)


def find_infrared_sources(cutout: Cutout, survey: Survey) -> InfraredSources:
    """Return the point-like sources of an infrared cut-out.

    Parameters
    ----------
    cutout : Cutout
        The image; pixels without data are NaN.
    survey : Survey
        The infrared survey: beam and zero point.

    Returns
    -------
    InfraredSources
        Possibly empty.

    Raises
    ------
    InputError
        If the survey has no magnitude zero point.
    """
    if survey.magnitude_zero_point is None:
        raise InputError(f"survey {survey.name}: no magnitude zero point; hosts need an infrared survey")
    optics = _optics(survey, cutout.pixel_scale_arcsec)
    points, noise = _fitted_points(np.asarray(cutout.data, np.float64), optics)
    points, noise = _listed(points, noise, cutout.data.shape)
    ra, dec = pixels_to_sky(cutout.wcs, points.x, points.y)
    counts = points.height * optics.counts
    relative = np.hypot(noise / points.height, MAGNITUDE_FLOOR * np.log(10) / 2.5)
    snr = points.height / noise
    return InfraredSources(
        ra=np.asarray(ra, np.float64) % 360.0,
        dec=np.asarray(dec, np.float64),
        magnitude=survey.magnitude_zero_point - 2.5 * np.log10(counts),
        magnitude_err=2.5 / np.log(10) * relative,
        snr=snr,
        position_err=POSITION_ERROR * survey.beam_arcsec / snr,
    )


def _optics(survey: Survey, pixel_scale_arcsec: float) -> _Optics:
    parts = POINT_SPREAD.get(survey.name, ((1.0, survey.beam_arcsec),))
    height, fwhm = np.array(parts).T
    return _Optics(
        height, fwhm / FWHM_PER_SIGMA / pixel_scale_arcsec, survey.beam_arcsec / pixel_scale_arcsec
    )


def _listed(points: _Points, noise: np.ndarray, shape: tuple[int, ...]) -> tuple[_Points, np.ndarray]:
    """Return the points inside the image and above the noise, brightest first, and their noise."""
    ny, nx = shape
    inside = (np.abs(points.x - (nx - 1) / 2) <= nx / 2) & (np.abs(points.y - (ny - 1) / 2) <= ny / 2)
    chosen = np.flatnonzero(inside & (points.height > DETECTION_SNR * noise))
    chosen = chosen[np.argsort(-points.height[chosen], kind="stable")]
    return points.take(chosen), noise[chosen]


def _fitted_points(data: np.ndarray, optics: _Optics) -> tuple[_Points, np.ndarray]:
    """Return the points fitted to an image, and the noise of each height."""
    finite = np.isfinite(data)
    points = _Points(*np.empty((3, 0)))
    if not noise_sigma(data) > 0:  # blank or constant
        return points, np.empty(0)
    model = np.zeros(data.shape)
    for steps in (FIRST_STEPS, STEPS):
        image = np.where(finite, data - background(data - model, finite, CELL * optics.fwhm), 0.0)
        points = points.join(_peaks(image - model * finite, finite, points, optics))
        points = _fit(points, image, finite, optics, steps)
        model = _render(points, data.shape, optics)
    rest = np.where(finite, image - model, 0.0)
    return points, _height_noise(points, rest, finite, optics)


def _render(points: _Points, shape: tuple[int, ...], optics: _Optics) -> np.ndarray:
    """Return the image of points: for each Gaussian the product of profiles along the two axes."""
    sigma = optics.sigma[:, None, None]
    down = np.exp(-0.5 * ((np.arange(shape[0]) - points.y[:, None]) / sigma) ** 2)  # (k, n, ny)
    along = np.exp(-0.5 * ((np.arange(shape[1]) - points.x[:, None]) / sigma) ** 2)
    down *= optics.height[:, None, None] * points.height[:, None]
    return down.reshape(-1, shape[0]).T @ along.reshape(-1, shape[1])


def _peaks(rest: np.ndarray, finite: np.ndarray, known: _Points, optics: _Optics) -> _Points:
    """Return the peaks of the residual as points: pixel position and a first estimate of the height."""
    sharp, gain = _sharpened(rest, optics)
    sigma = noise_sigma(sharp[finite][::4])
    unexplained = _residual(known, rest.shape, optics)
    around = 2 * int(FIT_RADIUS * optics.fwhm) + 1
    is_peak = (sharp == ndimage.maximum_filter(sharp, 3)) & finite
    is_peak &= ndimage.uniform_filter(finite.astype(float), around, mode="constant") >= MIN_SHARE
    is_peak &= sharp > np.maximum(PEAK_SNR * sigma, DETECTION_SNR * gain * unexplained)
    y, x = np.nonzero(is_peak)
    return _Points(x.astype(np.float64), y.astype(np.float64), sharp[y, x] / gain)


def _sharpened(image: np.ndarray, optics: _Optics) -> tuple[np.ndarray, float]:
    """Return the difference of two smoothings, and its height for a point of height 1."""
    narrow, wide = (scale * optics.fwhm / FWHM_PER_SIGMA for scale in (NARROW, WIDE))
    smooth = [ndimage.gaussian_filter(image, sigma, truncate=3.0) for sigma in (narrow, wide)]
    spread = optics.sigma**2
    gain = optics.height @ (spread / (spread + narrow**2) - spread / (spread + wide**2))
    return smooth[0] - smooth[1], float(gain)


def _residual(points: _Points, shape: tuple[int, ...], optics: _Optics) -> np.ndarray:
    """Return the standard deviation of the residuals that points leave, as heights of points."""
    height, width = np.array(RESIDUAL).T
    return _render(points, shape, _Optics(height, width * optics.fwhm / FWHM_PER_SIGMA, optics.fwhm))


def _fit(points: _Points, image: np.ndarray, finite: np.ndarray, optics: _Optics, steps: int) -> _Points:
    """Fit all points together by least squares, step by step."""
    offset = _fit_pixels(optics)
    reach = int(np.abs(offset).max())
    use = np.pad(finite, reach)
    start = points
    for _ in range(steps):
        rest = np.pad(np.where(finite, image - _render(points, image.shape, optics), 0.0), reach)
        points = _step(points, start, rest, use, offset, optics)
    return points


def _fit_pixels(optics: _Optics) -> np.ndarray:
    """Return the offsets ``x y`` of the pixels in the fit of a point, ``(p, 2)``."""
    reach = max(1, int(FIT_RADIUS * optics.fwhm))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    near = np.hypot(x, y) <= max(1.5, FIT_RADIUS * optics.fwhm)
    return np.column_stack([x[near], y[near]])


def _step(
    points: _Points, start: _Points, rest: np.ndarray, use: np.ndarray, offset: np.ndarray, optics: _Optics
) -> _Points:
    """Take one least-squares step: fit each point to the residual of all points.

    `rest` and `use` are padded by the largest offset.  Steps are short, because the problem is linear only
    near the solution, and neighbours move at the same time.
    """
    reach = int(np.abs(offset).max())
    row, column = (
        at[:, None] for at in _pixel(start, (rest.shape[0] - 2 * reach, rest.shape[1] - 2 * reach))
    )
    dx, dy = column + offset[:, 0] - points.x[:, None], row + offset[:, 1] - points.y[:, None]  # (n, p)
    pixel = (row + offset[:, 1] + reach, column + offset[:, 0] + reach)
    slopes = _profile(dx, dy, optics) * use[pixel]  # (3, n, p)
    normal = np.einsum("inp,jnp->nij", slopes, slopes) + RIDGE * np.eye(3)
    change = np.linalg.solve(normal, np.einsum("inp,np->ni", slopes, rest[pixel])[..., None])[..., 0]
    height = np.maximum(points.height + DAMPING * change[:, 0], 0.0)
    by = DAMPING * change[:, 1:] / np.maximum(height, 1e-9)[:, None]
    by = np.clip(by, -LONGEST_STEP_PX, LONGEST_STEP_PX)
    move = LONGEST_MOVE * optics.fwhm
    x = start.x + np.clip(points.x + by[:, 0] - start.x, -move, move)
    y = start.y + np.clip(points.y + by[:, 1] - start.y, -move, move)
    return _Points(x, y, height)


def _pixel(points: _Points, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows and columns of the pixels nearest to the points."""
    row, column = (
        np.clip(np.rint(at).astype(int), 0, size - 1)
        for at, size in zip((points.y, points.x), shape, strict=True)
    )
    return row, column


def _profile(dx: np.ndarray, dy: np.ndarray, optics: _Optics) -> np.ndarray:
    """Return the point-spread function and its derivatives with the point's x and y; ``(3, ...)``."""
    square = -0.5 * (dx * dx + dy * dy)
    value, pull = np.zeros(dx.shape), np.zeros(dx.shape)
    for height, sigma in zip(optics.height, optics.sigma, strict=True):
        part = height * np.exp(square / sigma**2)
        value += part
        pull += part / sigma**2
    return np.stack([value, dx * pull, dy * pull])


def _height_noise(points: _Points, rest: np.ndarray, finite: np.ndarray, optics: _Optics) -> np.ndarray:
    """Return the standard deviation of each height: that of fits to the residual, plus the neighbours'."""
    if not len(points):
        return np.empty(0)
    sigma = optics.fwhm / FWHM_PER_SIGMA
    # Least-squares height of a Gaussian: sum(g r) / sum(g^2), twice the smoothed image.
    found = 2.0 * ndimage.gaussian_filter(rest, sigma, truncate=2.0)
    typical = noise_sigma(found[finite][::4])
    others = _residual(points, rest.shape, optics)
    row, column = _pixel(points, rest.shape)
    unexplained = others[row, column] - RESIDUAL[0][0] * points.height - RESIDUAL[1][0] * points.height
    return np.hypot(typical, np.maximum(unexplained, 0.0))
