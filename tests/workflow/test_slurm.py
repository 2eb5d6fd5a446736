"""The workflow through a real Slurm, with the profile that ships: stages, training on two nodes, faults.

Needs Slurm's commands and a cluster that answers, such as that of ``tests/slurm_cluster.py``; ``.ci/run``
starts one and sets ``CLARAN_NEEDS_SLURM``, so that nothing is skipped there.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from slurm_cluster import CLUSTER_NAME
from workflow_runs import Run, demo_targets

from claran_core.common.paths import REPOSITORY
from claran_core.model.faster_rcnn.losses import LOSS_NAMES

pytestmark = pytest.mark.slurm

PROFILE = REPOSITORY / "slurm" / "config.yaml"
TINY = {"shard_size": 12, "evaluation": {"bootstrap": 20}, "report": {"gallery_size": 4}}
TWO_NODES = {"nodes": 2, "tasks": 2, "gres": "gpu:1", "tasks_per_gpu": 0, "mpi": "srun"}
PROVENANCE = ["pipeline_version", "model_id"]


def slurm(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


@pytest.fixture(scope="module", autouse=True)
def cluster() -> None:
    """Pass over these tests where there is no Slurm."""
    try:
        name = slurm("scontrol", "show", "config") if shutil.which("scontrol") else ""
    except subprocess.SubprocessError:
        name = ""
    if CLUSTER_NAME not in name:
        missing = "no Slurm of tests/slurm_cluster.py is running"
        (pytest.fail if os.environ.get("CLARAN_NEEDS_SLURM") else pytest.skip)(missing)


def profile(folder: Path, *, drop: tuple[str, ...] = (), **changes: Any) -> Path:
    """The profile that ships, as a site would edit it; it asks more often, for the tests' sake."""
    settings = yaml.safe_load(PROFILE.read_text())
    train = settings["set-resources"]["train"]
    del train["gpu"]
    train.update({"gpu": 1, **changes.pop("train", {})})
    if "gres" in train:
        del train["gpu"]
    settings.update({"slurm-init-seconds-before-status-checks": 1, "latency-wait": 10, **changes})
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
        """The same run in another folder, with all that Snakemake knows of it; other settings if you like."""
        shutil.copytree(self.directory, directory, ignore=shutil.ignore_patterns("locks"))
        return ClusterRun(directory, {**self.settings, **settings}, profile or self.profile)

    def printed(self) -> str:
        """What the workflow has printed so far."""
        return (self.directory / "printed").read_text()

    def command(self, *arguments: str) -> list[str]:
        overlay = self.directory / "settings.yaml"
        overlay.write_text(yaml.safe_dump(self.settings))
        command = [sys.executable, "-m", "snakemake", "--profile", str(self.profile), *arguments]
        command += ["--snakefile", str(REPOSITORY / "Snakefile"), "--directory", str(self.directory)]
        return [*command, "--configfile", str(overlay)]

    def start(self, *arguments: str) -> subprocess.Popen:
        """Start the workflow; what it prints goes to a file beside its results."""
        with (self.directory / "printed").open("w") as printed:
            return subprocess.Popen(
                self.command(*arguments),
                stdout=printed,
                stderr=subprocess.STDOUT,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )

    def __call__(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
        """Run the workflow to its end."""
        process = self.start(*arguments)
        status = process.wait(timeout=1800)
        assert not check or status == 0, self.printed()[-6000:]
        return subprocess.CompletedProcess(process.args, status, self.printed(), "")


def wait_for(happened: Callable[[], Any], process: subprocess.Popen, seconds: float = 600) -> Any:
    """Wait until something has happened while a workflow runs."""
    deadline = time.monotonic() + seconds
    while not (seen := happened()):
        assert process.poll() is None, "the workflow ended before"
        assert time.monotonic() < deadline, "too late"
        time.sleep(0.2)
    return seen


def jobs_of(rule: str, state: str = "RUNNING") -> list[str]:
    """Numbers of Slurm's jobs of a rule or group in a state."""
    rows = [line.split("|") for line in slurm("squeue", "-h", "-o", "%A|%T|%k").splitlines()]
    return [number for number, now, comment in rows if now == state and rule in comment]


def targets(folder: Path, n_train: int, n_test: int) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    return {"targets": {"path": str(demo_targets(folder / "targets.csv", n_train, n_test))}}


def checked(run: Run, alone: Run) -> None:
    """Check that a run has the products of one on this machine alone: nothing lost, nothing doubled."""
    keys = {"targets.parquet": ["subject_id"], "catalogue/ledger.parquet": ["subject_id", "band"]}
    for name, key in {**keys, "catalogue/catalogue.parquet": ["source_id"]}.items():
        mine, theirs = (
            one.table(name)
            .drop(columns=["shard", *PROVENANCE], errors="ignore")
            .sort_values(key, ignore_index=True)
            for one in (run, alone)
        )
        assert len(mine) and not mine.duplicated(key).any()
        pd.testing.assert_frame_equal(mine, theirs)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The workflow on this machine alone, in one shard; the weights that ship."""
    directory = tmp_path_factory.mktemp("alone")
    run = Run(directory, {**TINY, "shard_size": 512, **targets(directory, 10, 14)})
    run()
    return run


@pytest.fixture(scope="module")
def clustered(tmp_path_factory: pytest.TempPathFactory, alone: Run) -> ClusterRun:
    """The workflow through Slurm, in two shards, with the profile that ships."""
    directory = tmp_path_factory.mktemp("clustered")
    run = ClusterRun(directory, {**alone.settings, "shard_size": 12}, profile(directory))
    run.said = run().stdout
    return run


def test_the_whole_workflow_through_slurm(clustered: ClusterRun, alone: Run) -> None:
    checked(clustered, alone)
    assert "<html" in (clustered.results / "report.html").read_text()[:300]


def test_many_shards_are_few_jobs(clustered: ClusterRun) -> None:
    submitted = clustered.said.count("has been submitted with SLURM jobid")
    shards = clustered.table("targets.parquet")["shard"].nunique()
    jobs = clustered.said.count("Finished jobid")
    assert shards == 2
    assert jobs - submitted >= 5 * (shards - 1)  # five rules work on shards


def test_a_second_run_finds_nothing_to_do(clustered: ClusterRun) -> None:
    assert "Nothing to be done" in clustered().stdout


def test_two_nodes_train_as_one(tmp_path: Path, clustered: ClusterRun) -> None:
    trained = {"training": {"epochs": 2}, "model": {"weights": {"D4": None}}}
    two = clustered.copy(tmp_path / "two", profile(tmp_path, train=TWO_NODES), **trained)
    one = Run(clustered.copy(tmp_path / "one").directory, two.settings)
    for run in (one, two):
        run("training")
    log = (two.results / "logs" / "train" / "D4.log").read_text()
    assert "srun --nodes=2 --ntasks=2" in log and "epoch 2 of 2" in log
    losses = [run.table("model/D4/losses.parquet")[list(LOSS_NAMES)] for run in (one, two)]
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-3)


def resume(node: str) -> None:
    """Bring a node back that was set down; Slurm may do so first, and then refuses to."""
    for _ in range(20):
        if "down" not in slurm("sinfo", "-h", "-n", node, "-o", "%T"):
            return
        subprocess.run(["scontrol", "update", f"NodeName={node}", "State=RESUME"], timeout=60, check=False)
        time.sleep(0.5)
    pytest.fail(f"{node} stays down")


def requeue(number: str) -> None:
    slurm("scontrol", "requeue", number)


def cancel(number: str) -> None:
    slurm("scancel", number)


def lose_node(number: str) -> None:
    slurm("scontrol", "update", "NodeName=n2", "State=DOWN", "Reason=test")


@pytest.mark.parametrize("fault", [lose_node, requeue])
def test_a_training_that_is_stopped_goes_on(tmp_path: Path, clustered: ClusterRun, fault: Callable) -> None:
    epochs = 100
    trained = {"training": {"epochs": epochs}, "model": {"weights": {"D4": None}}}
    run = clustered.copy(tmp_path / "run", profile(tmp_path, train=TWO_NODES), **trained)
    process = run.start("training")
    checkpoint = run.results / "model" / "D4" / "checkpoint.pt"
    try:
        wait_for(checkpoint.exists, process)
        [number] = jobs_of("rule_train")
        fault(number)
        wait_for(lambda: not jobs_of("rule_train"), process)
        assert checkpoint.exists()
    finally:
        resume("n2")
    assert process.wait(timeout=900) == 0, run.printed()[-4000:]
    assert "training goes on after epoch" in (run.results / "logs" / "train" / "D4.log").read_text()
    assert len(run.table("model/D4/losses.parquet")) == epochs  # one batch each


def preempt(number: str) -> None:
    """Have something more urgent on both nodes for a moment."""
    slurm("sbatch", "-p", "urgent", "-N2", "--exclusive", "-o", "/dev/null", "--wrap", "sleep 1")
    time.sleep(3)


def kill(number: str) -> None:
    slurm("scancel", "--signal=KILL", "--full", number)


def node_down(number: str) -> None:
    node = slurm("squeue", "-h", "-j", number, "-o", "%N").strip()
    slurm("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")
    time.sleep(2)
    resume(node)


@pytest.mark.parametrize(
    ("fault", "rule", "group"),
    [
        (kill, "fuse", "rule_fusion"),
        (cancel, "infer", "rule_inference"),
        (node_down, "measure_sources", "rule_measuring"),
        (preempt, "measure_sources", "rule_measuring"),
    ],
)
def test_nothing_is_lost_or_doubled(
    tmp_path: Path, clustered: ClusterRun, alone: Run, fault: Callable, rule: str, group: str
) -> None:
    run = clustered.copy(tmp_path / "run")
    process = run.start("catalogue", "-R", rule)
    [number] = wait_for(lambda: jobs_of(group), process)
    time.sleep(1)
    fault(number)
    assert process.wait(timeout=900) == 0, run.printed()[-4000:]
    checked(run, alone)


def test_a_bad_shard_takes_no_other_with_it(tmp_path: Path, clustered: ClusterRun) -> None:
    run = clustered.copy(tmp_path / "run", profile(tmp_path, retries=0))
    for shard, other in (("00000", "00001"), ("00001", "00000")):  # one of them is the first to be taken
        shutil.rmtree(run.results / "detections")
        bad = run.results / "fused" / "D4" / f"{shard}.npy"
        whole, then = bad.read_bytes(), bad.stat()
        bad.write_bytes(whole[:1000])
        os.utime(bad, ns=(then.st_atime_ns, then.st_mtime_ns))
        assert run("inference", check=False).returncode != 0
        log = run.results / "logs/infer/D4" / f"{shard}.log"
        assert f"{shard}.npy: not a complete .npy array" in log.read_text()
        assert [path.name for path in (run.results / "detections/D4").iterdir()] == [f"{other}.parquet"]
        assert run.planned("inference")["infer"] == 1
        bad.write_bytes(whole)
        os.utime(bad, ns=(then.st_atime_ns, then.st_mtime_ns))


def test_a_killed_workflow_goes_on(tmp_path: Path, clustered: ClusterRun, alone: Run) -> None:
    run = clustered.copy(tmp_path / "run")
    process = run.start("catalogue", "-R", "infer")
    [number] = wait_for(lambda: jobs_of("rule_inference"), process)
    process.kill()
    process.wait(timeout=60)
    cancel(number)
    run("--unlock")
    run("catalogue")
    checked(run, alone)


def test_shards_as_job_arrays(tmp_path: Path, clustered: ClusterRun, alone: Run) -> None:
    arrays = {"slurm-array-jobs": "infer, measure_sources", "slurm-array-limit": 40}
    run = clustered.copy(tmp_path / "run", profile(tmp_path, drop=("groups", "group-components"), **arrays))
    # One stage after the other: in one run shards are measured as they come, and are an array only by chance.
    said = run("inference", "-R", "infer").stdout + run("catalogue", "-R", "measure_sources").stdout
    assert said.count("Submitted array job") == 2
    checked(run, alone)
