"""Speed of the detectors, in subjects per second and as a fraction of the speed of a matrix product.

Subjects of the simulated sky, as D4 images read from disk, go through
`claran_core.inference.infer.infer_shard` with untrained weights, on which the speed hardly depends.  The
matrix product is measured in the same run.

    python -m benchmarks.speed.detector                       # all threads, or a GPU if there is one
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

from claran_core.common.files import read_array
from claran_core.common.subject import Subject
from claran_core.components.component_table import NOMINAL_LEVEL, components_by_subject
from claran_core.components.find import component_tables
from claran_core.fusion.render import render
from claran_core.fusion.shard import make_planes
from claran_core.inference.infer import batches, infer_shard
from claran_core.model.architectures import build_detector
from claran_core.model.device import choose_device, reproducible
from claran_core.settings.config import load_config
from claran_core.settings.inference import InferenceOptions
from claran_core.simulation.provider import SimulatedProvider
from claran_core.survey.surveys import SURVEYS
from claran_core.targets.target_table import read_targets

REPOSITORY = Path(__file__).resolve().parents[2]
TARGETS = REPOSITORY / "resources" / "demo" / "targets.csv"
SEED = 20181031
FUSION = load_config().fusion
MEANS = (213.0, 45.0, 14.0)

# Side of the square matrices, and number of their products.
MATRIX, REPEATS = {"cpu": 2048, "cuda": 8192}, 10

# Number of different subjects; a larger number repeats them.
DRAWN = 512

# Per device, largest number of subjects and batch size of each architecture.
SUBJECTS = {
    "cpu": {"association": (None, 16), "vgg16": (6, 2)},
    "cuda": {"association": (None, 256), "vgg16": (512, 16)},
}


def subjects(n: int) -> tuple[np.ndarray, pd.DataFrame, dict]:
    """Return images, index and components of `n` subjects of the demonstration."""
    sources = [SimulatedProvider(SURVEYS[name], seed=SEED) for name in ("FIRST", "WISE_W1")]
    targets = read_targets(TARGETS)
    targets = targets.sample(min(n, DRAWN), random_state=0)
    images, rows = [], []
    for target in targets.itertuples():
        window = target.ra, target.dec, FUSION.frame.width_arcsec
        radio, infrared = (source.cutout(target.subject_id, *window) for source in sources)
        subject = Subject(target.subject_id, target.ra, target.dec, "none", FUSION.frame)
        found = component_tables([(subject, radio, (NOMINAL_LEVEL,))], FUSION.frame)
        rows.append(found.components)
        sigma = found.noise["sigma"][0]
        planes = make_planes(radio, infrared, FUSION.frame, ra_deg=target.ra, dec_deg=target.dec, sigma=sigma)
        images.append(render(planes, "D4", FUSION.drawing)[0])
    repeated = np.arange(n) % len(targets)
    index = targets[["subject_id", "ra", "dec"]].assign(flags=0).iloc[repeated].reset_index(drop=True)
    return (
        np.stack(images)[repeated],
        index,
        components_by_subject(pd.concat([table for table in rows if len(table)])),
    )


def matrix_product_speed(device: torch.device, threads: int) -> float:
    """Return the operations per second of a large matrix product (float32)."""
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
    architecture: str, n: int, batch_size: int, inputs: tuple, device: str, threads: int
) -> tuple[float, float, float]:
    """Return subjects per second, operations per subject, and the fraction of the time spent on reading."""
    images, index, components = inputs
    detector = build_detector(architecture, channel_means=MEANS).eval()
    options = InferenceOptions(batch_size=batch_size, min_probability=0.05, nms_iou=0.3, device=device)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "images.npy"
        np.save(path, images[:n])
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
    """Print one line per architecture, and the ratio of their speeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--subjects", type=int, default=512, help="number of subjects; vgg16 gets fewer (default: 512)"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: auto)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="CPU threads")
    options = parser.parse_args(arguments)
    device = choose_device(options.device)
    inputs = subjects(options.subjects)
    print(f"{device}, {options.threads} threads; PyTorch {torch.__version__}")
    peak = matrix_product_speed(device, options.threads)
    print(f"matrix product: {peak / 1e9:.0f} GFLOP/s")
    speeds = {}
    for architecture, (most, batch) in SUBJECTS[device.type].items():
        n = options.subjects if most is None else min(most, options.subjects)
        speed, flops, reading = measure(architecture, n, batch, inputs, options.device, options.threads)
        speeds[architecture] = speed
        print(
            f"{architecture}: {speed:.2f} subjects/s, {flops / 1e9:.2f} GFLOP per subject, "
            f"{speed * flops / peak:.0%} of the matrix product, {reading:.1%} of the time for reading"
        )
    print(f"ratio: {speeds['association'] / speeds['vgg16']:.0f}")
    return 0


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    sys.exit(main())
