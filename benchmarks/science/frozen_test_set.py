"""Hash the test set of the simulated sky, with as many sources of each class as the paper's (Table 3).

    claran simulate targets --table-3 --output table3.csv
    OMP_NUM_THREADS=1 python -m benchmarks.science.frozen_test_set table3.csv \
        --record benchmarks/science/frozen_test_set.json
    OMP_NUM_THREADS=1 python -m benchmarks.science.frozen_test_set table3.csv \
        --check benchmarks/science/frozen_test_set.json

Renders, labels and fuses (D4) all test subjects in the order of the table, and hashes the targets, the fused
images and the labels.  The hash of the images is reproducible on one machine with one set of wheels;
elsewhere single pixels may differ by one grey level.  Also prints the speed of each step on one core.
"""

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from claran_core import __version__
from claran_core.common.errors import ClaranError
from claran_core.common.noise import noise_sigma
from claran_core.common.subject import Subject, visible_in_frame
from claran_core.fusion.render import render
from claran_core.fusion.shard import make_planes
from claran_core.labels.dr1_labels import label_simulated
from claran_core.settings.config import load_config
from claran_core.settings.fusion import FusionOptions
from claran_core.simulation.provider import SimulatedProvider
from claran_core.survey.surveys import SURVEYS
from claran_core.targets.target_table import read_targets

# Decimals of the labels in the hash: boxes in pixels, positions in degrees.
DECIMALS = {"box_x1": 2, "box_y1": 2, "box_x2": 2, "box_y2": 2, "ra": 5, "dec": 5}


class Clock:
    """Seconds spent in each step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Add the time spent inside to a step."""
        start = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


def measure(targets: pd.DataFrame, seed: int, options: FusionOptions) -> tuple[dict, Clock]:
    """Hashes and counts of a set of subjects, and how long each step took."""
    radio, infrared = (SimulatedProvider(SURVEYS[name], seed=seed) for name in ("FIRST", "WISE_W1"))
    clock, images, tables = Clock(), hashlib.sha256(), []
    for target in targets.itertuples():
        window = target.ra, target.dec, options.frame.width_arcsec
        with clock.step("rendered"):
            pair = radio.cutout(target.subject_id, *window), infrared.cutout(target.subject_id, *window)
        subject = Subject.of_target(target, options.frame)
        with clock.step("labelled"):
            sigma = noise_sigma(visible_in_frame(subject, pair[0]))
            tables.append(label_simulated(subject, pair[0], radio.truth(*window), sigma=sigma))
        with clock.step("fused"):
            planes = make_planes(*pair, options.frame, ra_deg=target.ra, dec_deg=target.dec, sigma=sigma)
            images.update(render(planes, "D4", options.drawing)[0].tobytes())
    labels = pd.concat(tables, ignore_index=True)
    return {
        "version": __version__,
        "seed": seed,
        "subjects": len(targets),
        "sources": labels["morphology"].value_counts().sort_index().to_dict(),
        "sha256": {
            "targets": _hash(targets[["subject_id", "split"]]),
            "D4 images": images.hexdigest(),
            "truth": _hash(labels[["subject_id", "label_id", "morphology", *DECIMALS]].round(DECIMALS)),
        },
    }, clock


def _hash(table: pd.DataFrame) -> str:
    return hashlib.sha256(table.to_csv(index=False).encode()).hexdigest()


def main() -> int:
    """Print record and speed; with ``--check``, exit with 1 where a hash differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("targets", type=Path)
    parser.add_argument("--seed", type=int, default=load_config().seed)
    parser.add_argument("--limit", type=int, help="first so many subjects only")
    parser.add_argument("--record", type=Path, help="JSON file to write")
    parser.add_argument("--check", type=Path, help="JSON file to compare with")
    options = parser.parse_args()
    try:
        targets = read_targets(options.targets)
    except ClaranError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    targets = targets[targets["split"] == "test"].head(options.limit)
    record, clock = measure(targets, options.seed, load_config().fusion)
    text = json.dumps(record, indent=2) + "\n"
    print(text, end="")
    for name, seconds in clock.seconds.items():
        print(f"{name}: {len(targets) / seconds:.1f} subjects per second")
    if options.record:
        options.record.write_text(text, encoding="utf-8")
    if options.check:
        expected = json.loads(options.check.read_text(encoding="utf-8"))
        differs = [name for name in expected if expected[name] != record[name]]
        print("as recorded" if not differs else f"differs from the record: {', '.join(differs)}")
        return int(bool(differs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
