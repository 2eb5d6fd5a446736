"""What deconvolution leaves around sources: sidelobes, stripes and the depression, real and simulated.

    python benchmarks/first_sidelobes.py ../shared/data/first_train --seed 1

For each subject the background around its brightest pixel is fitted with the sidelobes of the beam (how
high an uncleaned peak would have them, in units of the noise), and averaged over rings and along the
directions of the VLA's arms.  Simulated subjects are of all kinds, around extended sources.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import sky_samples
from scipy import ndimage

from claran_core.survey.simulated.noise import STRIPE_ANGLES_DEG, sidelobe_pattern

# Pixels above this, and some around them, are source.
SOURCE_SIGMA, SOURCE_MARGIN_PX = 4.0, 5

# The pattern is fitted within this distance of the peak, for peaks not farther from the middle than that.
FIT_PX, MIDDLE_PX = 40, 16

RINGS_ARCSEC = ((25, 40), (40, 60), (60, 85))
STRIPE_RINGS_PX = ((8, 16), (16, 26), (26, 40))


def background(image: np.ndarray) -> np.ndarray:
    """Image (in units of the noise) without what is source; NaN there."""
    source = np.nan_to_num(image) > SOURCE_SIGMA
    return np.where(ndimage.binary_dilation(source, iterations=SOURCE_MARGIN_PX), np.nan, image)


def brightest(image: np.ndarray) -> tuple[int, int]:
    """Column and row of the brightest pixel near the middle."""
    distance = np.hypot(*np.indices(image.shape) - image.shape[0] // 2)
    row, column = np.unravel_index(
        np.argmax(np.where(distance < MIDDLE_PX, np.nan_to_num(image), -np.inf)), image.shape
    )
    return int(column), int(row)


def uncleaned_height(image: np.ndarray) -> float:
    """Height of a peak, in units of the noise, whose sidelobes fit the background best."""
    pattern, (x, y) = sidelobe_pattern(), brightest(image)
    half = pattern.shape[0] // 2
    rows, columns = np.indices(image.shape)
    near = np.hypot(columns - x, rows - y) < FIT_PX
    model = pattern[(rows - y + half).clip(0, 2 * half), (columns - x + half).clip(0, 2 * half)]
    sky = background(image)
    use = near & np.isfinite(sky)
    model, sky = model[use] - model[use].mean(), sky[use] - sky[use].mean()
    return float((model * sky).sum() / (model**2).sum())


def ring_means(image: np.ndarray) -> list[float]:
    """Mean background in rings around the brightest pixel."""
    x, y = brightest(image)
    distance = 1.8 * np.hypot(*np.indices(image.shape) - np.array([y, x])[:, None, None])
    sky = background(image)
    return [float(np.nanmean(sky[(distance >= a) & (distance < b)])) for a, b in RINGS_ARCSEC]


def stripe_contrast(image: np.ndarray) -> list[float]:
    """Mean background on the stripes through the brightest pixel, less that between them, in rings."""
    x, y = brightest(image)
    rows, columns = np.indices(image.shape)
    dx, dy = columns - x, rows - y
    on = np.zeros(image.shape, bool)
    for angle in np.deg2rad(STRIPE_ANGLES_DEG):
        on |= np.abs(dx * np.sin(angle) - dy * np.cos(angle)) < 2
    sky, distance = background(image), np.hypot(dx, dy)
    rings = [(distance >= a) & (distance < b) for a, b in STRIPE_RINGS_PX]
    return [float(np.nanmean(sky[ring & on]) - np.nanmean(sky[ring & ~on])) for ring in rings]


def summary(subjects: Sequence[sky_samples.SubjectFacts]) -> dict[str, tuple[float, float]]:
    """Median and half the width of the middle 68 % of each quantity."""
    rows = [
        [uncleaned_height(s.image), *ring_means(s.image), *stripe_contrast(s.image)]
        for s in subjects
        if s.main.peak_snr > 20
    ]
    names = (
        ["uncleaned height, sigma"]
        + [f"background at {a}-{b} arcsec, sigma" for a, b in RINGS_ARCSEC]
        + [f"stripes at {a}-{b} px, sigma" for a, b in STRIPE_RINGS_PX]
    )
    low, middle, high = np.nanpercentile(rows, [16, 50, 84], axis=0)
    return {
        name: (float(m), float((h - a) / 2)) for name, a, m, h in zip(names, low, middle, high, strict=True)
    }


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pool", type=int, default=300)
    options = parser.parse_args()
    real = summary(sky_samples.real_subjects(options.folder))
    simulated = summary(list(sky_samples.simulated_pool(options.seed, options.pool)))
    print(f"{'':36} {'real':>14} {'simulated':>14}")
    for name, (middle, width) in real.items():
        ours = simulated[name]
        print(f"{name:36} {middle:7.3f} ±{width:5.3f} {ours[0]:7.3f} ±{ours[1]:5.3f}")


if __name__ == "__main__":
    main()
