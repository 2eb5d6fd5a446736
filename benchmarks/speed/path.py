"""Processor time per subject of each stage from cut-outs on disk to catalogue rows, on one core.

    OMP_NUM_THREADS=1 python -m benchmarks.speed.path                      # this version
    OMP_NUM_THREADS=1 python -m benchmarks.speed.path --repository BEFORE  # a clone of another version

The workflow takes the cut-outs of the first 512 targets of the demonstration, and of the first 8, then runs
each further stage on its own, on one pinned core.  Each job writes its processor time when it ends; Snakemake
itself does not count.  The time per subject is the difference of the two runs over that of their subjects, so
that the start of the jobs does not count; it is printed beside.  Two yardsticks are measured before and
after: the resampling of one image by `reproject_interp`, and a product of float32 matrices.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from astropy.wcs import WCS
from reproject import reproject_interp

from claran_core.common.paths import REPOSITORY

STAGES = ("components", "fusion", "inference", "catalogue")
FEW = 8
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
# Python imports a module of this name at the start of each process.  A job opens its log when it has imported
# the modules that it needs, and begins to work.
CUSTOMISATION = """
import atexit, logging, os, sys, time

began = [0.0]
opened = logging.FileHandler.__init__

def opens(self, *args, **options):
    began.append(time.process_time())
    opened(self, *args, **options)

logging.FileHandler.__init__ = opens

@atexit.register
def write():
    with open(os.environ["CLARAN_TIMES"], "a") as times:
        times.write(f"{sys.argv[0]}\\t{began[-1]}\\t{time.process_time() - began[-1]}\\n")
"""
PRODUCT = 1024
SECONDS_TO_MS = 1e3


def write_run(folder: Path, n: int) -> None:
    """Write targets and settings of a run with the first `n` targets of the demonstration in one shard."""
    folder.mkdir(parents=True)
    targets = pd.read_csv(REPOSITORY / "resources" / "demo" / "targets.csv").head(n)
    targets.drop(columns="split").to_csv(folder / "targets.csv", index=False)
    settings = {"targets": {"path": "targets.csv"}, "shard_size": n}
    (folder / "settings.yaml").write_text(yaml.safe_dump(settings))


def processor_time(repository: Path, folder: Path, stage: str, core: int) -> tuple[float, float]:
    """Run the workflow up to a stage on one core.

    Returns
    -------
    imports, work : float
        Processor time of its jobs until they begin to work, and from then on, s.
    """
    # The target `components` also makes the labels, where the truth is known.
    target = "results/components/00000.parquet" if stage == "components" else stage
    command = [sys.executable, "-m", "snakemake", target, "--snakefile", str(repository / "Snakefile")]
    command += ["--directory", str(folder), "--configfile", str(folder / "settings.yaml"), "--cores", "1"]
    (folder / "sitecustomize.py").write_text(CUSTOMISATION)
    times = folder / f"{stage}.times"
    environment = {**os.environ, **ONE_THREAD, "PYTHONPATH": f"{folder}{os.pathsep}{repository}"}
    with (folder / f"{stage}.log").open("w") as log:
        status = subprocess.run(
            command,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**environment, "CLARAN_TIMES": str(times)},
            cwd=folder,
            preexec_fn=lambda: os.sched_setaffinity(0, [core]),
            check=False,
        ).returncode
    if status:
        raise SystemExit((folder / f"{stage}.log").read_text()[-3000:])
    written = [line.split("\t") for line in times.read_text().splitlines()]
    jobs = [entry for entry in written if ".snakemake/scripts/" in entry[0]]
    return sum(float(entry[1]) for entry in jobs), sum(float(entry[2]) for entry in jobs)


def measure(
    repository: Path, folder: Path, n: int, repeats: int, core: int
) -> dict[str, tuple[float, float]]:
    """Return ms per subject, and s of the start of the jobs, of each stage."""
    stages = [stage for stage in STAGES if (repository / f"workflow/rules/{stage}.smk").exists()]
    work: dict[tuple[str, int], list[float]] = {}
    imports: dict[str, list[float]] = {}
    # The first run compiles, and does not count.
    for repeat in range(repeats + 1):
        for subjects in (FEW, n) if repeat else (FEW,):
            run = folder / f"{repeat}-{subjects}"
            write_run(run, subjects)
            processor_time(repository, run, "cutouts", core)
            for stage in stages:
                start, seconds = processor_time(repository, run, stage, core)
                if repeat:
                    work.setdefault((stage, subjects), []).append(seconds)
                    imports.setdefault(stage, []).append(start)
    found = {}
    for stage in stages:
        few, many = min(work[stage, FEW]), min(work[stage, n])
        per_subject = (many - few) / (n - FEW)
        found[stage] = per_subject * SECONDS_TO_MS, min(imports[stage]) + few - FEW * per_subject
    return found


def yardsticks(core: int) -> dict[str, float]:
    """Return the ms of one resampled image and of one matrix product, on one core."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, [core])
    size_px, image = 132, np.random.default_rng(1).normal(size=(110, 110)).astype(np.float32)
    source = WCS(naxis=2)
    source.wcs.ctype, source.wcs.crval = ["RA---SIN", "DEC--SIN"], [180.0, 30.0]
    source.wcs.crpix, source.wcs.cdelt = [55.5, 55.5], [-1.8 / 3600, 1.8 / 3600]
    target = WCS(naxis=2)
    target.wcs.ctype, target.wcs.crval = ["RA---TAN", "DEC--TAN"], [180.0, 30.0]
    target.wcs.crpix, target.wcs.cdelt = [66.5, 66.5], [-1.375 / 3600, 1.375 / 3600]
    shape = size_px, size_px
    matrix = np.random.default_rng(2).normal(size=(PRODUCT, PRODUCT)).astype(np.float32)
    found = {
        "reproject_interp of one image": best(lambda: reproject_interp((image, source), target, shape)),
        f"float32 product of {PRODUCT} x {PRODUCT}": best(lambda: matrix @ matrix),
    }
    os.sched_setaffinity(0, allowed)
    return found


def best(call: Callable[[], object], tries: int = 15) -> float:
    """Return the shortest processor time of a call, ms."""
    times = []
    for _ in range(tries):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return min(times) * SECONDS_TO_MS


def table(found: dict[str, tuple[float, float]], scale: dict[str, float]) -> str:
    """Return a table of the stages, their sum, and the yardsticks, as Markdown."""
    names, unit = list(scale), list(scale.values())
    lines = [
        f"| stage | ms per subject | {' | '.join(f'over {name}' for name in names)} | start of the jobs, s |"
    ]
    lines.append("|---|---|---|---|---|")
    total = sum(ms for ms, _ in found.values()), sum(start for _, start in found.values())
    for stage, (ms, start) in [*found.items(), ("all", total)]:
        ratios = " | ".join(f"{ms / one:.3f}" for one in unit)
        lines.append(f"| {stage} | {ms:.2f} | {ratios} | {start:.1f} |")
    lines += ["", *(f"{name}: {one:.2f} ms" for name, one in scale.items())]
    return "\n".join(lines)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repository", type=Path, default=REPOSITORY, help="clone of the version to measure")
    parser.add_argument("--subjects", type=int, default=512, help="number of subjects (512)")
    parser.add_argument("--repeats", type=int, default=2, help="runs, of which the fastest counts (2)")
    parser.add_argument("--core", type=int, default=0, help="core that everything runs on (0)")
    options = parser.parse_args()
    os.environ |= ONE_THREAD
    before = yardsticks(options.core)
    with tempfile.TemporaryDirectory(prefix="path-") as folder:
        found = measure(
            options.repository.resolve(), Path(folder), options.subjects, options.repeats, options.core
        )
    after = yardsticks(options.core)
    scale = {name: min(before[name], after[name]) for name in before}
    date = datetime.now(UTC).date().isoformat()
    print(f"{date}, {options.subjects} subjects, fastest of {options.repeats}\n\n{table(found, scale)}")


if __name__ == "__main__":
    main()
