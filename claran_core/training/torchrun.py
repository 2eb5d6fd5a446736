"""Start of a training: in this process, or in several by ``torchrun``, on several machines by ``srun``.

The resources of the workflow rule give the numbers of nodes and GPUs.
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

from claran_core.common.errors import ConfigError, TrainingInterrupted
from claran_core.common.paths import REPOSITORY
from claran_core.training.torchrun_job import TrainingJob

__all__ = ["LaunchConfig", "launch_config", "launch_training"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LaunchConfig:
    """Processes of a training, and how to start them.

    Attributes
    ----------
    nodes : int
        Number of machines.
    processes_per_node : int
        Processes on each machine, one per GPU.
    threads_per_node : int
        CPU threads of each machine, divided among its processes.
    launcher : tuple of str
        Command that starts one task on each machine, such as ``("srun",)``; empty for this machine only.
    """

    nodes: int = 1
    processes_per_node: int = 1
    threads_per_node: int = 1
    launcher: tuple[str, ...] = ()

    @property
    def single_process(self) -> bool:
        """Whether the training runs in this process."""
        return self.nodes == self.processes_per_node == 1

    @property
    def threads(self) -> int:
        """CPU threads of each process."""
        return max(1, self.threads_per_node // self.processes_per_node)


def launch_config(resources: Mapping[str, Any], threads: int) -> LaunchConfig:
    """Return the launch configuration for the resources of a rule.

    Parameters
    ----------
    resources : mapping
        ``nodes`` (default 1); GPUs as ``gres: gpu:N`` per node or ``gpu: N`` in total; ``mpi``: the launcher.
    threads : int
        Threads of the rule: CPU cores per node.

    Raises
    ------
    ConfigError
        If there are several nodes without a launcher, or the GPUs cannot be divided among the nodes.
    """
    nodes = int(resources.get("nodes") or 1)
    launcher = tuple(shlex.split(str(resources.get("mpi") or "")))
    if nodes > 1 and not launcher:
        raise ConfigError("profile: train has several nodes but no launcher; write mpi: srun beside nodes")
    gpus = _gpus_per_node(resources, nodes)
    return LaunchConfig(nodes, max(1, gpus), threads, launcher if nodes > 1 else ())


def _gpus_per_node(resources: Mapping[str, Any], nodes: int) -> int:
    per_node = re.fullmatch(r"gpu(?::[\w.]+?)??(?::(\d+))?", str(resources.get("gres") or ""))
    if per_node:
        return int(per_node.group(1) or 1)
    gpus = int(resources.get("gpu") or 0)
    if gpus % nodes:
        raise ConfigError(f"profile: train has gpu: {gpus} for {nodes} nodes; write a multiple of {nodes}")
    return gpus // nodes


def launch_training(job: TrainingJob, config: LaunchConfig, file: Path) -> None:
    """Run a training and wait for its end.

    Parameters
    ----------
    job : TrainingJob
        The training.
    config : LaunchConfig
        The processes.
    file : Path
        File from which the processes read the job, on a disk that all machines see.  It is removed at the
        end.

    Raises
    ------
    ClaranError
        As `TrainingJob.run`.
    TrainingInterrupted
        If one of several processes ends early; the checkpoint remains.
    """
    if config.single_process:
        job.run()
        return
    job.write(file)
    try:
        status = _run(_command(config, file))
    finally:
        file.unlink(missing_ok=True)
    if status:
        raise TrainingInterrupted(
            f"training on {config.nodes} nodes ended with status {status}; the log above says why. "
            f"Start it again to resume from {job.checkpoint}, if that exists"
        )


def _command(config: LaunchConfig, file: Path) -> list[str]:
    torchrun = [sys.executable, "-m", "torch.distributed.run", f"--nnodes={config.nodes}"]
    torchrun += [f"--nproc-per-node={config.processes_per_node}", "--max-restarts=0"]
    if config.nodes == 1:
        torchrun.append("--standalone")
    else:
        torchrun += ["--rdzv-backend=c10d", f"--rdzv-endpoint={_rendezvous_endpoint()}"]
    torchrun += ["-m", "claran_core.training.torchrun_job", str(file)]
    return [*_node_launcher(config), *torchrun]


def _node_launcher(config: LaunchConfig) -> list[str]:
    """Return the command that starts one task on each node."""
    if not config.launcher:
        return []
    counts = [f"--nodes={config.nodes}", f"--ntasks={config.nodes}", "--ntasks-per-node=1"]
    counts += [f"--cpus-per-task={config.threads_per_node}", "--overlap", "--kill-on-bad-exit=1"]
    return [*config.launcher, *counts]


def _rendezvous_endpoint() -> str:
    """Return this machine, the first node of the job, and a port that is free now."""
    host = socket.gethostname()
    with socket.socket() as probe:
        probe.bind(("", 0))
        return f"{host}:{probe.getsockname()[1]}"


def _run(command: list[str]) -> int:
    """Run a command with its output in the log, forward SIGTERM to it, and return its exit status."""
    logger.info("starting %s", shlex.join(command))
    paths = [str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])]
    process = subprocess.Popen(
        command,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process, _sigterm_forwarded(process):
        assert process.stdout is not None
        for line in process.stdout:
            logger.info("%s", line.rstrip())
    return process.returncode


@contextmanager
def _sigterm_forwarded(process: "subprocess.Popen[str]") -> Iterator[None]:
    """Forward SIGTERM to a process, which writes a checkpoint, instead of ending this one."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def forward(number: int, frame: FrameType | None) -> None:
        process.send_signal(number)

    before = signal.signal(signal.SIGTERM, forward)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
