"""Starting a training: in this process, or by ``torchrun`` in several, on several machines through ``srun``.

How many is what the rule was given as resources: nothing here knows a cluster.
"""

import logging
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from claran_core.common.errors import ConfigError, Interrupted
from claran_core.common.paths import REPOSITORY
from claran_core.training.torchrun_job import TrainingJob

__all__ = ["Placement", "launch", "placement_of"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Placement:
    """Where the processes of a training run.

    Attributes
    ----------
    nodes : int
        Machines.
    processes_per_node : int
        Processes on each, one per GPU.
    threads_per_node : int
        CPU threads of each machine, shared out among its processes.
    launcher : tuple of str
        What starts one task on each machine, such as ``("srun",)``; empty on this machine alone.
    """

    nodes: int = 1
    processes_per_node: int = 1
    threads_per_node: int = 1
    launcher: tuple[str, ...] = ()

    @property
    def alone(self) -> bool:
        """Whether there is one process only, which is this one."""
        return self.nodes == self.processes_per_node == 1

    @property
    def threads(self) -> int:
        """CPU threads of each process."""
        return max(1, self.threads_per_node // self.processes_per_node)


def placement_of(resources: Mapping[str, Any], threads: int) -> Placement:
    """Placement that a rule's resources ask for.

    Parameters
    ----------
    resources : mapping
        ``nodes`` (1), GPUs as ``gres: gpu:N`` on each node or ``gpu: N`` in all, ``mpi``: the launcher.
    threads : int
        The rule's threads: CPU cores on each node.

    Raises
    ------
    ConfigError
        If there are several nodes and nothing to start tasks on them, or GPUs that cannot be shared out.
    """
    nodes = int(resources.get("nodes") or 1)
    launcher = tuple(shlex.split(str(resources.get("mpi") or "")))
    if nodes > 1 and not launcher:
        raise ConfigError("profile: train has several nodes but no launcher; write mpi: srun beside nodes")
    gpus = _gpus_per_node(resources, nodes)
    return Placement(nodes, max(1, gpus), threads, launcher if nodes > 1 else ())


def _gpus_per_node(resources: Mapping[str, Any], nodes: int) -> int:
    per_node = re.fullmatch(r"gpu(?::[\w.]+?)??(?::(\d+))?", str(resources.get("gres") or ""))
    if per_node:
        return int(per_node.group(1) or 1)
    gpus = int(resources.get("gpu") or 0)
    if gpus % nodes:
        raise ConfigError(f"profile: train has gpu: {gpus} for {nodes} nodes; write as many for each node")
    return gpus // nodes


def launch(job: TrainingJob, placement: Placement, file: Path) -> None:
    """Run a training where `placement` says, and wait for its end.

    Parameters
    ----------
    job : TrainingJob
        What to train.
    placement : Placement
        Where.
    file : Path
        Where the processes find the job; on a disk that all machines see.  Removed at the end.

    Raises
    ------
    ClaranError
        As `TrainingJob.run`.
    Interrupted
        If a process among several has ended before its time; the checkpoint remains.
    """
    if placement.alone:
        job.run()
        return
    job.write(file)
    try:
        status = _run(_command(placement, file))
    finally:
        file.unlink(missing_ok=True)
    if status:
        raise Interrupted(
            f"training on {placement.nodes} nodes ended with status {status}, "
            f"why is said above; started again, it goes on from {job.checkpoint} where there is one"
        )


def _command(placement: Placement, file: Path) -> list[str]:
    torchrun = [sys.executable, "-m", "torch.distributed.run", f"--nnodes={placement.nodes}"]
    torchrun += [f"--nproc-per-node={placement.processes_per_node}", "--max-restarts=0"]
    if placement.nodes == 1:
        torchrun.append("--standalone")
    else:
        torchrun += ["--rdzv-backend=c10d", f"--rdzv-endpoint={_meeting_point()}"]
    torchrun += ["-m", "claran_core.training.torchrun_job", str(file)]
    return [*_start_on_nodes(placement), *torchrun]


def _start_on_nodes(placement: Placement) -> list[str]:
    if not placement.launcher:
        return []
    counts = [f"--nodes={placement.nodes}", f"--ntasks={placement.nodes}", "--ntasks-per-node=1"]
    counts += [f"--cpus-per-task={placement.threads_per_node}", "--overlap", "--kill-on-bad-exit=1"]
    return [*placement.launcher, *counts]


def _meeting_point() -> str:
    """Where the processes meet: this machine, the first of those of the job, at a port that is free now."""
    host = socket.gethostname()
    with socket.socket() as probe:
        probe.bind(("", 0))
        return f"{host}:{probe.getsockname()[1]}"


def _run(command: list[str]) -> int:
    """Run a command, its output into the log, SIGTERM passed on; its exit status."""
    logger.info("starting %s", shlex.join(command))
    paths = [str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])]
    process = subprocess.Popen(
        command,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process, _passed_on(process):
        assert process.stdout is not None
        for line in process.stdout:
            logger.info("%s", line.rstrip())
    return process.returncode


@contextmanager
def _passed_on(process: subprocess.Popen) -> Iterator[None]:
    """Give SIGTERM to a process instead of dying of it: its checkpoint must be written first."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def pass_on(number: int, frame: FrameType | None) -> None:
        process.send_signal(number)

    before = signal.signal(signal.SIGTERM, pass_on)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
