"""Inference: what the detector finds in the fused images of one shard, as a table.

All batches have the same shape (the last is filled up with blank images), so that what is found in
a subject does not depend on the subjects it shares a batch or a shard with.
"""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from claran_core.common import tables
from claran_core.common.boxes import BOX_COLUMNS
from claran_core.common.errors import InputError
from claran_core.common.files import write_table
from claran_core.common.frame import Frame
from claran_core.common.log import Progress
from claran_core.common.morphology import MORPHOLOGIES, probability_columns
from claran_core.components.component_table import (
    NO_COMPONENTS,
    NOMINAL_LEVEL,
    SubjectComponents,
    read_components,
)
from claran_core.fusion.fused_images import has_radio, open_shard
from claran_core.model.association.network import AssociationNetwork
from claran_core.model.device import choose_device, reproducible
from claran_core.model.faster_rcnn.detector import Detector
from claran_core.model.layers.types import Detections
from claran_core.model.weights import load_weights, model_id
from claran_core.settings.config import FusionOptions, InferenceOptions

__all__ = ["batches", "infer_shard", "run_inference"]

logger = logging.getLogger(__name__)


def infer_shard(
    images: np.ndarray,
    index: pd.DataFrame,
    components: Mapping[str, Mapping[float, SubjectComponents]],
    detector: Detector | AssociationNetwork,
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
        N rows of `claran_core.common.tables.FUSED`.  Subjects without radio image are passed over.
    components : mapping
        Components of the subjects that have any, by name and level (`read_components`).
    detector : Detector or AssociationNetwork
        A trained detector; moved to the device of `options`.
    options : InferenceOptions
        Batch size, least probability, overlap for suppression, device.
    frame : Frame
        Geometry of the subjects.
    threads : int, optional
        CPU threads to use; default PyTorch's.

    Returns
    -------
    DataFrame
        Rows of `claran_core.common.tables.DETECTIONS`: subjects in the order of the index, within each
        the most probable first (then by class, then by left edge).

    Raises
    ------
    ConfigError
        If the device asked for is not there.
    InputError
        If the images do not have the size of the frame.
    """
    if images.shape[1:3] != (frame.size_px, frame.size_px):
        raise InputError(
            f"fused images of {images.shape[1:3]} px do not fit fusion.size_px {frame.size_px}; rerun fusion"
        )
    device = choose_device(options.device)
    detector = detector.to(device).eval()
    with_radio = np.flatnonzero(has_radio(index))
    names = index["subject_id"].to_numpy()
    progress = Progress("subjects searched for sources", len(with_radio))
    found: list[Detections] = []
    with reproducible(threads), torch.inference_mode():
        for rows, batch in batches(images, with_radio, options.batch_size, device):
            own = [components.get(name, {}).get(NOMINAL_LEVEL, NO_COMPONENTS) for name in names[rows]]
            own += [NO_COMPONENTS] * (options.batch_size - len(own))
            results = detector.detect(
                batch, min_probability=options.min_probability, nms_iou=options.nms_iou, components=own
            )
            found += results[: len(rows)]
            progress.step(len(rows))
    return _table(with_radio, found, index, frame)


def run_inference(
    weights_path: Path,
    *,
    method: str,
    fusion: FusionOptions,
    options: InferenceOptions,
    fused_path: Path,
    index_path: Path,
    components_path: Path,
    output_path: Path,
    survey: str = "FIRST",
    threads: int | None = None,
) -> None:
    """Detect sources in one shard on disk and write the table, with the model's id as metadata.

    Raises
    ------
    ConfigError, InputError
        As `infer_shard`.
    WeightsError
        If the weights cannot be read, or belong to another fusion method, other fusion options or a beam of
        more or fewer pixels than that of `survey` has.
    """
    pixels = {"fusion_options": fusion.pixel_options, "survey": survey}
    detector, _ = load_weights(weights_path, method=method, **pixels)
    images, index = open_shard(fused_path, index_path)
    components = read_components(components_path)
    table = infer_shard(images, index, components, detector, options, fusion.frame, threads=threads)
    metadata = {"model_id": model_id(weights_path), "method": method}
    write_table(output_path, table, tables.DETECTIONS, metadata=metadata)
    logger.info("%s: %d boxes in %d subjects", output_path, len(table), table["subject_id"].nunique())


def batches(
    images: np.ndarray, rows: np.ndarray, size: int, device: torch.device
) -> Iterator[tuple[np.ndarray, torch.Tensor]]:
    """Read some rows of `images` batch by batch: which they are, and (size, ny, nx, 3) uint8 on `device`.

    The last batch is filled up with blank images.  On a CPU each batch is written over the one before it.
    """
    buffer = torch.zeros((size, *images.shape[1:]), dtype=torch.uint8, pin_memory=device.type == "cuda")
    pixels = buffer.numpy()
    for start in range(0, len(rows), size):
        own = rows[start : start + size]
        pixels[: len(own)] = images[own]
        pixels[len(own) :] = 0
        yield own, buffer.to(device)


def _table(rows: np.ndarray, found: list[Detections], index: pd.DataFrame, frame: Frame) -> pd.DataFrame:
    """Rows of all subjects, sorted; ``rows[i]`` is the place in the index of ``found[i]``."""
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
