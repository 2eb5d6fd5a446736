"""Passes over subjects: in which order, who takes which, and with which random numbers."""

import numpy as np
import torch

from claran_core.dataset import FusedDataset, subject_key
from claran_core.log import Progress
from claran_core.training.state import TrainingState

__all__ = ["train_epoch"]

# Seeds of batches, of proposals and dropout, and of augmentation (dataset.py) must differ.
ORDER_STREAM, NETWORK_STREAM = 2, 3


def train_epoch(state: TrainingState, dataset: FusedDataset, seed: int, progress: Progress) -> None:
    """Take the steps of one epoch: every subject once, in an order drawn anew for each epoch."""
    order = np.random.default_rng([ORDER_STREAM, seed, state.epoch]).permutation(len(dataset))
    state.detector.train()
    # Batches of nearly equal size: a last batch of one subject would weigh as much as a full one.
    for indices in np.array_split(order, state.batches_per_epoch):
        own = state.world.share(indices)
        batch = dataset.batch(own, augmentation=state.training.augmentation, seed=seed, epoch=state.epoch)
        generators = [_generator(dataset.subject_ids[i], seed, state.epoch) for i in own]
        state.step(batch, generators, share=len(own) / len(indices))
        progress.step()


def _generator(subject_id: str, seed: int, epoch: int) -> torch.Generator:
    """Generator of all that is random in the network about one subject in one epoch."""
    seeds = np.random.SeedSequence([NETWORK_STREAM, seed, epoch, subject_key(subject_id)])
    return torch.Generator().manual_seed(int(seeds.generate_state(1, np.uint64)[0] >> 1))
