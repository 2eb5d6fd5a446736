"""Inference: detect sources in the fused images of one shard.

All batches have the same shape; the last is padded with blank images.  The detections of a subject therefore
do not depend on the other subjects of its batch or shard.
"""

import logging
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from claran_core.common import tables
from claran_core.common.boxes import BOX_COLUMNS
from claran_core.common.errors import InputError
from claran_core.common.files import check_made_from, digest_of, read_table, write_table
from claran_core.common.frame import Frame
from claran_core.common.log import Progress
from claran_core.common.morphology import MORPHOLOGIES, probability_columns
from claran_core.components.component_batch import ComponentBatch
from claran_core.components.component_table import PLAIN_COLUMNS
from claran_core.fusion.fused_images import check_images, has_radio, open_shard
from claran_core.inference.batches import read_batches
from claran_core.inference.membership import component_ids_of
from claran_core.model.device import choose_device, reproducible
from claran_core.model.layers.detector import Detector
from claran_core.model.layers.types import Detections
from claran_core.model.weights import load_weights, model_id
from claran_core.settings.fusion import ImageOptions
from claran_core.settings.inference import InferenceOptions

__all__ = ["infer_shard", "run_inference"]

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
    images_path: Path | None = None,
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
    images_path : Path, optional
        File of the images.  If it is given, their pixels are compared with the checksums in the index.

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
        If the images do not have the size of the frame, or a checksum differs.
    """
    if images.shape[1:3] != (frame.size_px, frame.size_px):
        raise InputError(
            f"fused images of {images.shape[1:3]} px do not fit fusion.size_px {frame.size_px}; rerun fusion"
        )
    device = choose_device(options.device)
    detector = detector.to(device).eval()
    names = index["subject_id"].to_numpy()
    batch = ComponentBatch.from_table(components, names)
    searched = has_radio(index)
    if detector.groups_components:
        searched &= batch.has_usable
    rows = np.flatnonzero(searched)
    check = None if images_path is None else partial(check_images, images, index, path=images_path)
    progress = Progress("subjects searched for sources", len(rows))
    found: list[Detections] = []
    with reproducible(threads), torch.inference_mode():
        for part in read_batches(
            images, rows, batch, detector, size=options.batch_size, device=device, check=check
        ):
            results = detector.detect(
                part.images,
                part.candidates,
                min_probability=options.min_probability,
                nms_iou=options.nms_iou,
            )
            found += results[: len(part.rows)]
            progress.step(len(part.rows))
    if not any(len(one) for one in found):
        return tables.DETECTIONS.empty_table().to_pandas()
    table = _table(rows, found, index, frame)
    ids = component_ids_of(table, batch, names, frame)
    table["component_ids"] = pd.Series(ids, dtype=object)
    order = np.lexsort((table["box_x1"], table["class"], -table["probability"], table["row"]))
    return table.iloc[order].reset_index(drop=True)[tables.DETECTIONS.names]


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
        As `infer_shard`; also if the images were made from other components.
    WeightsError
        If the weights cannot be read or are not compatible with the images.
    """
    detector, _ = load_weights(
        weights_path, method=method, fusion_options=fusion.pixel_options, survey=survey
    )
    of_components = {"components": digest_of(components_path)}
    check_made_from(index_path, of_components, redo="fusion")
    images, index = open_shard(fused_path, index_path)
    components = read_table(components_path, PLAIN_COLUMNS)
    table = infer_shard(
        images, index, components, detector, options, fusion.frame, threads=threads, images_path=fused_path
    )
    metadata = {"model_id": model_id(weights_path), "method": method}
    made_from = {"fused": digest_of(index_path)} | of_components
    write_table(output_path, table, tables.DETECTIONS, metadata=metadata, made_from=made_from)
    logger.info("%s: %d boxes in %d subjects", output_path, len(table), table["subject_id"].nunique())


def _table(rows: np.ndarray, found: list[Detections], index: pd.DataFrame, frame: Frame) -> pd.DataFrame:
    """Return the table of all detections without components; ``found[i]`` belongs to row ``rows[i]``.

    The columns ``row`` and ``class`` are those by which it is sorted.
    """
    row = np.repeat(rows, [len(one) for one in found])
    boxes = torch.cat([one.boxes for one in found]).double().numpy()
    probabilities = torch.cat([one.probabilities for one in found]).numpy()
    classes = torch.cat([one.classes for one in found]).numpy()
    subjects = index.iloc[row]
    centre_x, centre_y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    ra, dec = frame.frame_to_sky(subjects["ra"].to_numpy(), subjects["dec"].to_numpy(), centre_x, centre_y)
    columns = {
        "row": row,
        "class": classes,
        "subject_id": subjects["subject_id"].to_numpy(),
        "scale": tables.NATIVE_SCALE,
        "ra": ra,
        "dec": dec,
        **dict(zip(BOX_COLUMNS, boxes.T, strict=True)),
        "morphology": [MORPHOLOGIES[k - 1] for k in classes],
        "probability": probabilities[np.arange(len(row)), classes - 1],
        **dict(zip(probability_columns(), probabilities.T, strict=True)),
    }
    return pd.DataFrame(columns)
