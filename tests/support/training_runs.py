"""Short trainings on small runs of fused images."""

from pathlib import Path
from typing import Any

from fused_runs import blob_sky, fused_shard, write_run

from claran_core.common.paths import Results
from claran_core.model.weights_header import WeightsInfo
from claran_core.settings.config import load_config
from claran_core.settings.fusion import ImageOptions
from claran_core.settings.model import NetworkOptions
from claran_core.settings.training import TrainingOptions
from claran_core.survey.surveys import SURVEYS
from claran_core.training.dataset import FusedDataset
from claran_core.training.train import train

__all__ = [
    "FUSION",
    "LONG",
    "MODEL",
    "SCRIPT",
    "TRAINING",
    "VALIDATED",
    "open_blobs",
    "open_written",
    "outputs",
    "run",
    "script",
]

CONFIG = load_config({"fusion": {"size_px": 64}, "training": {"batch_size": 4, "epochs": 3}})
FUSION, MODEL, TRAINING = CONFIG.fusion, CONFIG.model, CONFIG.training

# Some of the ten subjects of a run with the seed 7 are held out.
VALIDATED = TRAINING.changed(validation_fraction=0.3, patience=2)

# More epochs than can pass before a signal arrives.
LONG = TRAINING.changed(epochs=400)

# The program of a training in processes of its own.  Arguments: the folder of a run that is written, the name
# of the settings.  It does not write the run: several processes would read what another one is writing.
SCRIPT = """
import sys
from pathlib import Path
import training_runs
from training_runs import open_written, run
run(open_written(Path(sys.argv[1])), Path(sys.argv[1]), training=getattr(training_runs, sys.argv[2]))
"""


def open_blobs(root: Path, n: int = 10, *, cuts: tuple[int, ...] = (), **options: Any) -> FusedDataset:
    """Write a run of round blobs and open it as the training set."""
    results, shards = write_run(root, blob_sky(n), cuts=cuts, **options)
    return FusedDataset(shards, targets=[results.targets], labels=results.labels)


def open_written(root: Path) -> FusedDataset:
    """Open the one shard of a run that `open_blobs` wrote as the training set."""
    results = Results(root)
    return FusedDataset([fused_shard(results, "00000")], targets=[results.targets], labels=results.labels)


def run(
    dataset: FusedDataset,
    root: Path,
    *,
    training: TrainingOptions = TRAINING,
    seed: int = 7,
    fusion: ImageOptions = FUSION,
    threads: int = 1,
    model: NetworkOptions = MODEL,
) -> WeightsInfo:
    """Train on a set, with the files of a run in `root`."""
    results = Results(root)
    return train(
        dataset,
        method="D4",
        fusion=fusion,
        model=model,
        training=training,
        seed=seed,
        survey=SURVEYS["FIRST"],
        weights_path=results.weights("D4"),
        losses_path=results.losses("D4"),
        checkpoint_path=results.checkpoint("D4"),
        device="cpu",
        threads=threads,
    )


def script(folder: Path) -> Path:
    """Write the script that opens the run in a folder and trains on it."""
    path = folder / "training.py"
    path.write_text(SCRIPT)
    return path


def outputs(root: Path) -> tuple[bytes, bytes]:
    """Return the bytes of the weights and of the losses of a run."""
    return Results(root).weights("D4").read_bytes(), Results(root).losses("D4").read_bytes()
