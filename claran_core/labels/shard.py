"""The truth of a run: where it comes from, and the files of labels and owners of its shards."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import pandas as pd

from claran_core.common.cutout import Cutout, NoImage
from claran_core.common.external_tables import table_columns
from claran_core.common.files import read_table, write_table
from claran_core.common.frame import Frame
from claran_core.common.log import Progress
from claran_core.common.morphology import morphology_of
from claran_core.common.origins import check_run, origins_of
from claran_core.common.subject import Subject
from claran_core.common.tables import LABELS, NATIVE_SCALE, OWNERS
from claran_core.labels.dr1_labels import coarse_rows, label_table, rows_from_table, simulated_rows
from claran_core.labels.owner_table import OwnerTable
from claran_core.labels.owners import classes_in_view, owners_from_table, simulated_owners
from claran_core.labels.rgz_table import is_label_table, read_label_table
from claran_core.labels.true_sources import LocatedSource, TrueSource

__all__ = [
    "TruthFiles",
    "TruthKind",
    "gather_labels",
    "label_shard_from_table",
    "label_simulated_shard",
    "sky_truth",
    "truth_kind",
]

logger = logging.getLogger(__name__)

TruthKind = Literal["simulated", "label table"]


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


def truth_kind(radio_source: str, target_table: Path) -> TruthKind | None:
    """Return the origin of the truth of a run; None for a survey without known truth.

    Parameters
    ----------
    radio_source : str
        Setting ``survey.radio.source``.
    target_table : Path
        Setting ``targets.path``.
    """
    if radio_source == "simulated":
        return "simulated"
    return "label table" if is_label_table(table_columns(target_table)) else None


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


def gather_labels(shard_paths: Sequence[Path], output_path: Path) -> None:
    """Join the labels of all shards, sorted by subject and label, independent of the division into shards.

    Raises
    ------
    InputError
        If a shard's labels cannot be read.
    """
    labels = pd.concat([read_table(path, LABELS.names) for path in shard_paths], ignore_index=True)
    labels = labels.sort_values(["subject_id", "label_id"], kind="stable", ignore_index=True)
    made_from = check_run({}, [origins_of(labels=path) for path in shard_paths])
    write_table(output_path, labels, LABELS, made_from=made_from)
    counts = labels["morphology"].value_counts().sort_index()
    logger.info(
        "%d true sources in %d subjects: %s",
        len(labels),
        labels["subject_id"].nunique(),
        ", ".join(f"{name} {count}" for name, count in counts.items()),
    )
