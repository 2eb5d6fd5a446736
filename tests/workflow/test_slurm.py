"""The workflow through a real Slurm, with the shipped profile: stages, training on two nodes, faults.

Needs a running cluster of ``tests/support/slurm_cluster.py``.  ``.ci/run`` starts one and sets
``CLARAN_NEEDS_SLURM``, which makes these tests fail rather than be skipped without it.
"""

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cluster_runs import ClusterRun, cluster_is_running, jobs_of, resume, slurm, wait_for, write_profile
from workflow_runs import PROVENANCE, Run, demo_targets

from claran_core.model.layers.detector import LOSS_NAMES
from claran_core.model.layers.processing import SCORE_DECIMALS

pytestmark = pytest.mark.slurm

TINY: dict[str, Any] = {"shard_size": 12, "evaluation": {"bootstrap": 20}, "report": {"gallery_size": 4}}
TWO_NODES = {"nodes": 2, "tasks": 2, "gres": "gpu:1", "tasks_per_gpu": 0, "mpi": "srun"}
KEYS = {
    "targets.parquet": ["subject_id"],
    "catalogue/ledger.parquet": ["subject_id", "band"],
    "catalogue/catalogue.parquet": ["source_id"],
}


@pytest.fixture(scope="module", autouse=True)
def cluster() -> None:
    """Skip these tests, or fail where they are required, if no cluster is running."""
    if not cluster_is_running():
        missing = "no Slurm of tests/support/slurm_cluster.py is running"
        (pytest.fail if os.environ.get("CLARAN_NEEDS_SLURM") else pytest.skip)(missing)


def assert_same_products(run: Run, reference: Run) -> None:
    """Check that a run has lost and doubled no row of the reference."""
    for name, key in KEYS.items():
        table, expected = (
            one.table(name)
            .drop(columns=["shard", *PROVENANCE], errors="ignore")
            .sort_values(key, ignore_index=True)
            for one in (run, reference)
        )
        assert len(table) and not table.duplicated(key).any()
        # Probabilities of the network are rounded; the last digit may depend on the subjects in a batch.
        pd.testing.assert_frame_equal(table, expected, atol=10.0**-SCORE_DECIMALS)


@pytest.fixture(scope="module")
def local_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Make a catalogue without Slurm, in one shard, with the shipped weights."""
    directory = tmp_path_factory.mktemp("local")
    targets = demo_targets(directory / "targets.csv", 10, 14)
    run = Run(directory, {**TINY, "shard_size": 512, "targets": {"path": str(targets)}})
    run("catalogue")
    return run


@pytest.fixture(scope="module")
def cluster_run(tmp_path_factory: pytest.TempPathFactory, local_run: Run) -> ClusterRun:
    """Run the whole workflow on the same targets through Slurm, in two shards."""
    directory = tmp_path_factory.mktemp("cluster")
    run = ClusterRun(directory, {**local_run.settings, "shard_size": 12}, write_profile(directory))
    run()
    shutil.copy(directory / "output", directory / "first_output")  # a later call replaces the output
    return run


def test_slurm_gives_the_catalogue_and_report_of_one_machine(cluster_run: ClusterRun, local_run: Run) -> None:
    assert_same_products(cluster_run, local_run)
    assert "<html" in (cluster_run.results / "report.html").read_text()[:300]


def test_shards_share_jobs(cluster_run: ClusterRun) -> None:
    output = (cluster_run.directory / "first_output").read_text()
    submitted = output.count("has been submitted with SLURM jobid")
    shards = cluster_run.table("targets.parquet")["shard"].nunique()
    jobs = output.count("Finished jobid")
    assert shards == 2
    assert jobs - submitted >= 5 * (shards - 1)  # five rules work on shards


def test_a_second_run_has_nothing_to_do(cluster_run: ClusterRun) -> None:
    assert "Nothing to be done" in cluster_run().stdout


def lose_node_of_training(number: str) -> None:
    """Take one of the two nodes of a training down."""
    slurm("scontrol", "update", "NodeName=n2", "State=DOWN", "Reason=test")


def requeue(number: str) -> None:
    """Have Slurm stop a job and start it again later."""
    slurm("scontrol", "requeue", number)


def test_a_training_on_two_nodes_survives_faults_and_equals_one_process(
    tmp_path: Path, cluster_run: ClusterRun
) -> None:
    epochs = 40
    training = {"training": {"epochs": epochs}, "model": {"weights": {"D4": None}}}
    two = cluster_run.copy(tmp_path / "two", write_profile(tmp_path, train=TWO_NODES), **training)
    one = Run(cluster_run.copy(tmp_path / "one").directory, two.settings)
    process = two.start("training")
    checkpoint = two.results / "model" / "D4" / "checkpoint.pt"
    log = two.results / "logs" / "train" / "D4.log"
    try:
        wait_for(checkpoint.exists, process)
        for fault in (lose_node_of_training, requeue):
            [number] = jobs_of("rule_train")
            fault(number)
            wait_for(lambda: not jobs_of("rule_train"), process)
            assert checkpoint.exists()
            log.unlink()
            resume("n2")
            wait_for(lambda: log.exists() and "training resumes after epoch" in log.read_text(), process)
    finally:
        resume("n2")
    one("training")
    two.finish(process)
    assert "srun --nodes=2 --ntasks=2" in log.read_text()
    assert f"epoch {epochs} of {epochs}" in log.read_text()
    losses = [run.table("model/D4/losses.parquet") for run in (one, two)]
    assert len(losses[0]) == len(losses[1]) == epochs  # one batch each
    first = [table.loc[:1, list(LOSS_NAMES)] for table in losses]  # later ones differ by the order of sums
    np.testing.assert_allclose(first[1], first[0], rtol=1e-3)


def kill(number: str) -> None:
    """Kill the processes of a job."""
    slurm("scancel", "--signal=KILL", "--full", number)


def cancel(number: str) -> None:
    """Cancel a job."""
    slurm("scancel", number)


def lose_node(number: str) -> None:
    """Take the node of a job down for a moment."""
    node = slurm("squeue", "-h", "-j", number, "-o", "%N").strip()
    slurm("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")
    time.sleep(2)
    resume(node)


def preempt(number: str) -> None:
    """Run a more urgent job on both nodes for a moment."""
    slurm("sbatch", "-p", "urgent", "-N2", "--exclusive", "-o", "/dev/null", "--wrap", "sleep 1")


def running_job(group: str, process: subprocess.Popen[bytes], *earlier: str) -> str:
    """Wait for the job of a group of rules, other than earlier ones, to have run for a second."""
    [number] = wait_for(lambda: [one for one in jobs_of(group) if one not in earlier], process)
    time.sleep(1)
    return number


def test_faults_of_jobs_nodes_and_workflow_lose_and_double_nothing(
    tmp_path: Path, cluster_run: ClusterRun, local_run: Run
) -> None:
    run = cluster_run.copy(tmp_path / "run")
    process = run.start("catalogue", "-R", "fuse")
    kill(running_job("rule_fusion", process))
    cancelled = running_job("rule_inference", process)
    cancel(cancelled)
    left_behind = running_job("rule_inference", process, cancelled)
    process.kill()
    process.wait(timeout=60)
    cancel(left_behind)
    run("--unlock")
    process = run.start("catalogue")
    for fault in (lose_node, preempt):  # Slurm starts the job again under the same number
        number = running_job("rule_measuring", process)
        fault(number)
        wait_for(lambda: not jobs_of("rule_measuring"), process)
    run.finish(process)
    assert "Restarts=2 " in slurm("scontrol", "show", "job", number)
    assert_same_products(run, local_run)


def test_a_bad_shard_does_not_stop_the_others(tmp_path: Path, cluster_run: ClusterRun) -> None:
    run = cluster_run.copy(tmp_path / "run", write_profile(tmp_path, retries=0))
    for shard, other in (("00000", "00001"), ("00001", "00000")):  # one of them is worked on first
        shutil.rmtree(run.results / "detections")
        bad = run.results / "fused" / "D4" / f"{shard}.npy"
        whole, status = bad.read_bytes(), bad.stat()
        bad.write_bytes(whole[:1000])
        os.utime(bad, ns=(status.st_atime_ns, status.st_mtime_ns))
        assert run("inference", check=False).returncode != 0
        log = run.results / "logs/infer/D4" / f"{shard}.log"
        assert f"{shard}.npy: not a complete .npy array" in log.read_text()
        assert [path.name for path in (run.results / "detections/D4").iterdir()] == [f"{other}.parquet"]
        assert run.planned("inference")["infer"] == 1
        bad.write_bytes(whole)
        os.utime(bad, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_shards_as_job_arrays(tmp_path: Path, cluster_run: ClusterRun, local_run: Run) -> None:
    arrays = {"slurm-array-jobs": "infer, measure_sources", "slurm-array-limit": 40}
    profile = write_profile(tmp_path, drop=("groups", "group-components"), **arrays)
    run = cluster_run.copy(tmp_path / "run", profile)
    # Two runs: in one, each shard is measured as soon as it is inferred, and may not share an array.
    output = run("inference", "-R", "infer").stdout + run("catalogue", "-R", "measure_sources").stdout
    assert output.count("Submitted array job") == 2
    assert_same_products(run, local_run)
