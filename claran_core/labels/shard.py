"""The truth of a run: where it comes from, and the label files of shards and run."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import pandas as pd

from claran_core.common.cutout import Cutout, NoImage
from claran_core.common.external_tables import column_names
from claran_core.common.files import read_table, write_table
from claran_core.common.frame import Frame
from claran_core.common.log import Progress
from claran_core.common.subject import Subject
from claran_core.common.tables import LABELS
from claran_core.labels.dr1_labels import label_from_table, label_simulated
from claran_core.labels.rgz_table import is_label_table, read_label_table

__all__ = [
    "TruthKind",
    "gather_labels",
    "label_shard_from_table",
    "label_simulated_shard",
    "sky_truth",
    "truth_kind",
]

logger = logging.getLogger(__name__)

TruthKind = Literal["simulated", "label table"]


class TrueSky(Protocol):
    """A radio sky whose sources are known (the simulated one)."""

    def cutout(self, subject_id: str, ra_deg: float, dec_deg: float, width_arcsec: float) -> Cutout | NoImage:
        """Image of the sky around a position (deg, ICRS)."""
        ...

    def truth(self, ra_deg: float, dec_deg: float, width_arcsec: float) -> Sequence[Any]:
        """Sources whose emission reaches that image, as `label_simulated` takes them."""
        ...


def truth_kind(radio_source: str, target_table: Path) -> TruthKind | None:
    """Return where the truth of a run comes from; None for a survey without known truth.

    Parameters
    ----------
    radio_source : str
        Setting ``survey.radio.source``.
    target_table : Path
        Setting ``targets.path``.
    """
    if radio_source == "simulated":
        return "simulated"
    return "label table" if is_label_table(column_names(target_table)) else None


def label_simulated_shard(
    targets: pd.DataFrame, sky: TrueSky, frame: Frame, *, radio: Mapping[str, Cutout], output_path: Path
) -> None:
    """Label the simulated sources of one shard from its noisy cut-outs, and write the table.

    Parameters
    ----------
    targets : DataFrame
        Rows of the shard, columns of `claran_core.common.tables.TARGETS`.
    sky : TrueSky
        The radio sky the cut-outs were taken from.
    frame : Frame
        Geometry of the subjects.
    radio : mapping of str to Cutout
        Radio cut-outs of the shard by subject.
    output_path : Path
        Where the labels go.

    Raises
    ------
    InputError
        If the cut-outs cannot be read.
    """
    progress = Progress(f"{output_path}: subjects labelled", len(targets))
    tables = []
    for target in targets.itertuples():
        cutout = radio.get(target.subject_id)
        if cutout is not None:
            subject = _subject(target, frame)
            sources = sky.truth(target.ra, target.dec, frame.width_arcsec)
            tables.append(label_simulated(subject, cutout, sources))
        progress.step()
    _write(output_path, tables)


def label_shard_from_table(
    targets: pd.DataFrame, label_table: Path, frame: Frame, *, radio: Mapping[str, Cutout], output_path: Path
) -> None:
    """Label one shard's subjects from the RGZ label table, and write the table.

    Parameters and errors as `label_simulated_shard`, with the label table instead of a sky; the
    label table may be unreadable too.
    """
    rows = read_label_table(label_table)
    by_subject = dict(tuple(rows[rows["first_id"].isin(targets["subject_id"])].groupby("first_id")))
    tables = []
    for target in targets.itertuples():
        if target.subject_id in by_subject:
            own = by_subject[target.subject_id]
            tables.append(label_from_table(_subject(target, frame), radio.get(target.subject_id), own))
    _write(output_path, tables)


def sky_truth(sky: TrueSky, sources: Iterable[Any], frame: Frame) -> pd.DataFrame:
    """Label each source as a subject centred on its host shows it: the truth table of a mosaic.

    Parameters
    ----------
    sky : TrueSky
        The radio sky.
    sources : iterable
        Sources of that sky, each with ``source_id``, ``ra_deg`` and ``dec_deg`` of its host, such as
        `claran_core.simulation.subjects.sources_near` gives for a patch of sky.
    frame : Frame
        Geometry of a subject.

    Returns
    -------
    DataFrame
        Columns of `claran_core.common.tables.LABELS`, in the order of `sources`: at most one row each, none
        for sources the contour rule does not see.  ``subject_id`` is the source's own name, the split
        ``none``, boxes are in the source's own frame.
    """
    sources = list(sources)
    progress = Progress("sources labelled", len(sources))
    tables = []
    for source in sources:
        subject = Subject(source.source_id, source.ra_deg, source.dec_deg, "none", frame)
        window = source.ra_deg, source.dec_deg, frame.width_arcsec
        cutout = sky.cutout(source.source_id, *window)
        labels = label_simulated(subject, cutout, sky.truth(*window), faintest_snr=0.0)
        tables.append(labels[labels["label_id"] == source.source_id])
        progress.step()
    return _joined(tables)


def gather_labels(shard_paths: Sequence[Path], output_path: Path) -> None:
    """Join the labels of all shards, sorted by subject and label, so that shards leave no trace.

    Raises
    ------
    InputError
        If a shard's labels cannot be read.
    """
    labels = pd.concat([read_table(path, LABELS.names) for path in shard_paths], ignore_index=True)
    labels = labels.sort_values(["subject_id", "label_id"], kind="stable", ignore_index=True)
    write_table(output_path, labels, LABELS)
    counts = labels["morphology"].value_counts().sort_index()
    logger.info(
        "%d true sources in %d subjects: %s",
        len(labels),
        labels["subject_id"].nunique(),
        ", ".join(f"{name} {count}" for name, count in counts.items()),
    )


def _subject(target: Any, frame: Frame) -> Subject:
    return Subject(target.subject_id, target.ra, target.dec, target.split, frame)


def _write(path: Path, tables: Sequence[pd.DataFrame]) -> None:
    write_table(path, _joined(tables), LABELS)


def _joined(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    filled = [table for table in tables if len(table)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=LABELS.names)
