"""Passes over the subjects: training epochs, and the validation error."""

import math

import numpy as np
import torch

from claran_core.common.log import Progress
from claran_core.model.layers.detector import total_loss
from claran_core.training.dataset import FusedDataset, subject_seed
from claran_core.training.sigterm import SigtermFlag
from claran_core.training.state import TrainingState

__all__ = ["train_epoch", "validation_error"]

# Streams of random numbers, distinct from those of augmentation (dataset.py): order of the subjects, sampling
# and dropout in training, sampling in validation.
ORDER_STREAM, NETWORK_STREAM, VALIDATION_STREAM = 2, 3, 5


def train_epoch(
    state: TrainingState, dataset: FusedDataset, seed: int, progress: Progress, sigterm: SigtermFlag
) -> bool:
    """Take the remaining steps of one epoch: every subject once, in a random order of this epoch.

    Returns
    -------
    bool
        Whether the epoch is finished.  If any process received SIGTERM, all processes return false after the
        same step.
    """
    order = np.random.default_rng([ORDER_STREAM, seed, state.epoch]).permutation(len(dataset))
    state.detector.train()
    # Batches of nearly equal size: a last batch of one subject would have the weight of a full one.
    for indices in np.array_split(order, state.batches_per_epoch)[state.steps_in_epoch :]:
        if state.group.any_process(sigterm.received, state.device):
            return False
        part = state.group.local_part(indices)
        batch = dataset.batch(part, augmentation=state.training.augmentation, seed=seed, epoch=state.epoch)
        generators = [_generator(NETWORK_STREAM, seed, state.epoch, dataset.subject_ids[i]) for i in part]
        state.step(batch, generators, fraction=len(part) / len(indices))
        progress.step()
    return True


@torch.no_grad()
def validation_error(state: TrainingState, validation: FusedDataset, seed: int) -> float:
    """Return the mean over the validation subjects of the sum of the losses (equation 11).

    Subjects are not augmented, there is no dropout, and the samples of anchors and regions are the same after
    every epoch, so only the weights change from one epoch to the next.
    """
    state.detector.eval()
    total = torch.zeros(1, dtype=torch.float64, device=state.device)
    n_batches = math.ceil(len(validation) / state.training.batch_size)
    for indices in np.array_split(np.arange(len(validation)), n_batches):
        part = state.group.local_part(indices)
        if not len(part):
            continue
        batch = validation.batch(part, augmentation="none", seed=seed, epoch=0)
        generators = [_generator(VALIDATION_STREAM, seed, 0, validation.subject_ids[i]) for i in part]
        total += len(part) * total_loss(state.compute_losses(batch, generators)).double()
    state.group.all_reduce([total])
    return total.item() / len(validation)


def _generator(stream: int, seed: int, epoch: int, subject_id: str) -> torch.Generator:
    """Return the generator of all random numbers of the network for one subject in one epoch."""
    seeds = np.random.SeedSequence([stream, seed, epoch, subject_seed(subject_id)])
    return torch.Generator().manual_seed(int(seeds.generate_state(1, np.uint64)[0] >> 1))
