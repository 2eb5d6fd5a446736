"""The truth of a run: where it comes from, and the files of labels and owners of its shards."""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import pandas as pd

from claran_core.common.cutout import Cutout, NoImage
from claran_core.common.errors import ConfigError, InputError
from claran_core.common.external_tables import table_columns
from claran_core.common.files import read_table, write_table
from claran_core.common.frame import Frame
from claran_core.common.log import Progress
from claran_core.common.morphology import MORPHOLOGIES, morphology_of
from claran_core.common.origins import check_run, origins_of
from claran_core.common.subject import Subject
from claran_core.common.tables import LABELS, NATIVE_SCALE, OWNERS
from claran_core.labels.dr1_labels import coarse_rows, label_table, rows_from_table, simulated_rows
from claran_core.labels.own_labels import is_coco
from claran_core.labels.owner_table import OwnerTable
from claran_core.labels.owners import classes_in_view, owners_from_table, simulated_owners
from claran_core.labels.rgz_table import is_label_table, read_label_table
from claran_core.labels.sky_labels import SkyLabels, own_rows
from claran_core.labels.true_sources import LocatedSource, TrueSource

__all__ = [
    "TruthFiles",
    "TruthKind",
    "gather_labels",
    "label_own_shard",
    "label_shard_from_table",
    "label_simulated_shard",
    "sky_truth",
    "truth_kind",
]

logger = logging.getLogger(__name__)

TruthKind = Literal["simulated", "label table", "own labels"]

# Labels without a row that a message names.
MAX_NAMED = 3


@dataclass(frozen=True)
class TruthFiles:
    """Files with the truth of one shard.

    Attributes
    ----------
    labels, owners : Path
        The tables `claran_core.common.tables.LABELS` and `claran_core.common.tables.OWNERS`.
    made_from : mapping of str to str, optional
        Digests of the inputs by name, recorded in both files.
    """

    labels: Path
    owners: Path
    made_from: Mapping[str, str] | None = None

    def write(self, labels: list[dict[str, Any]], owners: OwnerTable) -> None:
        """Write both tables."""
        write_table(self.owners, owners.table(), OWNERS, made_from=self.made_from)
        write_table(self.labels, label_table(labels), LABELS, made_from=self.made_from)


class TrueSky(Protocol):
    """A radio sky with known sources, such as the simulated sky."""

    def cutout(self, subject_id: str, ra_deg: float, dec_deg: float, width_arcsec: float) -> Cutout | NoImage:
        """Return the image of the sky around a position (deg, ICRS)."""
        ...

    def truth(self, ra_deg: float, dec_deg: float, width_arcsec: float) -> Sequence[TrueSource]:
        """Return the sources whose emission reaches that image."""
        ...


def truth_kind(
    radio_source: str, target_table: Path, own_labels: Path | None, classes: Sequence[str]
) -> TruthKind | None:
    """Return the origin of the truth of a run; None for a survey without known truth.

    Parameters
    ----------
    radio_source : str
        Setting ``survey.radio.source``.
    target_table : Path
        Setting ``targets.path``.
    own_labels : Path or None
        Setting ``labels.path``; labels of the user take precedence.
    classes : sequence of str
        Setting ``model.classes``.

    Raises
    ------
    ConfigError
        If the truth has other classes.
    """
    if own_labels is not None:
        return "own labels"
    kind: TruthKind | None = None
    if radio_source == "simulated":
        kind = "simulated"
    elif not is_coco(target_table) and is_label_table(table_columns(target_table)):
        kind = "label table"
    if kind is not None and tuple(classes) != MORPHOLOGIES:
        raise ConfigError(
            f"config: model.classes are {', '.join(classes)}, but the labels of the "
            f"{'simulated sky' if kind == 'simulated' else 'RGZ label table'} are {', '.join(MORPHOLOGIES)}; "
            "give labels of these classes as labels.path, or write these classes"
        )
    return kind


def label_simulated_shard(
    targets: pd.DataFrame,
    sky: TrueSky,
    frame: Frame,
    *,
    radio: Mapping[str, Cutout],
    noise: Mapping[str, float],
    components: pd.DataFrame,
    files: TruthFiles,
) -> None:
    """Label the simulated sources of one shard from its noisy cut-outs, and write the tables.

    Parameters
    ----------
    targets : DataFrame
        Rows of the shard, columns of `claran_core.common.tables.TARGETS`.
    sky : TrueSky
        The radio sky of the cut-outs.
    frame : Frame
        Geometry of the finest subjects.
    radio : mapping of str to Cutout
        Radio cut-outs of the shard by subject.
    noise : mapping of str to float
        Their noise (`claran_core.components.component_table.read_noise`).
    components : DataFrame
        Their components, columns `claran_core.labels.owner_table.COMPONENT_COLUMNS`.
    files : TruthFiles
        Files to write.

    Raises
    ------
    InputError
        If the cut-outs cannot be read.
    """
    progress = Progress(f"{files.labels}: subjects labelled", len(targets))
    owners, labels = OwnerTable(components), list[dict[str, Any]]()
    target: Any
    for target in targets.itertuples():
        subject = Subject.of_target(target, frame)
        cutout, sigma = radio.get(target.subject_id), noise[target.subject_id]
        if cutout is not None:
            sources = sky.truth(target.ra, target.dec, subject.frame.width_arcsec)
            rows = owners.rows(target.subject_id)
            owner = simulated_owners(subject, cutout, sources, rows, sigma)
            names, classes = [one.source_id for one in sources], classes_in_view(subject, rows, owner)
            owners.fill(target.subject_id, owner, names, classes, without="artefact")
            if subject.scale == NATIVE_SCALE:
                labels += simulated_rows(subject, cutout, sources, sigma=sigma)
            else:
                labels += coarse_rows(subject, rows, owner, sources)
        progress.step()
    files.write(labels, owners)


def label_shard_from_table(
    targets: pd.DataFrame,
    table_path: Path,
    frame: Frame,
    *,
    radio: Mapping[str, Cutout],
    noise: Mapping[str, float],
    components: pd.DataFrame,
    files: TruthFiles,
) -> None:
    """Label the subjects of one shard from the RGZ label table, and write the tables.

    Parameters as in `label_simulated_shard`, with the label table instead of a sky.

    Raises
    ------
    InputError
        If the label table is invalid or the cut-outs cannot be read.
    """
    table = read_label_table(table_path)
    in_shard = table[table["first_id"].isin(targets["subject_id"])]
    by_subject = {str(name): group for name, group in in_shard.groupby("first_id")}
    owners, labels = OwnerTable(components), list[dict[str, Any]]()
    target: Any
    for target in targets.itertuples():
        name, sigma = target.subject_id, noise[target.subject_id]
        subject, known = Subject.of_target(target, frame), by_subject.get(name, in_shard.head(0))
        cutout = radio.get(name)
        labels += rows_from_table(subject, cutout, known, sigma=sigma)
        if cutout is not None:
            places = zip(known["component_ra"], known["component_dec"], strict=True)
            owner = owners_from_table(subject, cutout, list(places), owners.rows(name), sigma)
            owners.fill(name, owner, known["catalog_id"].tolist(), _classes(known), without="unknown")
    files.write(labels, owners)


def label_own_shard(
    targets: pd.DataFrame, labels: SkyLabels, frame: Frame, *, components: pd.DataFrame, files: TruthFiles
) -> None:
    """Label the subjects of one shard from labels of the user, and write the tables.

    Components without a label have unknown owners: they may be sources that the user did not label.

    Parameters
    ----------
    targets, frame, components, files
        As in `label_simulated_shard`.
    labels : SkyLabels
        All labels.
    """
    owners, rows = OwnerTable(components), list[dict[str, Any]]()
    target: Any
    for target in targets.itertuples():
        subject = Subject.of_target(target, frame)
        near = labels.near(subject)
        found, owner = own_rows(subject, near, owners.rows(target.subject_id))
        rows += found
        classes = {index: one.morphology for index, one in enumerate(near)}
        owners.fill(target.subject_id, owner, [one.label_id for one in near], classes, without="unknown")
    files.write(rows, owners)


def _classes(known: pd.DataFrame) -> dict[int, str]:
    """Return the class of each source of a label table."""
    counts = zip(known["num_cpnts"].tolist(), known["num_peaks"].tolist(), strict=True)
    return {index: morphology_of(*own)[0] for index, own in enumerate(counts)}


def sky_truth(sky: TrueSky, sources: Iterable[LocatedSource], frame: Frame) -> pd.DataFrame:
    """Label each source in a subject centred on its host: the truth table of a mosaic.

    Parameters
    ----------
    sky : TrueSky
        The radio sky.
    sources : iterable of LocatedSource
        Sources of that sky, such as those of `claran_core.simulation.subjects.sources_near`.
    frame : Frame
        Geometry of a subject.

    Returns
    -------
    DataFrame
        Columns of `claran_core.common.tables.LABELS`, in the order of `sources`; sources that the contour
        rule does not detect have no row.  ``subject_id`` is the name of the source, the split is ``none``,
        and boxes are in the frame of that subject.
    """
    sources = list(sources)
    progress = Progress("sources labelled", len(sources))
    rows: list[dict[str, Any]] = []
    for source in sources:
        subject = Subject(source.source_id, source.ra_deg, source.dec_deg, "none", frame)
        window = source.ra_deg, source.dec_deg, frame.width_arcsec
        cutout = sky.cutout(source.source_id, *window)
        assert isinstance(cutout, Cutout)  # a sky with known truth has an image everywhere
        labels = simulated_rows(subject, cutout, sky.truth(*window), faintest_snr=0.0)
        rows += [row for row in labels if row["label_id"] == source.source_id]
        progress.step()
    return label_table(rows)


def gather_labels(shard_paths: Sequence[Path], output_path: Path, given: Sequence[str] = ()) -> None:
    """Join the labels of all shards, sorted by subject and label, independent of the division into shards.

    `given` are the names of the labels of the user; those without a row are logged.

    Raises
    ------
    InputError
        If a shard's labels cannot be read, or none of `given` has a row.
    """
    labels = pd.concat([read_table(path, LABELS.names) for path in shard_paths], ignore_index=True)
    labels = labels.sort_values(["subject_id", "label_id"], kind="stable", ignore_index=True)
    _report_unused(given, set(labels["label_id"]))
    made_from = check_run({}, [origins_of(labels=path) for path in shard_paths])
    write_table(output_path, labels, LABELS, made_from=made_from)
    counts = labels["morphology"].value_counts().sort_index()
    logger.info(
        "%d true sources in %d subjects: %s",
        len(labels),
        labels["subject_id"].nunique(),
        ", ".join(f"{name} {count}" for name, count in counts.items()),
    )


def _report_unused(given: Sequence[str], used: Collection[str]) -> None:
    """Log which labels of a user have no row, and refuse to go on if all have none."""
    unused = [name for name in given if name not in used]
    if not unused:
        return
    reason = "no component of 5.3 sigma has its peak in the box, or no subject shows the whole box"
    named = ", ".join(unused[:MAX_NAMED]) + (", .." if len(unused) > MAX_NAMED else "")
    if len(unused) == len(given):
        raise InputError(f"labels.path: none of {len(given)} labels is used: {reason}: {named}")
    logger.warning(
        "labels.path: %d of %d labels are not used: %s: %s", len(unused), len(given), reason, named
    )
