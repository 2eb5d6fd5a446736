"""Passes over subjects: in which order, who takes which, and with which random numbers."""

import math

import numpy as np
import torch

from claran_core.common.log import Progress
from claran_core.training.dataset import FusedDataset, subject_key
from claran_core.training.sigterm import StopRequest
from claran_core.training.state import TrainingState

__all__ = ["train_epoch", "validation_error"]

# Seeds of batches, of proposals and dropout, and of augmentation (dataset.py) must differ.
ORDER_STREAM, NETWORK_STREAM, VALIDATION_STREAM = 2, 3, 5


def train_epoch(
    state: TrainingState, dataset: FusedDataset, seed: int, progress: Progress, stop: StopRequest
) -> bool:
    """Take the steps of one epoch: every subject once, in an order drawn anew for each epoch.

    Steps that were taken before a checkpoint are not taken again.

    Returns
    -------
    bool
        Whether the epoch is finished: false, in all processes after the same step, if one was asked to stop.
    """
    order = np.random.default_rng([ORDER_STREAM, seed, state.epoch]).permutation(len(dataset))
    state.detector.train()
    # Batches of nearly equal size: a last batch of one subject would weigh as much as a full one.
    for indices in np.array_split(order, state.batches_per_epoch)[state.steps_of_epoch :]:
        if state.world.any(stop.received, state.device):
            return False
        own = state.world.share(indices)
        batch = dataset.batch(own, augmentation=state.training.augmentation, seed=seed, epoch=state.epoch)
        generators = [_generator(NETWORK_STREAM, seed, state.epoch, dataset.subject_ids[i]) for i in own]
        state.step(batch, generators, share=len(own) / len(indices))
        progress.step()
    return True


@torch.no_grad()
def validation_error(state: TrainingState, held: FusedDataset, seed: int) -> float:
    """Sum of the losses, mean over subjects the detector does not learn from (equation 11).

    They are shown as they are, nothing is dropped, and anchors and regions are drawn alike after every epoch,
    so that what changes from one to the next is the detector alone.
    """
    state.detector.eval()
    total = torch.zeros(1, dtype=torch.float64, device=state.device)
    n_batches = math.ceil(len(held) / state.training.batch_size)
    for indices in np.array_split(np.arange(len(held)), n_batches):
        own = state.world.share(indices)
        if not len(own):
            continue
        batch = held.batch(own, augmentation="none", seed=seed, epoch=0)
        generators = [_generator(VALIDATION_STREAM, seed, 0, held.subject_ids[i]) for i in own]
        total += len(own) * sum(state.losses_of(batch, generators).values()).double()
    state.world.sum([total])
    return total.item() / len(held)


def _generator(stream: int, seed: int, epoch: int, subject_id: str) -> torch.Generator:
    """Generator of all that is random in the network about one subject in one epoch."""
    seeds = np.random.SeedSequence([stream, seed, epoch, subject_key(subject_id)])
    return torch.Generator().manual_seed(int(seeds.generate_state(1, np.uint64)[0] >> 1))
