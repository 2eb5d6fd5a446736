"""Refuse invalid probabilities, before they look like an empty field."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from claran_core.common.errors import WeightsError
from claran_core.model.layers.types import Regions

__all__ = ["refuse_unsound"]

# Sums over the classes exceed one by rounding.
TOLERANCE = 1e-4


def refuse_unsound(regions: Regions, names: Sequence[str] | np.ndarray, weights: Path | None) -> None:
    """Refuse regions whose probabilities or boxes are no finite numbers, or exceed one.

    Weights that are finite can overflow in the network, and NaN compares as less than any threshold: the
    subject would have no source.

    Parameters
    ----------
    regions : Regions
        Regions of a batch.
    names : sequence of str
        Subjects of the batch; what follows them is padding, and is not checked.
    weights : Path or None
        File of the weights, for the message.

    Raises
    ------
    WeightsError
        With the weights and the first subject.
    """
    checked = int(regions.counts[: len(names)].sum())
    probabilities, artefact = regions.probabilities[:checked], regions.artefact[:checked]
    total = probabilities.sum(dim=1) + artefact
    sound = torch.isfinite(total) & (total <= 1 + TOLERANCE)
    sound &= (probabilities >= 0).all(dim=1) & (artefact >= 0)
    sound &= torch.isfinite(regions.boxes[:checked]).flatten(1).all(dim=1)
    if bool(sound.all()):
        return
    subject = np.repeat(np.arange(len(names)), regions.counts[: len(names)])[int(torch.argmin(sound.int()))]
    raise WeightsError(
        f"{weights or 'the weights'}: probabilities or boxes of subject {names[subject]} are not finite "
        "numbers in their range; train again, or give other weights"
    )
