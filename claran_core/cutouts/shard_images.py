"""Which images on disk each shard depends on: a list per shard and survey, written only if it changes.

The cut-outs of a shard are made from its list.  After files of a folder have changed, the lists that change
are known when the workflow is parsed, so only shards that show a changed, added or removed image run again.
"""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from claran_core.common.files import content_digest, digest_of, read_metadata, read_table, write_table
from claran_core.common.frame import Frame
from claran_core.common.paths import Results, missing
from claran_core.common.tables import IMAGES
from claran_core.cutouts.coarse import margin_arcsec
from claran_core.cutouts.providers import folder_of
from claran_core.settings.survey import SurveyOptions
from claran_core.survey.directory.image_files import files_digest
from claran_core.survey.directory.image_index import (
    ImageIndex,
    index_facts,
    index_folder,
    reach_deg,
    write_index,
)
from claran_core.survey.directory.target_check import check_targets
from claran_core.survey.surveys import Survey

__all__ = ["ImagePlan", "plan_images", "write_images"]

TARGET_COLUMNS = ["ra", "dec", "scale", "shard"]


class ImagePlan(NamedTuple):
    """The images of one survey.

    Attributes
    ----------
    files : str
        Digest of names, sizes and modification times of all files.
    stale : tuple of Path
        Lists of shards that are missing or out of date.
    """

    files: str
    stale: tuple[Path, ...]


def plan_images(
    options: SurveyOptions, frame: Frame, results: Results, *, shards: Sequence[str], changed: Collection[str]
) -> ImagePlan:
    """Return which lists of images `write_images` will write; nothing is written.

    As long as no file has changed, no header is read; else only those of new and changed files.

    Parameters
    ----------
    options : SurveyOptions
        A survey with the source ``directory``.
    frame : Frame
        Geometry of the finest subjects.
    results : Results
        File names of the run.
    shards : sequence of str
        All shards.
    changed : collection of str
        Shards whose targets are new or have changed.

    Raises
    ------
    ConfigError
        If the folder does not exist, or contains no file that matches.
    InputError
        If the index or a list is damaged.
    """
    survey, folder = options.survey, folder_of(options)
    files = files_digest(survey, folder, options.pattern)
    lists = {shard: results.shard_images(shard, survey.role) for shard in shards}
    path = results.images(survey.role)
    stored = read_metadata(path) if path.exists() else {}
    if stored.get("rules") != _rules(options, frame):
        return ImagePlan(files, tuple(lists.values()))
    stale = missing(lists) | (set(shards) & set(changed))
    if stored.get("files") != files:
        index = index_folder(survey, folder, pattern=options.pattern, earlier=path)
        targets = read_table(results.targets, TARGET_COLUMNS)
        for shard, part in _parts(index, targets, survey, frame):
            if shard in lists and shard not in stale and not _is_current(lists[shard], part):
                stale.add(shard)
    return ImagePlan(files, tuple(lists[shard] for shard in shards if shard in stale))


def write_images(options: SurveyOptions, frame: Frame, results: Results, *, processes: int = 1) -> None:
    """Write the lists of images that have changed, then the index of the folder.

    Nothing is written if no radio image shows a target.

    Parameters
    ----------
    options, frame, results
        As for `plan_images`.
    processes : int
        Number of processes that read headers, as in `ImageIndex.scan`.

    Raises
    ------
    ConfigError, InputError
        As `plan_images`.
    """
    survey, folder = options.survey, folder_of(options)

    def write_lists(index: ImageIndex) -> None:
        targets = read_table(results.targets, TARGET_COLUMNS)
        if survey.role == "radio":  # other images may be missing
            ra, dec = targets["ra"].to_numpy(), targets["dec"].to_numpy()
            width_arcsec = targets["scale"].max() * frame.width_arcsec
            check_targets(index, survey, folder, ra, dec, width_arcsec=width_arcsec)
        for shard, part in _parts(index, targets, survey, frame):
            listed = results.shard_images(shard, survey.role)
            if not listed.exists() or not _is_current(listed, part):
                write_table(listed, part.rows, IMAGES)

    write_index(
        results.images(survey.role),
        survey,
        folder,
        pattern=options.pattern,
        processes=processes,
        rules=_rules(options, frame),
        write_first=write_lists,
    )


def _rules(options: SurveyOptions, frame: Frame) -> dict[str, Any]:
    """Return what decides the lists beside the files and the targets."""
    facts = index_facts(options.survey, folder_of(options))
    return facts | {"pattern": options.pattern, "frame": vars(frame)}


def _is_current(listed: Path, part: ImageIndex) -> bool:
    return digest_of(listed) == content_digest(part.rows, IMAGES)


def _parts(
    index: ImageIndex, targets: pd.DataFrame, survey: Survey, frame: Frame
) -> Iterator[tuple[str, ImageIndex]]:
    """Yield each shard with the part of an index that its subjects (`TARGET_COLUMNS`) may need."""
    views = {scale: frame.at_scale(scale) for scale in targets["scale"].unique().tolist()}
    reach = {
        scale: reach_deg(view.width_arcsec + 2 * margin_arcsec(survey, view, scale))
        for scale, view in views.items()
    }
    for shard, own in targets.groupby("shard", sort=False):
        reaches = own["scale"].map(reach).to_numpy(float)
        yield str(shard), index.part(own["ra"].to_numpy(), own["dec"].to_numpy(), np.asarray(reaches))
