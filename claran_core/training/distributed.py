"""Training in several processes, as ``torchrun`` starts them.

Gradients are summed here, not by ``DistributedDataParallel``, because each process weights its part of a
batch by the number of its subjects.  Several processes then take the same steps as one, for any batch size.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
import torch.distributed
from torch import Tensor

__all__ = ["ProcessGroup", "process_group"]


@dataclass(frozen=True)
class ProcessGroup:
    """The processes of one training.

    Attributes
    ----------
    rank, world_size : int
        Number of this process, from 0, and number of processes.
    local_rank : int
        Number of this process on its machine, which is the number of its GPU.
    """

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes files."""
        return self.rank == 0

    def local_part(self, indices: np.ndarray) -> np.ndarray:
        """Return the part of a batch that this process computes; it may be empty."""
        return np.array_split(indices, self.world_size)[self.rank]

    def all_reduce(self, tensors: Iterable[Tensor]) -> None:
        """Replace tensors by their sums over all processes, in one communication."""
        if self.world_size == 1:
            return
        tensors = list(tensors)
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        torch.distributed.all_reduce(flat)
        sums = torch.split(flat, [tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, sums, strict=True):
            tensor.copy_(part.reshape(tensor.shape))

    def any_process(self, condition: bool, device: torch.device) -> bool:
        """Return whether the condition holds in any process; the result is the same in all."""
        if self.world_size == 1:
            return condition
        count = torch.tensor([float(condition)], device=device)
        self.all_reduce([count])
        return count.item() > 0

    def barrier(self) -> None:
        """Wait until all processes reach this point."""
        if self.world_size > 1:
            torch.distributed.barrier()


@contextmanager
def process_group(device: torch.device) -> Iterator[ProcessGroup]:
    """Join the processes started by ``torchrun``, with NCCL on GPUs and gloo on CPUs.

    Without ``torchrun`` (no ``WORLD_SIZE`` in the environment) the group has one process.
    """
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    if world_size == 1:
        yield ProcessGroup()
        return
    group = ProcessGroup(int(os.environ["RANK"]), world_size, int(os.environ.get("LOCAL_RANK", "0")))
    if device.type == "cuda":
        torch.cuda.set_device(group.local_rank)
    torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield group
    finally:
        torch.distributed.destroy_process_group()
