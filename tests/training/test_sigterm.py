"""SIGTERM in a training leaves a checkpoint; the resumed training ends as an uninterrupted one."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from training_runs import open_blobs, outputs, run, script

from claran_core.common.errors import TrainingInterrupted
from claran_core.common.paths import REPOSITORY, Results
from claran_core.training.sigterm import catch_sigterm
from claran_core.training.state import TrainingState

STEPS_PER_EPOCH = 3  # ten subjects in batches of four


def test_signal_sets_the_flag_and_the_old_handler_is_restored() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with catch_sigterm() as stop:
        assert not stop.received
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.received
    assert signal.getsignal(signal.SIGTERM) == before


def test_other_threads_never_receive_the_signal() -> None:
    received = []

    def work() -> None:
        with catch_sigterm() as stop:
            received.append(stop.received)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert received == [False]


def signal_after(method: str, steps: int) -> Callable[..., None]:
    """Return a method of `TrainingState` that sends SIGTERM to this process after `steps` steps."""
    original = getattr(TrainingState, method)

    def signalled(state: TrainingState, *arguments: Any, **options: Any) -> None:
        original(state, *arguments, **options)
        if len(state.losses) == steps:
            os.kill(os.getpid(), signal.SIGTERM)

    return signalled


@pytest.mark.parametrize("steps", [0, 1, 3, 5, 8])
def test_resumed_after_any_step_equals_uncut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    uncut, cut = tmp_path / "uncut", tmp_path / "cut"
    run(open_blobs(uncut), uncut)
    method = "step" if steps else "resume"
    with (
        monkeypatch.context() as patched,
        pytest.raises(TrainingInterrupted, match="start it again to resume"),
    ):
        patched.setattr(TrainingState, method, signal_after(method, steps))
        run(open_blobs(cut), cut)
    left = torch.load(Results(cut).checkpoint("D4"), weights_only=True)
    assert (left["epoch"], len(left["losses"])) == (steps // STEPS_PER_EPOCH, steps)
    run(open_blobs(cut), cut)
    assert outputs(cut) == outputs(uncut)
    assert not Results(cut).checkpoint("D4").exists()


SUPPORT = str(Path(__file__).resolve().parents[1] / "support")


def test_several_processes_stop_after_the_same_step(tmp_path: Path) -> None:
    open_blobs(tmp_path)
    path = script(tmp_path)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    process = subprocess.Popen(
        [*command, str(path), str(tmp_path), "LONG"],
        env={**os.environ, "PYTHONPATH": f"{REPOSITORY}{os.pathsep}{SUPPORT}", "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    checkpoint = Results(tmp_path).checkpoint("D4")
    deadline = time.monotonic() + 120
    while not checkpoint.exists() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    printed = process.communicate(timeout=120)[1]
    assert process.returncode != 0
    assert printed.count("received SIGTERM in epoch") == 2  # one line of each process
    left = torch.load(checkpoint, weights_only=True)
    assert 0 <= len(left["losses"]) - left["epoch"] * STEPS_PER_EPOCH < STEPS_PER_EPOCH
