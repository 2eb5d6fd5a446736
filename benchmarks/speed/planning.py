"""Time to plan a survey: divide the targets into shards, and list every job in a dry run.

    python -m benchmarks.speed.planning --targets 1000000 --profile slurm

Positions are random, uniform over the area of the FIRST survey.  The folder of the run is removed.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from claran_core.common.paths import REPOSITORY, Results
from claran_core.settings.config import load_config
from claran_core.targets.shards import write_targets

__all__ = ["dry_run", "draw_targets", "files_per_shard", "main"]


def draw_targets(path: Path, n: int) -> None:
    """Write `n` positions, uniform on the sky, dec -10 to 65 deg, RA 110 to 260 deg."""
    rng = np.random.default_rng(1)
    low, high = np.sin(np.radians([-10, 65]))
    table = {"ra": rng.uniform(110, 260, n), "dec": np.degrees(np.arcsin(rng.uniform(low, high, n)))}
    names = [f"target_{number}" for number in range(n)]  # a million random positions share some names
    pd.DataFrame({"subject_id": names, **table}).to_parquet(path)


def snakemake(folder: Path, *arguments: str) -> list[str]:
    """Return the command of a run in `folder`."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile")]
    return [*command, "--directory", str(folder), *arguments, "--configfile", str(folder / "settings.yaml")]


def dry_run(folder: Path, *arguments: str) -> str:
    """Return wall time, CPU time, memory and number of jobs of a dry run, as text."""
    printed = folder / "dry_run.txt"
    began = time.monotonic()
    with printed.open("w") as handle:
        process = subprocess.Popen(
            snakemake(folder, "--dry-run", *arguments), stdout=handle, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - began
    text = printed.read_text()
    if status:
        raise SystemExit(text[-2000:])
    total = next(int(line.split()[1]) for line in text.splitlines() if line.startswith("total"))
    cpu = usage.ru_utime + usage.ru_stime
    return f"{seconds:.1f} s ({cpu:.1f} s of CPU time), {usage.ru_maxrss / 1024**2:.2f} GB, {total} jobs"


def files_per_shard(folder: Path) -> Counter:
    """Return the number of files that each rule writes for one shard."""
    command = snakemake(folder, "--summary", "--cores", "1")
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    column = rows[0].index("rule")
    return Counter(row[column] for row in rows[1:] if "00000" in row[0])


def main() -> None:
    """Measure, and print one line per result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--targets", type=int, default=1_000_000, help="number of targets")
    parser.add_argument("--shard-size", type=int, default=load_config().shard_size, help="subjects per shard")
    parser.add_argument("--profile", help="profile for the dry run, such as slurm")
    options = parser.parse_args()
    how = ["--profile", str(Path(options.profile).resolve())] if options.profile else ["--cores", "2"]
    folder = Path(tempfile.mkdtemp(prefix="planning-"))
    try:
        measure(folder, options.targets, options.shard_size, how)
    finally:
        shutil.rmtree(folder)


def measure(folder: Path, n_targets: int, shard_size: int, how: list[str]) -> None:
    """Draw the targets, plan before and after sharding, and count files."""
    draw_targets(folder / "targets.parquet", n_targets)
    settings = {"targets": {"path": str(folder / "targets.parquet")}, "shard_size": shard_size}
    (folder / "settings.yaml").write_text(yaml.safe_dump(settings))
    print(f"dry run before sharding: {dry_run(folder, *how)}", flush=True)
    began, began_cpu = time.monotonic(), time.process_time()
    write_targets(load_config(settings), folder / "targets.parquet", Results(folder / "results"))
    memory_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    seconds, cpu = time.monotonic() - began, time.process_time() - began_cpu
    print(
        f"sharding {n_targets} targets: {seconds:.1f} s ({cpu:.1f} s of CPU time), {memory_gb:.2f} GB",
        flush=True,
    )
    print(f"dry run after sharding: {dry_run(folder, *how)}", flush=True)
    for rule, count in sorted(files_per_shard(folder).items()):
        print(f"files per shard, {rule}: {count}, one log and one benchmark")


if __name__ == "__main__":
    main()
