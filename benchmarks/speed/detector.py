"""Speed of the detectors, in subjects per second and as a fraction of the speed of a matrix product.

Subjects of the simulated sky, as D4 images read from disk, go through
`claran_core.inference.infer.infer_shard`: the association network with the weights that ship, `vgg16` with
untrained ones.  The matrix product is measured in the same run.  For the association network, the processor
time outside the network is measured too, with its scores recorded, and the share of the time in which the
network waits for its input.

    python -m benchmarks.speed.detector                       # all threads, or a GPU if there is one
    python -m benchmarks.speed.detector --threads 1 --device cpu
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch.utils.flop_counter import FlopCounterMode

from claran_core.common.files import read_array
from claran_core.common.frame import Frame
from claran_core.common.subject import Subject
from claran_core.components.component_batch import ComponentBatch
from claran_core.components.component_table import NOMINAL_LEVEL
from claran_core.components.find import component_tables
from claran_core.fusion.render import render
from claran_core.fusion.shard import make_planes
from claran_core.inference.batches import read_batches
from claran_core.inference.infer import infer_shard
from claran_core.model.architectures import build_detector
from claran_core.model.association.network import AssociationNetwork
from claran_core.model.device import choose_device, reproducible
from claran_core.model.layers.detector import Detector
from claran_core.model.weights import load_weights
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


def subjects(n: int) -> tuple[np.ndarray, pd.DataFrame, pd.DataFrame]:
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
    rounds = range(-(-n // len(targets)))
    names = targets["subject_id"]
    index = pd.concat([targets[["ra", "dec"]].assign(subject_id=names + f"-{k}", flags=0) for k in rounds])
    table = pd.concat([one for one in rows if len(one)])
    components = pd.concat([table.assign(subject_id=table["subject_id"] + f"-{k}") for k in rounds])
    repeated = np.arange(n) % len(targets)
    return np.stack(images)[repeated], index.iloc[:n].reset_index(drop=True), components


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


def open_detector(architecture: str) -> Detector:
    """Return the network that ships, or one with untrained weights."""
    if architecture != "association":
        return build_detector(architecture, channel_means=MEANS).eval()
    path = REPOSITORY / "resources" / "models" / "D4.safetensors"
    return load_weights(path, method="D4", fusion_options=FUSION.pixel_options, survey=SURVEYS["FIRST"])[0]


class Shard(NamedTuple):
    """Arguments of `infer_shard`."""

    images: np.ndarray
    index: pd.DataFrame
    components: pd.DataFrame
    detector: Detector
    options: InferenceOptions
    frame: Frame


def measure(shard: Shard, threads: int) -> tuple[float, float]:
    """Return subjects per second, and operations per subject."""
    size = shard.options.batch_size
    few = shard._replace(images=shard.images[:size], index=shard.index.iloc[:size])
    infer_shard(*few, threads=threads)
    start = time.perf_counter()
    infer_shard(*shard, threads=threads)
    seconds = time.perf_counter() - start
    with FlopCounterMode(display=False) as counter:
        infer_shard(*few, threads=threads)
    return len(shard.index) / seconds, counter.get_total_flops() / size


def outside_network(shard: Shard, detector: AssociationNetwork, threads: int) -> float:
    """Return the processor time per subject of everything but the network, ms: the best of three runs."""
    network, scores = detector._scores, []

    def recorded(*arguments: Any) -> torch.Tensor:
        scores.append(network(*arguments))
        return scores[-1]

    detector._scores = recorded
    infer_shard(*shard, threads=threads)
    seconds = []
    for _ in range(3):
        again = iter(scores)
        detector._scores = lambda *_, again=again: next(again)
        start = time.process_time()
        infer_shard(*shard, threads=threads)
        seconds.append(time.process_time() - start)
    detector._scores = network
    return 1e3 * min(seconds) / len(shard.index)


def waiting(shard: Shard, device: torch.device, threads: int) -> float:
    """Return the share of the time in which the network waits for its input."""
    options, detector = shard.options, shard.detector
    components = ComponentBatch.from_table(shard.components, shard.index["subject_id"].to_numpy())
    rows = np.arange(len(shard.index))
    waited, begin = 0.0, time.perf_counter()
    with reproducible(threads):
        batches = read_batches(
            shard.images, rows, components, detector, size=options.batch_size, device=device
        )
        start = begin
        for batch in batches:
            waited += time.perf_counter() - start
            detector.detect(batch.images, batch.candidates, min_probability=0.05, nms_iou=0.3)
            start = time.perf_counter()
    return waited / (time.perf_counter() - begin)


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
    images, index, components = subjects(options.subjects)
    print(f"{device}, {options.threads} threads; PyTorch {torch.__version__}")
    peak = matrix_product_speed(device, options.threads)
    print(f"matrix product: {peak / 1e9:.0f} GFLOP/s")
    speeds = {}
    for architecture, (most, batch) in SUBJECTS[device.type].items():
        n = options.subjects if most is None else min(most, options.subjects)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "images.npy"
            np.save(path, images[:n])
            settings = InferenceOptions(
                min_snr=10, batch_size=batch, min_probability=0.05, nms_iou=0.3, device=options.device
            )
            detector = open_detector(architecture)
            shard = Shard(read_array(path), index.iloc[:n], components, detector, settings, FUSION.frame)
            speed, flops = measure(shard, options.threads)
            print(
                f"{architecture}: {speed:.2f} subjects/s, {flops / 1e9:.2f} GFLOP per subject, "
                f"{speed * flops / peak:.0%} of the matrix product"
            )
            if isinstance(detector, AssociationNetwork):
                outside = outside_network(shard, detector, options.threads)
                share = waiting(shard, device, options.threads)
                print(f"outside the network: {outside:.3f} ms of processor time per subject")
                print(f"waiting for input: {share:.1%} of the time")
        speeds[architecture] = speed
    print(f"ratio: {speeds['association'] / speeds['vgg16']:.0f}")
    return 0


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    sys.exit(main())
