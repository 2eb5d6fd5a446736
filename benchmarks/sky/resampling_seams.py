"""Find seams of nearest-neighbour resampling in FIRST cut-outs, real and simulated.

    python -m benchmarks.sky.resampling_seams ../shared/data/first_train --seed 1 --pool 400

Nearest-neighbour resampling onto a slightly rotated grid copies pieces of an image and shifts each by one
pixel relative to the next.  Along the seam between two pieces, a row (or column) agrees better with the next
one after a shift by one pixel.  Differences across the seam have far more power on the smallest scales than
elsewhere, where the beam has smoothed the image.
"""

import argparse
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy import ndimage

from benchmarks.sky import samples as sky_samples
from benchmarks.sky.first_noise import masked_noise

# Difference of sixth order: of noise behind FIRST's beam it leaves next to nothing.
DIFFERENCE = np.array([1.0, -6.0, 15.0, -20.0, 15.0, -6.0, 1.0])

# A line counts with so many free pixels, and has a seam if its power is so many times the median's.
MIN_PX, SEAM_RATIO = 30, 3.2

# Zones of declination, deg.
ZONES_DEG = (0, 25, 45, 65)


def seam(image: np.ndarray) -> float:
    """The strongest seam between rows of an image in units of the noise; transpose it for columns.

    Returns
    -------
    float
        By how much the two sides of the seam agree better if shifted by one pixel: difference of their
        correlation coefficients.  NaN without a seam.
    """
    noise, free = masked_noise(image)
    valid = ndimage.binary_erosion(free, np.ones((len(DIFFERENCE),) * 2))
    n_valid = valid.sum(axis=1)
    power = np.where(valid, ndimage.correlate1d(noise, DIFFERENCE, axis=0) ** 2, 0).sum(axis=1)
    power = np.where(n_valid >= MIN_PX, power / np.maximum(n_valid, 1), np.nan)
    line = int(np.nanargmax(power))
    if power[line] <= SEAM_RATIO * np.nanmedian(power):
        return float("nan")
    return max(_gain(noise, line - 1), _gain(noise, line))


def _gain(noise: np.ndarray, line: int) -> float:
    """How much better a line agrees with the next one if that is shifted by one pixel, either way."""
    below, above = noise[line, 1:-1], noise[line + 1]
    scale = np.sqrt((below**2).sum() * (above**2).sum())
    straight, *shifted = (
        (below * above[1 + shift : above.size - 1 + shift]).sum() / scale for shift in (0, -1, 1)
    )
    return float(max(shifted) - straight)


def report(name: str, subjects: Iterable[sky_samples.SubjectFacts]) -> None:
    """Print how many images have seams, and where."""
    subjects = list(subjects)
    dec = np.array([subject.dec_deg for subject in subjects])
    for axis, turn in (("rows", np.asarray), ("columns", np.transpose)):
        gain = np.array([seam(turn(subject.image)) for subject in subjects])
        has_some = np.isfinite(gain)
        agree = np.mean(gain[has_some] > 0)
        zones = [has_some[(dec >= low) & (dec < high)].mean() for low, high in pairwise(ZONES_DEG)]
        print(
            f"{name:10} {axis:8} images with seams {has_some.mean():.2f}"
            f", by declination {' '.join(f'{zone:.2f}' for zone in zones)}"
            f"; agree better if shifted: {agree:.2f} of them"
        )


def main() -> None:
    """Print real and simulated seams."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pool", type=int, default=400, help="simulated subjects")
    options = parser.parse_args()
    report("real", sky_samples.real_subjects(options.folder))
    report("simulated", sky_samples.simulated_pool(options.seed, options.pool))


if __name__ == "__main__":
    main()
