"""Inference: score the candidates and detect sources in the fused images of one shard.

All batches have the same shape; the last is padded with blank images.  The detections of a subject therefore
do not depend on the other subjects of its batch or shard.
"""

import dataclasses
import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from claran_core.common import tables
from claran_core.common.boxes import BOX_COLUMNS, box_array
from claran_core.common.errors import InputError
from claran_core.common.files import read_table, write_table
from claran_core.common.frame import Frame
from claran_core.common.log import Progress
from claran_core.common.morphology import CLASSES_KEY, probability_columns
from claran_core.common.origins import check_together, origins_of
from claran_core.components.component_batch import ComponentBatch
from claran_core.components.component_table import PLAIN_COLUMNS
from claran_core.fusion.fused_images import check_images, has_radio, open_shard
from claran_core.inference.batches import InferenceBatch, read_batches
from claran_core.inference.candidate_table import candidate_table, candidates_of_detections, scored_rows
from claran_core.inference.membership import members_of
from claran_core.inference.soundness import refuse_unsound
from claran_core.model.device import choose_device, reproducible
from claran_core.model.layers.detector import Detector
from claran_core.model.layers.processing import select_detections
from claran_core.model.layers.types import Candidates, Detections, Regions
from claran_core.model.weights import load_weights
from claran_core.model.weights_header import model_id
from claran_core.settings.fusion import ImageOptions
from claran_core.settings.inference import InferenceOptions
from claran_core.survey.surveys import Survey

__all__ = ["Inferred", "infer_shard", "run_inference"]

logger = logging.getLogger(__name__)


class Inferred(NamedTuple):
    """Rows of `claran_core.common.tables.DETECTIONS` and of `claran_core.common.tables.CANDIDATES`."""

    detections: pd.DataFrame
    candidates: pd.DataFrame


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
    weights_path: Path | None = None,
) -> Inferred:
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
        Batch size, faintest source, smallest probability, overlap for suppression, device.
    frame : Frame
        Geometry of a subject of the finest scale.
    threads : int, optional
        CPU threads to use; default PyTorch's.
    images_path : Path, optional
        File of the images.  If it is given, their pixels are compared with the checksums in the index.
    weights_path : Path, optional
        File of the weights, for messages.

    Returns
    -------
    Inferred
        Subjects in the order of the index; detections of a subject by descending probability (then by class,
        then by left edge).

    Raises
    ------
    ConfigError
        If the device is not available.
    InputError
        If the images do not have the size of the frame, or a checksum differs.
    WeightsError
        If the detector returns numbers that are no probabilities.
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
    with reproducible(threads), torch.inference_mode():
        batches = read_batches(
            images, rows, batch, detector, size=options.batch_size, device=device, check=check
        )
        checked = partial(refuse_unsound, weights=weights_path)
        found = _searched(detector, batches, batch, options, names[rows], checked)
    classes = detector.class_names
    table = _table(rows, found.detections, index, frame, classes)
    subject, members = table["row"].to_numpy(), found.members
    if not detector.groups_components:
        members = members_of(box_array(table), table["morphology"].to_numpy(), subject, batch, frame)
    ids = batch.components.ids
    own = [ids[first + chosen] for first, chosen in zip(batch.starts[subject], members, strict=True)]
    table["component_ids"] = pd.Series(own, dtype=object)
    order = np.lexsort((table["box_x1"], table["class"], -table["probability"], table["row"]))
    table = table.iloc[order].reset_index(drop=True)
    listed = found.candidates
    if not detector.groups_components:
        ranked = [members[row] for row in order]
        listed = [candidates_of_detections(table, table["row"].to_numpy(), ranked, batch, classes)]
    names = tables.for_classes(tables.DETECTIONS, classes).names
    return Inferred(table[names], candidate_table(listed, index, batch, frame, classes))


class _Found(NamedTuple):
    """Detections of each subject; of a detector of groups also their units, and rows of the candidates."""

    detections: list[Detections]
    members: list[np.ndarray]
    candidates: list[pd.DataFrame]


def _searched(
    detector: Detector,
    batches: Iterable[InferenceBatch],
    components: ComponentBatch,
    options: InferenceOptions,
    names: np.ndarray,
    check: Callable[[Regions, np.ndarray], None],
) -> _Found:
    """Return what a detector finds in all batches, in their order; `names` are those of their subjects."""
    progress, first = Progress("subjects searched for sources", len(names)), 0
    found = _Found([], [], [])
    for part in batches:
        regions = detector.score(part.images, part.candidates)
        check(regions, names[first : first + len(part.rows)])
        first += len(part.rows)
        if part.candidates is not None:
            listed = scored_rows(part.rows, part.candidates, regions, detector.class_names)
            found.candidates.append(listed)
            regions = _bright(regions, part.candidates, part.rows, components, options.min_snr)
        chosen = select_detections(regions, min_probability=options.min_probability, nms_iou=options.nms_iou)
        chosen = chosen[: len(part.rows)]
        found.detections.extend(chosen)
        if part.candidates is not None:
            found.members.extend(_members(chosen, part.candidates))
        progress.step(len(part.rows))
    return found


def _bright(
    regions: Regions, candidates: Candidates, rows: np.ndarray, components: ComponentBatch, min_snr: float
) -> Regions:
    """Return regions of which those without a unit of `min_snr` or more give no detection.

    The first subjects of the batch are those of `rows`.
    """
    first = np.zeros(len(candidates.counts), np.int64)
    first[: len(rows)] = components.starts[rows]
    unit = np.repeat(first, candidates.counts)[:, None] + candidates.members
    snr = np.append(components.components.snr, 0.0)[np.where(candidates.members >= 0, unit, -1)]
    faint = torch.from_numpy(snr.max(axis=1, initial=0.0) < min_snr)[:, None]
    return dataclasses.replace(regions, probabilities=regions.probabilities.masked_fill(faint, 0.0))


def _members(chosen: Sequence[Detections], candidates: Candidates) -> list[np.ndarray]:
    """Return the units of each detection of the first subjects of a batch, as places in its subject."""
    starts = (np.cumsum(candidates.counts) - candidates.counts)[: len(chosen)]
    members = [
        candidates.members[start + own.regions.numpy()] for start, own in zip(starts, chosen, strict=True)
    ]
    return [row[row >= 0] for part in members for row in part]


def run_inference(
    weights_path: Path,
    *,
    method: str,
    fusion: ImageOptions,
    options: InferenceOptions,
    fused_path: Path,
    index_path: Path,
    components_path: Path,
    detections_path: Path,
    candidates_path: Path,
    survey: Survey,
    threads: int | None = None,
) -> None:
    """Detect sources in one shard on disk, and write the tables with the id of the model as metadata.

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
    detections_path, candidates_path : Path
        Tables to write.

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
    model = model_id(weights_path)
    files = origins_of(fused=index_path, components=components_path)
    made_from = check_together(files, {"method": method, "weights": model})
    images, index = open_shard(fused_path, index_path)
    components = read_table(components_path, PLAIN_COLUMNS)
    found = infer_shard(
        images,
        index,
        components,
        detector,
        options,
        fusion.frame,
        threads=threads,
        images_path=fused_path,
        weights_path=weights_path,
    )
    metadata = {"model_id": model, "method": method, CLASSES_KEY: detector.class_names}
    for path, table, schema in (
        (candidates_path, found.candidates, tables.CANDIDATES),
        (detections_path, found.detections, tables.DETECTIONS),
    ):
        schema = tables.for_classes(schema, detector.class_names)
        write_table(path, table, schema, metadata=metadata, made_from=made_from)
    logger.info(
        "%s: %d boxes in %d subjects",
        detections_path,
        len(found.detections),
        found.detections["subject_id"].nunique(),
    )


def _table(
    rows: np.ndarray, found: list[Detections], index: pd.DataFrame, frame: Frame, class_names: Sequence[str]
) -> pd.DataFrame:
    """Return the table of all detections without components; ``found[i]`` belongs to row ``rows[i]``.

    The columns ``row`` and ``class`` are those by which it is sorted.
    """
    row = np.repeat(rows, [len(one) for one in found])
    boxes = torch.cat([torch.empty(0, 4), *(one.boxes for one in found)]).double().numpy()
    probabilities = torch.cat(
        [torch.empty(0, len(class_names)), *(one.probabilities for one in found)]
    ).numpy()
    classes = torch.cat([torch.empty(0, dtype=torch.int64), *(one.classes for one in found)]).numpy()
    subjects = index.iloc[row]
    scale = subjects["scale"].to_numpy()
    boxes = boxes.astype(np.float64)
    centre_x, centre_y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    ra, dec = (subjects[name].to_numpy() for name in ("ra", "dec"))
    ra, dec = frame.frame_to_sky(ra, dec, centre_x, centre_y, scale=scale)
    columns = {
        "row": row,
        "class": classes,
        "subject_id": subjects["subject_id"].to_numpy(),
        "scale": scale,
        "ra": ra,
        "dec": dec,
        **dict(zip(BOX_COLUMNS, boxes.T, strict=True)),
        "morphology": np.array(class_names, object)[classes - 1],
        "probability": probabilities[np.arange(len(row)), classes - 1],
        **dict(zip(probability_columns(class_names), probabilities.T, strict=True)),
    }
    return pd.DataFrame(columns)
