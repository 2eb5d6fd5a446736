"""Training: fit a detector to fused images with truth, and write its weights.

The sum of the losses (paper section 5.1, equation 11) is minimised batch by batch.  Everything random is
drawn anew for each epoch from the seed, the number of the epoch and, where it concerns one subject, the
subject's id.  So a checkpoint needs no generator states, and a run that was cut and resumed ends with the
very weights of an uncut one.
"""

import dataclasses
import hashlib
import json
import logging
import math
import zipfile
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError  # the name only: `torch.load(weights_only=True)` raises it

import numpy as np
import pandas as pd
import torch

from claran_core import __version__, tables
from claran_core.config import FusionOptions, ModelOptions, TrainingOptions, resolve_path
from claran_core.dataset import FusedDataset, TrainingBatch, subject_key
from claran_core.device import choose_device, reproducible
from claran_core.distributed import World, joined
from claran_core.errors import ConfigError, InputError
from claran_core.files import atomic_path, write_table
from claran_core.log import Progress
from claran_core.model import (
    LOSS_NAMES,
    AssociationNetwork,
    Detector,
    build_detector,
    save_weights,
)
from claran_core.model.pretrained import file_sha256, load_pretrained
from claran_core.morphology import MORPHOLOGIES
from claran_core.weights_header import WeightsInfo

__all__ = ["RECIPES", "Recipe", "TrainingState", "learning_rate_at", "train"]

logger = logging.getLogger(__name__)

# Seeds of batches, of proposals and dropout, and of augmentation (dataset.py) must differ.
ORDER_STREAM, NETWORK_STREAM = 2, 3


@dataclass(frozen=True)
class Recipe:
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


# `vgg16`: the paper's momentum optimiser (section 5), its learning rate given in the settings; the steps
# of its schedule become a cosine.  The others have no pre-trained weights, for which Adam is less delicate.
RECIPES = {
    "association": Recipe(optimizer="adamw", max_gradient_norm=10.0, warmup_fraction=0.05),
    "compact": Recipe(optimizer="adamw", max_gradient_norm=10.0, warmup_fraction=0.05),
    "vgg16": Recipe(optimizer="sgd", max_gradient_norm=10.0, warmup_fraction=0.02),
}


def train(
    dataset: FusedDataset,
    *,
    method: str,
    fusion: FusionOptions,
    model: ModelOptions,
    training: TrainingOptions,
    seed: int,
    weights_path: Path,
    losses_path: Path,
    checkpoint_path: Path,
    device: str = "auto",
    threads: int | None = None,
) -> WeightsInfo:
    """Train a detector from its beginning or its last checkpoint, and write weights and losses.

    Parameters
    ----------
    dataset : FusedDataset
        Training subjects.
    method : str
        Fusion method of the images.
    fusion, model, training
        Settings; all but ``training.checkpoint_every`` change the result.
    seed : int
        Drives initial weights, order of subjects, augmentation, choice of anchors and RoIs, dropout.
    weights_path, losses_path : Path
        Written when training has finished.
    checkpoint_path : Path
        Written every ``checkpoint_every`` epochs, used when it fits, removed when training has finished.
    device : str
        ``auto``, ``cpu`` or ``cuda``.
    threads : int, optional
        CPU threads to use; default PyTorch's.

    Returns
    -------
    WeightsInfo
        The header of the weights written.

    Raises
    ------
    InputError
        If there are no labels to learn from, or the images do not have the size of the settings.
    ConfigError
        If the device asked for is not there, or the losses stop being finite.
    WeightsError
        As `load_pretrained`.
    """
    _check_dataset(dataset, method, fusion)
    where, recipe = choose_device(device), RECIPES[model.architecture]
    data_hash, channel_means = dataset.fingerprint(), dataset.channel_means()
    settings = {
        "architecture": model.architecture,
        "method": method,
        "fusion_options": fusion.pixel_options,
        "training": _training_facts(training, recipe, model),
        "seed": seed,
        "package_version": __version__,
    }
    with reproducible(threads), joined(where) as world:
        detector = build_detector(
            model.architecture,
            channel_means=channel_means,
            frame_px=dataset.frame_px,
            seed=seed,
            options=model.options,
        )
        batches = math.ceil(len(dataset) / training.batch_size)
        state = TrainingState(detector.to(where), recipe, training, batches, world)
        if model.pretrained is not None:
            load_pretrained(detector, resolve_path(model.pretrained))
        fingerprint = _fingerprint(
            {**settings, "architecture_options": dict(model.options), "data": data_hash}
        )
        state.resume(checkpoint_path, fingerprint)
        _run_epochs(state, dataset, seed, method, checkpoint_path, fingerprint)
        world.wait()  # nobody still reads the checkpoint that is removed below
    losses = state.losses_table()
    info = WeightsInfo(
        **settings,
        class_names=MORPHOLOGIES,
        channel_means=channel_means,
        data={
            "description": f"{method} images of the training split, {dataset.frame_px} px",
            "hash": data_hash,
            "n_subjects": len(dataset),
            "n_labels": dataset.n_labels,
        },
        metrics=_final_losses(losses, state.batches_per_epoch),
    )
    if not world.is_first:
        return info
    write_table(losses_path, losses, tables.LOSSES, metadata={"method": method})
    save_weights(weights_path, detector, info)
    checkpoint_path.unlink(missing_ok=True)
    logger.info("%s: trained on %d subjects, %d sources", weights_path, len(dataset), dataset.n_labels)
    return info


class TrainingState:
    """All that changes while a detector is trained, and how it passes through a checkpoint.

    Parameters
    ----------
    detector : Detector
        On the device to train on.
    recipe : Recipe
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
    """

    def __init__(
        self,
        detector: Detector | AssociationNetwork,
        recipe: Recipe,
        training: TrainingOptions,
        batches_per_epoch: int,
        world: World,
    ) -> None:
        self.detector, self.recipe, self.training = detector, recipe, training
        self.batches_per_epoch, self.world = batches_per_epoch, world
        self.parameters = [p for p in detector.parameters() if p.requires_grad]
        self.optimizer = _optimizer(self.parameters, recipe, training)
        self.epoch = 0
        self.losses: list[list[float]] = []

    @property
    def device(self) -> torch.device:
        """Where the detector is."""
        return self.parameters[0].device

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
        )
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        for parameter in self.parameters:
            parameter.grad = torch.zeros_like(parameter)
        losses = torch.zeros(len(LOSS_NAMES), device=self.device)
        if share:
            images = torch.from_numpy(batch.images).to(self.device)
            said = self.detector(images, batch.truths, generators, components=batch.components)
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
            raise ConfigError(
                f"training diverged at iteration {len(self.losses) + 1} ({shown}); "
                f"lower training.learning_rate (now {self.training.learning_rate:g})"
            )
        self.optimizer.step()
        self.losses.append([rate, *recorded.values()])

    def save(self, path: Path, fingerprint: str) -> None:
        """Write a checkpoint: tensors and plain types only."""
        checkpoint = {
            "fingerprint": fingerprint,
            "epoch": self.epoch,
            "losses": torch.tensor(self.losses, dtype=torch.float64),
            "detector": self.detector.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        with atomic_path(path) as temporary:
            torch.save(checkpoint, temporary)

    def resume(self, path: Path, fingerprint: str) -> None:
        """Continue from the checkpoint at `path`; start from the beginning where it is of no use."""
        if not path.exists():
            return
        checkpoint = _read_checkpoint(path)
        if checkpoint is None:
            logger.warning("%s: damaged or not a checkpoint; training starts afresh", path)
        elif checkpoint["fingerprint"] != fingerprint:
            logger.warning("%s: made with other settings or data; training starts afresh", path)
        else:
            self.detector.load_state_dict(checkpoint["detector"])
            self.optimizer.load_state_dict(checkpoint["optimizer"])
            self.epoch, self.losses = checkpoint["epoch"], checkpoint["losses"].tolist()
            logger.info("%s: training goes on after epoch %d", path, self.epoch)

    def losses_table(self) -> pd.DataFrame:
        """Losses of every iteration, rows of `claran_core.tables.LOSSES`."""
        columns = ["learning_rate", *LOSS_NAMES]
        table = pd.DataFrame(np.reshape(self.losses, (-1, len(columns))), columns=columns)
        table.insert(0, "iteration", np.arange(1, len(table) + 1))
        return table


def learning_rate_at(iteration: int, total: int, *, peak: float, warmup_fraction: float) -> float:
    """Learning rate of one iteration: a linear rise to `peak`, then half a cosine towards zero.

    Parameters
    ----------
    iteration : int
        From 1 to `total`.
    total : int
        Number of iterations of the whole training.
    peak : float
        Largest learning rate.
    warmup_fraction : float
        Share of the iterations that the rise takes, at least one iteration.
    """
    warmup = max(1, round(warmup_fraction * total))
    if iteration <= warmup:
        return peak * iteration / warmup
    return peak * 0.5 * (1 + math.cos(math.pi * (iteration - warmup) / (total - warmup + 1)))


def _run_epochs(
    state: TrainingState, dataset: FusedDataset, seed: int, method: str, checkpoint: Path, fingerprint: str
) -> None:
    training = state.training
    progress = Progress(
        f"training {method}: batches", (training.epochs - state.epoch) * state.batches_per_epoch
    )
    while state.epoch < training.epochs:
        _run_epoch(state, dataset, seed, progress)
        state.epoch += 1
        means = np.mean(state.losses[-state.batches_per_epoch :], axis=0)[1:]
        shown = ", ".join(
            f"{name} {mean:.4f}" for name, mean in zip(LOSS_NAMES, means, strict=True) if np.isfinite(mean)
        )
        logger.info("training %s: epoch %d of %d: %s", method, state.epoch, training.epochs, shown)
        if state.epoch % training.checkpoint_every == 0 and state.world.is_first:
            state.save(checkpoint, fingerprint)


def _run_epoch(state: TrainingState, dataset: FusedDataset, seed: int, progress: Progress) -> None:
    order = np.random.default_rng([ORDER_STREAM, seed, state.epoch]).permutation(len(dataset))
    state.detector.train()
    # Batches of nearly equal size: a last batch of one subject would weigh as much as a full one.
    for indices in np.array_split(order, state.batches_per_epoch):
        own = state.world.share(indices)
        batch = dataset.batch(own, augmentation=state.training.augmentation, seed=seed, epoch=state.epoch)
        generators = [_generator(dataset.subject_ids[i], seed, state.epoch) for i in own]
        state.step(batch, generators, share=len(own) / len(indices))
        progress.step()


def _generator(subject_id: str, seed: int, epoch: int) -> torch.Generator:
    """Generator of all that is random in the network about one subject in one epoch."""
    seeds = np.random.SeedSequence([NETWORK_STREAM, seed, epoch, subject_key(subject_id)])
    return torch.Generator().manual_seed(int(seeds.generate_state(1, np.uint64)[0] >> 1))


def _optimizer(
    parameters: list[torch.nn.Parameter], recipe: Recipe, training: TrainingOptions
) -> torch.optim.Optimizer:
    # Biases and scales are not shrunk: that costs accuracy and regularises nothing.
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": training.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=training.learning_rate, momentum=0.9)
    return torch.optim.AdamW(groups, lr=training.learning_rate)


def _read_checkpoint(path: Path) -> dict | None:
    try:
        # torch does not look at the checksums it wrote; a flipped bit would pass as a weight.
        with zipfile.ZipFile(path) as archive:
            if archive.testzip() is not None:
                return None
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except (zipfile.BadZipFile, RuntimeError, UnpicklingError, EOFError, OSError, ValueError, KeyError):
        return None
    return checkpoint if isinstance(checkpoint, dict) and "fingerprint" in checkpoint else None


def _check_dataset(dataset: FusedDataset, method: str, fusion: FusionOptions) -> None:
    if dataset.n_labels == 0:
        raise InputError(
            f"training needs labels: no subject of the training split has a true source; "
            f"give model.weights.{method}, or targets with truth"
        )
    if dataset.frame_px != fusion.size_px:
        raise InputError(
            f"fused images of {dataset.frame_px} px do not fit fusion.size_px {fusion.size_px}; rerun fusion"
        )


def _training_facts(training: TrainingOptions, recipe: Recipe, model: ModelOptions) -> dict[str, object]:
    facts = {**dataclasses.asdict(training), **dataclasses.asdict(recipe)}
    given = model.pretrained
    facts["pretrained_sha256"] = None if given is None else file_sha256(resolve_path(given))
    del facts["checkpoint_every"]  # changes no weight
    return facts


def _fingerprint(facts: dict[str, object]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _final_losses(losses: pd.DataFrame, batches: int) -> dict[str, float]:
    means = losses[list(LOSS_NAMES)].tail(batches).mean().dropna()
    return {**{name: float(value) for name, value in means.items()}, "training_error": float(means.sum())}
