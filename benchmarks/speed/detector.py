"""How fast the detectors are on this machine, in subjects per second, and what share of the limit that is.

Subjects of the simulated sky, drawn as D4 and read from disk, go through
`claran_core.inference.infer.infer_shard` with untrained weights (speed hardly depends on them).  The limit
is a matrix product measured beside it, in the same run.

    python -m benchmarks.speed.detector                       # all threads, or a GPU where there is one
    python -m benchmarks.speed.detector --threads 1 --device cpu
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.utils.flop_counter import FlopCounterMode

from claran_core.common.files import read_array, write_array
from claran_core.common.subject import Subject
from claran_core.common.tables import COMPONENTS
from claran_core.components.component_table import NOMINAL_LEVEL, component_rows, components_by_subject
from claran_core.fusion.render import render
from claran_core.fusion.shard import make_planes
from claran_core.inference.infer import batches, infer_shard
from claran_core.model.architectures import build_detector
from claran_core.model.device import choose_device, reproducible
from claran_core.settings.config import FusionOptions, InferenceOptions
from claran_core.simulation.provider import SimulatedProvider
from claran_core.survey.surveys import SURVEYS
from claran_core.targets.target_table import read_targets

REPOSITORY = Path(__file__).resolve().parents[2]
TARGETS = REPOSITORY / "resources" / "demo" / "targets.csv"
SEED = 20181031
FUSION = FusionOptions()
MEANS = (213.0, 45.0, 14.0)

# Side of the square matrices whose product is the limit, and how often it is repeated.
MATRIX, REPEATS = {"cpu": 2048, "cuda": 8192}, 10

# Subjects drawn; where more are asked for, they are these again.
DRAWN = 512

# Per device, how many subjects each architecture gets at most, and how many at a time.
SUBJECTS = {
    "cpu": {"association": (None, 16), "vgg16": (6, 2)},
    "cuda": {"association": (None, 256), "vgg16": (512, 16)},
}


def subjects(n: int) -> tuple[np.ndarray, pd.DataFrame, dict]:
    """Images, index and components of `n` subjects of the demonstration."""
    sources = [SimulatedProvider(SURVEYS[name], seed=SEED) for name in ("FIRST", "WISE_W1")]
    targets = read_targets(TARGETS)
    targets = targets.sample(min(n, DRAWN), random_state=0)
    images, rows = [], []
    for target in targets.itertuples():
        window = target.ra, target.dec, FUSION.frame.width_arcsec
        radio, infrared = (source.cutout(target.subject_id, *window) for source in sources)
        planes = make_planes(radio, infrared, FUSION.frame, ra_deg=target.ra, dec_deg=target.dec)
        images.append(render(planes, "D4", FUSION.drawing)[0])
        subject = Subject(target.subject_id, target.ra, target.dec, "none", FUSION.frame)
        rows += component_rows(subject, radio, (NOMINAL_LEVEL,))
    again = np.arange(n) % len(targets)
    index = targets[["subject_id", "ra", "dec"]].assign(flags=0).iloc[again].reset_index(drop=True)
    return np.stack(images)[again], index, components_by_subject(pd.DataFrame(rows, columns=COMPONENTS.names))


def limit(device: torch.device, threads: int) -> float:
    """Operations per second of a large matrix product (float32)."""
    with reproducible(threads):
        side = MATRIX[device.type]
        a = torch.rand(side, side, device=device)
        a @ a
        _wait(device)
        start = time.perf_counter()
        for _ in range(REPEATS):
            a @ a
        _wait(device)
        return REPEATS * 2 * side**3 / (time.perf_counter() - start)


def measure(
    architecture: str, n: int, batch_size: int, everything: tuple, device: str, threads: int
) -> tuple[float, float, float]:
    """Subjects per second, reading included; operations per subject; share of the time spent on reading."""
    images, index, components = everything
    detector = build_detector(architecture, channel_means=MEANS).eval()
    options = InferenceOptions(batch_size=batch_size, min_probability=0.05, nms_iou=0.3, device=device)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "images.npy"
        write_array(path, images[:n])
        shard = read_array(path), index.iloc[:n], components, detector, options, FUSION.frame
        infer_shard(shard[0][:batch_size], index.iloc[:batch_size], *shard[2:], threads=threads)
        start = time.perf_counter()
        infer_shard(*shard, threads=threads)
        seconds = time.perf_counter() - start
        start = time.perf_counter()
        for _ in batches(shard[0], np.arange(n), batch_size, choose_device(device)):
            pass
        _wait(choose_device(device))
        reading = time.perf_counter() - start
        with FlopCounterMode(display=False) as counter:
            infer_shard(shard[0][:batch_size], index.iloc[:batch_size], *shard[2:], threads=threads)
    return n / seconds, counter.get_total_flops() / batch_size, reading / seconds


def main(arguments: list[str] | None = None) -> int:
    """Print a line per architecture, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--subjects", type=int, default=512, help="for association; vgg16 gets fewer")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args(arguments)
    device = choose_device(options.device)
    everything = subjects(options.subjects)
    print(f"{device}, {options.threads} threads; PyTorch {torch.__version__}")
    peak = limit(device, options.threads)
    print(f"matrix product: {peak / 1e9:.0f} GFLOP/s")
    speeds = {}
    for architecture, (most, batch) in SUBJECTS[device.type].items():
        n = options.subjects if most is None else min(most, options.subjects)
        speed, flops, reading = measure(architecture, n, batch, everything, options.device, options.threads)
        speeds[architecture] = speed
        print(
            f"{architecture}: {speed:.2f} subjects/s, {flops / 1e9:.2f} GFLOP each, "
            f"{speed * flops / peak:.0%} of the matrix product, {reading:.1%} of the time for input"
        )
    print(f"ratio: {speeds['association'] / speeds['vgg16']:.0f}")
    return 0


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    sys.exit(main())
