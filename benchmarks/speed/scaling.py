"""Scaling of each stage from one node to two: the workflow on a Slurm of two nodes, one pinned core each.

    # needs Slurm, two idle cores, 15 GB and one hour
    python -m benchmarks.speed.scaling --subjects 40000

Targets are the sources in a circle of the simulated sky, in two shards.  The workflow runs with the profile
that ships, without groups, first one job at a time, then two.  The throughput of a stage is the number of
subjects over the run time of its jobs, without waiting in the queue; with two nodes the slower shard counts.
For comparison, the program also measures matrix products, which stay in the caches, on two cores and on one.
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

STAGES = ("cut_out", "find_components", "label_shard", "fuse", "infer", "measure_sources")
CENTRE = (180.0, 30.0)
SOURCES_PER_SQUARE_DEGREE = 200
PRODUCT_S = 10.0


def write_targets(path: Path, n: int) -> None:
    """Write the hosts of the `n` sources nearest to the centre as targets."""
    radius_arcsec = 3600 * np.sqrt(1.3 * n / SOURCES_PER_SQUARE_DEGREE / np.pi)
    sources = sources_near(load_config().seed, *CENTRE, radius_arcsec)
    table = pd.DataFrame(
        [(one.source_id, one.ra_deg, one.dec_deg) for one in sources], columns=["subject_id", "ra", "dec"]
    )
    if len(table) < n:
        raise SystemExit(f"the circle has {len(table)} sources, not {n}; give fewer --subjects")
    table.head(n).to_csv(path, index=False)


def write_profile(folder: Path, jobs: int) -> Path:
    """Write the profile that ships, without groups, for nodes of one core; return its folder."""
    settings = yaml.safe_load((REPOSITORY / "slurm" / "config.yaml").read_text())
    del settings["groups"], settings["group-components"]
    settings.update({"jobs": jobs, "slurm-init-seconds-before-status-checks": 5})
    settings["set-threads"] = dict.fromkeys(settings["set-threads"], 1)
    path = folder / f"profile-{jobs}" / "config.yaml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump(settings))
    return path.parent


def run(folder: Path, jobs: int, settings: dict, environment: dict[str, str]) -> pd.DataFrame:
    """Run the stages with up to `jobs` jobs at a time.

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
    earlier = set(elapsed(environment))
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
    jobs_s = {number: job for number, job in elapsed(environment).items() if number not in earlier}
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
    """Return comment (rule and wildcards) and run time, s, of each completed Slurm job, by its number."""
    listing = subprocess.run(
        ["scontrol", "show", "job", "--oneliner"],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    ).stdout
    found = {}
    for line in listing.splitlines():
        fields = dict(re.findall(r"(\w+)=(\S*)", line))
        if fields.get("JobState") == "COMPLETED":
            began, ended = (datetime.fromisoformat(fields[key]) for key in ("StartTime", "EndTime"))
            found[fields["JobId"]] = fields.get("Comment", ""), (ended - began).total_seconds()
    return found


def products(core: int) -> float:
    """Return the matrix products per second on one core."""
    os.sched_setaffinity(0, [core])
    matrix = np.random.default_rng(core).normal(size=(192, 192)).astype(np.float32)
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < PRODUCT_S:
        matrix @ matrix
        count += 1
    return count / (time.perf_counter() - began)


def machine_scaling() -> float:
    """Return the ratio of products per second on two cores and on one."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        alone = pool.apply(products, (cores[0],))
        return sum(pool.map(products, cores, chunksize=1)) / alone


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--subjects", type=int, default=20_000, help="number of subjects (default: 20,000)")
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
    """Print one line per stage."""
    print("                 s per shard           subjects/s")
    print("stage            one node  two nodes   one node  two nodes   ratio  fixed s     GB")
    for rule in STAGES:
        single, double = (runs[runs["rule"] == rule] for runs in (one, two))
        fixed = pd.concat([single, double]).eval("job_s - script_s").mean()
        rates = n / single["job_s"].sum(), n / double["job_s"].max()
        print(
            f"{rule:<16} {single['job_s'].mean():8.0f} {double['job_s'].mean():10.0f} {rates[0]:10.1f} "
            f"{rates[1]:10.1f} {rates[1] / rates[0]:7.2f} {fixed:8.1f} {double['gb'].max():6.2f}"
        )


if __name__ == "__main__":
    main()
