"""Training: fit a detector to fused images with truth, and write its weights.

The sum of the losses (paper section 5.1, equation 11) is minimised batch by batch.  Everything random is
drawn anew for each epoch from the seed, the number of the epoch and, where it concerns one subject, the
subject's id.  So a checkpoint needs no generator states, and a run that was cut and resumed ends with the
very weights of an uncut one.  Asked to stop (SIGTERM), it writes one after the step it is at.
"""

import dataclasses
import logging
import math
from pathlib import Path

import numpy as np
import pandas as pd

from claran_core import __version__
from claran_core.common import tables
from claran_core.common.errors import InputError, Interrupted
from claran_core.common.files import write_table
from claran_core.common.log import Progress
from claran_core.common.morphology import MORPHOLOGIES
from claran_core.common.paths import resolve_path
from claran_core.model.architectures import build_detector
from claran_core.model.detector import LOSS_NAMES
from claran_core.model.device import choose_device, reproducible
from claran_core.model.pretrained import file_sha256, load_pretrained
from claran_core.model.weights import save_weights
from claran_core.model.weights_header import WeightsInfo
from claran_core.settings.config import FusionOptions, ModelOptions, TrainingOptions
from claran_core.training.checkpoint import fingerprint
from claran_core.training.dataset import FusedDataset
from claran_core.training.distributed import joined
from claran_core.training.epochs import train_epoch, validation_error
from claran_core.training.schedule import Schedule, schedule_of
from claran_core.training.sigterm import StopRequest, stop_request
from claran_core.training.state import TrainingState
from claran_core.training.validation_split import divided

__all__ = ["train"]

logger = logging.getLogger(__name__)


def train(
    dataset: FusedDataset,
    *,
    method: str,
    fusion: FusionOptions,
    model: ModelOptions,
    training: TrainingOptions,
    seed: int,
    survey: str,
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
        Training subjects, those near test subjects left out as ``training.keep_apart_arcsec`` says;
        ``training.validation_fraction`` of them are held out here.
    method : str
        Fusion method of the images.
    fusion, model, training
        Settings; all but ``training.checkpoint_every`` change the result.
    seed : int
        Drives initial weights, order of subjects, augmentation, choice of anchors and RoIs, dropout.
    survey : str
        Radio survey the images show, for the header of the weights.
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
        If there are no labels to learn from, the images do not have the size of the settings, or as
        `divided`.
    ConfigError
        If the device asked for is not there, or the losses stop being finite.
    WeightsError
        As `load_pretrained`.
    Interrupted
        If SIGTERM came; the checkpoint holds every step taken.
    """
    _check_dataset(dataset, method, fusion)
    dataset, held = divided(dataset, fraction=training.validation_fraction, seed=seed)
    where, recipe = choose_device(device), schedule_of(model.architecture, training.schedule)
    channel_means, data = dataset.channel_means(), _data_facts(dataset, held, method, survey)
    settings = {
        "architecture": model.architecture,
        "method": method,
        "fusion_options": fusion.pixel_options,
        "training": _training_facts(training, recipe, model),
        "seed": seed,
        "package_version": __version__,
    }
    with stop_request() as stop, reproducible(threads), joined(where) as world:
        detector = build_detector(
            model.architecture,
            channel_means=channel_means,
            frame_px=dataset.frame_px,
            seed=seed,
            options=model.options,
        )
        if model.pretrained is not None:
            load_pretrained(detector, resolve_path(model.pretrained))
        batches = math.ceil(len(dataset) / training.batch_size)
        state = TrainingState(detector.to(where), recipe, training, batches, world)
        identity = fingerprint({**settings, "architecture_options": dict(model.options), "data": data})
        state.resume(checkpoint_path, identity)
        _run_epochs(state, dataset, held, seed, method, checkpoint_path, identity, stop)
        world.wait()  # nobody still reads the checkpoint that is removed below
        best = state.take_best()
    losses = state.losses_table()
    info = WeightsInfo(
        **settings,
        class_names=MORPHOLOGIES,
        channel_means=channel_means,
        data=data,
        metrics=_metrics(losses, best, state.batches_per_epoch),
    )
    if not world.is_first:
        return info
    write_table(losses_path, losses, tables.LOSSES, metadata={"method": method})
    save_weights(weights_path, detector, info)
    checkpoint_path.unlink(missing_ok=True)
    logger.info("%s: trained on %d subjects, %d sources", weights_path, len(dataset), dataset.n_labels)
    return info


def _run_epochs(
    state: TrainingState,
    dataset: FusedDataset,
    held: FusedDataset | None,
    seed: int,
    method: str,
    checkpoint: Path,
    identity: str,
    stop: StopRequest,
) -> None:
    training = state.training
    steps = training.epochs * state.batches_per_epoch - len(state.losses)
    progress = Progress(f"training {method}: batches", steps)
    while not state.finished:
        if not train_epoch(state, dataset, seed, progress, stop):
            if state.world.is_first:
                state.save(checkpoint, identity)
            state.world.wait()  # where one process ends, a launcher ends the others: not before it is written
            raise Interrupted(
                f"{checkpoint}: asked to stop in epoch {state.epoch + 1}; "
                "training goes on from here when it is started again"
            )
        state.epoch += 1
        means = np.mean(state.losses[-state.batches_per_epoch :], axis=0)[1:]
        shown = ", ".join(
            f"{name} {mean:.4f}" for name, mean in zip(LOSS_NAMES, means, strict=True) if np.isfinite(mean)
        )
        if held is not None:
            state.record_validation(validation_error(state, held, seed))
            shown += f", validation {state.validation[-1]:.4f}"
        logger.info("training %s: epoch %d of %d: %s", method, state.epoch, training.epochs, shown)
        if state.epoch % training.checkpoint_every == 0 and state.world.is_first:
            state.save(checkpoint, identity)


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


def _training_facts(training: TrainingOptions, recipe: Schedule, model: ModelOptions) -> dict[str, object]:
    facts = {**dataclasses.asdict(training), **dataclasses.asdict(recipe)}
    given = model.pretrained
    facts["pretrained_sha256"] = None if given is None else file_sha256(resolve_path(given))
    del facts["checkpoint_every"]  # changes no weight
    return facts


def _data_facts(
    dataset: FusedDataset, held: FusedDataset | None, method: str, survey: str
) -> dict[str, object]:
    facts = {
        "description": f"{method} images of the training split, {dataset.frame_px} px",
        "survey": survey,
        "hash": dataset.fingerprint(),
        "n_subjects": len(dataset),
        "n_labels": dataset.n_labels,
    }
    if held is not None:
        facts["validation"] = {
            "hash": held.fingerprint(),
            "n_subjects": len(held),
            "n_labels": held.n_labels,
        }
    return facts


def _metrics(losses: pd.DataFrame, epoch: int, batches: int) -> dict[str, float]:
    """Means of the losses over the epoch whose weights are written, and the validation error after it."""
    of_epoch = losses.iloc[(epoch - 1) * batches : epoch * batches]
    means = of_epoch[list(LOSS_NAMES)].mean().dropna()
    metrics = {**{name: float(value) for name, value in means.items()}, "training_error": float(means.sum())}
    error = float(of_epoch["validation"].iloc[-1])
    return metrics if math.isnan(error) else {**metrics, "validation_error": error, "epoch": epoch}
