"""Point-like sources of an infrared image: position, magnitude and signal to noise of each.

W1 images are crowded: twenty sources in 3' x 3', many of them nearer to each other than two widths of the
point-spread function.  Sources are therefore fitted together, with a second look at what the first fit
leaves.  A resolved galaxy is fitted as a point too, and is then fainter than its total.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from claran_core.common.constants import FWHM_PER_SIGMA
from claran_core.common.cutout import Cutout
from claran_core.common.errors import InputError
from claran_core.common.frame import pixels_to_sky
from claran_core.common.noise import noise_sigma
from claran_core.survey.surveys import Survey

__all__ = ["DETECTION_SNR", "POINT_SPREAD", "InfraredSources", "find_infrared_sources"]


# Sources are listed from this signal to noise on.
DETECTION_SNR = 5.0

# Point-spread functions as sums of circles: height and FWHM (arcsec) of each, together of a peak of about 1.
# That of W1 is of the stars of six AllWISE images (benchmarks/sky/infrared_sky.py), wings included, so that
# magnitudes are total ones.  Of other surveys the beam is taken.
POINT_SPREAD = {"WISE_W1": ((0.668, 7.65), (0.312, 10.72), (0.0188, 21.5), (0.0018, 55.0))}

# Peaks are sought in the difference of the image smoothed with two Gaussians, of these FWHM in units of the
# beam's: it sees neither background nor halos, and splits blends that the image itself shows as one.
NARROW, WIDE = 0.4, 1.0

# Least height of a peak there, in units of its noise; what is fitted to it decides.
PEAK_SNR = 3.0

# What a point does not explain of a source, over its height, and the FWHM of where that is, in units of the
# beam's: galaxies and the elongated core; halos and diffraction spikes.  It counts as noise of neighbours.
DOUBT = ((0.06, 1.7), (0.0012, 7.0))

# Radius within which pixels count in a fit, in units of the beam's FWHM.
FIT_RADIUS = 0.8

# Steps of a fit, the largest move per step (px), and the largest from the peak (units of the beam's FWHM).
FIRST_STEPS, STEPS = 3, 5
LONGEST_STEP_PX, LONGEST_MOVE = 0.5, 0.5

# Part of each step that is taken, since neighbours take theirs at the same time; what keeps points on few
# pixels solvable.
DAMPING, RIDGE = 0.8, 1e-3

# A point needs this share of the pixels of its fit, and a cell of the background of its own.
MIN_SHARE = 0.4

# Size of the cells the background is measured in (units of the beam's FWHM), and how it is clipped.
CELL, CLIP_SIGMA, CLIP_ROUNDS = 8.0, 2.5, 5

# Part of a normal distribution below minus one sigma.
LOWER_SIGMA = 0.1587

# Error of a position along each axis, in units of the beam's FWHM over the signal to noise: that of stars
# injected into W1 images (benchmarks/science/infrared_sources.py).
POSITION_ERROR = 0.4

# Error of magnitudes of bright sources: the core is 8 per cent longer than wide, which the fit does not know.
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
        Height over its noise; at least `DETECTION_SNR`.
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
    """Point-spread function in pixels: height and sigma of its parts, (k,) arrays, and FWHM of its beam."""

    height: np.ndarray
    sigma: np.ndarray
    fwhm: float

    @property
    def counts(self) -> float:
        """Counts of a source of height 1."""
        return float(2 * np.pi * self.height @ self.sigma**2)


def find_infrared_sources(cutout: Cutout, survey: Survey) -> InfraredSources:
    """Find the point-like sources of an infrared cut-out.

    Parameters
    ----------
    cutout : Cutout
        The image; pixels without data are NaN and say nothing.
    survey : Survey
        Its beam and zero point.

    Returns
    -------
    InfraredSources
        Possibly none: an empty image is no error.

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
    """Points within the image that are above the noise, brightest first, and their noise."""
    ny, nx = shape
    inside = (np.abs(points.x - (nx - 1) / 2) <= nx / 2) & (np.abs(points.y - (ny - 1) / 2) <= ny / 2)
    chosen = np.flatnonzero(inside & (points.height > DETECTION_SNR * noise))
    chosen = chosen[np.argsort(-points.height[chosen], kind="stable")]
    return points.take(chosen), noise[chosen]


def _fitted_points(data: np.ndarray, optics: _Optics) -> tuple[_Points, np.ndarray]:
    """Points fitted to an image, and the noise of the height of each."""
    finite = np.isfinite(data)
    points = _Points(*np.empty((3, 0)))
    if not noise_sigma(data) > 0:  # nothing at all, or a constant: no image of the sky
        return points, np.empty(0)
    model = np.zeros(data.shape)
    for steps in (FIRST_STEPS, STEPS):
        image = np.where(finite, data - _background(data - model, finite, optics), 0.0)
        points = points.join(_peaks(image - model * finite, finite, points, optics))
        points = _fit(points, image, finite, optics, steps)
        model = _render(points, data.shape, optics)
    rest = np.where(finite, image - model, 0.0)
    return points, _height_noise(points, rest, finite, optics)


def _background(image: np.ndarray, finite: np.ndarray, optics: _Optics) -> np.ndarray:
    """Background of an image, measured in cells and interpolated between their middles."""
    cells = [max(1, round(size / (CELL * optics.fwhm))) for size in image.shape]
    level = np.full(cells, np.nan)
    # Neighbouring pixels say the same: every second one is enough.
    thin = slice(None, None, 2)
    for row, rows in enumerate(np.array_split(np.arange(image.shape[0]), cells[0])):
        for column, columns in enumerate(np.array_split(np.arange(image.shape[1]), cells[1])):
            part = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
            usable = finite[part][thin, thin]
            values = image[part][thin, thin][usable]
            if values.size > MIN_SHARE * usable.size:
                level[row, column] = _clipped_median(values)
    empty = np.isnan(level)
    if empty.any():
        level[empty] = _clipped_median(image[finite])
    down, along = (_between_cells(size, n) for size, n in zip(image.shape, cells, strict=True))
    return down @ level @ along.T


def _clipped_median(values: np.ndarray) -> float:
    """Median without what lies far above it: sources, mostly.  The width is that of the lower half."""
    ordered = np.sort(values)
    n = ordered.size
    for _ in range(CLIP_ROUNDS):
        median = ordered[n // 2]
        sigma = median - ordered[int(LOWER_SIGMA * n)]
        kept = int(np.searchsorted(ordered, median + CLIP_SIGMA * sigma, side="right"))
        if kept >= n:
            break
        n = kept
    return float(ordered[n // 2])


def _between_cells(size: int, cells: int) -> np.ndarray:
    """Weights ``(size, cells)`` of linear interpolation between the middles of equal cells."""
    place = np.clip((np.arange(size) + 0.5) / size * cells - 0.5, 0, cells - 1)
    return np.maximum(0.0, 1.0 - np.abs(place[:, None] - np.arange(cells)))


def _render(points: _Points, shape: tuple[int, ...], optics: _Optics) -> np.ndarray:
    """Image of points: a product of profiles along the two axes for each part."""
    sigma = optics.sigma[:, None, None]
    down = np.exp(-0.5 * ((np.arange(shape[0]) - points.y[:, None]) / sigma) ** 2)  # (k, n, ny)
    along = np.exp(-0.5 * ((np.arange(shape[1]) - points.x[:, None]) / sigma) ** 2)
    down *= optics.height[:, None, None] * points.height[:, None]
    return down.reshape(-1, shape[0]).T @ along.reshape(-1, shape[1])


def _peaks(rest: np.ndarray, finite: np.ndarray, known: _Points, optics: _Optics) -> _Points:
    """Peaks of what known points leave, as points: their pixel, and a first guess of their height."""
    sharp, gain = _sharpened(rest, optics)
    sigma = noise_sigma(sharp[finite][::4])
    doubt = _doubt(known, rest.shape, optics)
    around = 2 * int(FIT_RADIUS * optics.fwhm) + 1
    is_peak = (sharp == ndimage.maximum_filter(sharp, 3)) & finite
    is_peak &= ndimage.uniform_filter(finite.astype(float), around, mode="constant") >= MIN_SHARE
    is_peak &= sharp > np.maximum(PEAK_SNR * sigma, DETECTION_SNR * gain * doubt)
    y, x = np.nonzero(is_peak)
    return _Points(x.astype(np.float64), y.astype(np.float64), sharp[y, x] / gain)


def _sharpened(image: np.ndarray, optics: _Optics) -> tuple[np.ndarray, float]:
    """Difference of two smoothings, and its height for a point of height 1."""
    narrow, wide = (scale * optics.fwhm / FWHM_PER_SIGMA for scale in (NARROW, WIDE))
    smooth = [ndimage.gaussian_filter(image, sigma, truncate=3.0) for sigma in (narrow, wide)]
    spread = optics.sigma**2
    gain = optics.height @ (spread / (spread + narrow**2) - spread / (spread + wide**2))
    return smooth[0] - smooth[1], float(gain)


def _doubt(points: _Points, shape: tuple[int, ...], optics: _Optics) -> np.ndarray:
    """Standard deviation of what points do not explain around them, as heights of points."""
    height, width = np.array(DOUBT).T
    return _render(points, shape, _Optics(height, width * optics.fwhm / FWHM_PER_SIGMA, optics.fwhm))


def _fit(points: _Points, image: np.ndarray, finite: np.ndarray, optics: _Optics, steps: int) -> _Points:
    """Least-squares fit of all points at once, step by step."""
    offset = _fit_pixels(optics)
    reach = int(np.abs(offset).max())
    use = np.pad(finite, reach)
    start = points
    for _ in range(steps):
        rest = np.pad(np.where(finite, image - _render(points, image.shape, optics), 0.0), reach)
        points = _step(points, start, rest, use, offset, optics)
    return points


def _fit_pixels(optics: _Optics) -> np.ndarray:
    """Offsets ``x y`` of the pixels that count in the fit of a point, ``(p, 2)``."""
    reach = max(1, int(FIT_RADIUS * optics.fwhm))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    near = np.hypot(x, y) <= max(1.5, FIT_RADIUS * optics.fwhm)
    return np.column_stack([x[near], y[near]])


def _step(
    points: _Points, start: _Points, rest: np.ndarray, use: np.ndarray, offset: np.ndarray, optics: _Optics
) -> _Points:
    """One step towards the least squares: each point takes what suits it of what all leave.

    `rest` and `use` are padded by the largest offset.  Moves are short, since the problem is linear only near
    the solution, and neighbours move too.
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
    """Rows and columns of the pixels that points lie in, the nearest ones for points at the rim."""
    return tuple(
        np.clip(np.rint(at).astype(int), 0, size - 1)
        for at, size in zip((points.y, points.x), shape, strict=True)
    )


def _profile(dx: np.ndarray, dy: np.ndarray, optics: _Optics) -> np.ndarray:
    """Point-spread function, and its change as the point moves along x and along y; ``(3, ...)``."""
    square = -0.5 * (dx * dx + dy * dy)
    value, pull = np.zeros(dx.shape), np.zeros(dx.shape)
    for height, sigma in zip(optics.height, optics.sigma, strict=True):
        part = height * np.exp(square / sigma**2)
        value += part
        pull += part / sigma**2
    return np.stack([value, dx * pull, dy * pull])


def _height_noise(points: _Points, rest: np.ndarray, finite: np.ndarray, optics: _Optics) -> np.ndarray:
    """Standard deviation of the height of each point: what a fit finds where nothing is, and doubt."""
    if not len(points):
        return np.empty(0)
    sigma = optics.fwhm / FWHM_PER_SIGMA
    # Least-squares height of a Gaussian: sum(g r) / sum(g^2), twice the smoothed image.
    found = 2.0 * ndimage.gaussian_filter(rest, sigma, truncate=2.0)
    typical = noise_sigma(found[finite][::4])
    others = _doubt(points, rest.shape, optics)
    row, column = _pixel(points, rest.shape)
    doubt = others[row, column] - DOUBT[0][0] * points.height - DOUBT[1][0] * points.height
    return np.hypot(typical, np.maximum(doubt, 0.0))
