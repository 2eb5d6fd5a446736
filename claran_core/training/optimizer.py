"""Optimiser and learning-rate schedule of each architecture."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from claran_core.settings.training import LearningRateSchedule, Optimizer, TrainingOptions

__all__ = ["OPTIMIZER_OPTIONS", "OptimizerOptions", "learning_rate", "make_optimizer", "optimizer_options"]

# Factor of the learning rate at each milestone (published code).
STEP_FACTOR = 0.1


@dataclass(frozen=True)
class OptimizerOptions:
    """Options of the optimiser that depend on the architecture, not on the settings of a run.

    Attributes
    ----------
    optimizer : str
        ``adamw``, or ``sgd`` with momentum 0.9.
    max_gradient_norm : float
        Gradients with a larger norm are clipped to this norm.
    warmup_fraction : float
        Fraction of all iterations in which the learning rate rises from zero to its full value.
    """

    optimizer: str
    max_gradient_norm: float
    warmup_fraction: float


# `vgg16`: SGD with momentum, as in the paper (section 5).  `association` starts from random weights, for
# which Adam is more robust.
OPTIMIZER_OPTIONS = {
    "association": OptimizerOptions(optimizer="adamw", max_gradient_norm=10.0, warmup_fraction=0.05),
    "vgg16": OptimizerOptions(optimizer="sgd", max_gradient_norm=10.0, warmup_fraction=0.02),
}


def optimizer_options(
    architecture: str, schedule: LearningRateSchedule, optimizer: Optimizer = "auto"
) -> OptimizerOptions:
    """Return the options for an architecture and the settings; only ``cosine`` has a warm-up."""
    options = OPTIMIZER_OPTIONS[architecture]
    if optimizer != "auto":
        options = dataclasses.replace(options, optimizer=optimizer)
    return options if schedule == "cosine" else dataclasses.replace(options, warmup_fraction=0.0)


def learning_rate(
    iteration: int,
    total: int,
    *,
    peak: float,
    warmup_fraction: float,
    schedule: LearningRateSchedule = "cosine",
    milestones: Sequence[int] = (),
) -> float:
    """Return the learning rate of one iteration.

    ``cosine``: a linear rise to `peak`, then half a cosine towards zero.  ``steps``: `peak`, divided by ten
    after each milestone.

    Parameters
    ----------
    iteration : int
        From 1 to `total`.
    total : int
        Number of iterations of the whole training.
    peak : float
        Largest learning rate.
    warmup_fraction : float
        Fraction of the iterations that the rise of ``cosine`` takes, at least one iteration.
    schedule : str
        ``cosine`` or ``steps``.
    milestones : sequence of int
        Iterations after which the learning rate of ``steps`` falls.
    """
    if schedule == "steps":
        return peak * STEP_FACTOR ** sum(iteration > milestone for milestone in milestones)
    warmup = max(1, round(warmup_fraction * total))
    if iteration <= warmup:
        return peak * iteration / warmup
    return peak * 0.5 * (1 + math.cos(math.pi * (iteration - warmup) / (total - warmup + 1)))


def make_optimizer(
    parameters: Sequence[torch.nn.Parameter], options: OptimizerOptions, training: TrainingOptions
) -> torch.optim.Optimizer:
    """Return the optimiser; weight decay applies to weights, not to biases and scales."""
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": training.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if options.optimizer == "sgd":
        # Fused: one pass over the weights, in half the time on a CPU.
        return torch.optim.SGD(groups, lr=training.learning_rate, momentum=0.9, fused=True)
    return torch.optim.AdamW(groups, lr=training.learning_rate)
