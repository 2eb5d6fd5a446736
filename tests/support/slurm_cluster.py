"""Run a real Slurm with two nodes on this machine, for the tests.

    PATH=$(python tests/support/slurm_cluster.py start FOLDER):$PATH    # prints the folder of its commands
    python tests/support/slurm_cluster.py stop FOLDER
    python tests/support/slurm_cluster.py check                         # fails if a program is missing

With ``--pinned`` after FOLDER, each node is bound to one core, to measure how work scales with nodes.
The programs come from Debian's packages ``slurm-wlm`` and ``munge``.  Neither root nor a running service is
needed: munged, slurmctld and both slurmd run as the user, with their own sockets, keys and ports in FOLDER.
The commands in ``PATH`` are wrappers that name the configuration file, because Snakemake's plugin removes
``SLURM_CONF`` from the environment of jobs.
"""

import contextlib
import getpass
import os
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

__all__ = ["CLUSTER_NAME", "NODES", "check", "start", "stop"]

CLUSTER_NAME = "claran-test"
NODES = ("n1", "n2")
COMMANDS = ("sbatch", "srun", "squeue", "sinfo", "scontrol", "scancel", "sacct")
PROGRAMS = ("munged", "slurmctld", "slurmd", *COMMANDS)
DAEMONS = ("munged", "slurmctld", *(f"slurmd.{node}" for node in NODES))
START_TIMEOUT_S = 60
# The search path of a plain user lacks the folders of the daemons.
SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])

# Two nodes of `cpus` cores with one mock GPU each.  Jobs in `urgent` preempt those in the other partitions.
# A requeued job waits until its credentials have expired (`cred_expire`, s).
CONFIGURATION = """\
ClusterName={cluster}
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=20
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=10
MinJobAge=7200
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
GresTypes=gpu
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs={cpus} RealMemory=16000 Gres=gpu:1
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs={cpus} RealMemory=16000 Gres=gpu:1
PartitionName=cpu Nodes=n1,n2 Default=YES PriorityTier=1
PartitionName=gpu Nodes=n1,n2 PriorityTier=1
PartitionName=urgent Nodes=n1,n2 PriorityTier=2
"""
GENERIC_RESOURCES = "NodeName=n1 Name=gpu File=/dev/null\nNodeName=n2 Name=gpu File=/dev/zero\n"
CONTROL_GROUPS = "CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n"


def check() -> None:
    """Raise RuntimeError if a program is missing."""
    if missing := [name for name in PROGRAMS if _program(name) is None]:
        raise RuntimeError(f"no Slurm: {missing[0]} is missing (Debian: apt-get install slurm-wlm munge)")


def start(folder: Path, *, pinned: bool = False) -> Path:
    """Write the configuration, start all daemons and wait until both nodes are idle.

    Parameters
    ----------
    folder : Path
        Folder for configuration, state, logs and commands.
    pinned : bool
        Whether each node has one core to itself, instead of two that both nodes share.

    Returns
    -------
    Path
        Folder of the cluster's commands, to be put first in ``PATH``.

    Raises
    ------
    RuntimeError
        If a program is missing or the nodes do not come up.  No daemon is left running then.
    """
    check()
    folder = folder.resolve()
    configuration = _write_configuration(folder, cpus=1 if pinned else 2)
    try:
        _start_daemons(folder, configuration, pinned)
        _wait_until_idle(configuration)
    except RuntimeError:
        stop(folder)
        raise
    return configuration.parent / "bin"


def stop(folder: Path) -> None:
    """End the jobs and daemons of the cluster in `folder`."""
    folder = folder.resolve()
    configuration = folder / "slurm.conf"
    if configuration.exists() and _alive(folder, "slurmctld"):
        with contextlib.suppress(subprocess.SubprocessError, OSError):
            _run("scancel", "--user", getpass.getuser(), configuration=configuration)
            time.sleep(2)
    for daemon in reversed(DAEMONS):
        _end(folder, daemon)


def _write_configuration(folder: Path, cpus: int) -> Path:
    (folder / "state").mkdir(parents=True, exist_ok=True)
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o600)
    texts = {
        "slurm.conf": CONFIGURATION.format(
            cluster=CLUSTER_NAME,
            host=socket.gethostname().split(".")[0],
            user=getpass.getuser(),
            folder=folder,
            ports=_free_ports(3),
            cpus=cpus,
        ),
        "gres.conf": GENERIC_RESOURCES,
        "cgroup.conf": CONTROL_GROUPS,
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    configuration = folder / "slurm.conf"
    (folder / "bin").mkdir(exist_ok=True)
    for command in COMMANDS:
        words = shlex.join(["exec", "env", f"SLURM_CONF={configuration}", str(_program(command))])
        path = folder / "bin" / command
        path.write_text(f'#!/bin/sh\n{words} "$@"\n')
        path.chmod(0o755)
    return configuration


def _start_daemons(folder: Path, configuration: Path, pinned: bool) -> None:
    files = {
        "socket": "munge.socket",
        "key-file": "munge.key",
        "pid-file": "munged.pid",
        "log-file": "munged.log",
        "seed-file": "munge.seed",
    }
    options = [f"--{option}={folder / name}" for option, name in files.items()]
    _run("munged", "--force", *options)  # --force: accept a folder that other users can write to
    _run("slurmctld", "-c", configuration=configuration)
    every_core = sorted(os.sched_getaffinity(0))
    for node, core in zip(NODES, (every_core * len(NODES))[: len(NODES)], strict=True):
        # Jobs inherit the cores of their node's daemon.
        os.sched_setaffinity(0, [core] if pinned else every_core)
        _run("slurmd", "-N", node, configuration=configuration)
    os.sched_setaffinity(0, every_core)


def _wait_until_idle(configuration: Path) -> None:
    ended = time.monotonic() + START_TIMEOUT_S
    states = ""
    while time.monotonic() < ended:
        with contextlib.suppress(subprocess.SubprocessError):
            states = _run("sinfo", "-h", "-N", "-p", "cpu", "-o", "%T", configuration=configuration)
        if states.split() == ["idle"] * len(NODES):
            return
        time.sleep(0.5)
    raise RuntimeError(
        f"no Slurm: nodes are {states.split() or 'missing'} after {START_TIMEOUT_S} s; "
        f"see the logs in {configuration.parent}"
    )


def _run(name: str, *arguments: str, configuration: Path | None = None) -> str:
    environment = dict(os.environ) if configuration is None else _environment(configuration)
    done = subprocess.run(
        [str(_program(name)), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=START_TIMEOUT_S,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"no Slurm: {name}: {(done.stderr or done.stdout).strip().splitlines()[-1:]}")
    return done.stdout


def _environment(configuration: Path) -> dict[str, str]:
    return {**os.environ, "SLURM_CONF": str(configuration)}


def _program(name: str) -> str | None:
    return shutil.which(name, path=SEARCH_PATH)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _pid(folder: Path, daemon: str) -> int | None:
    try:
        return int((folder / f"{daemon}.pid").read_text())
    except (OSError, ValueError):
        return None


def _alive(folder: Path, daemon: str) -> bool:
    """Return whether the process of a pid file runs and is that daemon; the system reuses numbers."""
    pid = _pid(folder, daemon)
    try:
        return (Path("/proc") / str(pid) / "comm").read_text().strip() == daemon.split(".")[0]
    except OSError:
        return False


def _end(folder: Path, daemon: str) -> None:
    pid = _pid(folder, daemon)
    for number, wait_s in ((signal.SIGTERM, 10), (signal.SIGKILL, 5)):
        ended = time.monotonic() + wait_s
        if pid is not None and _alive(folder, daemon):
            os.kill(pid, number)
        while _alive(folder, daemon) and time.monotonic() < ended:
            time.sleep(0.1)


def main(arguments: list[str]) -> int:
    """Run the command line and return the exit status."""
    match arguments:
        case ["start", folder, *option] if option in ([], ["--pinned"]):
            print(start(Path(folder), pinned=bool(option)))
        case ["stop", folder]:
            stop(Path(folder))
        case ["check"]:
            check()
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except RuntimeError as error:
        sys.exit(str(error))
