"""Runs of the real workflow on small inputs, for the tests of the workflow."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from claran_core.common.paths import REPOSITORY

__all__ = ["OVERLAYS", "PROVENANCE", "Run", "demo_targets", "messages_of", "output_of"]

DEMO_TARGETS = REPOSITORY / "resources" / "demo" / "targets.csv"
OVERLAYS = REPOSITORY / "tests" / "workflow" / "real"
# Columns of the catalogue that name the run rather than the sky.
PROVENANCE = ["pipeline_version", "model_id"]


def output_of(done: subprocess.CompletedProcess[str]) -> str:
    """Return all that a workflow has printed."""
    return done.stdout + done.stderr


def messages_of(done: subprocess.CompletedProcess[str]) -> list[str]:
    """Return the lines that a workflow has printed under the program's own name."""
    return [line for line in output_of(done).splitlines() if line.startswith("claran:")]


class Run:
    """A working directory with its settings, in which the workflow runs as a user would run it."""

    def __init__(self, directory: Path, settings: dict[str, Any]) -> None:
        self.directory = directory
        self.directory.mkdir(parents=True, exist_ok=True)
        self.settings = settings
        self.results = directory / "results"

    def write_settings(self) -> Path:
        """Write the settings as a file for ``--configfile`` and return its path."""
        path = self.directory / "settings.yaml"
        path.write_text(yaml.safe_dump(self.settings))
        return path

    def copy(self, directory: Path, **settings: Any) -> "Run":
        """Copy the run, with Snakemake's records, into another folder; optionally with other settings."""
        shutil.copytree(self.directory, directory, ignore=shutil.ignore_patterns("locks"))
        return Run(directory, {**self.settings, **settings})

    def start(self, *arguments: str, cores: int = 2) -> subprocess.Popen[str]:
        """Start snakemake as the leader of a group of processes."""
        command = [sys.executable, "-m", "snakemake", *arguments]
        command += ["--snakefile", str(REPOSITORY / "Snakefile"), "--directory", str(self.directory)]
        # --configfile is last: it takes all words that follow.
        command += ["--cores", str(cores), "--configfile", str(self.write_settings())]
        return subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            start_new_session=True,
        )

    def __call__(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run snakemake; on an unexpected failure show what it printed."""
        with self.start(*arguments) as process:
            try:
                output, errors = process.communicate(timeout=900)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                raise
        done = subprocess.CompletedProcess(process.args, process.returncode, output, errors)
        if check:
            assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
        return done

    def planned(self, *arguments: str) -> dict[str, int]:
        """Return how many jobs of each rule a dry run lists."""
        done = self(*arguments, "--dry-run", "--quiet", "rules")
        lines = (line.split() for line in output_of(done).splitlines())
        return {words[0]: int(words[1]) for words in lines if len(words) == 2 and words[1].isdigit()}

    def table(self, name: str) -> pd.DataFrame:
        """Read one of the run's tables."""
        return pd.read_parquet(self.results / name)


def demo_targets(path: Path, n_train: int, n_test: int) -> Path:
    """Write subjects of each split of the demonstration's targets; larger numbers add to smaller ones.

    The subjects are drawn at random: the targets are sorted by position, and rare classes are far from the
    start.
    """
    targets = pd.read_csv(DEMO_TARGETS).sample(frac=1, random_state=0)
    parts = [targets[targets.split == split].head(n) for split, n in (("train", n_train), ("test", n_test))]
    pd.concat(parts).to_csv(path, index=False)
    return path
