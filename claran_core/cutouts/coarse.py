"""The cut-out of a coarser view: smoothed to a wider beam, in larger pixels.

At scale s the beam and the pixels are s times as wide.  Values are per beam of the new beam, so that a point
source keeps its peak and the flux density of any source is conserved.

Pixels are joined in blocks of s x s, counted from the reference pixel of the image, so that all views of one
image have the same coarse pixels.
"""

import math
from dataclasses import replace
from functools import lru_cache

import numpy as np
from scipy import fft

from claran_core.common.compiled import compiled
from claran_core.common.constants import ARCSEC_PER_DEG, FWHM_PER_SIGMA
from claran_core.common.cutout import Beam, BrightPixels, Cutout
from claran_core.common.frame import Frame
from claran_core.common.noise import noise_sigma
from claran_core.survey.surveys import Survey

__all__ = ["BRIGHT_SIGMA", "coarse_cutout", "margin_arcsec"]

# Native pixels above so many times the noise are kept beside the coarse ones, with their neighbours.
BRIGHT_SIGMA = 3.0
# Width of the blocks that are joined before the Fourier transform, half a coarse pixel at most.  Wider ones
# undersample a beam of three pixels: positions at scale 8 would be wrong by a fifth of a native pixel.
JOINED_PX = 2
# A coarse pixel has a value where at least this fraction of it has data.
MIN_FRACTION = 0.5
# How far an image of a second radio survey reaches beyond the frame, in widths of the frame: about five beams
# of the first survey.
SECOND_MARGIN = 0.15
# Width of the border around an image in the Fourier transform, in standard deviations of the smoothing.
PADDING_SIGMA = 4.0


def margin_arcsec(survey: Survey, frame: Frame, scale: int) -> float:
    """Return how far beyond its frame a view needs pixels, arcsec: for the smoothing, none at scale 1.

    A second radio survey needs more, for its noise and because it is smoothed to the beam of the first.
    """
    smoothing = scale * survey.beam_arcsec if scale > 1 else 0.0
    return smoothing + (SECOND_MARGIN * frame.width_arcsec if survey.role == "second_radio" else 0.0)


def coarse_cutout(cutout: Cutout, scale: int, survey: Survey) -> Cutout:
    """Return a cut-out as seen with a beam and pixels `scale` times as wide.

    Parameters
    ----------
    cutout : Cutout
        Pixels of the survey.
    scale : int
        2, 4 or 8.
    survey : Survey
        Survey of the pixels: its band, and the beam of an image that states none.

    Returns
    -------
    Cutout
        Radio: unit Jy per coarse beam, missing pixels count as 0, and the bright native pixels are kept.
        Infrared: point sources keep their peaks above the median of the image, and missing pixels count as
        that median.  NaN where less than half of a pixel has data.
    """
    beam = cutout.beam or survey.beam
    start, shape = _blocks(cutout, scale)
    radio = survey.band == "radio"
    background = 0.0 if radio else _median(cutout.data[::scale, ::scale])
    width = min(scale // 2, JOINED_PX)
    excess, counts = _block_sums(cutout.data, start, shape, scale, width, np.float32(background))
    smooth = _smoothed(excess, _kernel(cutout, beam, scale) / width**2, scale // width)
    data = np.where(counts >= MIN_FRACTION * scale**2, np.float32(background) + smooth, np.float32(np.nan))
    wcs = cutout.wcs.binned(*start, scale)
    wide = Beam(scale * beam.major_arcsec, scale * beam.minor_arcsec, beam.angle_deg)
    bright = _bright_pixels(cutout.data, start, shape, scale) if radio else None
    return replace(cutout, data=data, wcs=wcs, beam=wide, bright=bright)


def _blocks(cutout: Cutout, scale: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the pixel ``x y``, 0 or less, at which the first block starts, and how many there are: y, x."""
    start = tuple((math.floor(at) % scale or scale) - scale for at in (cutout.wcs.x, cutout.wcs.y))
    ny, nx = cutout.data.shape
    return (start[0], start[1]), (-(-(ny - start[1]) // scale), -(-(nx - start[0]) // scale))


def _kernel(cutout: Cutout, beam: Beam, scale: int) -> np.ndarray:
    """Return the covariance ``(2, 2)``, axes x y, px^2, of the Gaussian that widens the beam by `scale`.

    The mean over ``scale x scale`` pixels smooths as well; its variance is left out of the Gaussian.
    """
    angle = np.deg2rad(beam.angle_deg)
    # Along the axes of the beam, east and north.
    axes = np.array([[np.sin(angle), np.cos(angle)], [np.cos(angle), -np.sin(angle)]])
    widths_deg = np.array([beam.major_arcsec, beam.minor_arcsec]) / FWHM_PER_SIGMA / ARCSEC_PER_DEG
    to_pixels = np.linalg.inv(np.array(cutout.wcs.matrix).reshape(2, 2))
    covariance = to_pixels @ (axes.T * widths_deg**2) @ axes @ to_pixels.T
    mean_of_block = np.eye(2) / 12
    kernel: np.ndarray = (scale**2 - 1) * (covariance - mean_of_block)
    # A beam narrower than a pixel cannot be matched: then the blocks alone widen it.
    return kernel if np.linalg.eigvalsh(kernel)[0] > 0 else np.zeros((2, 2))


def _median(data: np.ndarray) -> float:
    """Return the median of the pixels with data; 0 without any."""
    known = data[np.isfinite(data)]
    return float(np.median(known)) if known.size else 0.0


def _smoothed(image: np.ndarray, kernel: np.ndarray, ratio: int) -> np.ndarray:
    """Return the sums of blocks of a smoothed image.

    Sums, not means: the coarse beam has so many times the area of the native one.

    Parameters
    ----------
    image : (ratio * ny, ratio * nx) float32 array
        Surrounded by zeros.
    kernel : (2, 2) float64 array
        Covariance of the Gaussian, axes x y, px^2.
    ratio : int
        Pixels along the side of a block.

    Returns
    -------
    (ny, nx) float32 array

    Notes
    -----
    The Gaussian leaves next to nothing (FIRST: 3e-4 of the amplitude) above the highest frequency of the
    blocks, so only the lower ones are transformed back.
    """
    border = math.ceil(PADDING_SIGMA * math.sqrt(kernel.diagonal().max()) / ratio)
    ny, nx = (n // ratio for n in image.shape)
    my, mx = (fft.next_fast_len(n + border, real=True) for n in (ny, nx))
    spectrum = fft.rfft(image, ratio * mx)[:, : mx // 2 + 1]
    spectrum = fft.fft(spectrum, ratio * my, axis=0)
    spectrum = np.concatenate([spectrum[: (my + 1) // 2], spectrum[-(my // 2) :]])
    spectrum *= _transfer(my, mx, ratio, *kernel[np.triu_indices(2)].tolist())
    smooth: np.ndarray = fft.irfft2(spectrum, (my, mx), overwrite_x=True)[:ny, :nx]
    return smooth


@lru_cache(maxsize=16)
def _transfer(my: int, mx: int, ratio: int, xx: float, xy: float, yy: float) -> np.ndarray:
    """Return the Fourier transform ``(my, mx // 2 + 1)`` of a Gaussian and of the sum of a block, complex64.

    ``xx xy yy`` is the covariance of the Gaussian.
    """
    fy, fx = np.fft.fftfreq(my)[:, None] / ratio, np.fft.rfftfreq(mx) / ratio
    power = xx * fx**2 + 2 * xy * fx * fy + yy * fy**2
    places = np.arange(ratio)[:, None, None]
    mean_y, mean_x = (np.exp(2j * np.pi * places * f).mean(axis=0) for f in (fy, fx))
    return (mean_y * mean_x * np.exp(-2 * np.pi**2 * power)).astype(np.complex64)


def _bright_pixels(
    data: np.ndarray, start: tuple[int, int], shape: tuple[int, int], scale: int
) -> BrightPixels:
    """Return the bright pixels of an image on the grid of all pixels of its blocks."""
    sigma = noise_sigma(data[::scale, ::scale])  # as many pixels as a view at scale 1 has
    limit = BRIGHT_SIGMA * sigma if sigma > 0 else np.inf
    rows, columns = _near_bright(data, limit)
    index = (rows - start[1]) * (scale * shape[1]) + columns - start[0]
    return BrightPixels(scale, sigma, index.astype(np.int32), data[rows, columns].astype(np.float32))


@compiled
def _block_sums(
    data: np.ndarray,
    start: tuple[int, int],
    shape: tuple[int, int],
    scale: int,
    width: int,
    background: np.float32,
) -> tuple[np.ndarray, np.ndarray]:
    """Return sums above the background in small blocks, and numbers of pixels with data in large ones.

    Parameters
    ----------
    data : (ny, nx) float32 array
        NaN marks missing pixels.
    start : (int, int)
        Pixel ``x y`` of `data` at which the first block starts; 0 or less.
    shape : (int, int)
        Large blocks along y and x, which together contain all pixels.
    scale, width : int
        Pixels along the side of a large and of a small block; `width` divides `scale`.
    background : float32
        Value to subtract.

    Returns
    -------
    sums : float32 array
        One value for each small block.
    counts : (shape[0], shape[1]) int32 array
        One value for each large block.
    """
    ratio = scale // width
    sums = np.zeros((ratio * shape[0], ratio * shape[1]), np.float32)
    counts = np.zeros(shape, np.int32)
    # A row of pixels, from the start of the first block to the end of the last.
    values, known = np.zeros(scale * shape[1], np.float32), np.zeros(scale * shape[1], np.int32)
    for row in range(data.shape[0]):
        for column in range(data.shape[1]):
            value = data[row, column]
            is_known = not math.isnan(value)
            values[column - start[0]] = value - background if is_known else np.float32(0)
            known[column - start[0]] = is_known
        sums_row, counts_row = sums[(row - start[1]) // width], counts[(row - start[1]) // scale]
        # One pixel of every block at a time, which become vector instructions.
        for k in range(width):
            for block in range(len(sums_row)):
                sums_row[block] += values[block * width + k]
        for k in range(scale):
            for block in range(len(counts_row)):
                counts_row[block] += known[block * scale + k]
    return sums, counts


@compiled
def _near_bright(data: np.ndarray, limit: float) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and columns of the pixels of an image ``(ny, nx)`` above a limit and of their 4 neighbours.

    In the order of the image.
    """
    ny, nx = data.shape
    near = np.zeros((ny + 2, nx + 2), np.bool_)
    for row in range(ny):
        for column in range(nx):
            if data[row, column] > limit:
                near[row + 1, column : column + 3] = True
                near[row, column + 1] = True
                near[row + 2, column + 1] = True
    rows, columns = np.nonzero(near[1:-1, 1:-1])
    return rows, columns
