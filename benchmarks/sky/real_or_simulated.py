"""Train a small network to distinguish real FIRST subjects from simulated ones.

    python -m benchmarks.sky.real_or_simulated ../shared/data/first_train --seed 1 --pool 2500
    python -m benchmarks.sky.real_or_simulated ../shared/data/first_train --part sources background

Each real subject is compared with simulated ones of the same class, brightness and extent.  The input of the
network is the native pixels around the subject in units of the noise.  It is trained on one half of the real
subjects and tested on the other, both ways, with several initial weights.  As a control, it must recognise a
wrong sky (white noise convolved with a 5.4" beam in place of FIRST's noise).  ``--part`` restricts the input
to parts of the images, to find what the network uses.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage
from torch import nn

from benchmarks.sky import samples as sky_samples
from benchmarks.sky.first_noise import masked_background, source_free
from benchmarks.sky.matching import SIMULATED_PER_REAL, matched
from claran_core.common.constants import FWHM_PER_SIGMA

EPOCHS = 30
BATCH = 32
SETS_OF_WEIGHTS = 3

# Smoothing (sigma) that tells small scales of the background from large ones, px.
SCALE_PX = 3.0
# Large scales are shown by so much stronger than they are, about as strong as the rest.
LARGE_SCALES_BY = 4.0


def network() -> nn.Module:
    """Four convolutions, then the mean and the maximum over the image."""

    def block(n_in: int, n_out: int) -> list[nn.Module]:
        return [nn.Conv2d(n_in, n_out, 3, padding=1), nn.BatchNorm2d(n_out), nn.ReLU(), nn.MaxPool2d(2)]

    return nn.Sequential(
        *block(1, 12), *block(12, 16), *block(16, 24), *block(24, 32),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.3), nn.Linear(32, 1),
    )  # fmt: skip


def stretch(images: Sequence[np.ndarray]) -> torch.Tensor:
    """Images in units of the noise as the network sees them, blank pixels at zero; ``(n, 1, ny, nx)``."""
    stack = np.arcsinh(np.nan_to_num(np.stack(images)))
    return torch.from_numpy(stack.astype(np.float32))[:, None]


def turned(batch: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Flip and rotate a batch by random multiples of 90 degrees, so that stripe directions do not matter."""
    flip, half = (torch.randint(0, 2, (2,), generator=generator)).tolist()
    batch = batch.flip(-1) if flip else batch
    return batch.flip(-2) if half else batch


def train(images: torch.Tensor, is_real: torch.Tensor, seed: int) -> nn.Module:
    """Train a network to give real images a high score."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    model = network()
    weight = torch.where(is_real > 0, 0.5 / is_real.sum(), 0.5 / (1 - is_real).sum()) * len(is_real)
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-2)
    steps = EPOCHS * (len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps)
    for _ in range(EPOCHS):
        order = torch.randperm(len(images), generator=generator)
        for start in range(0, len(images) - BATCH + 1, BATCH):
            k = order[start : start + BATCH]
            score = model(turned(images[k], generator))[:, 0]
            loss = nn.functional.binary_cross_entropy_with_logits(score, is_real[k], weight=weight[k])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return model.eval()


def area_under_curve(real: np.ndarray, simulated: np.ndarray) -> float:
    """Chance that a real subject scores above a simulated one."""
    return float((real[:, None] > simulated).mean() + 0.5 * (real[:, None] == simulated).mean())


def out_of_fold(
    real: Sequence[np.ndarray], simulated: Sequence[Sequence[np.ndarray]], seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Scores of all real and all simulated images by networks that have not seen them."""
    half = np.random.default_rng(seed).permutation(len(real)) % 2
    scores_real, scores_simulated = [], []
    for fold in (0, 1):
        seen, new = np.flatnonzero(half != fold), np.flatnonzero(half == fold)
        images = [real[k] for k in seen] + [image for k in seen for image in simulated[k]]
        is_real = torch.tensor([1.0] * len(seen) + [0.0] * (len(images) - len(seen)))
        model = train(stretch(images), is_real, seed)
        with torch.no_grad():
            scores_real.append(model(stretch([real[k] for k in new]))[:, 0].numpy())
            others = [image for k in new for image in simulated[k]]
            scores_simulated.append(model(stretch(others))[:, 0].numpy())
    return np.concatenate(scores_real), np.concatenate(scores_simulated)


def discriminate(
    real: Sequence[np.ndarray], simulated: Sequence[Sequence[np.ndarray]], n_weights: int
) -> np.ndarray:
    """Area under the curve of each set of initial weights."""
    return np.array([area_under_curve(*out_of_fold(real, simulated, seed)) for seed in range(n_weights)])


def sources(image: np.ndarray) -> np.ndarray:
    """An image with its background at zero."""
    return np.where(source_free(image), 0, image)


def scales(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Small and large scales of the background; sources weigh nothing, and are at zero."""
    background, free = masked_background(image)
    weight = ndimage.gaussian_filter(free.astype(float), SCALE_PX)
    large = np.where(free, ndimage.gaussian_filter(background, SCALE_PX) / np.maximum(weight, 0.05), 0)
    return background - large, large


# What of an image the network may be shown.
PARTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "all": np.asarray,
    "sources": sources,
    "background": lambda image: masked_background(image)[0],
    "small-scales": lambda image: scales(image)[0],
    "large-scales": lambda image: LARGE_SCALES_BY * scales(image)[1],
}


def wrong_sky(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A subject's bright pixels on white noise through a 5.4" beam."""
    noise = ndimage.gaussian_filter(rng.standard_normal(image.shape), 5.4 / 1.8 / FWHM_PER_SIGMA)
    source = ndimage.gaussian_filter(np.where(np.nan_to_num(image) > 4, image, 0), 0.6)
    return source + noise / noise.std()


def main() -> None:
    """Print the areas under the curve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pool", type=int, default=2500, help="simulated subjects to choose from")
    parser.add_argument("--no-control", action="store_true")
    parser.add_argument("--weights", type=int, default=SETS_OF_WEIGHTS)
    parser.add_argument("--part", nargs="+", choices=PARTS, default=["all"], help="show this alone")
    options = parser.parse_args()
    real = sky_samples.real_subjects(options.folder)
    pool = list(sky_samples.simulated_pool(options.seed, options.pool))
    groups = matched(real, pool, SIMULATED_PER_REAL)
    images, simulated = [s.image for s in real], [[s.image for s in group] for group in groups]
    print(f"{len(images)} real, {sum(map(len, simulated))} simulated subjects")
    for name in options.part:
        part = PARTS[name]
        shown = [part(image) for image in images], [[part(image) for image in group] for group in simulated]
        report(f"area under the curve, {name}", discriminate(*shown, options.weights))
    if not options.no_control:
        rng = np.random.default_rng(0)
        wrong = [[wrong_sky(image, rng) for image in group] for group in simulated]
        report("against a wrong sky", discriminate(images, wrong, options.weights))


def report(what: str, areas: np.ndarray) -> None:
    """Print the mean of areas under the curve, and each."""
    print(f"{what}: {areas.mean():.3f} ({', '.join(f'{area:.3f}' for area in areas)})", flush=True)


if __name__ == "__main__":
    main()
