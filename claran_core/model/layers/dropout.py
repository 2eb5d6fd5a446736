"""Reproducible dropout: each subject has its own random generator.

The dropout of PyTorch draws from one global generator, so its result would depend on earlier draws and on how
subjects are distributed over batches and processes.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["keep_mask"]


def keep_mask(
    counts: Sequence[int], columns: int, probability: float, generators: Sequence[torch.Generator]
) -> Tensor:
    """Draw which entries are kept.

    Parameters
    ----------
    counts : sequence of int
        Rows of each subject.
    columns : int
        Width of the mask.
    probability : float
        Probability that an entry is dropped.
    generators : sequence of torch.Generator
        One per subject, on the CPU.

    Returns
    -------
    (sum(counts), columns) float32 tensor
        1 where an entry is kept, else 0.
    """
    drawn = [
        torch.rand(count, columns, generator=generator)
        for count, generator in zip(counts, generators, strict=True)
    ]
    return (torch.cat(drawn) >= probability).float()
