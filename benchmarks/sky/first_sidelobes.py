"""Measure the height of the uncleaned peak that would have the residual sidelobes around sources.

    python -m benchmarks.sky.first_sidelobes ../shared/data/first_train --seed 1

The sidelobes of the beam are fitted to the background around the brightest pixel of each subject.  Heights
are in units of the noise.  Simulated subjects are of all kinds around extended sources.  For stripes and
rings of the background see benchmarks/sky/radio_sky.py.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.sky import samples as sky_samples
from benchmarks.sky.first_noise import source_free
from claran_core.simulation.baselines import sidelobe_pattern

# The pattern is fitted within this distance of the peak, for peaks not farther from the middle than that.
FIT_PX, MIDDLE_PX = 40, 16

# Minimum signal to noise; fainter subjects have no detectable sidelobes.
FAINTEST_SNR = 20.0


def uncleaned_height(image: np.ndarray) -> float:
    """Return the height of the peak, in the image's unit, whose sidelobes fit the background best."""
    pattern = sidelobe_pattern()
    half = pattern.shape[0] // 2
    rows, columns = np.indices(image.shape)
    from_middle = np.hypot(rows - image.shape[0] // 2, columns - image.shape[1] // 2)
    central = np.where(from_middle < MIDDLE_PX, np.nan_to_num(image), -np.inf)
    y, x = np.unravel_index(central.argmax(), image.shape)
    use = (np.hypot(columns - x, rows - y) < FIT_PX) & source_free(image)
    model = pattern[rows[use] - y + half, columns[use] - x + half]
    model = model - model.mean()
    return float((model * (image[use] - image[use].mean())).sum() / (model**2).sum())


def summary(subjects: Sequence[sky_samples.SubjectFacts]) -> str:
    """Median, and half the width of the middle 68 %, of the heights in subjects bright enough."""
    heights = [uncleaned_height(s.image) for s in subjects if s.main.peak_snr > FAINTEST_SNR]
    low, middle, high = np.percentile(heights, [16, 50, 84])
    return f"{middle:.2f} +- {(high - low) / 2:.2f} sigma in {len(heights)} subjects"


def main() -> None:
    """Print the heights of real and simulated subjects."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pool", type=int, default=300)
    options = parser.parse_args()
    print("real:     ", summary(sky_samples.real_subjects(options.folder)))
    print("simulated:", summary(list(sky_samples.simulated_pool(options.seed, options.pool))))


if __name__ == "__main__":
    main()
