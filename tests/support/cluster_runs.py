"""Runs of the workflow through the Slurm of ``slurm_cluster.py``, and what tests ask that Slurm."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from slurm_cluster import CLUSTER_NAME
from workflow_runs import Run

from claran_core.common.paths import REPOSITORY

__all__ = ["ClusterRun", "cluster_is_running", "jobs_of", "resume", "slurm", "wait_for", "write_profile"]

PROFILE = REPOSITORY / "slurm" / "config.yaml"
SNAKEMAKE = REPOSITORY / "tests" / "support" / "status_checks.py"
# The profile's pauses suit a busy cluster; at the end of each run Snakemake waits for one timespan.
SHORT_PAUSES = {
    "slurm-init-seconds-before-status-checks": 1,
    "latency-wait": 10,
    "max-jobs-per-timespan": "20/1s",
}
POLL_S = 0.3

T = TypeVar("T")


def slurm(*command: str) -> str:
    """Return what a command of Slurm prints."""
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


def cluster_is_running() -> bool:
    """Return whether the commands in ``PATH`` reach the test cluster."""
    try:
        return bool(shutil.which("scontrol")) and CLUSTER_NAME in slurm("scontrol", "show", "config")
    except subprocess.SubprocessError:
        return False


def write_profile(
    folder: Path, *, drop: Sequence[str] = (), train: dict[str, Any] | None = None, **changes: Any
) -> Path:
    """Write the shipped profile with a site's changes, and with short pauses.

    Parameters
    ----------
    folder : Path
        Where the folder ``slurm`` of the profile is made.
    drop : sequence of str
        Keys to leave out.
    train : dict, optional
        Resources of the training job; ``gres`` replaces ``gpu``.
    **changes
        Keys with other values.

    Returns
    -------
    Path
        The folder to give as ``--profile``.
    """
    settings = yaml.safe_load(PROFILE.read_text())
    resources = settings["set-resources"]["train"]
    resources.update(train or {})
    if "gres" in resources:
        del resources["gpu"]
    settings.update({**SHORT_PAUSES, **changes})
    for key in drop:
        del settings[key]
    path = folder / "slurm" / "config.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(settings))
    return path.parent


class ClusterRun(Run):
    """A working directory whose workflow runs through Slurm."""

    def __init__(self, directory: Path, settings: dict[str, Any], profile: Path) -> None:
        super().__init__(directory, settings)
        self.profile = profile

    def copy(self, directory: Path, profile: Path | None = None, **settings: Any) -> "ClusterRun":
        """Copy the run as `Run.copy` does; optionally with another profile."""
        copied = super().copy(directory, **settings)
        return ClusterRun(directory, copied.settings, profile or self.profile)

    def output(self) -> str:
        """Return what the last workflow of this run has printed so far."""
        return (self.directory / "output").read_text()

    def command(self, *arguments: str) -> list[str]:
        """Return the command line that runs the workflow through Slurm."""
        words = [str(SNAKEMAKE), "--profile", str(self.profile), *arguments]
        words += ["--snakefile", str(REPOSITORY / "Snakefile"), "--directory", str(self.directory)]
        return [sys.executable, *words, "--configfile", str(self.write_settings())]

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start the workflow; its output goes to a file beside its results."""
        with (self.directory / "output").open("w") as output:
            return subprocess.Popen(
                self.command(*arguments),
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )

    def finish(self, process: subprocess.Popen[bytes]) -> None:
        """Wait until a started workflow has ended without an error."""
        assert process.wait(timeout=900) == 0, self.output()[-6000:]

    def __call__(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the workflow to its end."""
        process = self.start(*arguments)
        status = process.wait(timeout=1800)
        assert not check or status == 0, self.output()[-6000:]
        return subprocess.CompletedProcess(self.command(*arguments), status, self.output(), "")


def wait_for(condition: Callable[[], T], process: subprocess.Popen[bytes], timeout_s: float = 600) -> T:
    """Return the first true value of a condition while a workflow runs."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        assert process.poll() is None, "the workflow ended first"
        assert time.monotonic() < deadline, f"not within {timeout_s} s"
        time.sleep(POLL_S)
    return value


def jobs_of(name: str, state: str = "RUNNING") -> list[str]:
    """Return the numbers of Slurm's jobs of a rule or group in a state."""
    rows = [line.split("|") for line in slurm("squeue", "-h", "-o", "%A|%T|%k").splitlines()]
    return [number for number, job_state, comment in rows if job_state == state and name in comment]


def resume(node: str) -> None:
    """Bring back a node that is down; Slurm may do so first, and then refuses the command."""
    for _ in range(20):
        if "down" not in slurm("sinfo", "-h", "-n", node, "-o", "%T"):
            return
        subprocess.run(["scontrol", "update", f"NodeName={node}", "State=RESUME"], timeout=60, check=False)
        time.sleep(0.5)
    raise AssertionError(f"{node} stays down")
