"""The state of a training: what one step changes, and what a checkpoint must hold."""

import logging
import math
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from claran_core.common.errors import ConfigError
from claran_core.model.detector import LOSS_NAMES, Detector
from claran_core.settings.config import TrainingOptions
from claran_core.training.checkpoint import read_checkpoint, write_checkpoint
from claran_core.training.dataset import TrainingBatch
from claran_core.training.distributed import World
from claran_core.training.schedule import Schedule, learning_rate_at, make_optimizer

__all__ = ["TrainingState"]

logger = logging.getLogger(__name__)


class TrainingState:
    """All that changes while a detector is trained, and how it passes through a checkpoint.

    Parameters
    ----------
    detector : Detector
        On the device to train on.
    recipe : Schedule
        How this architecture is trained.
    training : TrainingOptions
        Learning rate, weight decay, number of epochs.
    batches_per_epoch : int
        Iterations of one epoch.
    world : World
        The processes that train together, each on its share of every batch.

    Attributes
    ----------
    epoch : int
        Number of epochs finished.
    losses : list of list of float
        Learning rate and the four losses of every iteration, NaN for those a network does not have.
    validation : list of float
        Error on the subjects held out after every epoch; empty where none are.
    best : dict or None
        Of the epoch with the smallest of them: ``epoch`` and ``weights``.
    """

    def __init__(
        self,
        detector: Detector,
        recipe: Schedule,
        training: TrainingOptions,
        batches_per_epoch: int,
        world: World,
    ) -> None:
        self.detector, self.recipe, self.training = detector, recipe, training
        self.batches_per_epoch, self.world = batches_per_epoch, world
        self.parameters = [p for p in detector.parameters() if p.requires_grad]
        self.optimizer = make_optimizer(self.parameters, recipe, training)
        self.epoch = 0
        self.losses: list[list[float]] = []
        self.validation: list[float] = []
        self.best: dict[str, Any] | None = None

    @property
    def device(self) -> torch.device:
        """Where the detector is."""
        return self.parameters[0].device

    @property
    def steps_of_epoch(self) -> int:
        """Steps that were taken of the epoch that has begun."""
        return len(self.losses) - self.epoch * self.batches_per_epoch

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or too many have passed since the best."""
        waited = self.epoch - self.best["epoch"] if self.best else 0
        return self.epoch >= self.training.epochs or 0 < self.training.patience <= waited

    def record_validation(self, error: float) -> None:
        """Take note of the error on the subjects held out after an epoch; keep the weights if it is the best.

        Raises
        ------
        ConfigError
            If it is not finite.
        """
        if not math.isfinite(error):
            raise ConfigError(self._divergence(f"validation {error:g}"))
        if not self.validation or error < min(self.validation):
            weights = {name: tensor.cpu().clone() for name, tensor in self.detector.state_dict().items()}
            self.best = {"epoch": self.epoch, "weights": weights}
        self.validation.append(error)

    def take_best(self) -> int:
        """Give the detector the weights of the best epoch, if any was measured; return that epoch."""
        if self.best is None:
            return self.epoch
        self.detector.load_state_dict(self.best["weights"])
        return self.best["epoch"]

    def _precision(self) -> AbstractContextManager:
        """Where convolutions and layers compute in the precision of the settings; weights stay float32."""
        if self.training.precision == "float32":
            return nullcontext()
        return torch.autocast(self.device.type, dtype=getattr(torch, self.training.precision))

    def _divergence(self, shown: str) -> str:
        return (
            f"training diverged at iteration {len(self.losses) + 1} ({shown}); "
            f"lower training.learning_rate (now {self.training.learning_rate:g})"
        )

    def losses_of(self, batch: TrainingBatch, generators: list[torch.Generator]) -> dict[str, torch.Tensor]:
        """Losses of a batch that is not empty, in single precision whatever the layers compute in."""
        images = torch.from_numpy(batch.images).to(self.device)
        with self._precision():
            return self.detector(images, batch.truths, generators, components=batch.components)

    def step(self, batch: TrainingBatch, generators: list[torch.Generator], *, share: float) -> None:
        """Take one step down the gradient of the training error of one batch.

        Parameters
        ----------
        batch, generators
            This process's part of the batch, which may be empty.
        share : float
            That part's share of the whole batch.

        Raises
        ------
        ConfigError
            If a loss or the gradient is not finite.
        """
        rate = learning_rate_at(
            len(self.losses) + 1,
            self.training.epochs * self.batches_per_epoch,
            peak=self.training.learning_rate,
            warmup_fraction=self.recipe.warmup_fraction,
            schedule=self.training.schedule,
            milestones=self.training.milestones,
        )
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        for parameter in self.parameters:
            parameter.grad = torch.zeros_like(parameter)
        losses = torch.zeros(len(LOSS_NAMES), device=self.device)
        if share:
            said = self.losses_of(batch, generators)
            (sum(said.values()) * share).backward()
            present = [
                share * said[name].detach() if name in said else losses.new_tensor(math.nan)
                for name in LOSS_NAMES
            ]
            losses = torch.stack(present)
        self.world.sum([losses, *(parameter.grad for parameter in self.parameters)])
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.recipe.max_gradient_norm)
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
        """Continue from the checkpoint at `path`; start from the beginning where it is of no use."""
        checkpoint = read_checkpoint(path, fingerprint=fingerprint)
        if checkpoint is None:
            return
        self.detector.load_state_dict(checkpoint["detector"])
        self.optimizer.load_state_dict(checkpoint["optimizer"])
        self.epoch, self.losses = checkpoint["epoch"], checkpoint["losses"].tolist()
        self.validation, self.best = checkpoint["validation"], checkpoint["best"]
        logger.info(
            "%s: training goes on after epoch %d and %d batches", path, self.epoch, self.steps_of_epoch
        )

    def losses_table(self) -> pd.DataFrame:
        """Losses of every iteration, rows of `claran_core.common.tables.LOSSES`."""
        columns = ["learning_rate", *LOSS_NAMES]
        table = pd.DataFrame(np.reshape(self.losses, (-1, len(columns))), columns=columns)
        table.insert(0, "iteration", np.arange(1, len(table) + 1))
        table["validation"] = np.nan
        ends = np.arange(1, len(self.validation) + 1) * self.batches_per_epoch - 1
        table.loc[ends, "validation"] = self.validation
        return table
