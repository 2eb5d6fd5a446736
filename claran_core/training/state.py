"""The state of a training: what a step changes, and what a checkpoint contains."""

import logging
import math
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from claran_core.common.errors import ConfigError
from claran_core.components.component_batch import ComponentBatch
from claran_core.model.layers.detector import LOSS_NAMES, Detector, total_loss
from claran_core.settings.training import TrainingOptions
from claran_core.training.checkpoint import read_checkpoint, write_checkpoint
from claran_core.training.dataset import TrainingBatch
from claran_core.training.distributed import ProcessGroup
from claran_core.training.optimizer import OptimizerOptions, learning_rate, make_optimizer

__all__ = ["TrainingState"]

logger = logging.getLogger(__name__)


class TrainingState:
    """Everything that changes during a training, and its checkpoints.

    Parameters
    ----------
    detector : Detector
        On the training device.
    options : OptimizerOptions
        Options of the optimiser.
    training : TrainingOptions
        Learning rate, weight decay, number of epochs.
    batches_per_epoch : int
        Iterations of one epoch.
    group : ProcessGroup
        The processes of the training, each of which computes its part of every batch.

    Attributes
    ----------
    epoch : int
        Number of finished epochs.
    losses : list of list of float
        Learning rate and the four losses of every iteration; NaN for losses that the detector does not have.
    validation : list of float
        Validation error after every epoch; empty without validation subjects.
    best : dict or None
        Number (``epoch``) and weights (``weights``) of the epoch with the smallest validation error.
    """

    def __init__(
        self,
        detector: Detector,
        options: OptimizerOptions,
        training: TrainingOptions,
        batches_per_epoch: int,
        group: ProcessGroup,
    ) -> None:
        self.detector, self.options, self.training = detector, options, training
        self.batches_per_epoch, self.group = batches_per_epoch, group
        self.parameters = [p for p in detector.parameters() if p.requires_grad]
        self.optimizer = make_optimizer(self.parameters, options, training)
        self.epoch = 0
        self.losses: list[list[float]] = []
        self.validation: list[float] = []
        self.best: dict[str, Any] | None = None

    @property
    def device(self) -> torch.device:
        """Device of the detector."""
        return self.parameters[0].device

    @property
    def steps_in_epoch(self) -> int:
        """Number of steps taken in the current epoch."""
        return len(self.losses) - self.epoch * self.batches_per_epoch

    @property
    def finished(self) -> bool:
        """Whether all epochs are finished, or `patience` epochs have passed since the best one."""
        waited = self.epoch - self.best["epoch"] if self.best else 0
        return self.epoch >= self.training.epochs or 0 < self.training.patience <= waited

    def record_validation(self, error: float) -> None:
        """Record the validation error after an epoch, and keep the weights if it is the smallest.

        Raises
        ------
        ConfigError
            If the error is not finite.
        """
        if not math.isfinite(error):
            raise ConfigError(self._divergence(f"validation {error:g}"))
        if not self.validation or error < min(self.validation):
            weights = {name: tensor.cpu().clone() for name, tensor in self.detector.state_dict().items()}
            self.best = {"epoch": self.epoch, "weights": weights}
        self.validation.append(error)

    def restore_best(self) -> int:
        """Load the weights of the best epoch, if there is validation; return the number of that epoch."""
        if self.best is None:
            return self.epoch
        self.detector.load_state_dict(self.best["weights"])
        return int(self.best["epoch"])

    def compute_losses(
        self, batch: TrainingBatch, generators: list[torch.Generator]
    ) -> dict[str, torch.Tensor]:
        """Return the losses of a batch that is not empty, in single precision for any precision of layers."""
        images = torch.from_numpy(batch.images).to(self.device)
        with self._autocast():
            components = ComponentBatch.of(batch.components)
            return self.detector(images, batch.truths, generators, components=components, owners=batch.owners)

    def step(self, batch: TrainingBatch, generators: list[torch.Generator], *, fraction: float) -> None:
        """Take one step of the optimiser.

        Parameters
        ----------
        batch, generators
            The part of the batch that this process computes; it may be empty.
        fraction : float
            Size of this part, as a fraction of the whole batch.

        Raises
        ------
        ConfigError
            If a loss or the gradient is not finite.
        """
        rate = self._set_learning_rate()
        losses = self._backward(batch, generators, fraction)
        gradients = (p.grad for p in self.parameters if p.grad is not None)
        self.group.all_reduce([losses, *gradients])
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.options.max_gradient_norm)
        recorded = dict(zip(LOSS_NAMES, losses.tolist(), strict=True))
        values = {name: recorded[name] for name in self.detector.loss_names} | {"gradient": norm.item()}
        if not all(map(math.isfinite, values.values())):
            shown = ", ".join(f"{name} {value:g}" for name, value in values.items())
            raise ConfigError(self._divergence(shown))
        self.optimizer.step()
        self.losses.append([rate, *recorded.values()])

    def save(self, path: Path, fingerprint: str) -> None:
        """Write a checkpoint."""
        content = {
            "epoch": self.epoch,
            "losses": torch.tensor(self.losses, dtype=torch.float64),
            "detector": self.detector.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "validation": self.validation,
            "best": self.best,
        }
        write_checkpoint(path, content, fingerprint=fingerprint)

    def resume(self, path: Path, fingerprint: str) -> None:
        """Continue from the checkpoint at `path`, if it belongs to this training."""
        checkpoint = read_checkpoint(path, fingerprint=fingerprint)
        if checkpoint is None:
            return
        self.detector.load_state_dict(checkpoint["detector"])
        self.optimizer.load_state_dict(checkpoint["optimizer"])
        self.epoch, self.losses = checkpoint["epoch"], checkpoint["losses"].tolist()
        self.validation, self.best = checkpoint["validation"], checkpoint["best"]
        logger.info(
            "%s: training resumes after epoch %d and %d batches", path, self.epoch, self.steps_in_epoch
        )

    def losses_table(self) -> pd.DataFrame:
        """Return the losses of every iteration, as rows of `claran_core.common.tables.LOSSES`."""
        columns = ["learning_rate", *LOSS_NAMES]
        table = pd.DataFrame(np.reshape(self.losses, (-1, len(columns))), columns=columns)
        table.insert(0, "iteration", np.arange(1, len(table) + 1))
        table["validation"] = np.nan
        ends = np.arange(1, len(self.validation) + 1) * self.batches_per_epoch - 1
        table.loc[ends, "validation"] = self.validation
        return table

    def _set_learning_rate(self) -> float:
        """Set the learning rate of the next iteration, and return it."""
        rate = learning_rate(
            len(self.losses) + 1,
            self.training.epochs * self.batches_per_epoch,
            peak=self.training.learning_rate,
            warmup_fraction=self.options.warmup_fraction,
            schedule=self.training.schedule,
            milestones=self.training.milestones,
        )
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        return rate

    def _backward(
        self, batch: TrainingBatch, generators: list[torch.Generator], fraction: float
    ) -> torch.Tensor:
        """Set the gradients to the contribution of this process; return its contribution to the losses."""
        # The first gradient of a parameter becomes its `grad`; added to zeros it would be copied once more.
        self.optimizer.zero_grad(set_to_none=True)
        losses = torch.zeros(len(LOSS_NAMES), device=self.device)
        if fraction:
            computed = self.compute_losses(batch, generators)
            (total_loss(computed) * fraction).backward()  # type: ignore[no-untyped-call]  # no stub in PyTorch
            missing = losses.new_tensor(math.nan)
            losses = torch.stack(
                [fraction * computed[name].detach() if name in computed else missing for name in LOSS_NAMES]
            )
        for parameter in self.parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        return losses

    def _autocast(self) -> AbstractContextManager[object]:
        """Return the context in which layers compute in `training.precision`; weights stay float32."""
        if self.training.precision == "float32":
            return nullcontext()
        return torch.autocast(self.device.type, dtype=getattr(torch, self.training.precision))

    def _divergence(self, shown: str) -> str:
        return (
            f"training diverged at iteration {len(self.losses) + 1} ({shown}); "
            f"lower training.learning_rate (now {self.training.learning_rate:g})"
        )
