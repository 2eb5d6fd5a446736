"""Launch of a training: processes from the resources of a rule, job files, signals."""

import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fused_runs import blob_sky, write_run
from training_runs import FUSION, TRAINING, open_blobs, run

from claran_core.common.errors import ConfigError, TrainingInterrupted
from claran_core.common.morphology import MORPHOLOGIES
from claran_core.common.paths import Results
from claran_core.model.layers.detector import LOSS_NAMES
from claran_core.survey.surveys import SURVEYS
from claran_core.training.torchrun import LaunchConfig, launch_config, launch_training
from claran_core.training.torchrun_job import TrainingJob


@pytest.mark.parametrize(
    ("resources", "threads", "expected"),
    [
        ({}, 8, LaunchConfig(1, 1, 8)),
        ({"gpu": 1, "mem_mb": 8000}, 2, LaunchConfig(1, 1, 2)),
        ({"gpu": 4}, 8, LaunchConfig(1, 4, 8)),
        ({"nodes": 2, "tasks": 2, "mpi": "srun"}, 2, LaunchConfig(2, 1, 2, ("srun",))),
        ({"nodes": 2, "gpu": 8, "mpi": "srun --mpi=none"}, 8, LaunchConfig(2, 4, 8, ("srun", "--mpi=none"))),
        ({"nodes": 3, "gres": "gpu:2", "mpi": "srun"}, 8, LaunchConfig(3, 2, 8, ("srun",))),
        ({"gres": "gpu:a100:4"}, 8, LaunchConfig(1, 4, 8)),
        ({"gres": "gpu"}, 8, LaunchConfig(1, 1, 8)),
        ({"gres": "scratch:4"}, 8, LaunchConfig(1, 1, 8)),
    ],
)
def test_launch_config_follows_the_resources(resources: dict, threads: int, expected: LaunchConfig) -> None:
    assert launch_config(resources, threads) == expected


@pytest.mark.parametrize(
    ("resources", "says"),
    [({"nodes": 2}, "write mpi: srun"), ({"nodes": 2, "gpu": 3, "mpi": "srun"}, "gpu: 3 for 2 nodes")],
)
def test_impossible_resources_are_refused(resources: dict, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        launch_config(resources, 1)


def test_threads_are_divided_among_the_processes_of_a_node() -> None:
    assert [LaunchConfig(1, n, 8).threads for n in (1, 2, 3, 16)] == [8, 4, 2, 1]


def make_job(root: Path, epochs: int = TRAINING.epochs) -> TrainingJob:
    results, shards = write_run(root, blob_sky(10))
    return TrainingJob(
        method="D4",
        targets=[str(results.targets)],
        images=[str(shard.images) for shard in shards],
        index=[str(shard.index) for shard in shards],
        components=[str(shard.components) for shard in shards],
        owners=[str(shard.owners) for shard in shards],
        labels=str(results.labels),
        pretrained=None,
        start=None,
        fusion=FUSION.as_dict(exclude={"methods"}),
        architecture="association",
        classes=list(MORPHOLOGIES),
        options={},
        training={**TRAINING.as_dict(), "epochs": epochs},
        seed=7,
        survey=SURVEYS["FIRST"].as_dict(),
        device="cpu",
        threads=1,
        weights=str(results.weights("D4")),
        losses=str(results.losses("D4")),
        checkpoint=str(results.checkpoint("D4")),
    )


def test_a_job_is_restored_from_its_file(tmp_path: Path) -> None:
    job = make_job(tmp_path)
    job.write(tmp_path / "job.json")
    assert TrainingJob.read(tmp_path / "job.json") == job


def test_two_processes_train_as_one(tmp_path: Path) -> None:
    alone, together = tmp_path / "alone", tmp_path / "together"
    run(open_blobs(alone), alone)
    file = Results(together).training_job("D4")
    launch_training(make_job(together), LaunchConfig(1, 2, 2), file)
    one, two = (pd.read_parquet(Results(root).losses("D4"))[list(LOSS_NAMES)] for root in (alone, together))
    np.testing.assert_allclose(two, one, rtol=1e-3)
    assert not np.array_equal(two, one, equal_nan=True)  # summed in another order: it was shared out
    assert not file.exists()


def test_errors_of_the_processes_are_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    job = make_job(tmp_path)
    Path(job.images[0]).write_bytes(b"damaged")
    with (
        caplog.at_level("INFO", "claran_core.training.torchrun"),
        pytest.raises(TrainingInterrupted, match="status 1"),
    ):
        launch_training(job, LaunchConfig(1, 2, 2), Results(tmp_path).training_job("D4"))
    assert f"claran: {job.images[0]}: not a complete .npy array" in caplog.text


def test_sigterm_is_forwarded_to_the_processes(tmp_path: Path) -> None:
    job = make_job(tmp_path, epochs=400)
    checkpoint = Path(job.checkpoint)

    def terminate() -> None:
        deadline = time.monotonic() + 120
        while not checkpoint.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=terminate)
    thread.start()
    with pytest.raises(TrainingInterrupted, match=f"resume from {checkpoint}"):
        launch_training(job, LaunchConfig(1, 2, 2), Results(tmp_path).training_job("D4"))
    thread.join()
    assert checkpoint.exists() and not Path(job.weights).exists()
