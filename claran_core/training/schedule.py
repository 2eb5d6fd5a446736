"""How a detector is trained: optimiser, learning rate, gradient length."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from claran_core.settings.config import TrainingOptions

__all__ = ["RECIPES", "Schedule", "learning_rate_at", "make_optimizer", "schedule_of"]

# Factor of the learning rate at each milestone (published code).
STEP_FACTOR = 0.1


@dataclass(frozen=True)
class Schedule:
    """How an architecture is trained, beyond the settings a user gives.

    Attributes
    ----------
    optimizer : str
        ``adamw``, or ``sgd`` with momentum 0.9.
    max_gradient_norm : float
        Longer gradients are shortened to this length.
    warmup_fraction : float
        Share of all iterations in which the learning rate rises from zero to its full value.
    """

    optimizer: str
    max_gradient_norm: float
    warmup_fraction: float


# `vgg16`: the paper's momentum optimiser (section 5).  `association` starts from random weights, for which
# Adam is more robust.
RECIPES = {
    "association": Schedule(optimizer="adamw", max_gradient_norm=10.0, warmup_fraction=0.05),
    "vgg16": Schedule(optimizer="sgd", max_gradient_norm=10.0, warmup_fraction=0.02),
}


def schedule_of(architecture: str, schedule: str) -> Schedule:
    """Schedule of an architecture; in steps the learning rate is full from the first iteration on."""
    recipe = RECIPES[architecture]
    return recipe if schedule == "cosine" else dataclasses.replace(recipe, warmup_fraction=0.0)


def learning_rate_at(
    iteration: int,
    total: int,
    *,
    peak: float,
    warmup_fraction: float,
    schedule: str = "cosine",
    milestones: Sequence[int] = (),
) -> float:
    """Learning rate of one iteration.

    ``cosine``: a linear rise to `peak`, then half a cosine towards zero.  ``steps``: `peak`, and a tenth of
    what it was after each milestone.

    Parameters
    ----------
    iteration : int
        From 1 to `total`.
    total : int
        Number of iterations of the whole training.
    peak : float
        Largest learning rate.
    warmup_fraction : float
        Share of the iterations that the rise of ``cosine`` takes, at least one iteration.
    schedule : str
        ``cosine`` or ``steps``.
    milestones : sequence of int
        Iterations after which ``steps`` goes down.
    """
    if schedule == "steps":
        return peak * STEP_FACTOR ** sum(iteration > milestone for milestone in milestones)
    warmup = max(1, round(warmup_fraction * total))
    if iteration <= warmup:
        return peak * iteration / warmup
    return peak * 0.5 * (1 + math.cos(math.pi * (iteration - warmup) / (total - warmup + 1)))


def make_optimizer(
    parameters: Sequence[torch.nn.Parameter], recipe: Schedule, training: TrainingOptions
) -> torch.optim.Optimizer:
    """Optimiser of a recipe; biases and scales are not shrunk."""
    # That would cost accuracy and regularise nothing.
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": training.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=training.learning_rate, momentum=0.9)
    return torch.optim.AdamW(groups, lr=training.learning_rate)
