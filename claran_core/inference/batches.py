"""Batches of subjects for the detector: read, checked and listed ahead in other threads."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch

from claran_core.common.read_ahead import read_ahead
from claran_core.components.component_batch import ComponentBatch
from claran_core.model.layers.detector import Detector
from claran_core.model.layers.types import Candidates

__all__ = ["InferenceBatch", "read_batches"]

# Threads that read.  A GPU takes 20,000 subjects per second, one thread reads about 10,000; a CPU computes
# much longer than it reads.
READERS = {"cpu": 1, "cuda": 4}


class InferenceBatch(NamedTuple):
    """Input of the detector for some subjects.

    Attributes
    ----------
    rows : (n,) int64 array
        Rows of the subjects in the index.
    images : (size, ny, nx, 3) uint8 tensor
        Their images, then blank images, on the device of the network.
    candidates : Candidates or None
        Their candidates (`Detector.candidates`).
    """

    rows: np.ndarray
    images: torch.Tensor
    candidates: Candidates | None


def read_batches(
    images: np.ndarray,
    rows: np.ndarray,
    components: ComponentBatch,
    detector: Detector,
    *,
    size: int,
    device: torch.device,
    check: Callable[[np.ndarray], None] | None = None,
) -> Iterator[InferenceBatch]:
    """Yield subjects in batches of one size, read in other threads while earlier ones are in use.

    The memory of a batch is used again after the next batch has been asked for.

    Parameters
    ----------
    images : (N, ny, nx, 3) uint8 array
        Images of all subjects; may be memory-mapped.
    rows : (n,) int64 array
        Subjects to read.
    components : ComponentBatch
        Components of all N subjects.
    detector : Detector
        Lists the candidates.
    size : int
        Subjects per batch.
    device : torch.device
        Where the images go.
    check : callable, optional
        Called with the rows of each batch, to compare the images with their checksums.
    """
    ahead = READERS[device.type]
    # Pinned memory is copied to a GPU while the CPU goes on.
    buffers = [
        torch.zeros((size, *images.shape[1:]), dtype=torch.uint8, pin_memory=device.type == "cuda")
        for _ in range(ahead + 1)
    ]

    def read(number: int) -> InferenceBatch:
        own, buffer = rows[number * size : (number + 1) * size], buffers[number % len(buffers)]
        if check is not None:
            check(own)
        pixels = buffer.numpy()
        pixels[: len(own)] = images[own]
        pixels[len(own) :] = 0
        return InferenceBatch(own, buffer, detector.candidates(components.take(own, size)))

    for batch in read_ahead(read, range(-(-len(rows) // size)), ahead=ahead, workers=ahead):
        yield batch._replace(images=batch.images.to(device, non_blocking=True))
