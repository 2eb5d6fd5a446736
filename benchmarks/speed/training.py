"""Processor time of a training step of `vgg16`, by the precision of its layers.

Pictures of one to three round sources, drawn here, go through the steps of `claran_core.training.state`.
The best of several rounds is printed, because other work on the machine only adds time.

    python -m benchmarks.speed.training
    python -m benchmarks.speed.training --input-px 264 --pretrained vgg16.safetensors
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import torch

from claran_core.components.component_table import NO_COMPONENTS
from claran_core.model.architectures import build_detector
from claran_core.model.device import reproducible
from claran_core.model.layers.types import Truth
from claran_core.model.pretrained import load_pretrained
from claran_core.settings.config import load_config
from claran_core.training.dataset import TrainingBatch
from claran_core.training.distributed import process_group
from claran_core.training.optimizer import optimizer_options
from claran_core.training.ownership import NO_UNITS
from claran_core.training.state import TrainingState

FRAME_PX = 132
MEANS = (213.0, 45.0, 14.0)
CHANGE = (-150.0, 150.0, 100.0)  # of R, G and B at the middle of a source, in grey levels
STEPS, ROUNDS = 4, 5


def pictures(n: int, rng: np.random.Generator) -> TrainingBatch:
    """Return `n` pictures of sources with their boxes and random classes."""
    y, x = np.mgrid[:FRAME_PX, :FRAME_PX]
    images, truths = [], []
    for _ in range(n):
        image, boxes = np.tile(np.float64(MEANS), (FRAME_PX, FRAME_PX, 1)), []
        for _ in range(rng.integers(1, 4)):
            (cx, cy), width = rng.uniform(30, 100, 2), rng.uniform(8, 40)
            image += np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (width / 3) ** 2)[..., None] * CHANGE
            boxes.append([cx - width / 2, cy - width / 2, cx + width / 2, cy + width / 2])
        images.append(np.clip(image, 0, 255).astype(np.uint8))
        truths.append(Truth(torch.tensor(boxes), torch.from_numpy(rng.integers(1, 7, len(boxes)))))
    return TrainingBatch(np.stack(images), truths, [NO_COMPONENTS] * n, [NO_UNITS] * n)


def milliseconds(precision: str, options: argparse.Namespace) -> float:
    """Return the processor time of a step: the best round, ms."""
    training = load_config({"training": {"precision": precision, "batch_size": options.batch}}).training
    network = {"fc_width": options.fc_width, "input_px": options.input_px, "freeze_low": True}
    rng = np.random.default_rng(0)
    batches = [pictures(options.batch, rng) for _ in range(STEPS)]
    with reproducible(1), process_group(torch.device("cpu")) as group:
        detector = build_detector("vgg16", channel_means=MEANS, options=network).train()
        if options.pretrained is not None:
            load_pretrained(detector, options.pretrained)
        state = TrainingState(detector, optimizer_options("vgg16", "cosine"), training, 1000, group)
        rounds = [_round(state, batches) for _ in range(1 + ROUNDS)]
    return 1e3 * min(rounds[1:]) / STEPS


def _round(state: TrainingState, batches: list[TrainingBatch]) -> float:
    """Take one step with each batch; return the processor time, s."""
    start = time.process_time()
    for batch in batches:
        generators = [torch.Generator().manual_seed(k) for k in range(len(batch.images))]
        state.step(batch, generators, fraction=1.0)
    return time.process_time() - start


def main(arguments: list[str] | None = None) -> int:
    """Print one line per precision."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--fc-width", type=int, default=64, help="neurons of FC_6 and FC_7 (default: 64)")
    parser.add_argument("--input-px", type=int, default=FRAME_PX, help="width of the input (default: 132)")
    parser.add_argument("--batch", type=int, default=1, help="subjects per step (default: 1)")
    parser.add_argument("--pretrained", type=Path, help="weights to start from (default: random)")
    options = parser.parse_args(arguments)
    for precision in ("float32", "bfloat16"):
        ms = milliseconds(precision, options)
        print(f"{precision}: {ms:.0f} ms per step, {ms / options.batch:.0f} ms per image", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
