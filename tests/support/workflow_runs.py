"""Runs of the real workflow on small inputs, for the tests of the workflow."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from claran_core.common.paths import REPOSITORY

__all__ = ["DEMO_TARGETS", "OVERLAYS", "Run"]

DEMO_TARGETS = REPOSITORY / "resources" / "demo" / "targets.csv"
OVERLAYS = REPOSITORY / "tests" / "workflow" / "real"


class Run:
    """A working directory with its settings, in which the workflow runs as a user would run it."""

    def __init__(self, directory: Path, settings: dict[str, Any]) -> None:
        self.directory = directory
        self.directory.mkdir(parents=True, exist_ok=True)
        self.settings = settings
        self.results = directory / "results"

    def __call__(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
        """Run snakemake; on an unexpected failure show what it printed."""
        overlay = self.directory / "settings.yaml"
        overlay.write_text(yaml.safe_dump(self.settings))
        command = [sys.executable, "-m", "snakemake", *arguments]
        command += ["--snakefile", str(REPOSITORY / "Snakefile"), "--directory", str(self.directory)]
        command += ["--cores", "2", "--configfile", str(overlay)]  # last: it takes all words that follow
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=900)
        if check:
            assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
        return done

    def planned(self, *arguments: str) -> dict[str, int]:
        """Jobs that a dry run lists, per rule."""
        done = self(*arguments, "--dry-run", "--quiet", "rules")
        lines = (line.split() for line in (done.stdout + done.stderr).splitlines())
        return {words[0]: int(words[1]) for words in lines if len(words) == 2 and words[1].isdigit()}

    def table(self, name: str) -> pd.DataFrame:
        """One of the run's tables."""
        return pd.read_parquet(self.results / name)


def demo_targets(path: Path, n_train: int, n_test: int) -> Path:
    """Write subjects of each split of the demonstration's targets; larger numbers give the same and more.

    Not the first ones: they are sorted by position, and what is rare was searched for farther away.
    """
    targets = pd.read_csv(DEMO_TARGETS).sample(frac=1, random_state=0)
    parts = [targets[targets.split == split].head(n) for split, n in (("train", n_train), ("test", n_test))]
    pd.concat(parts).to_csv(path, index=False)
    return path
