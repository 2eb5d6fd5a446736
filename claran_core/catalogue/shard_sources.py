"""Filter and measure the detections of one shard, each on the image of its own subject.

Every row depends on its subject alone, so the catalogue does not depend on how the sky is cut into shards.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from claran_core.catalogue.associate.post_filter import (
    FilterResult,
    select_detections,
    source_probability,
)
from claran_core.catalogue.detections import members_in, read_detections
from claran_core.catalogue.measure.host import RadioPosition, host_of
from claran_core.catalogue.measure.infrared_sources import InfraredSources, find_infrared_sources
from claran_core.catalogue.measure.measure_subject import NOTHING_MEASURED, SubjectImage, measured_columns
from claran_core.catalogue.measure.stored_components import NOTHING_STORED, STORED_COLUMNS, stored_components
from claran_core.catalogue.product.schema import HOST_COLUMNS, MEASURED_COLUMNS, REJECTED, SOURCES
from claran_core.common.boxes import box_array
from claran_core.common.cutout import Cutout
from claran_core.common.errors import InputError
from claran_core.common.files import check_made_from, digest_of, read_metadata, read_table, write_table
from claran_core.common.flags import Flag
from claran_core.common.frame import Frame
from claran_core.common.log import Progress
from claran_core.common.morphology import MORPHOLOGIES
from claran_core.common.subject import Subject
from claran_core.components.component_table import read_noise
from claran_core.cutouts.cutout_file import read_cutouts
from claran_core.settings.catalogue import CatalogueOptions
from claran_core.survey.surveys import Survey

__all__ = ["INDEX_COLUMNS", "ShardSources", "describe_shard", "write_shard"]

# Columns read from the index of the fused images: position and flags of each subject.
INDEX_COLUMNS = ["subject_id", "ra", "dec", "flags"]

# A box within half a pixel of the border touches it: the detector clips boxes to the frame.
EDGE_PX = 0.5

# Distance from the border of the subject at which the frame quality of a source is full: about the separation
# of the components of a triple (median 47 arcsec in RGZ DR1).  Nearer to the border, further components may
# lie outside, and another subject shows the source better.
FULL_ROOM_ARCSEC = 45.0


@dataclass(frozen=True)
class ShardSources:
    """Sources and rejected detections of one shard.

    Attributes
    ----------
    sources : DataFrame
        Columns of `claran_core.catalogue.product.schema.SOURCES`.
    rejected : DataFrame
        Columns of `claran_core.catalogue.product.schema.REJECTED`.
    """

    sources: pd.DataFrame
    rejected: pd.DataFrame


def write_shard(
    *,
    detections_path: Path,
    index_path: Path,
    components_path: Path,
    noise_path: Path,
    radio_path: Path,
    infrared_path: Path,
    sources_path: Path,
    rejected_path: Path,
    shard: str,
    options: CatalogueOptions,
    frame: Frame,
    survey: Survey,
    infrared_survey: Survey,
) -> None:
    """Filter and measure the detections of a shard; write its sources and its rejected detections.

    Parameters
    ----------
    detections_path, index_path, components_path, noise_path, radio_path, infrared_path : Path
        Detections, index of the fused images, components, noise and cut-outs of the shard.
    sources_path, rejected_path : Path
        Output tables `SOURCES` and `REJECTED`.
    shard : str
        Name of the shard, for the log.
    options : CatalogueOptions
        The post-filter and its limits.
    frame : Frame
        Geometry of the subjects.
    survey, infrared_survey : Survey
        The radio and the infrared survey.

    Raises
    ------
    InputError
        If a file is missing or truncated, contradicts another or was made from another.
    """
    detections = read_detections(detections_path, frame)
    metadata = read_metadata(detections_path)
    index = read_table(index_path, INDEX_COLUMNS)
    components = read_table(components_path, STORED_COLUMNS)
    noise = read_noise(noise_path)
    of_components = {"components": digest_of(components_path)}
    made_from = {"detections": digest_of(detections_path)} | of_components
    check_made_from(detections_path, {"fused": digest_of(index_path)} | of_components, redo="inference")
    try:
        with read_cutouts(radio_path) as radio, read_cutouts(infrared_path) as infrared:
            digests = {"radio": radio.digest, "infrared": infrared.digest}
            check_made_from(index_path, of_components | digests, redo="fusion")
            for path in (components_path, noise_path):
                check_made_from(path, {"radio": radio.digest}, redo="components")
            found = describe_shard(
                detections,
                index,
                components,
                noise,
                radio,
                infrared,
                shard=shard,
                options=options,
                frame=frame,
                survey=survey,
                infrared_survey=infrared_survey,
            )
    except InputError as error:
        message = str(error)
        files = (radio_path, infrared_path, index_path, components_path, noise_path)
        named = any(str(path) in message for path in files)
        raise InputError(message if named else f"{detections_path}: {message}") from None
    facts = {"method": metadata.get("method"), "model_id": metadata.get("model_id")}
    write_table(rejected_path, found.rejected, REJECTED, metadata=facts, made_from=made_from)
    write_table(sources_path, found.sources, SOURCES, metadata=facts, made_from=made_from)


def describe_shard(
    detections: pd.DataFrame,
    index: pd.DataFrame,
    components: pd.DataFrame,
    noise: Mapping[str, float],
    radio: Mapping[str, Cutout],
    infrared: Mapping[str, Cutout],
    *,
    shard: str,
    options: CatalogueOptions,
    frame: Frame,
    survey: Survey,
    infrared_survey: Survey,
) -> ShardSources:
    """Filter and measure the detections of a shard.

    Parameters
    ----------
    detections : DataFrame
        Columns of `claran_core.common.tables.DETECTIONS`, in the order of their file.
    index : DataFrame
        Columns ``subject_id``, ``ra``, ``dec``, ``flags``: one row per subject.
    components : DataFrame
        Columns `STORED_COLUMNS` of `claran_core.common.tables.COMPONENTS`.
    noise : mapping of str to float
        Noise of each subject's radio image (`claran_core.common.tables.NOISE`).
    radio, infrared : mapping
        Cut-outs of each subject that has one.
    shard, options, frame, survey, infrared_survey
        See `write_shard`.

    Raises
    ------
    InputError
        If a detection belongs to no subject or consists of unknown components, or the components do not
        match the cut-out.
    """
    detections = detections.reset_index(drop=True)
    subjects = index.set_index("subject_id")
    _refuse_unknown_subjects(detections, subjects)
    groups = _rows_by_subject(detections)
    stored = stored_components(components)
    members = members_in(detections, {name: own.ids for name, own in stored.items()})
    verdict = select_detections(detections, members, options)
    kept: list[int] = []
    measured: list[dict[str, Any]] = []
    ra, dec = (subjects[name].to_dict() for name in ("ra", "dec"))
    progress = Progress(f"shard {shard}: subjects measured", len(groups))
    for subject_id, rows in groups.items():
        kept_here = [int(row) for row in rows if verdict.outcome[row] == "kept"]
        if kept_here:
            subject = Subject(subject_id, float(ra[subject_id]), float(dec[subject_id]), "none", frame)
            own, sigma = stored.get(subject_id, NOTHING_STORED), noise.get(subject_id, np.nan)
            subject_image = SubjectImage.of(subject, radio.get(subject_id), own, sigma, survey)
            image = infrared.get(subject_id)
            seen = None if image is None else find_infrared_sources(image, infrared_survey)
            measured += [_described(subject_image, members[row], seen, survey) for row in kept_here]
            kept += kept_here
        progress.step()
    return ShardSources(
        sources=_source_table(detections, kept, measured, subjects, verdict, options, frame),
        rejected=_rejected_table(detections, verdict, subjects, frame),
    )


def _rows_by_subject(detections: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return the row numbers of each subject."""
    groups = detections.groupby("subject_id", sort=False).indices
    return {str(subject_id): np.asarray(rows) for subject_id, rows in groups.items()}


def _described(
    subject_image: SubjectImage, members: tuple[int, ...], seen: InfraredSources | None, survey: Survey
) -> dict[str, Any]:
    """Return the measured columns and the host of one source."""
    measured = measured_columns(subject_image, members)
    return measured | host_of(seen, RadioPosition.from_columns(measured, survey.beam_arcsec)).columns


def _refuse_unknown_subjects(detections: pd.DataFrame, subjects: pd.DataFrame) -> None:
    names = detections["subject_id"]
    unknown = names[~names.isin(subjects.index)].tolist()
    if unknown:
        raise InputError(
            f"subject {unknown[0]!r} has detections but no fused image; "
            "remove the file and rerun the inference stage"
        )


def _source_table(
    detections: pd.DataFrame,
    order: Sequence[int],
    measured: Sequence[Mapping[str, Any]],
    subjects: pd.DataFrame,
    verdict: FilterResult,
    options: CatalogueOptions,
    frame: Frame,
) -> pd.DataFrame:
    """Return the table `SOURCES`; `measured` holds the columns of the detections of `order`."""
    found = detections.iloc[list(order)].reset_index(drop=True)
    own = subjects.loc[found["subject_id"].to_numpy()]
    boxes = box_array(found)
    table = pd.DataFrame(list(measured), columns=[*MEASURED_COLUMNS, *HOST_COLUMNS, "flags"])
    for name in MEASURED_COLUMNS:
        if name not in NOTHING_MEASURED:
            table[name] = table[name].astype(float)
    edge = ((boxes[:, :2] <= EDGE_PX) | (boxes[:, 2:] >= frame.size_px - EDGE_PX)).any(axis=1)
    flags = table["flags"].to_numpy(np.int64) | own["flags"].to_numpy(np.int64)
    flags |= verdict.flags[list(order)] | np.where(edge, int(Flag.EDGE), 0)
    disagrees = (table["rule_morphology"] != "") & (table["rule_morphology"] != found["morphology"])
    flags |= np.where(disagrees, int(Flag.COUNTS_DISAGREE), 0)
    ra, dec = _centres(found, own, frame)
    probable = source_probability(found)
    room = np.minimum(boxes[:, :2], frame.size_px - boxes[:, 2:]).min(axis=1) * frame.pixel_scale_arcsec
    whole = np.where(flags & int(Flag.EDGE), 0.0, np.clip(room / FULL_ROOM_ARCSEC, 0.0, 1.0))
    return table.assign(
        **{name: found[name] for name in SOURCES.names if name in found and name not in ("ra", "dec")},
        ra=ra,
        dec=dec,
        method=options.method,
        n_components=_count(found["morphology"], 0),
        n_peaks=_count(found["morphology"], 1),
        source_probability=probable,
        angular_size=(boxes[:, 2:] - boxes[:, :2]).mean(axis=1) * frame.pixel_scale_arcsec,
        flags=flags.astype(np.int32),
        detection=np.array(order, np.int32),
        frame_quality=(whole * probable).astype(np.float32),
    )[SOURCES.names]


def _rejected_table(
    detections: pd.DataFrame, verdict: FilterResult, subjects: pd.DataFrame, frame: Frame
) -> pd.DataFrame:
    rejected = np.flatnonzero(verdict.outcome != "kept")
    found = detections.iloc[rejected].reset_index(drop=True)
    ra, dec = _centres(found, subjects.loc[found["subject_id"].to_numpy()], frame)
    return found.assign(
        ra=ra,
        dec=dec,
        detection=rejected,
        outcome=verdict.outcome[rejected],
        winner=verdict.winner[rejected],
    )[REJECTED.names]


def _centres(found: pd.DataFrame, subjects: pd.DataFrame, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
    """Return the sky positions (deg) of the centres of boxes."""
    boxes = box_array(found)
    x, y = boxes[:, [0, 2]].mean(axis=1), boxes[:, [1, 3]].mean(axis=1)
    return frame.frame_to_sky(subjects["ra"].to_numpy(), subjects["dec"].to_numpy(), x, y)


def _count(morphology: pd.Series, position: int) -> np.ndarray:
    """Return the number before the C (position 0) or the P (position 1) of each class name."""
    counts = {name: int(name.split("_")[position][0]) for name in MORPHOLOGIES}
    return morphology.map(counts).to_numpy(np.int32)
