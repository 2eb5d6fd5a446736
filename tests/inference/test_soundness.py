"""Invalid probabilities stop inference."""

from pathlib import Path

import numpy as np
import pytest
import torch

from claran_core.common.errors import WeightsError
from claran_core.inference.soundness import refuse_unsound
from claran_core.model.layers.types import Regions

COUNTS = np.array([2, 0, 3, 1])
NAMES = ["first", "empty", "third"]
WEIGHTS = Path("d4.safetensors")


def regions() -> Regions:
    """Return sound regions of three subjects, and one of padding."""
    n = int(COUNTS.sum())
    return Regions(COUNTS, torch.ones(n, 6, 4), torch.full((n, 6), 0.1), torch.full((n,), 0.4))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.2, 1.5])
@pytest.mark.parametrize(("row", "name"), [(1, "first"), (2, "third"), (4, "third")])
def test_the_weights_and_the_subject_are_named(value: float, row: int, name: str) -> None:
    bad = regions()
    bad.probabilities[row, 3] = value
    with pytest.raises(WeightsError, match=rf"^d4\.safetensors: .* of subject {name} are not finite numbers"):
        refuse_unsound(bad, NAMES, WEIGHTS)


def test_boxes_and_artefacts_are_checked_too() -> None:
    bad = regions()
    bad.boxes[2, 0, 1] = torch.inf
    with pytest.raises(WeightsError, match="subject third"):
        refuse_unsound(bad, NAMES, None)
    bad = regions()
    bad.artefact[0] = torch.nan
    with pytest.raises(WeightsError, match="^the weights: .* subject first"):
        refuse_unsound(bad, NAMES, None)


def test_sound_regions_and_padding_are_accepted() -> None:
    padded = regions()
    padded.probabilities[5] = torch.nan
    refuse_unsound(padded, NAMES, WEIGHTS)
    refuse_unsound(padded, [], WEIGHTS)
