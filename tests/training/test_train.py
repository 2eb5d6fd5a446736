"""Training: files, reproducibility to the bit, resuming after any interruption."""

import hashlib
import io
import json
import logging
import os
import signal
import struct
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from fused_runs import blob_sky, write_run
from safetensors.torch import load_file, save_file
from torchvision_weights import imagenet
from training_runs import MODEL, SCRIPT, TRAINING, VALIDATED, open_blobs, outputs, run, script

from claran_core.common.errors import ConfigError, InputError
from claran_core.common.paths import Results
from claran_core.model.layers.detector import LOSS_NAMES
from claran_core.model.weights_header import read_header, read_info
from claran_core.settings.config import TrainingOptions, load_config
from claran_core.training.dataset import FusedDataset, TrainingBatch
from claran_core.training.validation_split import validation_mask

SUPPORT = str(Path(__file__).resolve().parents[1] / "support")


class CutDataset(FusedDataset):
    """Data set that ends the training in the middle of epoch `cut_in`, as a power failure."""

    cut_in = 2

    def batch(self, indices: np.ndarray, *, epoch: int, **options: int | str) -> TrainingBatch:
        if epoch == self.cut_in and 0 in indices:
            raise KeyboardInterrupt
        return super().batch(indices, epoch=epoch, **options)


def cut_run(root: Path, **options: TrainingOptions | int) -> Path:
    """Train until the middle of epoch 3, and return the path of the checkpoint."""
    results, shards = write_run(root, blob_sky(10))
    with pytest.raises(KeyboardInterrupt):
        run(CutDataset(shards, targets=[results.targets], labels=results.labels), root, **options)
    assert not results.weights("D4").exists()
    return results.checkpoint("D4")


@pytest.fixture(scope="module")
def uncut(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("uncut")
    run(open_blobs(root), root)
    return root


@pytest.fixture(scope="module")
def validated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("validated")
    run(open_blobs(root), root, training=VALIDATED)
    return root


@pytest.fixture(scope="module")
def left_behind(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Content of the checkpoint of an interrupted training."""
    return cut_run(tmp_path_factory.mktemp("cut")).read_bytes()


@pytest.fixture
def messages(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Capture the messages of the package, for any state of its logger."""
    package = logging.getLogger("claran_core")
    before = package.level
    package.addHandler(caplog.handler)
    package.setLevel(logging.INFO)
    yield caplog
    package.removeHandler(caplog.handler)
    package.setLevel(before)


def test_files_of_a_finished_training(uncut: Path) -> None:
    losses = pd.read_parquet(Results(uncut).losses("D4"))
    assert losses["iteration"].tolist() == list(range(1, 10))  # 3 epochs of ceil(10 / 4) batches
    assert (losses[["roi_class", "grouping"]] > 0).all(axis=None)
    # The association network has these two losses; the other three of the paper stay empty.
    assert losses[["anchor_class", "anchor_box", "roi_box"]].isna().all(axis=None)
    assert losses["learning_rate"].iloc[0] == TRAINING.learning_rate  # one iteration of warm-up
    assert not Results(uncut).checkpoint("D4").exists()
    assert not list(Results(uncut).model("D4").glob(".*"))


def test_header_of_the_weights(uncut: Path, tmp_path: Path) -> None:
    info, dataset = read_info(Results(uncut).weights("D4")), open_blobs(tmp_path)
    assert (info.architecture, info.method, info.seed) == ("association", "D4", 7)
    assert info.fusion_options == {
        "contour_sigma": 5.0,
        "hull_fill": [213, 45, 14],
        "size_px": 64,
        "pixel_scale_arcsec": 1.375,
    }
    assert info.channel_means == dataset.channel_means()
    assert info.data["hash"] == dataset.fingerprint()
    assert (info.data["n_subjects"], info.data["n_labels"]) == (10, 9)
    assert (info.training["epochs"], info.training["optimizer"]) == (3, "adamw")
    last = pd.read_parquet(Results(uncut).losses("D4")).tail(3)
    assert info.metrics["training_error"] == pytest.approx(last[list(LOSS_NAMES)].mean().sum(), rel=1e-6)


def test_same_bytes_for_any_shards(uncut: Path, tmp_path: Path) -> None:
    run(open_blobs(tmp_path, cuts=(3, 4)), tmp_path)
    assert outputs(tmp_path) == outputs(uncut)


def test_seed_changes_the_weights(uncut: Path, tmp_path: Path) -> None:
    run(open_blobs(tmp_path), tmp_path, seed=8)
    assert outputs(tmp_path)[0] != outputs(uncut)[0]


def test_number_of_threads_changes_only_the_last_bits(tmp_path: Path) -> None:
    short = TRAINING.changed(epochs=1)
    losses = []
    for threads in (1, 2):
        root = tmp_path / str(threads)
        run(open_blobs(root, 8), root, training=short, threads=threads)
        losses.append(pd.read_parquet(Results(root).losses("D4"))[list(LOSS_NAMES)])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-3)


@pytest.mark.parametrize(("n_processes", "training"), [(2, "TRAINING"), (3, "TRAINING"), (2, "VALIDATED")])
def test_several_processes_take_the_steps_of_one(
    uncut: Path, validated: Path, tmp_path: Path, n_processes: int, training: str
) -> None:
    alone = {"TRAINING": uncut, "VALIDATED": validated}[training]
    # Batches of 4, 3 and 3 subjects: the processes' shares differ in size.
    environment = {**os.environ, "PYTHONPATH": SUPPORT, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += [f"--nproc-per-node={n_processes}", str(script(tmp_path)), str(tmp_path), training]
    open_blobs(tmp_path)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    one, several = (pd.read_parquet(Results(root).losses("D4")) for root in (alone, tmp_path))
    np.testing.assert_allclose(several, one, rtol=1e-3)
    assert (several["roi_class"] != one["roi_class"]).any()  # summed in another order: it was shared out
    weights = [load_file(Results(root).weights("D4")) for root in (alone, tmp_path)]
    for name, tensor in weights[0].items():
        torch.testing.assert_close(weights[1][name], tensor, rtol=0, atol=2e-3)


def test_cut_and_resumed_equals_uncut(
    uncut: Path, tmp_path: Path, messages: pytest.LogCaptureFixture
) -> None:
    checkpoint = cut_run(tmp_path)
    assert torch.load(checkpoint, weights_only=True)["epoch"] == 2
    run(open_blobs(tmp_path), tmp_path)
    assert "training resumes after epoch 2" in messages.text
    assert outputs(tmp_path) == outputs(uncut)
    assert not checkpoint.exists()


def test_killed_process_and_resumed_equals_uncut(uncut: Path, tmp_path: Path) -> None:
    path = os.pathsep.join(sys.path)
    open_blobs(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path), "TRAINING"], env={**os.environ, "PYTHONPATH": path}
    )
    deadline = time.monotonic() + 60
    while not Results(tmp_path).checkpoint("D4").exists() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    run(open_blobs(tmp_path), tmp_path)
    assert outputs(tmp_path) == outputs(uncut)


def middle_of_largest_record(content: bytes) -> int:
    """Return the position of a byte in the largest tensor of a checkpoint, a ZIP file with padding."""
    with zipfile.ZipFile(io.BytesIO(content)) as records:
        largest = max(records.infolist(), key=lambda record: record.file_size)
    name_length, extra_length = struct.unpack_from("<HH", content, largest.header_offset + 26)
    start = largest.header_offset + 30 + name_length + extra_length
    return int(start + largest.file_size // 2)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "text", "other"])
def test_damaged_checkpoint_is_not_used(
    uncut: Path, left_behind: bytes, tmp_path: Path, damage: str, messages: pytest.LogCaptureFixture
) -> None:
    dataset, checkpoint = open_blobs(tmp_path), Results(tmp_path).checkpoint("D4")
    middle = middle_of_largest_record(left_behind)
    damaged = {
        "truncated": left_behind[:middle],
        "flipped": left_behind[:middle] + bytes([left_behind[middle] ^ 255]) + left_behind[middle + 1 :],
        "empty": b"",
        "text": b"not a checkpoint\n",
    }
    checkpoint.parent.mkdir(parents=True)
    if damage == "other":
        torch.save(torch.zeros(3), checkpoint)
    else:
        checkpoint.write_bytes(damaged[damage])
    run(dataset, tmp_path)
    assert "damaged or not a checkpoint; training starts from the beginning" in messages.text
    assert outputs(tmp_path) == outputs(uncut)


def test_checkpoint_of_other_settings_is_not_used(
    uncut: Path, tmp_path: Path, messages: pytest.LogCaptureFixture
) -> None:
    cut_run(tmp_path, seed=8)
    run(open_blobs(tmp_path), tmp_path)
    assert "made with other settings or data; training starts from the beginning" in messages.text
    assert outputs(tmp_path) == outputs(uncut)


def test_checkpoint_of_other_data_is_not_used(tmp_path: Path, messages: pytest.LogCaptureFixture) -> None:
    cut_run(tmp_path)
    run(open_blobs(tmp_path, split={"S000": "test"}), tmp_path)
    assert "made with other settings or data" in messages.text
    assert read_info(Results(tmp_path).weights("D4")).data["n_subjects"] == 9


def test_options_of_the_architecture_are_used_and_recorded(
    tmp_path: Path, messages: pytest.LogCaptureFixture
) -> None:
    cut_run(tmp_path)
    run(open_blobs(tmp_path), tmp_path, model=MODEL.changed(options={"width": 24}))
    assert "made with other settings or data; training starts from the beginning" in messages.text
    weights = Results(tmp_path).weights("D4")
    assert read_header(weights)[1] == {"width": 24}
    assert load_file(weights)["class_score.weight"].shape == (8, 24)


def test_training_starts_from_pretrained_weights(tmp_path: Path, messages: pytest.LogCaptureFixture) -> None:
    start = imagenet()
    torch.save(start, tmp_path / "vgg16.pth")
    model = MODEL.changed(
        architecture="vgg16",
        options={"fc_width": 8, "input_px": 64, "freeze_low": True},
        pretrained=str(tmp_path / "vgg16.pth"),
    )
    slow = TRAINING.changed(epochs=1, learning_rate=1e-6)
    run(open_blobs(tmp_path, 4), tmp_path, model=model, training=slow)
    assert "initial weights of backbone, fc6, fc7" in messages.text
    weights = Results(tmp_path).weights("D4")
    content = (tmp_path / "vgg16.pth").read_bytes()
    facts = read_info(weights).training
    assert facts["pretrained_sha256"] == hashlib.sha256(content).hexdigest() and "pretrained" not in facts
    trained = load_file(weights)
    assert torch.equal(trained["backbone.layers.7.weight"], start["features.7.weight"])  # kept
    torch.testing.assert_close(
        trained["backbone.layers.10.weight"], start["features.10.weight"], rtol=0, atol=1e-3
    )
    assert not torch.equal(trained["backbone.layers.10.weight"], start["features.10.weight"])  # trained


def test_the_header_says_what_the_weights_start_from(tmp_path: Path) -> None:
    origin = {"description": "convolutions of another task", "licence": "MIT License\n\nCopyright somebody"}
    path = tmp_path / "vgg16.safetensors"
    save_file(imagenet(), path, metadata={"origin": json.dumps(origin)})
    model = MODEL.changed(architecture="vgg16", options={"fc_width": 8, "input_px": 64}, pretrained=str(path))
    run(open_blobs(tmp_path, 4), tmp_path, model=model, training=TRAINING.changed(epochs=1))
    assert read_info(Results(tmp_path).weights("D4")).training["pretrained"] == origin


def test_steps_as_in_the_paper(tmp_path: Path) -> None:
    steps = TRAINING.changed(epochs=2, schedule="steps", milestones=(2, 5))
    facts = run(open_blobs(tmp_path), tmp_path, training=steps).training
    losses = pd.read_parquet(Results(tmp_path).losses("D4"))
    np.testing.assert_allclose(losses["learning_rate"], [1e-3, 1e-3, 1e-4, 1e-4, 1e-4, 1e-5], rtol=1e-12)
    assert (facts["schedule"], facts["milestones"], facts["warmup_fraction"]) == ("steps", (2, 5), 0.0)


def test_validation_subjects_are_not_trained_on(uncut: Path, validated: Path, tmp_path: Path) -> None:
    info, losses = (
        read_info(Results(validated).weights("D4")),
        pd.read_parquet(Results(validated).losses("D4")),
    )
    dataset = open_blobs(tmp_path)
    held = validation_mask(dataset.subject_ids, dataset.positions_deg, fraction=0.3, seed=7)
    assert 0 < held.sum() < 5
    fitted, others = dataset.subset(~held), dataset.subset(held)
    assert info.data["hash"] == fitted.fingerprint() and info.channel_means == fitted.channel_means()
    assert info.data["n_subjects"] == 10 - held.sum()
    about = {"hash": others.fingerprint(), "n_subjects": held.sum(), "n_labels": others.n_labels}
    assert info.data["validation"] == about
    batches = len(losses) // 3
    measured = losses["validation"].notna()
    assert losses.loc[measured, "iteration"].tolist() == [batches, 2 * batches, 3 * batches]
    best = losses["validation"].min()
    assert info.metrics["validation_error"] == pytest.approx(best)
    assert info.metrics["epoch"] == losses.loc[losses["validation"] == best, "iteration"].iloc[0] / batches
    assert pd.read_parquet(Results(uncut).losses("D4"))["validation"].isna().all()


def test_validation_is_resumed_from_a_checkpoint(
    validated: Path, tmp_path: Path, messages: pytest.LogCaptureFixture
) -> None:
    cut_run(tmp_path, training=VALIDATED)
    run(open_blobs(tmp_path), tmp_path, training=VALIDATED)
    assert "training resumes after epoch 2" in messages.text
    assert outputs(tmp_path) == outputs(validated)


def test_validation_is_the_same_for_any_shards(validated: Path, tmp_path: Path) -> None:
    run(open_blobs(tmp_path, cuts=(3, 4)), tmp_path, training=VALIDATED)
    assert outputs(tmp_path) == outputs(validated)


def test_training_ends_when_validation_stops_improving(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The learning rate is constant, so two epochs of five are the two of a training of two.
    patient = VALIDATED.changed(epochs=5, schedule="steps", milestones=())
    errors = {1: 3.0, 2: 2.0, 3: 2.5, 4: 2.0}  # equal is not better
    monkeypatch.setattr("claran_core.training.train.validation_error", lambda state, *_: errors[state.epoch])
    short, long, cut = (tmp_path / name for name in ("short", "long", "cut"))
    run(open_blobs(short), short, training=patient.changed(epochs=2))
    info = run(open_blobs(long), long, training=patient)
    assert (info.metrics["epoch"], info.metrics["validation_error"]) == (2, 2.0)
    losses = pd.read_parquet(Results(long).losses("D4"))
    assert losses["validation"].dropna().tolist() == [3.0, 2.0, 2.5, 2.0]
    assert losses["validation"].notna().iloc[-1]
    weights = [load_file(Results(root).weights("D4")) for root in (short, long)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])

    # Killed when all that was left was to write the weights: not one more epoch is trained.
    with monkeypatch.context() as killed, pytest.raises(KeyboardInterrupt):
        killed.setattr("claran_core.training.train.save_weights", raise_interrupt)
        run(open_blobs(cut), cut, training=patient)
    monkeypatch.setattr("claran_core.training.train.train_epoch", raise_interrupt)
    run(open_blobs(cut), cut, training=patient)
    assert outputs(cut) == outputs(long)


def raise_interrupt(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


def test_bfloat16_reaches_a_similar_error(uncut: Path, tmp_path: Path) -> None:
    info = run(open_blobs(tmp_path), tmp_path, training=TRAINING.changed(precision="bfloat16"))
    assert info.training["precision"] == "bfloat16"
    exact, rough = (pd.read_parquet(Results(root).losses("D4"))["roi_class"] for root in (uncut, tmp_path))
    assert (rough != exact).any()
    np.testing.assert_allclose(rough, exact, rtol=0.1)
    dtypes = {tensor.dtype for tensor in load_file(Results(tmp_path).weights("D4")).values()}
    assert dtypes == {torch.float32}


def test_checkpoint_interval_does_not_change_the_weights(uncut: Path, tmp_path: Path) -> None:
    rarer = TRAINING.changed(checkpoint_every=2)
    assert torch.load(cut_run(tmp_path, training=rarer), weights_only=True)["epoch"] == 2
    run(open_blobs(tmp_path), tmp_path)  # another interval does not invalidate a checkpoint
    assert outputs(tmp_path) == outputs(uncut)


def test_training_without_labels_is_refused(tmp_path: Path) -> None:
    images, index, labels = blob_sky(3)
    results, shards = write_run(tmp_path, (images, index, labels.iloc[:0]))
    dataset = FusedDataset(shards, targets=[results.targets], labels=results.labels)
    with pytest.raises(InputError, match=r"training needs labels.*give model\.weights\.D4"):
        run(dataset, tmp_path)


def test_images_of_another_size(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"images of 64 px do not fit fusion\.size_px 132"):
        run(open_blobs(tmp_path, 2), tmp_path, fusion=load_config().fusion)


def test_divergence_is_refused_in_one_line(tmp_path: Path) -> None:
    wild = TRAINING.model_copy(update={"learning_rate": 1e20})  # beyond the bounds of the settings
    with pytest.raises(ConfigError, match=r"diverged at iteration \d+ .*lower training\.learning_rate"):
        run(open_blobs(tmp_path), tmp_path, training=wild)
    assert not Results(tmp_path).weights("D4").exists()
