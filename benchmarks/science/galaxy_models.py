"""What is learned of RadioGalaxyNET: the association network, and a small network of plain shape numbers.

Each gives the probabilities of a candidate: no annotated source, then the classes.  `combined` is their
weighted geometric mean, normalised.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.science.galaxy_islands import FRAME_PX
from benchmarks.science.galaxy_subjects import CLASSES, GalaxySubjects
from claran_core.common.log import Progress
from claran_core.components.component_batch import ComponentBatch
from claran_core.model.architectures import build_detector
from claran_core.model.fine_tuning import start_from
from claran_core.model.layers.detector import Detector
from claran_core.settings.config import load_config
from claran_core.settings.training import TrainingOptions
from claran_core.training.dataset import FusedDataset
from claran_core.training.distributed import process_group
from claran_core.training.epochs import train_epoch
from claran_core.training.optimizer import optimizer_options
from claran_core.training.sigterm import SigtermFlag
from claran_core.training.state import TrainingState

__all__ = ["combined", "network_probabilities", "shape_probabilities", "train_network", "train_shapes"]

# Subjects without an annotated source in an epoch, for each one with.
EMPTY_SHARE = 0.7

# Networks of shape numbers that are averaged, their passes over the candidates, and candidates in a step.
N_SHAPE_NETWORKS, SHAPE_EPOCHS, SHAPE_BATCH = 4, 30, 512
SHAPE_WIDTHS, SHAPE_DROPOUT, SHAPE_RATE, SHAPE_DECAY = (160, 80), 0.3, 4e-3, 0.02

# Share of the candidates without a source that are used.  The probabilities are corrected for it.
EMPTY_CANDIDATES = 0.2

# Standardised numbers beyond this are set to it.
MAX_DEVIATION = 4.0

# Orientations over which the probabilities of the association network are averaged; subjects in a step.
ORIENTATIONS, BATCH = (0, 5), 16

# Least probability in logarithms.
TINY = 1e-6


class ShapeNetworks(nn.Module):
    """Networks of two hidden layers, each trained from other random weights; they are averaged."""

    def __init__(self, numbers: np.ndarray, seed: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(numbers.mean(axis=0), dtype=torch.float32))
        self.register_buffer("scale", torch.tensor(numbers.std(axis=0) + 1e-6, dtype=torch.float32))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.networks = nn.ModuleList(_layers(numbers.shape[1]) for _ in range(N_SHAPE_NETWORKS))

    def standardised(self, numbers: np.ndarray) -> Tensor:
        """Return numbers (K, n) with a mean of 0 and a deviation of 1, without outliers."""
        values = (torch.tensor(numbers, dtype=torch.float32) - self.mean) / self.scale
        return values.clamp(-MAX_DEVIATION, MAX_DEVIATION)


def _layers(n_numbers: int) -> nn.Sequential:
    first, second = SHAPE_WIDTHS
    return nn.Sequential(
        nn.Linear(n_numbers, first),
        nn.SiLU(),
        nn.Dropout(SHAPE_DROPOUT),
        nn.Linear(first, second),
        nn.SiLU(),
        nn.Dropout(SHAPE_DROPOUT),
        nn.Linear(second, 1 + len(CLASSES)),
    )


def train_shapes(numbers: np.ndarray, labels: np.ndarray, *, seed: int) -> ShapeNetworks:
    """Train on the numbers (K, n) and labels (K,) of candidates; 0 is no source."""
    model = ShapeNetworks(numbers, seed)
    used = (labels > 0) | (np.random.default_rng(seed).random(len(labels)) < EMPTY_CANDIDATES)
    values, truth = model.standardised(numbers[used]), torch.from_numpy(labels[used])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for network in model.networks:
            _fit(cast(nn.Sequential, network), values, truth)
    return model.eval()


def _fit(network: nn.Sequential, values: Tensor, truth: Tensor) -> None:
    steps = math.ceil(len(values) / SHAPE_BATCH) * SHAPE_EPOCHS
    optimizer = torch.optim.AdamW(network.parameters(), lr=SHAPE_RATE, weight_decay=SHAPE_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, SHAPE_RATE, total_steps=steps)
    for _ in range(SHAPE_EPOCHS):
        for rows in torch.randperm(len(values)).split(SHAPE_BATCH):
            loss = F.cross_entropy(network(values[rows]), truth[rows])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # no stub in PyTorch
            optimizer.step()
            schedule.step()


@torch.inference_mode()
def shape_probabilities(model: ShapeNetworks, numbers: np.ndarray) -> np.ndarray:
    """Return the probabilities (K, 1 + C) of candidates by their numbers."""
    values = model.standardised(numbers)
    average = torch.stack([network(values).softmax(dim=1) for network in model.networks]).mean(dim=0)
    average[:, 0] /= EMPTY_CANDIDATES
    return (average / average.sum(dim=1, keepdim=True)).double().numpy()


def train_network(
    subjects: GalaxySubjects, chosen: np.ndarray, *, epochs: int, seed: int, start: Detector, start_path: Path
) -> Detector:
    """Train the association network on the chosen subjects (n,), from weights of other classes.

    Subjects with an annotated source are seen once in an epoch, and a random part of the others.
    """
    has_source = np.zeros(len(subjects), bool)
    has_source[subjects.subject_of[subjects.labels > 0]] = True
    sources, empty = chosen[has_source[chosen]], chosen[~has_source[chosen]]
    size = len(sources) + min(len(empty), int(EMPTY_SHARE * len(sources)))
    training = _training(epochs)
    means = subjects.frames[chosen].mean(axis=(0, 1, 2))
    detector = build_detector(
        "association", channel_means=means.tolist(), class_names=CLASSES, frame_px=FRAME_PX, seed=seed
    )
    start_from(detector, start, start_path)
    with process_group(torch.device("cpu")) as group:
        options = optimizer_options("association", training.schedule, training.optimizer)
        state = TrainingState(detector, options, training, math.ceil(size / training.batch_size), group)
        progress = Progress("RadioGalaxyNET: batches", epochs * state.batches_per_epoch)
        while state.epoch < epochs:
            draw = np.random.default_rng([seed, state.epoch])
            part = np.concatenate([sources, draw.permutation(empty)[: size - len(sources)]])
            # `train_epoch` uses the ids and the batches of its data set, which are those of `FusedDataset`.
            train_epoch(state, cast(FusedDataset, subjects.part(part)), seed, progress, SigtermFlag())
            state.epoch += 1
    return detector.eval()


def _training(epochs: int) -> TrainingOptions:
    """Return the program's settings of a training, with a few of the benchmark's own."""
    own = {
        "batch_size": BATCH,
        "epochs": epochs,
        "learning_rate": 1e-3,
        "weight_decay": 0.05,
        "augmentation": "dihedral",
        "precision": "float32",
    }
    return load_config().training.model_copy(update=own)


def network_probabilities(detector: Detector, subjects: GalaxySubjects, chosen: np.ndarray) -> np.ndarray:
    """Return the probabilities of the candidates of the chosen subjects by the association network.

    Returns
    -------
    (K, 1 + C) float64 array
        NaN for the candidates of other subjects.
    """
    found = np.full((len(subjects.labels), 1 + len(CLASSES)), np.nan)
    for indices in np.array_split(chosen, max(math.ceil(len(chosen) / BATCH), 1)):
        total: np.ndarray | float = 0.0
        for code in ORIENTATIONS:
            batch = subjects.oriented(indices, code)
            candidates = detector.candidates(ComponentBatch.of(batch.components))
            regions = detector.score(torch.from_numpy(batch.images), candidates)
            total = total + regions.probabilities.double().numpy() / len(ORIENTATIONS)
        first = np.concatenate([[0], np.cumsum(regions.counts)])
        for position, subject in enumerate(indices):
            rows = np.flatnonzero(subjects.subject_of == subject)
            own = np.asarray(total)[first[position] + subjects.places[rows]]
            found[rows] = np.concatenate([1 - own.sum(axis=1, keepdims=True), own], axis=1)
    return found


def combined(probabilities: Sequence[np.ndarray], weights: Sequence[float]) -> np.ndarray:
    """Return the weighted geometric mean of probabilities (K, 1 + C), normalised to a sum of 1."""
    logs = sum(w * np.log(np.maximum(p, TINY)) for p, w in zip(probabilities, weights, strict=True))
    powers = np.exp(logs)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
