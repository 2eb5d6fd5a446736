"""Measure the associated sources of one shard, each on the image of the subject that shows it best.

Every row depends on its subject alone, so the catalogue does not depend on how the sky is cut into shards.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from claran_core.catalogue.associated import grouping_text, read_associated
from claran_core.catalogue.measure.flux_scale import on_flux_scale
from claran_core.catalogue.measure.host import RadioPosition, host_of
from claran_core.catalogue.measure.infrared_sources import InfraredSources, find_infrared_sources
from claran_core.catalogue.measure.measure_subject import SubjectImage, measured_columns
from claran_core.catalogue.measure.second_radio import SecondImage
from claran_core.catalogue.measure.shape import shape_columns
from claran_core.catalogue.measure.stored_components import (
    STORED_COLUMNS,
    StoredComponents,
    stored_components,
)
from claran_core.catalogue.product.schema import (
    CONTOUR_COLUMNS,
    HOST_COLUMNS,
    MEASURED_COLUMNS,
    SHAPE_COLUMNS,
    SOURCES,
)
from claran_core.common.boxes import box_array
from claran_core.common.cutout import Cutout
from claran_core.common.errors import InputError
from claran_core.common.files import read_metadata, read_table, write_table
from claran_core.common.flags import Flag
from claran_core.common.frame import Frame
from claran_core.common.log import Progress
from claran_core.common.morphology import CLASSES_KEY, MORPHOLOGIES, classes_of, counts_of
from claran_core.common.origins import check_together, origins_of
from claran_core.common.subject import Subject
from claran_core.common.tables import NATIVE_SCALE, for_classes
from claran_core.components.component_table import read_noise
from claran_core.cutouts.cutout_file import read_cutouts
from claran_core.survey.surveys import Survey

__all__ = ["INDEX_COLUMNS", "describe_shard", "write_shard"]

# Columns read from the index of the fused images: position and flags of each subject.
INDEX_COLUMNS = ["subject_id", "ra", "dec", "flags"]

# Images of a survey that the run does not use.
NO_IMAGES: Mapping[str, Cutout] = MappingProxyType({})

# Measured columns that are not numbers.
OTHER_THAN_NUMBERS = {
    *("rule_components", "rule_peaks", "rule_morphology", "unresolved"),
    *("component_ra", "component_dec", "component_peak_flux", "component_flux"),
    *("n_prominent_peaks", "shape_centre"),
}


def write_shard(
    *,
    associated_path: Path,
    index_path: Path,
    components_path: Path,
    noise_path: Path,
    radio_path: Path,
    infrared_path: Path,
    sources_path: Path,
    shard: str,
    min_probability: float,
    frame: Frame,
    survey: Survey,
    infrared_survey: Survey,
    second_path: Path | None = None,
    second_survey: Survey | None = None,
) -> None:
    """Measure the associated sources of a shard and write them.

    Parameters
    ----------
    associated_path, index_path, components_path, noise_path, radio_path, infrared_path : Path
        Associated sources, index of the fused images, components, noise and cut-outs of the shard.
    sources_path : Path
        Output table `SOURCES`, with a row for each associated source, in their order.
    shard : str
        Name of the shard, for the log.
    min_probability : float
        Sources of a lower probability get the flag DOUBTFUL.
    frame : Frame
        Geometry of subjects of scale 1.
    survey, infrared_survey : Survey
        The radio and the infrared survey.
    second_path, second_survey : Path and Survey, optional
        Images of the shard in the second radio survey, if the run has one.

    Raises
    ------
    InputError
        If a file is missing or truncated, contradicts another or was made from another.
    """
    associated = read_associated(associated_path, frame)
    metadata = read_metadata(associated_path)
    classes = classes_of(metadata)
    index = read_table(index_path, INDEX_COLUMNS)
    components = read_table(components_path, STORED_COLUMNS)
    noise = read_noise(noise_path)
    tables = origins_of(
        associated=associated_path, fused=index_path, components=components_path, noise=noise_path
    )
    paths = {"radio": radio_path, "infrared": infrared_path}
    paths |= {} if second_path is None else {"second_radio": second_path}
    try:
        with ExitStack() as stack:
            images = {role: stack.enter_context(read_cutouts(path)) for role, path in paths.items()}
            made_from = check_together(tables | {role: opened.origin for role, opened in images.items()})
            found = describe_shard(
                associated,
                index,
                components,
                noise,
                images["radio"],
                images["infrared"],
                images.get("second_radio", {}),
                shard=shard,
                method=str(metadata.get("method")),
                classes=classes,
                min_probability=min_probability,
                frame=frame,
                survey=survey,
                infrared_survey=infrared_survey,
                second_survey=second_survey,
            )
    except InputError as error:
        message = str(error)
        files = (*paths.values(), index_path, components_path, noise_path)
        named = any(str(path) in message for path in files)
        raise InputError(message if named else f"{associated_path}: {message}") from None
    facts = {name: metadata.get(name) for name in ("method", "model_id")} | {CLASSES_KEY: classes}
    write_table(sources_path, found, for_classes(SOURCES, classes), metadata=facts, made_from=made_from)


def describe_shard(
    associated: pd.DataFrame,
    index: pd.DataFrame,
    components: pd.DataFrame,
    noise: Mapping[str, float],
    radio: Mapping[str, Cutout],
    infrared: Mapping[str, Cutout],
    second: Mapping[str, Cutout] = NO_IMAGES,
    *,
    shard: str,
    method: str,
    classes: Sequence[str] = MORPHOLOGIES,
    min_probability: float,
    frame: Frame,
    survey: Survey,
    infrared_survey: Survey,
    second_survey: Survey | None = None,
) -> pd.DataFrame:
    """Measure the associated sources of a shard; return the table `SOURCES`, in their order.

    Parameters
    ----------
    associated : DataFrame
        Columns of `claran_core.common.tables.ASSOCIATED`.
    index : DataFrame
        Columns ``subject_id``, ``ra``, ``dec``, ``flags``: one row per subject.
    components : DataFrame
        Columns `STORED_COLUMNS` of `claran_core.common.tables.COMPONENTS`.
    noise : mapping of str to float
        Noise of each subject's radio image at its own scale (`claran_core.common.tables.NOISE`).
    radio, infrared, second : mapping
        Cut-outs of each subject that has one; `second` of the second radio survey.
    method : str
        Fusion method of the images that the sources were detected in.
    classes : sequence of str
        Names of the classes.
    shard, min_probability, frame, survey, infrared_survey, second_survey
        See `write_shard`.

    Raises
    ------
    InputError
        If a source belongs to no subject or consists of unknown components, or the components do not
        match the cut-out.
    """
    subjects = index.set_index("subject_id")
    _refuse_unknown_subjects(associated, subjects)
    associated = associated.reset_index(drop=True)
    stored = stored_components(components)
    measured: list[dict[str, Any]] = [{}] * len(associated)
    groups = associated.groupby("subject_id", sort=False).indices
    progress = Progress(f"shard {shard}: subjects measured", len(groups))
    for rows in groups.values():
        own = associated.iloc[rows]
        subject = _subject(own, subjects, frame)
        cutout, sigma = radio.get(subject.subject_id), noise.get(subject.subject_id, np.nan)
        image = SubjectImage.of(subject, cutout, _by_scale(stored, subject), sigma, survey)
        beside = None
        if second_survey is not None:
            beside = SecondImage.of(second.get(subject.subject_id), subject.scale, survey, second_survey)
        seen = _infrared_sources(subject, infrared, infrared_survey)
        for row, units, members in zip(rows, own["unit_ids"], own["component_ids"], strict=True):
            columns = measured_columns(image, units, members, beside)
            host = host_of(seen, RadioPosition.from_columns(columns, image.beam_arcsec))
            shape = shape_columns(subject, columns.pop("emission"), columns, host)
            measured[row] = on_flux_scale(columns, survey) | host.columns | shape
        progress.step()
    table = _source_table(associated, measured, subjects, min_probability, frame)
    return table.assign(method=method)[for_classes(SOURCES, classes).names]


def _refuse_unknown_subjects(associated: pd.DataFrame, subjects: pd.DataFrame) -> None:
    names = associated["subject_id"]
    unknown = names[~names.isin(subjects.index)].tolist()
    if unknown:
        raise InputError(
            f"subject {unknown[0]!r} has sources but no fused image; "
            "remove the file and rerun the catalogue stage"
        )


def _subject(own: pd.DataFrame, subjects: pd.DataFrame, frame: Frame) -> Subject:
    """Return the subject of some associated sources."""
    name, scale = str(own["subject_id"].iloc[0]), int(own["scale"].iloc[0])
    ra, dec = subjects.loc[name, ["ra", "dec"]].to_numpy(float)
    return Subject(name, float(ra), float(dec), "none", frame.at_scale(scale), scale)


def _by_scale(
    stored: Mapping[tuple[str, int], StoredComponents], subject: Subject
) -> dict[int, StoredComponents]:
    keys = {scale: (subject.subject_id, scale) for scale in (NATIVE_SCALE, subject.scale)}
    return {scale: stored[key] for scale, key in keys.items() if key in stored}


def _infrared_sources(
    subject: Subject, infrared: Mapping[str, Cutout], survey: Survey
) -> InfraredSources | None:
    """Return the infrared sources of a subject; None without an image, and for larger scales.

    W1 has one source per 40 arcsec.  In an image smoothed to 17 arcsec or more they blend, and magnitudes and
    positions of blends would give wrong hosts a high reliability.
    """
    image = infrared.get(subject.subject_id) if subject.scale == NATIVE_SCALE else None
    return None if image is None else find_infrared_sources(image, survey)


def _source_table(
    associated: pd.DataFrame,
    measured: Sequence[Mapping[str, Any]],
    subjects: pd.DataFrame,
    min_probability: float,
    frame: Frame,
) -> pd.DataFrame:
    """Return the columns of `SOURCES` but the method, and others.

    `measured` holds the measured columns of each associated source.
    """
    numbers = [*MEASURED_COLUMNS, *SHAPE_COLUMNS]
    table = pd.DataFrame(
        list(measured), columns=[*numbers, *HOST_COLUMNS, *CONTOUR_COLUMNS, "component_ids", "flags"]
    )
    for name in set(numbers) - OTHER_THAN_NUMBERS:
        table[name] = table[name].astype(float)
    sides = (box_array(associated)[:, 2:] - box_array(associated)[:, :2]).mean(axis=1)
    carried = subjects.loc[associated["subject_id"].to_numpy(), "flags"].to_numpy(np.int64)
    flags = table["flags"].to_numpy(np.int64) | carried
    flags |= _decided_flags(associated, table["rule_morphology"], min_probability)
    counts = _counts(associated["morphology"], table[["rule_components", "rule_peaks"]])
    added = [str(name) for name in associated if name not in {*table, "second_grouping"}]
    return table.assign(
        **{name: associated[name] for name in added},
        box_ra=associated["ra"],
        box_dec=associated["dec"],
        n_components=counts[:, 0],
        n_peaks=counts[:, 1],
        angular_size=sides * frame.pixel_scale_arcsec * associated["scale"].to_numpy(),
        second_grouping=_second_groupings(associated, table["component_ids"]),
        flags=flags.astype(np.int32),
    )


def _decided_flags(
    associated: pd.DataFrame, rule_morphology: pd.Series, min_probability: float
) -> np.ndarray:
    """Return the flags (n,) that follow from the association."""
    # Compare in float32: a stored 0.9 is below the float64 0.9.
    probability = associated["source_probability"].to_numpy(np.float32)
    conditions = {
        Flag.EDGE: associated["at_edge"].to_numpy(bool),
        Flag.COUNTS_DISAGREE: associated["morphology"].isin(MORPHOLOGIES).to_numpy()
        & (rule_morphology != associated["morphology"]).to_numpy(bool),
        Flag.VIEWS_DISAGREE: associated["views_disagree"].to_numpy(bool),
        Flag.DOUBTFUL: probability < np.float32(min_probability),
        Flag.SMOOTHED: associated["scale"].to_numpy() > NATIVE_SCALE,
    }
    flags = np.zeros(len(associated), np.int64)
    for flag, holds in conditions.items():
        flags |= np.where(holds, int(flag), 0)
    return flags


def _second_groupings(associated: pd.DataFrame, component_ids: pd.Series) -> pd.Series:
    """Return the next best groupings as text, with components numbered as in the lists of the catalogue."""
    texts = []
    rows = zip(associated["component_ids"], associated["second_grouping"], component_ids, strict=True)
    for given, groups, listed in rows:
        group = dict(zip(given, groups, strict=False))
        texts.append(grouping_text([int(group.get(component, -1)) for component in listed]))
    return pd.Series(texts, dtype=object)


def _counts(morphology: pd.Series, by_rule: pd.DataFrame) -> np.ndarray:
    """Return components and peaks (n, 2) of each source: of a class iC_jP, else by the contour rule."""
    counts = by_rule.to_numpy(np.int32, copy=True)
    for name in morphology.unique():
        of_class = counts_of(name)
        if of_class is not None:
            counts[(morphology == name).to_numpy()] = of_class
    return counts
