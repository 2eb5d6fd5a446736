"""Training: fit a detector to fused images with labels, and write its weights.

Each step reduces the sum of the losses of one batch (paper section 5.1, equation 11).  All random numbers of
an epoch are drawn from the seed, the number of the epoch and the ids of the subjects.  A checkpoint therefore
needs no states of generators, and an interrupted and resumed training gives the same weights, bit for bit, as
an uninterrupted one. On SIGTERM a checkpoint is written after the current step.
"""

import dataclasses
import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from claran_core import __version__
from claran_core.common import tables
from claran_core.common.errors import InputError, TrainingInterrupted
from claran_core.common.files import write_table
from claran_core.common.log import Progress
from claran_core.common.paths import resolve_path
from claran_core.model.architectures import build_detector
from claran_core.model.device import choose_device, reproducible
from claran_core.model.fine_tuning import start_from
from claran_core.model.layers.detector import LOSS_NAMES, Detector
from claran_core.model.pretrained import file_sha256, load_pretrained, stated_origin
from claran_core.model.weights import load_weights, save_weights
from claran_core.model.weights_header import WeightsInfo, model_id, read_info
from claran_core.settings.fusion import ImageOptions
from claran_core.settings.model import NetworkOptions
from claran_core.settings.training import TrainingOptions
from claran_core.survey.surveys import Survey
from claran_core.training.checkpoint import fingerprint
from claran_core.training.dataset import FusedDataset
from claran_core.training.distributed import process_group
from claran_core.training.epochs import train_epoch, validation_error
from claran_core.training.optimizer import OptimizerOptions, optimizer_options
from claran_core.training.sigterm import SigtermFlag, catch_sigterm
from claran_core.training.state import TrainingState
from claran_core.training.validation_split import split_validation

__all__ = ["train"]

logger = logging.getLogger(__name__)


def train(
    dataset: FusedDataset,
    *,
    method: str,
    fusion: ImageOptions,
    model: NetworkOptions,
    training: TrainingOptions,
    seed: int,
    survey: Survey,
    weights_path: Path,
    losses_path: Path,
    checkpoint_path: Path,
    start: Path | None = None,
    device: str = "auto",
    threads: int | None = None,
) -> WeightsInfo:
    """Train a detector, from the beginning or the last checkpoint, and write weights and losses.

    Parameters
    ----------
    dataset : FusedDataset
        Training subjects, without those near test subjects (``training.keep_apart_arcsec``).  The fraction
        ``training.validation_fraction`` of them is used for validation.
    method : str
        Fusion method of the images.
    fusion, model, training
        Settings; all except ``training.checkpoint_every`` change the result.
    seed : int
        Seed of the initial weights, the order of subjects, augmentation, sampling and dropout.
    survey : Survey
        Radio survey of the images, for the header of the weights.
    weights_path, losses_path : Path
        Written at the end of the training.
    checkpoint_path : Path
        Written every ``checkpoint_every`` epochs, used if it belongs to this training, removed at its end.
    start : Path, optional
        Weights that the training starts from, of these classes or others.  The channel means are theirs.
    device : str
        ``auto``, ``cpu`` or ``cuda``.
    threads : int, optional
        CPU threads to use; default PyTorch's.

    Returns
    -------
    WeightsInfo
        Header of the weights.

    Raises
    ------
    InputError
        If there are no labels, the images do not have the size of the settings, or as `split_validation`.
    ConfigError
        If the device is not available, or the losses are not finite.
    WeightsError
        As `load_pretrained`, `load_weights` and `start_from`.
    TrainingInterrupted
        After SIGTERM; the checkpoint contains every step.
    """
    _check_dataset(dataset, method, fusion)
    dataset, validation = split_validation(dataset, fraction=training.validation_fraction, seed=seed)
    torch_device = choose_device(device)
    options = optimizer_options(model.architecture, training.schedule, training.optimizer)
    begun = None
    if start is not None:
        begun = load_weights(start, method=method, fusion_options=fusion.pixel_options, survey=survey)
    info = WeightsInfo(
        architecture=model.architecture,
        class_names=dataset.class_names,
        method=method,
        fusion_options=fusion.pixel_options,
        channel_means=dataset.channel_means() if begun is None else begun[1].channel_means,
        training=_training_facts(training, options, model, start),
        seed=seed,
        data=_data_facts(dataset, validation, method, _seen_by(survey, fusion)),
        package_version=__version__,
        metrics={},
    )
    with catch_sigterm() as sigterm, reproducible(threads), process_group(torch_device) as group:
        detector = _new_detector(info, model, dataset.frame_px)
        if begun is not None and start is not None:
            start_from(detector, begun[0], start)
        batches = math.ceil(len(dataset) / training.batch_size)
        state = TrainingState(detector.to(torch_device), options, training, batches, group)
        checkpoint = _Checkpoint(
            checkpoint_path,
            fingerprint({**dataclasses.asdict(info), "architecture_options": dict(model.options)}),
        )
        state.resume(checkpoint.path, checkpoint.fingerprint)
        _run_epochs(state, dataset, validation, info, checkpoint, sigterm)
        group.barrier()  # no process may still read the checkpoint that is removed below
        best = state.restore_best()
    losses = state.losses_table()
    info = dataclasses.replace(info, metrics=_metrics(losses, best, state.batches_per_epoch))
    if not group.is_main:
        return info
    write_table(losses_path, losses, tables.LOSSES, metadata={"method": method})
    save_weights(weights_path, detector, info)
    checkpoint_path.unlink(missing_ok=True)
    logger.info("%s: trained on %d subjects, %d sources", weights_path, len(dataset), dataset.n_labels)
    return info


def _new_detector(info: WeightsInfo, model: NetworkOptions, frame_px: int) -> Detector:
    """Return a detector with the weights of `model.pretrained` where there are any, and random ones."""
    detector = build_detector(
        model.architecture,
        channel_means=info.channel_means,
        class_names=info.class_names,
        frame_px=frame_px,
        seed=info.seed,
        options=model.options,
    )
    if model.pretrained is not None:
        load_pretrained(detector, resolve_path(model.pretrained))
    return detector


class _Checkpoint(NamedTuple):
    """Path of the checkpoint, and fingerprint of the training."""

    path: Path
    fingerprint: str


def _run_epochs(
    state: TrainingState,
    dataset: FusedDataset,
    validation: FusedDataset | None,
    info: WeightsInfo,
    checkpoint: _Checkpoint,
    sigterm: SigtermFlag,
) -> None:
    epochs, label = state.training.epochs, f"training {info.method}"
    progress = Progress(f"{label}: batches", epochs * state.batches_per_epoch - len(state.losses))
    while not state.finished:
        if not train_epoch(state, dataset, info.seed, progress, sigterm):
            if state.group.is_main:
                state.save(*checkpoint)
            state.group.barrier()  # a launcher ends all processes when one ends: write the checkpoint first
            raise TrainingInterrupted(
                f"{checkpoint.path}: training received SIGTERM in epoch {state.epoch + 1}; "
                "start it again to resume from this checkpoint"
            )
        state.epoch += 1
        shown = _mean_losses(state)
        if validation is not None:
            state.record_validation(validation_error(state, validation, info.seed))
            shown += f", validation {state.validation[-1]:.4f}"
        logger.info("%s: epoch %d of %d: %s", label, state.epoch, epochs, shown)
        if state.epoch % state.training.checkpoint_every == 0 and state.group.is_main:
            state.save(*checkpoint)


def _mean_losses(state: TrainingState) -> str:
    """Return the mean losses of the last epoch, for the log."""
    means = np.mean(state.losses[-state.batches_per_epoch :], axis=0)[1:]
    shown = zip(LOSS_NAMES, means, strict=True)
    return ", ".join(f"{name} {mean:.4f}" for name, mean in shown if np.isfinite(mean))


def _check_dataset(dataset: FusedDataset, method: str, fusion: ImageOptions) -> None:
    if dataset.n_labels == 0:
        raise InputError(
            f"training needs labels: no subject of the training split has a true source; "
            f"give model.weights.{method}, or targets with labels"
        )
    if dataset.frame_px != fusion.size_px:
        raise InputError(
            f"fused images of {dataset.frame_px} px do not fit fusion.size_px {fusion.size_px}; rerun fusion"
        )


def _training_facts(
    training: TrainingOptions, options: OptimizerOptions, model: NetworkOptions, start: Path | None
) -> dict[str, object]:
    facts = {**dict(training), **dataclasses.asdict(options)}
    given = model.pretrained
    facts["pretrained_sha256"] = None if given is None else file_sha256(resolve_path(given))
    if given is not None and (origin := stated_origin(resolve_path(given))):
        facts["pretrained"] = origin
    if start is not None:
        facts["start_from"] = {"model_id": model_id(start), "class_names": read_info(start).class_names}
    del facts["checkpoint_every"]  # does not change the result
    return facts


def _seen_by(survey: Survey, fusion: ImageOptions) -> dict[str, object]:
    """Return the survey of the images, and the ranges of pixels per beam and of frequency that they span."""
    pixels = survey.beam_arcsec / fusion.pixel_scale_arcsec
    frequency = survey.frequency_hz
    return {
        "survey": survey.name,
        "pixels_per_beam": [pixels, pixels],
        "frequency_hz": None if frequency is None else [frequency, frequency],
    }


def _data_facts(
    dataset: FusedDataset, validation: FusedDataset | None, method: str, seen: Mapping[str, object]
) -> dict[str, object]:
    facts: dict[str, object] = {
        "description": f"{method} images of the training split, {dataset.frame_px} px",
        **seen,
        "hash": dataset.fingerprint(),
        "n_subjects": len(dataset),
        "n_labels": dataset.n_labels,
    }
    if validation is not None:
        facts["validation"] = {
            "hash": validation.fingerprint(),
            "n_subjects": len(validation),
            "n_labels": validation.n_labels,
        }
    return facts


def _metrics(losses: pd.DataFrame, epoch: int, batches: int) -> dict[str, float]:
    """Return the mean losses of the epoch whose weights are written, and the validation error after it."""
    rows = losses.iloc[(epoch - 1) * batches : epoch * batches]
    means = rows[list(LOSS_NAMES)].mean().dropna()
    metrics = {str(name): float(value) for name, value in means.items()}
    metrics["training_error"] = float(means.sum())
    error = float(rows["validation"].iloc[-1])
    return metrics if math.isnan(error) else {**metrics, "validation_error": error, "epoch": epoch}
