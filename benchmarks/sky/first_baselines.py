"""Fit the baselines behind the noise of real FIRST images, and their projection in each field.

    python -m benchmarks.sky.first_baselines ../shared/data/first_train --figure baselines.png

The noise of an image has power at the VLA's baselines.  Each image is fitted with one uv plane under its own
projection: the north-south and east-west axes are scaled and rotated independently.  Then the plane with the
largest likelihood for all images is found (Whittle's likelihood, multiplicative steps), with sources masked
and the blur by the window removed.  The geometric prediction of the projection (Thompson, Moran & Swenson,
Interferometry and Synthesis in Radio Astronomy, chapter 4) is printed beside the fits.
"""

import argparse
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import fft, ndimage

from benchmarks.science import real_cutouts
from benchmarks.sky.first_noise import masked_noise
from claran_core.common.files import atomic_path
from claran_core.survey.surveys import SURVEYS

# Geographic latitude of the VLA.
LATITUDE_DEG = 34.08

# Width of the central part of a cut-out, of its transform, and of the coarse plane of the fit.
WINDOW_PX, PLANE_PX, COARSE_PX = 150, 256, 96

# Views that are tried: scales of east-west and north-south baselines, and turns of either (deg).
SCALES, TURNS_DEG = np.arange(0.84, 1.17, 0.04), np.arange(-15, 15.1, 3)

# Cells of the coarse plane that are fitted: neither the sources' own scales nor what is beyond all baselines.
FITTED_CELLS = (8, 46)

# Rounds of fitting views and averaging, and steps towards the most likely plane.
ROUNDS, STEPS = 2, 14

# The shortest baselines that a window of this width tells apart, in cells of its transform.
SHORTEST_CELLS = 2.2

BANDS_DEG = (-10, 5, 15, 25, 35, 45, 55, 70)


@dataclass(frozen=True)
class Field:
    """Source-free part of one image: declination, and pixels in units of their noise, 0 where masked."""

    dec_deg: float
    noise: np.ndarray
    free: np.ndarray

    def power(self, width_px: int, plane_px: int) -> np.ndarray:
        """Return the power spectrum of the centre under a Hann window; zero frequency first."""
        window = self._window(width_px)
        transform = fft.fft2(_middle(self.noise, width_px) * window, (plane_px, plane_px))
        return np.abs(transform) ** 2 / (window**2).sum()

    def blur(self, width_px: int, plane_px: int) -> np.ndarray:
        """Return the factor of the window on the autocorrelation, by lag."""
        window = self._window(width_px)
        return fft.ifft2(np.abs(fft.fft2(window, (plane_px, plane_px))) ** 2).real / (window**2).sum()

    def _window(self, width_px: int) -> np.ndarray:
        taper = np.hanning(width_px + 2)[1:-1]
        return taper[:, None] * taper * _middle(self.free, width_px)


def _middle(image: np.ndarray, width_px: int) -> np.ndarray:
    y, x = ((size - width_px) // 2 for size in image.shape)
    return image[y : y + width_px, x : x + width_px]


def read_fields(folder: Path) -> Iterable[Field]:
    """Return the fields of real subjects that are large enough and at least half free of sources."""
    for real in real_cutouts.real_subjects(folder):
        image = real.cutout.data.astype(float)
        noise, free = masked_noise(image)
        if min(image.shape) >= WINDOW_PX and _middle(free, WINDOW_PX).mean() >= 0.5:
            yield Field(real.subject.dec_deg, noise, free)


def view(east_scale: float, north_scale: float, east_deg: float, north_deg: float) -> np.ndarray:
    """Return the matrix that projects a baseline ``(v, u)``."""
    east, north = np.deg2rad([east_deg, north_deg])
    of_north = north_scale * np.array([np.cos(north), -np.sin(north)])
    of_east = east_scale * np.array([np.sin(east), np.cos(east)])
    return np.stack([of_north, of_east], axis=1)


def moved(plane: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Return a uv plane (zero frequency first) after multiplying all baselines by `matrix`."""
    back, middle = np.linalg.inv(matrix), np.full(2, plane.shape[0] // 2)
    shifted = fft.fftshift(plane)
    return fft.ifftshift(
        ndimage.affine_transform(shifted, back, middle - back @ middle, order=1, mode="nearest")
    )


def _even(plane: np.ndarray) -> np.ndarray:
    """Return the mean of a plane and its rotation by 180 degrees, because images are real."""
    return 0.5 * (plane + np.roll(plane[::-1, ::-1], (1, 1), (0, 1)))


def _length(plane_px: int) -> np.ndarray:
    """Length of the baselines of a plane, in cells."""
    return plane_px * np.hypot(fft.fftfreq(plane_px)[:, None], fft.fftfreq(plane_px))


def fit_views(fields: list[Field]) -> tuple[np.ndarray, np.ndarray]:
    """View of each field as the arguments of `view`, ``(n, 4)``, and the mean plane, ``(96, 96)``."""
    views = np.array(list(product(SCALES, SCALES, TURNS_DEG, TURNS_DEG)))
    powers = np.stack([field.power(COARSE_PX, COARSE_PX) for field in fields])
    length = _length(COARSE_PX)
    use = (length > FITTED_CELLS[0]) & (length < FITTED_CELLS[1])
    plane = np.exp(np.log(powers + 1e-6).mean(axis=0))
    for _ in range(ROUNDS):
        smooth = _even(np.log(ndimage.gaussian_filter(plane, 0.8, mode="wrap")))
        models = np.stack([moved(smooth, view(*one))[use].astype(np.float32) for one in views])
        # Whittle's likelihood with the noise level left free.
        cost = use.sum() * np.log(powers[:, use] @ np.exp(-models).T) + models.sum(axis=1)
        fitted = views[cost.argmin(axis=1)]
        plane = np.mean(
            [moved(power, np.linalg.inv(view(*one))) for power, one in zip(powers, fitted, strict=True)],
            axis=0,
        )
    return fitted, plane


def most_likely_plane(fields: list[Field], fitted: np.ndarray, coarse: np.ndarray) -> np.ndarray:
    """Return the most likely power of the baselines, ``(256, 256)``, zero frequency first."""
    start = (np.indices((PLANE_PX, PLANE_PX)) - PLANE_PX // 2) * COARSE_PX / PLANE_PX + COARSE_PX // 2
    plane = fft.ifftshift(ndimage.map_coordinates(fft.fftshift(coarse), start, order=1, mode="nearest"))
    length = _length(PLANE_PX)
    resolved = (length > SHORTEST_CELLS * PLANE_PX / WINDOW_PX) & (length < 0.49 * PLANE_PX)
    data = [
        (field.power(WINDOW_PX, PLANE_PX), field.blur(WINDOW_PX, PLANE_PX), view(*one))
        for field, one in zip(fields, fitted, strict=True)
    ]
    for _ in range(STEPS):
        above, below = np.zeros_like(plane), np.zeros_like(plane)
        for power, blur, matrix in data:
            model = np.maximum(_blurred(moved(plane, matrix), blur), 2e-3)
            back = np.linalg.inv(matrix)
            above += moved(_blurred(np.where(resolved, power / model**2, 1 / model), blur), back)
            below += moved(_blurred(1 / model, blur), back)
        step = np.clip(np.sqrt(np.clip(above, 0, None) / below), 0.3, 3)
        plane = plane * _even(step)
    return plane


def _blurred(plane: np.ndarray, blur: np.ndarray) -> np.ndarray:
    return fft.fft2(fft.ifft2(plane).real * blur).real


def by_declination(dec_deg: np.ndarray, fitted: np.ndarray) -> pd.DataFrame:
    """Mean scales, and turns, in bands of declination, each beside the geometric prediction.

    A north-south baseline looks shorter by the cosine of the distance from the zenith.  Away from the
    meridian it turns by the sine of the latitude times the hour angle, and an east-west one by that of the
    declination.
    """
    east_scale, north_scale, east, north = fitted.T
    dec, latitude = np.deg2rad(dec_deg), np.deg2rad(LATITUDE_DEG)
    by_field = pd.DataFrame(
        {
            "fields": 1,
            "N-S scale": north_scale,
            "cos(Dec - latitude)": np.cos(dec - latitude),
            "E-W scale": east_scale,
            "N-S turn, rms deg": north**2,
            "E-W over N-S turn": east * north,
            "sin Dec / sin latitude": np.sin(dec) / np.sin(latitude),
        }
    )
    bands = by_field.groupby(pd.cut(dec_deg, BANDS_DEG, right=False), observed=True)
    table = bands.mean().assign(fields=bands.size())
    table["E-W over N-S turn"] /= table["N-S turn, rms deg"]
    table["N-S turn, rms deg"] **= 0.5
    return table.rename_axis("Dec, deg")


def main() -> None:
    """Print the views by declination; with ``--figure``, draw the plane."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--figure", type=Path, help="PNG file of the plane of baselines (logarithm of power)")
    options = parser.parse_args()
    fields = list(read_fields(options.folder))
    fitted, coarse = fit_views(fields)
    print(by_declination(np.array([field.dec_deg for field in fields]), fitted).round(2).to_string())
    if options.figure:
        plane = fft.fftshift(most_likely_plane(fields, fitted, coarse))
        figure = Figure(figsize=(6, 6), layout="constrained")
        axes = figure.subplots()
        reach = 0.5 / SURVEYS["FIRST"].pixel_scale_arcsec
        axes.imshow(np.log(plane), origin="lower", extent=(-reach, reach, -reach, reach), vmin=np.log(0.02))
        axes.set(xlabel="u, cycles per arcsec", ylabel="v, cycles per arcsec")
        with atomic_path(options.figure) as path:
            figure.savefig(path, format="png", dpi=80)


if __name__ == "__main__":
    main()
