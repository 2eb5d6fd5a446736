"""Dropout that repeats itself: what is dropped of a subject depends on the subject's own generator alone.

torch's dropout draws from one global generator, which would tie a run to whatever else has drawn from it and
to how subjects are shared out over batches and processes.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["keep_mask"]


def keep_mask(
    counts: Sequence[int], columns: int, share: float, generators: Sequence[torch.Generator]
) -> Tensor:
    """Draw which entries are kept.

    Parameters
    ----------
    counts : sequence of int
        Rows of each subject.
    columns : int
        Width of the mask.
    share : float
        Chance of an entry to be dropped.
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
    return (torch.cat(drawn) >= share).float()
