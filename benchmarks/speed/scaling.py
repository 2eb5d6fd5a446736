"""What a second node adds to each stage: the workflow through a Slurm of two nodes, one pinned core each.

    # needs Slurm, two idle cores and 15 GB; an hour
    python -m benchmarks.speed.scaling --subjects 40000

The sources of a circle of the simulated sky are the targets, in two shards.  They go through the workflow
with the profile that ships, without groups: first one job at a time, then two.  Throughput of a stage is
subjects over the seconds its jobs ran, waiting in the queue left out; with two nodes the slower shard counts.
Beside it stands what two cores of this machine do of a matrix product that stays in their caches, over what
one does.
"""

import argparse
import multiprocessing
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from claran_core.common.paths import REPOSITORY
from claran_core.settings.config import load_config
from claran_core.simulation.subjects import sources_near

sys.path.insert(0, str(REPOSITORY / "tests" / "support"))
import slurm_cluster

STAGES = ("cut_out", "label_shard", "fuse", "infer", "measure_sources")
CENTRE = (180.0, 30.0)
SOURCES_PER_SQUARE_DEGREE = 200
PRODUCT_S = 10.0


def write_targets(path: Path, n: int) -> None:
    """Hosts of the `n` sources nearest to the centre."""
    radius_arcsec = 3600 * np.sqrt(1.3 * n / SOURCES_PER_SQUARE_DEGREE / np.pi)
    sources = sources_near(load_config().seed, *CENTRE, radius_arcsec)
    table = pd.DataFrame(
        [(one.source_id, one.ra_deg, one.dec_deg) for one in sources], columns=["subject_id", "ra", "dec"]
    )
    if len(table) < n:
        raise SystemExit(f"{len(table)} sources instead of {n}")
    table.head(n).to_csv(path, index=False)


def write_profile(folder: Path, jobs: int) -> Path:
    """The profile that ships, without groups, for nodes of one core."""
    settings = yaml.safe_load((REPOSITORY / "slurm" / "config.yaml").read_text())
    del settings["groups"], settings["group-components"]
    settings.update({"jobs": jobs, "slurm-init-seconds-before-status-checks": 5})
    settings["set-threads"] = dict.fromkeys(settings["set-threads"], 1)
    path = folder / f"profile-{jobs}" / "config.yaml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump(settings))
    return path.parent


def run(folder: Path, jobs: int, settings: dict, environment: dict[str, str]) -> pd.DataFrame:
    """Run the stages with so many jobs at a time.

    Returns
    -------
    DataFrame
        One row per job: ``rule``, ``script_s`` (the rule's script), ``job_s`` (Slurm's job), ``gb``.
    """
    directory = folder / f"jobs-{jobs}"
    directory.mkdir()
    overlay = directory / "settings.yaml"
    overlay.write_text(yaml.safe_dump(settings))
    command = [sys.executable, "-m", "snakemake", "--profile", str(write_profile(folder, jobs))]
    command += ["catalogue", "results/labels.parquet", "--until", "measure_sources", "label_shard"]
    command += ["--snakefile", str(REPOSITORY / "Snakefile"), "--directory", str(directory)]
    known = set(elapsed(environment))
    with (directory / "printed").open("w") as printed:
        status = subprocess.run(
            [*command, "--configfile", str(overlay)],
            stdout=printed,
            stderr=subprocess.STDOUT,
            env=environment,
            check=False,
        )
    if status.returncode:
        raise SystemExit((directory / "printed").read_text()[-3000:])
    jobs_s = {number: job for number, job in elapsed(environment).items() if number not in known}
    return pd.DataFrame(list(_rows(directory, jobs_s)), columns=["rule", "script_s", "job_s", "gb"])


def _rows(directory: Path, jobs_s: dict[str, tuple[str, float]]) -> Iterator[tuple[str, float, float, float]]:
    for rule in STAGES:
        of_slurm = sorted(seconds for name, seconds in jobs_s.values() if f"rule_{rule}_" in f"{name}_")
        measured = [
            pd.read_csv(path, sep="\t") for path in (directory / "results/benchmarks" / rule).rglob("*.tsv")
        ]
        scripts = sorted((float(one["s"][0]), float(one["max_rss"][0]) / 1024) for one in measured)
        for (script_s, gb), job_s in zip(scripts, of_slurm, strict=True):
            yield rule, script_s, job_s, gb


def elapsed(environment: dict[str, str]) -> dict[str, tuple[str, float]]:
    """Comment (rule and wildcards) and seconds of each of Slurm's jobs that has ended, by its number."""
    told = subprocess.run(
        ["scontrol", "show", "job", "--oneliner"],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    ).stdout
    found = {}
    for line in told.splitlines():
        fields = dict(re.findall(r"(\w+)=(\S*)", line))
        if fields.get("JobState") == "COMPLETED":
            began, ended = (datetime.fromisoformat(fields[key]) for key in ("StartTime", "EndTime"))
            found[fields["JobId"]] = fields.get("Comment", ""), (ended - began).total_seconds()
    return found


def products(core: int) -> float:
    """Matrix products per second on a core, for some seconds."""
    os.sched_setaffinity(0, [core])
    matrix = np.random.default_rng(core).normal(size=(192, 192)).astype(np.float32)
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < PRODUCT_S:
        matrix @ matrix
        count += 1
    return count / (time.perf_counter() - began)


def machine_scaling() -> float:
    """Products per second of two cores over those of one."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        alone = pool.apply(products, (cores[0],))
        return sum(pool.map(products, cores, chunksize=1)) / alone


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--subjects", type=int, default=20_000)
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    print(f"matrix products, two cores over one: {machine_scaling():.2f}", flush=True)
    with tempfile.TemporaryDirectory(prefix="scaling-") as name:
        folder = Path(name)
        write_targets(folder / "targets.csv", options.subjects)
        settings = {"targets": {"path": str(folder / "targets.csv")}, "shard_size": -(-options.subjects // 2)}
        try:
            commands = slurm_cluster.start(folder / "slurm", pinned=True)
            environment = {**os.environ, "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}"}
            one, two = (run(folder, jobs, settings, environment) for jobs in (1, 2))
        finally:
            slurm_cluster.stop(folder / "slurm")
    report(one, two, options.subjects)


def report(one: pd.DataFrame, two: pd.DataFrame, n: int) -> None:
    """Print a line per stage."""
    print("                 s of a shard on       subjects/s of")
    print("stage            one node  two nodes   one node  two nodes   ratio  fixed s     GB")
    for rule in STAGES:
        alone, beside = (runs[runs["rule"] == rule] for runs in (one, two))
        fixed = pd.concat([alone, beside]).eval("job_s - script_s").mean()
        rates = n / alone["job_s"].sum(), n / beside["job_s"].max()
        print(
            f"{rule:<16} {alone['job_s'].mean():8.0f} {beside['job_s'].mean():10.0f} {rates[0]:10.1f} "
            f"{rates[1]:10.1f} {rates[1] / rates[0]:7.2f} {fixed:8.1f} {beside['gb'].max():6.2f}"
        )


if __name__ == "__main__":
    main()
