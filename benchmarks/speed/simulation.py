"""Processor time to render subjects of the simulated sky and to label them, on one core.

OMP_NUM_THREADS=1 python -m benchmarks.speed.simulation --subjects 300

The subjects are targets of the demonstration, spread over the sky, so nothing computed for one serves
another.  Each needs a FIRST and a W1 cut-out, and labels: the sources whose emission reaches the cut-out and
the DR1 rule.  As in a run, labels are made apart from the cut-outs, in a process that has rendered nothing.
The yardstick is a product of float32 matrices.
"""

import argparse
import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from claran_core.common.cutout import Cutout
from claran_core.common.frame import Frame
from claran_core.common.paths import REPOSITORY
from claran_core.common.subject import Subject
from claran_core.labels.dr1_labels import label_simulated
from claran_core.settings.config import load_config
from claran_core.simulation.provider import SimulatedProvider
from claran_core.survey.surveys import SURVEYS

FRAME = Frame()
TASKS = ("FIRST", "WISE_W1", "pair", "truth", "label")
PRODUCT, TRIES = 1024, 15
SECONDS_TO_MS = 1e3

# Subjects rendered before the measurement: they load compiled functions.
FIRST_SUBJECTS = 5


def chosen_subjects(table: Path, n: int) -> list[Subject]:
    """Return `n` targets drawn from a table, and before them `FIRST_SUBJECTS` others."""
    targets = pd.read_csv(table).sample(n + FIRST_SUBJECTS, random_state=1)
    rows = targets[["subject_id", "ra", "dec"]].itertuples(index=False, name=None)
    return [Subject(name, ra, dec, "none", FRAME) for name, ra, dec in rows]


def processor_time(task: Callable[[Subject], object], subjects: list[Subject]) -> float:
    """Return the ms per subject of a task, without the first subjects."""
    for subject in subjects[:FIRST_SUBJECTS]:
        task(subject)
    started = time.process_time()
    for subject in subjects[FIRST_SUBJECTS:]:
        task(subject)
    return (time.process_time() - started) / (len(subjects) - FIRST_SUBJECTS) * SECONDS_TO_MS


def cut_out(sky: SimulatedProvider, subject: Subject) -> Cutout:
    """Return the cut-out of a subject."""
    cutout = sky.cutout(subject.subject_id, subject.ra_deg, subject.dec_deg, FRAME.width_arcsec)
    assert isinstance(cutout, Cutout)  # the simulated sky has an image everywhere
    return cutout


def radio_images(subjects: list[Subject]) -> list[Cutout]:
    """Return the FIRST cut-outs of subjects."""
    sky = SimulatedProvider(SURVEYS["FIRST"], seed=load_config().seed)
    return [cut_out(sky, subject) for subject in subjects]


def measure(task: str, subjects: list[Subject], cutouts: list[Cutout]) -> float:
    """Return the ms per subject of one of the `TASKS`; `cutouts` are those of `radio_images`."""
    seed = load_config().seed
    radio, infrared = (SimulatedProvider(SURVEYS[name], seed=seed) for name in ("FIRST", "WISE_W1"))
    if task in ("FIRST", "WISE_W1"):
        return processor_time(lambda one: cut_out(radio if task == "FIRST" else infrared, one), subjects)
    if task == "pair":
        return processor_time(lambda one: (cut_out(radio, one), cut_out(infrared, one)), subjects)
    window = FRAME.width_arcsec
    if task == "truth":
        return processor_time(lambda one: radio.truth(one.ra_deg, one.dec_deg, window), subjects)
    images = dict(zip(subjects, cutouts, strict=True))
    return processor_time(
        lambda one: label_simulated(one, images[one], radio.truth(one.ra_deg, one.dec_deg, window)), subjects
    )


def yardstick() -> float:
    """Return the shortest processor time of a matrix product, ms."""
    matrix = np.random.default_rng(2).normal(size=(PRODUCT, PRODUCT)).astype(np.float32)
    times = []
    for _ in range(TRIES):
        started = time.process_time()
        matrix @ matrix
        times.append(time.process_time() - started)
    return min(times) * SECONDS_TO_MS


def main() -> None:
    """Print the time of each task, alone and over the yardstick."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--subjects", type=int, default=300, help="number of subjects (300)")
    parser.add_argument("--targets", type=Path, default=REPOSITORY / "resources/demo/targets.csv")
    options = parser.parse_args()
    subjects, product = chosen_subjects(options.targets, options.subjects), yardstick()
    # Each in a process of its own, because a sky keeps what it has computed.
    start = multiprocessing.get_context("spawn")
    with start.Pool(1) as fresh:
        cutouts = fresh.apply(radio_images, (subjects,))
    for task in TASKS:
        with start.Pool(1) as fresh:
            ms = fresh.apply(measure, (task, subjects, cutouts))
        rate = f", {SECONDS_TO_MS / ms:.0f} pairs per second" if task == "pair" else ""
        print(f"{task:8} {ms:6.2f} ms per subject, {ms / product:5.2f} products{rate}", flush=True)
    print(f"product of float32 matrices {PRODUCT} x {PRODUCT}: {product:.2f} ms")


if __name__ == "__main__":
    main()
