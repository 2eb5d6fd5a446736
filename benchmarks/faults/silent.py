"""Swap and damage files by the hundred, and count those that change the catalogue without a word.

    OMP_NUM_THREADS=1 python -m benchmarks.faults.silent

A small run on the simulated sky is the reference; a second one has another seed, and the reference is scored
again with other weights.  Each trial puts a file of another shard, seed, method or weights in the place of
one, or flips one bit of it.  Then the jobs that read the file and those behind them are executed, and, in a
trial of its own, only the job that assembles the catalogue.  A trial is `refused` if a job fails,
`harmless` if the products are those of the reference, else `silent`.  The jobs are executed in this process,
with the files and settings that Snakemake plans, because a workflow for each trial would take hours.
"""

import argparse
import contextlib
import io
import logging
import os
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import yaml

from benchmarks.faults.jobs import execute, planned_jobs
from benchmarks.faults.trial import Trial
from claran_core.catalogue.product.validate import validate_catalogue
from claran_core.catalogue.product.validate_run import validate_run
from claran_core.common.calibration import Calibration
from claran_core.common.errors import ClaranError
from claran_core.common.files import read_table
from claran_core.common.paths import REPOSITORY, Results
from claran_core.model.weights import calibrate_weights

__all__ = ["main"]

SETTINGS = {
    "shard_size": 4,
    "fusion": {"methods": ["D4", "D1"]},
    "evaluation": {"bootstrap": 20},
    "report": {"gallery_size": 4},
}
N_TARGETS = 8
PRODUCTS = ("catalogue/catalogue.parquet", "catalogue/outcomes.parquet")
SHARDS = ("00000", "00001")

# Files of one shard that are exchanged alone or together.
KINDS = {
    "targets": ["targets/{}.parquet"],
    "radio": ["cutouts/{}/radio.arrow"],
    "infrared": ["cutouts/{}/infrared.arrow"],
    "ledger": ["cutouts/{}/ledger.parquet"],
    "components": ["components/{}.parquet"],
    "noise": ["components/{}.noise.parquet"],
    "images": ["fused/D4/{}.npy"],
    "index": ["fused/D4/{}.parquet"],
    "candidates": ["candidates/D4/{}.parquet"],
    "associated": ["catalogue/associated/{}.parquet"],
    "sources": ["catalogue/sources/{}.parquet"],
}
GROUPS = [
    ["radio", "infrared", "ledger"],
    ["components", "noise"],
    ["images", "index"],
    ["components", "noise", "images", "index", "candidates"],
    ["associated", "sources"],
    ["targets", "radio", "infrared", "ledger"],
]
# Files of the whole run.
WHOLE = ["targets.parquet", "catalogue/ledger.parquet", "catalogue/atoms.parquet"]
# Files of one shard and of the run that jobs read.
FILES = [path.format(SHARDS[0]) for paths in KINDS.values() for path in paths] + WHOLE


class Runs:
    """The reference, its variants, and the folder in which trials are made."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.reference = make_run(root / "reference", seed=1)
        self.other_seed = make_run(root / "seed", seed=2)
        self.jobs = planned_jobs(self.reference.folder, "catalogue")
        self.other_weights = self._score_again()
        self.trial = Trial(root / "trial")
        shutil.copytree(self.reference.folder, self.trial.folder)

    def _score_again(self) -> Trial:
        """Copy the reference, and score its candidates with other weights."""
        trial = Trial(self.root / "weights")
        shutil.copytree(self.reference.folder, trial.folder)
        weights = trial.folder / "weights.safetensors"
        for job in self.jobs:
            if job.rule == "infer":
                shutil.copy(job.input.weights, weights)
                calibrate_weights(weights, Calibration(((0.1, 0.3), (0.9, 0.7))))
                job = SimpleNamespace(**vars(job))
                job.input = job.input.changed(weights=str(weights))
                execute(job, trial.folder)
        return trial

    def restore(self) -> None:
        """Make the folder of trials equal to the reference."""
        shutil.rmtree(self.trial.results)
        shutil.copytree(self.reference.results, self.trial.results)

    def readers(self, names: Sequence[str]) -> list[SimpleNamespace]:
        """Return the jobs that read some files, and those behind them."""
        changed = {str(Path("results") / name) for name in names}
        found = []
        for job in self.jobs:
            if changed & set(job.inputs):
                found.append(job)
                changed |= set(job.outputs)
        return found


def make_run(folder: Path, *, seed: int) -> Trial:
    """Make a small run on the simulated sky."""
    folder.mkdir(parents=True)
    targets = pd.read_csv(REPOSITORY / "resources/demo/targets.csv").sample(N_TARGETS, random_state=0)
    targets.to_csv(folder / "targets.csv", index=False)
    settings: dict[str, Any] = {**SETTINGS, "seed": seed, "targets": {"path": "targets.csv"}}
    (folder / "settings.yaml").write_text(yaml.safe_dump(settings))
    for job in planned_jobs(folder, "catalogue", "fusion"):
        if not execute(job, folder):
            raise SystemExit(f"{folder}: the job {job.rule} failed")
    return Trial(folder)


def outcome(runs: Runs, jobs: Sequence[SimpleNamespace]) -> str:
    """Execute jobs in the folder of trials; return ``refused``, ``harmless`` or ``silent``."""
    for job in jobs:
        if not execute(job, runs.trial.folder):
            return "refused"
    return "harmless" if equal_products(runs) else "silent"


def equal_products(runs: Runs) -> bool:
    """Return whether the rows of the products are those of the reference."""
    pairs = ((run.results / name for run in (runs.trial, runs.reference)) for name in PRODUCTS)
    return all(read_table(one).equals(read_table(other)) for one, other in pairs)


def swaps(runs: Runs) -> Iterator[tuple[str, dict[str, Path]]]:
    """Yield the name of each swap, and what is put in the place of which files."""
    groups = [[name] for name in KINDS] + GROUPS
    for group in groups:
        paths = [path for name in group for path in KINDS[name]]
        for own, other in (SHARDS, SHARDS[::-1]):
            of_other = {path.format(own): runs.reference.results / path.format(other) for path in paths}
            yield "other shard", of_other
            yield "other seed", {p.format(own): runs.other_seed.results / p.format(own) for p in paths}
            if own < other:
                back = {path.format(other): runs.reference.results / path.format(own) for path in paths}
                yield "two shards exchanged", of_other | back
    for shard in SHARDS:
        for group in (["images"], ["index"], ["images", "index"]):
            paths = [KINDS[name][0].format(shard) for name in group]
            yield "other method", {path: runs.reference.results / path.replace("D4", "D1") for path in paths}
        path = KINDS["candidates"][0].format(shard)
        yield "other weights", {path: runs.other_weights.results / path}
    both = [KINDS["candidates"][0].format(shard) for shard in SHARDS]
    yield "other weights", {path: runs.other_weights.results / path for path in both}
    for path in WHOLE:
        yield "other seed", {path: runs.other_seed.results / path}


def flipped(path: Path, bit: int) -> bytes:
    """Return the content of a file with one bit changed."""
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    return bytes(content)


def try_swaps(runs: Runs) -> Counter:
    """Try all swaps; return the number of trials by kind and outcome."""
    counts: Counter = Counter()
    assembly = [job for job in runs.jobs if job.rule == "build_catalogue"]
    for kind, places in swaps(runs):
        if all(
            (runs.reference.results / name).read_bytes() == path.read_bytes() for name, path in places.items()
        ):
            continue
        for jobs in (runs.readers(list(places)), assembly):
            runs.restore()
            for name, path in places.items():
                shutil.copy(path, runs.trial.results / name)
            found = outcome(runs, jobs)
            counts[kind, found] += 1
            if found == "silent":
                print(f"silent: {kind}: {', '.join(places)}; {jobs[0].rule} and later", flush=True)
    return counts


def flips(runs: Runs, name: str, chosen: random.Random, n: int) -> Iterator[int]:
    """Flip `n` random bits of a file, one after the other in a restored run, and yield each."""
    reference = runs.reference.results / name
    for bit in chosen.sample(range(8 * reference.stat().st_size), n):
        runs.restore()
        (runs.trial.results / name).write_bytes(flipped(reference, bit))
        yield bit


def try_flips(runs: Runs, n_per_file: int) -> Counter:
    """Flip bits of each file that a job reads; return the number of trials by kind and outcome."""
    counts: Counter = Counter()
    chosen = random.Random(1)
    for name in FILES:
        for bit in flips(runs, name, chosen, n_per_file):
            found = outcome(runs, runs.readers([name]))
            counts["flipped bit", found] += 1
            if found == "silent":
                print(f"silent: bit {bit} of {name}", flush=True)
    return counts


def try_validation(runs: Runs, n_per_file: int) -> Counter:
    """Flip bits of the products and of all other files; return how often validation says nothing."""
    counts: Counter = Counter()
    chosen = random.Random(2)
    checks: list[tuple[str, str, Callable[[], list[str]]]] = [
        (
            "flipped bit, claran validate",
            PRODUCTS[0],
            lambda: validate_catalogue(runs.trial.results / PRODUCTS[0]),
        )
    ]
    checks += [
        ("flipped bit, claran validate --run", name, lambda: validate_run(Results(runs.trial.results)))
        for name in [*FILES, PRODUCTS[1]]
    ]
    for kind, name, check in checks:
        n = n_per_file * 10 if name == PRODUCTS[0] else n_per_file
        for bit in flips(runs, name, chosen, n):
            try:
                found = "refused" if check() else "silent"
            except ClaranError:
                found = "refused"
            counts[kind, found] += 1
            if found == "silent":
                print(f"silent: {kind}: bit {bit} of {name}", flush=True)
    return counts


def main() -> None:
    """Run all trials, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--flips", type=int, default=20, help="bits to flip in each file (default: 20)")
    options = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="silent-"))
    runs = Runs(root)
    logging.disable(logging.CRITICAL)
    os.chdir(runs.trial.folder)
    with contextlib.redirect_stderr(io.StringIO()):
        counts = try_swaps(runs) + try_flips(runs, options.flips) + try_validation(runs, options.flips)
    print("| Fault | Trials | Refused | Harmless | Silent |\n|---|---|---|---|---|")
    for kind in dict.fromkeys(kind for kind, _ in counts):
        found = [counts[kind, name] for name in ("refused", "harmless", "silent")]
        print(f"| {kind} | {sum(found)} | {' | '.join(map(str, found))} |")
    shutil.rmtree(root)


if __name__ == "__main__":
    main()
