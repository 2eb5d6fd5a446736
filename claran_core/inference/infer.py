"""Inference: detect sources in the fused images of one shard.

All batches have the same shape; the last is padded with blank images.  The detections of a subject therefore
do not depend on the other subjects of its batch or shard.
"""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from claran_core.common import tables
from claran_core.common.boxes import BOX_COLUMNS
from claran_core.common.errors import InputError
from claran_core.common.files import read_table, write_table
from claran_core.common.frame import Frame
from claran_core.common.log import Progress
from claran_core.common.morphology import MORPHOLOGIES, probability_columns
from claran_core.common.read_ahead import read_ahead
from claran_core.components.component_batch import ComponentBatch
from claran_core.components.component_table import PLAIN_COLUMNS
from claran_core.fusion.fused_images import has_radio, open_shard
from claran_core.model.device import choose_device, reproducible
from claran_core.model.layers.detector import Detector
from claran_core.model.layers.types import Candidates, Detections
from claran_core.model.weights import load_weights, model_id
from claran_core.settings.fusion import ImageOptions
from claran_core.settings.inference import InferenceOptions

__all__ = ["InferenceBatch", "infer_shard", "read_batches", "run_inference"]

logger = logging.getLogger(__name__)


def infer_shard(
    images: np.ndarray,
    index: pd.DataFrame,
    components: pd.DataFrame,
    detector: Detector,
    options: InferenceOptions,
    frame: Frame,
    *,
    threads: int | None = None,
) -> pd.DataFrame:
    """Detect sources in the fused images of one shard.

    Parameters
    ----------
    images : (N, ny, nx, 3) uint8 array
        Fused images, row 0 in the north; may be memory-mapped.
    index : DataFrame
        N rows of `claran_core.common.tables.FUSED`.  Subjects without a radio image are skipped.
    components : DataFrame
        Rows of `claran_core.common.tables.COMPONENTS`.
    detector : Detector
        A trained detector; it is moved to the device of `options`.
    options : InferenceOptions
        Batch size, smallest probability, overlap for suppression, device.
    frame : Frame
        Geometry of the subjects.
    threads : int, optional
        CPU threads to use; default PyTorch's.

    Returns
    -------
    DataFrame
        Rows of `claran_core.common.tables.DETECTIONS`: subjects in the order of the index, detections of a
        subject by descending probability (then by class, then by left edge).

    Raises
    ------
    ConfigError
        If the device is not available.
    InputError
        If the images do not have the size of the frame.
    """
    if images.shape[1:3] != (frame.size_px, frame.size_px):
        raise InputError(
            f"fused images of {images.shape[1:3]} px do not fit fusion.size_px {frame.size_px}; rerun fusion"
        )
    device = choose_device(options.device)
    detector = detector.to(device).eval()
    names = index["subject_id"].to_numpy()
    batch, _ = ComponentBatch.from_table(components, names)
    searched = has_radio(index)
    if detector.groups_components:
        searched &= batch.has_usable
    rows = np.flatnonzero(searched)
    progress = Progress("subjects searched for sources", len(rows))
    found: list[Detections] = []
    with reproducible(threads), torch.inference_mode():
        for part in read_batches(images, rows, batch, detector.candidates, options.batch_size, device):
            results = detector.detect(
                part.images,
                part.candidates,
                min_probability=options.min_probability,
                nms_iou=options.nms_iou,
            )
            found += results[: len(part.rows)]
            progress.step(len(part.rows))
    return _table(rows, found, index, frame)


def run_inference(
    weights_path: Path,
    *,
    method: str,
    fusion: ImageOptions,
    options: InferenceOptions,
    fused_path: Path,
    index_path: Path,
    components_path: Path,
    output_path: Path,
    survey: str,
    threads: int | None = None,
) -> None:
    """Detect sources in one shard on disk, and write the table with the id of the model as metadata.

    Parameters
    ----------
    weights_path : Path
        Weights of the detector.
    method, fusion, survey
        Fusion method and options of the images, and their radio survey; the weights must be compatible.
    options, threads
        As for `infer_shard`.
    fused_path, index_path, components_path : Path
        Fused images of the shard, their index, and the components.
    output_path : Path
        Table of detections to write.

    Raises
    ------
    ConfigError, InputError
        As `infer_shard`.
    WeightsError
        If the weights cannot be read or are not compatible with the images.
    """
    detector, _ = load_weights(
        weights_path, method=method, fusion_options=fusion.pixel_options, survey=survey
    )
    images, index = open_shard(fused_path, index_path)
    components = read_table(components_path, PLAIN_COLUMNS)
    table = infer_shard(images, index, components, detector, options, fusion.frame, threads=threads)
    metadata = {"model_id": model_id(weights_path), "method": method}
    write_table(output_path, table, tables.DETECTIONS, metadata=metadata)
    logger.info("%s: %d boxes in %d subjects", output_path, len(table), table["subject_id"].nunique())


class InferenceBatch(NamedTuple):
    """Input of the detector for some subjects.

    Attributes
    ----------
    rows : (n,) int64 array
        Rows of the subjects in the index.
    images : (size, ny, nx, 3) uint8 tensor
        Their images, then blank images, on the device of the network.
    candidates : Candidates or None
        Their candidates (`Detector.candidates`).
    """

    rows: np.ndarray
    images: torch.Tensor
    candidates: Candidates | None


def read_batches(
    images: np.ndarray,
    rows: np.ndarray,
    components: ComponentBatch,
    candidates: Callable[[ComponentBatch], Candidates | None],
    size: int,
    device: torch.device,
) -> Iterator[InferenceBatch]:
    """Yield subjects in batches of one size, each read in another thread while the one before is in use.

    A batch is overwritten two batches later.

    Parameters
    ----------
    images : (N, ny, nx, 3) uint8 array
        Images of all subjects; may be memory-mapped.
    rows : (n,) int64 array
        Subjects to read.
    components : ComponentBatch
        Components of all subjects.
    candidates : callable
        Called with the components of each batch (`Detector.candidates`).
    size : int
        Subjects per batch.
    device : torch.device
        Where the images go.
    """
    # Pinned memory is copied to a GPU while the GPU computes.
    pinned = device.type == "cuda"
    buffers = [torch.zeros((size, *images.shape[1:]), dtype=torch.uint8, pin_memory=pinned) for _ in range(2)]

    def read(number: int) -> InferenceBatch:
        own, buffer = rows[number * size : (number + 1) * size], buffers[number % len(buffers)]
        pixels = buffer.numpy()
        np.take(images, own, axis=0, out=pixels[: len(own)])
        pixels[len(own) :] = 0
        return InferenceBatch(own, buffer, candidates(components.take(own, size)))

    for batch in read_ahead(read, range(-(-len(rows) // size))):
        yield batch._replace(images=batch.images.to(device, non_blocking=True))


def _table(rows: np.ndarray, found: list[Detections], index: pd.DataFrame, frame: Frame) -> pd.DataFrame:
    """Return the sorted table of all detections; ``found[i]`` belongs to row ``rows[i]`` of the index."""
    row = np.repeat(rows, [len(one.classes) for one in found])
    if not len(row):
        return tables.DETECTIONS.empty_table().to_pandas()
    boxes = torch.cat([one.boxes for one in found]).cpu().double().numpy()
    probabilities = torch.cat([one.probabilities for one in found]).cpu().numpy()
    classes = torch.cat([one.classes for one in found]).cpu().numpy()
    probability = probabilities[np.arange(len(row)), classes - 1]
    order = np.lexsort((boxes[:, 0], classes, -probability, row))
    subjects = index.iloc[row[order]]
    boxes, probabilities = boxes[order], probabilities[order]
    centre_x, centre_y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    ra, dec = frame.frame_to_sky(subjects["ra"].to_numpy(), subjects["dec"].to_numpy(), centre_x, centre_y)
    columns = {
        "subject_id": subjects["subject_id"].to_numpy(),
        "ra": ra,
        "dec": dec,
        **dict(zip(BOX_COLUMNS, boxes.T, strict=True)),
        "morphology": [MORPHOLOGIES[k - 1] for k in classes[order]],
        "probability": probability[order],
        **dict(zip(probability_columns(), probabilities.T, strict=True)),
    }
    return pd.DataFrame(columns)
