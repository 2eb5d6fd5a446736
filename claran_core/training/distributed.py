"""Training in several processes, as ``torchrun`` starts them: who am I, and sums over all.

Gradients are summed here rather than by torch's wrapper, because each process weighs its share of a batch by
its size: two processes then take the very steps of one, whatever the sizes.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
import torch.distributed
from torch import Tensor

__all__ = ["World", "joined"]


@dataclass(frozen=True)
class World:
    """The processes of one training.

    Attributes
    ----------
    rank, size : int
        Number of this process, from 0, and how many there are.
    local_rank : int
        Number of this process on its machine: the GPU it uses.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def share(self, indices: np.ndarray) -> np.ndarray:
        """Part of a batch that this process works on; may be empty."""
        return np.array_split(indices, self.size)[self.rank]

    def sum(self, tensors: Iterable[Tensor]) -> None:
        """Replace tensors by their sums over all processes, in one exchange."""
        if self.size == 1:
            return
        tensors = list(tensors)
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        torch.distributed.all_reduce(flat)
        for tensor, part in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(part.reshape(tensor.shape))

    def any(self, said: bool, device: torch.device) -> bool:
        """Whether any process says so; all get the same answer at the same place."""
        if self.size == 1:
            return said
        votes = torch.tensor([float(said)], device=device)
        self.sum([votes])
        return votes.item() > 0

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.size > 1:
            torch.distributed.barrier()


@contextmanager
def joined(device: torch.device) -> Iterator[World]:
    """Join the processes that ``torchrun`` has started, by NCCL on GPUs and by gloo on processors.

    Without ``torchrun`` (no ``WORLD_SIZE`` in the environment) this process is alone.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield World()
        return
    world = World(int(os.environ["RANK"]), size, int(os.environ.get("LOCAL_RANK", "0")))
    if device.type == "cuda":
        torch.cuda.set_device(world.local_rank)
    torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield world
    finally:
        torch.distributed.destroy_process_group()
