"""Measure the autocorrelation of FIRST's noise, and make the kernel that reproduces it.

    python -m benchmarks.sky.first_noise ../shared/data                    # compare real and simulated noise
    python -m benchmarks.sky.first_noise ../shared/data --kernel FILE.csv  # make a kernel
    # correct the kernel in use
    python -m benchmarks.sky.first_noise ../shared/data --kernel FILE.csv --seed 1 --pool 2500

The autocorrelation near lag 0 is that of `first_noise_acf.npy` (6,639 source-free tiles of 1,255 FIRST
fields).  The given fields, with sources masked, continue it to larger lags; that part includes effects of the
masks, negative bowls and sidelobes.  With ``--pool`` the kernel in use is corrected by the difference between
real and simulated subjects, which share these effects.  The shipped kernel was made in these two steps.
"""

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from astropy.io import fits
from scipy import ndimage
from scipy.signal import fftconvolve

from benchmarks.sky.matching import like_real
from benchmarks.sky.samples import SubjectFacts, real_subjects
from claran_core.common.noise import noise_sigma
from claran_core.simulation.baselines import FIRST_KERNEL, KERNEL_RADIUS_PX

# Pixels within this distance of one above this many sigma are masked as sources.
SOURCE_SIGMA, SOURCE_GROWTH_PX = 4.0, 6

# Largest lag of the continued autocorrelation; it fades to nothing over the last pixels.
MAX_LAG_PX = 90
FADE_PX = (66.0, 88.0)

# The published autocorrelation is used up to the first of these lags, the measured one from the second on.
JOIN_PX = (16.0, 22.0)

# Where the power spectrum, smoothed over so many bins, is above this part of its maximum, are baselines.
SUPPORT_SMOOTHING, SUPPORT_LEVEL = 3.0, 5e-4

# Correction of the amplitude at frequencies in cycles per pixel: mean power spectra of the surroundings of
# 151 subjects over those of simulated ones made without it.  Autocorrelations of cut-outs cannot tell what is
# on scales wider than they are, where the array sees little, and the sum of two parts is not exact.
CORRECTED_AT = (0.0, 0.02, 0.034, 0.052, 0.078, 0.115, 0.16, 0.25)
CORRECTION = (0.65, 0.82, 1.06, 1.0, 0.88, 0.95, 1.02, 1.05)

# Differences between real and simulated subjects fade out between these lags.
DIFFERENCE_FADE_PX = (58.0, 80.0)

# Images with a brighter source are skipped, because sidelobes dominate their background, Jy/beam.
BRIGHTEST_JY = 0.02


def source_free(image: np.ndarray) -> np.ndarray:
    """Return which pixels of an image are free of sources; boolean ``(ny, nx)``."""
    bright = np.nan_to_num(image) > SOURCE_SIGMA * noise_sigma(image)
    return np.isfinite(image) & ~ndimage.binary_dilation(bright, iterations=SOURCE_GROWTH_PX)


def masked_background(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return an image minus its mean with sources set to 0, and which pixels are kept; ``(ny, nx)``."""
    free = source_free(image)
    return np.where(free, image - image[free].mean(), 0), free


def masked_noise(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the same as `masked_background`, in units of the noise."""
    background, free = masked_background(image)
    return background / image[free].std(), free


def masked_autocorrelation(images: Iterable[np.ndarray], max_lag_px: int) -> np.ndarray:
    """Return the mean autocorrelation outside sources; ``(2 n + 1, 2 n + 1)``, lag 0 in the centre."""
    total = np.zeros((2 * max_lag_px + 1,) * 2)
    pairs = np.zeros_like(total)
    for image in images:
        noise, free = masked_noise(image)
        for sums, values in ((total, noise), (pairs, free.astype(float))):
            correlation = fftconvolve(values, values[::-1, ::-1])
            middle = np.array(correlation.shape) // 2
            sums += correlation[tuple(slice(m - max_lag_px, m + max_lag_px + 1) for m in middle)]
    return total / pairs


def continued(near: np.ndarray, far: np.ndarray) -> np.ndarray:
    """Autocorrelation `near` lag 0, continued by `far`, which is scaled to it where they meet."""
    lag = np.hypot(*np.indices(far.shape) - far.shape[0] // 2)
    margin = (far.shape[0] - near.shape[0]) // 2
    inner = (slice(margin, -margin),) * 2
    meet = (lag[inner] > 12) & (lag[inner] < 24)
    joined = np.polyval(np.polyfit(far[inner][meet], near[meet], 1), far)
    weight = np.clip((JOIN_PX[1] - lag[inner]) / (JOIN_PX[1] - JOIN_PX[0]), 0, 1)
    joined[inner] = weight * near + (1 - weight) * joined[inner]
    return faded(joined, FADE_PX)


def faded(autocorrelation: np.ndarray, between_px: tuple[float, float]) -> np.ndarray:
    """Return an autocorrelation that fades to 0 between two lags, symmetric under rotation by 180 deg."""
    lag = np.hypot(*np.indices(autocorrelation.shape) - autocorrelation.shape[0] // 2)
    fade = np.clip((between_px[1] - lag) / (between_px[1] - between_px[0]), 0, 1)
    left = autocorrelation * (0.5 - 0.5 * np.cos(np.pi * fade))
    return 0.5 * (left + left[::-1, ::-1])


def corrected(real: Sequence[SubjectFacts], groups: Sequence[Sequence[SubjectFacts]]) -> np.ndarray:
    """Autocorrelation of the kernel in use, and what real subjects have beyond simulated ones like them."""
    wanted = masked_autocorrelation((subject.image for subject in real), MAX_LAG_PX)
    made = masked_autocorrelation((one.image for group in groups for one in group), MAX_LAG_PX)
    return autocorrelation_of(FIRST_KERNEL, MAX_LAG_PX) + faded(wanted - made, DIFFERENCE_FADE_PX)


def kernel_of(
    autocorrelation: np.ndarray, radius_px: int, correction: Sequence[float] = CORRECTION
) -> np.ndarray:
    """Symmetric kernel that gives white noise this autocorrelation, cut off at `radius_px`.

    Beyond the longest baselines there is no noise at all: what the measured power spectrum holds there, and
    what the cut-off would scatter there, is errors, and is taken out.
    """
    size, half = 4 * radius_px + 4 * MAX_LAG_PX, autocorrelation.shape[0] // 2
    plane = np.zeros((size, size))
    plane[: 2 * half + 1, : 2 * half + 1] = autocorrelation
    power = np.fft.fft2(np.roll(plane, (-half, -half), (0, 1))).real
    covered = ndimage.gaussian_filter(power, SUPPORT_SMOOTHING, mode="wrap") > SUPPORT_LEVEL * power.max()
    length = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.fftfreq(size))
    covered = covered * np.interp(length, CORRECTED_AT, correction)
    amplitude = np.sqrt(np.clip(power, 0, None)) * covered
    distance = np.hypot(*np.indices((2 * radius_px + 1,) * 2) - radius_px)
    fade = np.clip(4 * (1 - distance / radius_px), 0, 1)
    for _ in range(5):  # inside the radius and inside the support, in turn
        kernel = np.fft.fftshift(np.fft.ifft2(amplitude).real)
        middle = size // 2
        inner = (slice(middle - radius_px, middle + radius_px + 1),) * 2
        cut = np.zeros_like(kernel)
        cut[inner] = kernel[inner] * fade
        amplitude = np.fft.fft2(np.fft.ifftshift(cut)).real * (covered > 0)
    kernel = cut[inner]
    return kernel / np.sqrt((kernel**2).sum())


def autocorrelation_of(kernel: np.ndarray, max_lag_px: int) -> np.ndarray:
    """Return the autocorrelation of white noise convolved with a kernel."""
    correlation = fftconvolve(kernel, kernel[::-1, ::-1])
    middle = correlation.shape[0] // 2
    return correlation[(slice(middle - max_lag_px, middle + max_lag_px + 1),) * 2]


def read_images(folder: Path) -> Iterable[np.ndarray]:
    """Yield the real FIRST images below `folder` without a very bright source."""
    for path in sorted([*folder.glob("first_train/radio/*.fits"), *folder.glob("wide/*.fits")]):
        image = fits.getdata(path).squeeze().astype(float)
        if np.nanmax(image) < BRIGHTEST_JY:
            yield image


def main() -> None:
    """Compare real and simulated noise; with ``--kernel``, write a kernel."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder with first_train, wide and first_noise_acf.npy")
    parser.add_argument("--kernel", type=Path, help="CSV file to write the kernel to")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pool", type=int, help="correct the kernel in use by so many simulated subjects")
    options = parser.parse_args()
    near = np.load(options.folder / "first_noise_acf.npy")
    if not options.kernel:
        compare(near)
        return
    if options.pool:
        real = real_subjects(options.folder / "first_train")
        _, groups = like_real(real, seed=options.seed, n_pool=options.pool)
        kernel = kernel_of(corrected(real, groups), KERNEL_RADIUS_PX, np.ones(len(CORRECTED_AT)))
    else:
        far = masked_autocorrelation(read_images(options.folder), MAX_LAG_PX)
        kernel = kernel_of(continued(near, far), KERNEL_RADIUS_PX)
    # It is the same when turned by half a turn: one half, and the row through the middle, say it all.
    np.savetxt(options.kernel, kernel[: KERNEL_RADIUS_PX + 1], fmt="%.5f", delimiter=",")


def compare(near: np.ndarray) -> None:
    """Print lags of the published autocorrelation and of the kernel's in use."""
    half = near.shape[0] // 2
    ours = autocorrelation_of(FIRST_KERNEL, half)
    lags = np.arange(13)
    for name, rows, columns in (("x (RA)", 0 * lags, lags), ("y (Dec)", lags, 0 * lags), ("xy", lags, lags)):
        print(f"{name:8} real     ", *(f"{value:6.3f}" for value in near[half + rows, half + columns]))
        print(f"{'':8} simulated", *(f"{value:6.3f}" for value in ours[half + rows, half + columns]))
    print(f"largest difference within {half} px: {np.abs(near - ours).max():.3f}")


if __name__ == "__main__":
    main()
