"""The table of candidates: every group of units of each subject with its probabilities, before any choice.

Association (`claran_core.catalogue.associate`) chooses among the candidates of all subjects at once.  A
detector of groups scores them itself.  A detector of boxes gives one candidate for each detection: the units
that fit it (`claran_core.inference.membership`).
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from claran_core.common import tables
from claran_core.common.boxes import BOX_COLUMNS
from claran_core.common.frame import Frame
from claran_core.common.morphology import probability_columns
from claran_core.components.component_batch import ComponentBatch
from claran_core.components.component_groups import MAX_MEMBERS, dr1_boxes
from claran_core.model.layers.types import Candidates, Regions

__all__ = ["MIN_SET_PROBABILITY", "candidate_table", "candidates_of_detections", "scored_rows"]

# Groups of several units are listed if they are a source with more than this probability.
MIN_SET_PROBABILITY = 0.01

# Columns of the rows that `candidate_table` takes: subject (place in the batch), members, probabilities.
P_ARTEFACT = "p_artefact"


def scored_rows(
    subjects: np.ndarray, candidates: Candidates, regions: Regions, classes: Sequence[str]
) -> pd.DataFrame:
    """Return the candidates of some subjects that are worth listing, as rows for `candidate_table`.

    Parameters
    ----------
    subjects : (N,) int array
        Place of each subject in the shard.  Subjects that pad the batch are left out.
    candidates : Candidates
        The candidates of the batch.
    regions : Regions
        Their probabilities.
    classes : sequence of str
        Names of the classes.
    """
    counts = candidates.counts[: len(subjects)]
    n = int(counts.sum())
    members, probabilities = candidates.members[:n], regions.probabilities[:n].numpy()
    kept = np.flatnonzero((members[:, 1] < 0) | (probabilities.sum(axis=1) > MIN_SET_PROBABILITY))
    return _rows(
        np.repeat(subjects, counts)[kept],
        members[kept],
        probabilities[kept],
        regions.artefact[:n].numpy()[kept],
        classes,
    )


def candidates_of_detections(
    detections: pd.DataFrame,
    subjects: np.ndarray,
    found: Sequence[np.ndarray],
    components: ComponentBatch,
    classes: Sequence[str],
) -> pd.DataFrame:
    """Return the candidates of a detector of boxes, as rows for `candidate_table`.

    Each detection is one candidate; of several with the same units, the first is.  Units that are not a
    candidate alone are added with probability 0, so that each can be a source of its own.

    Parameters
    ----------
    detections : DataFrame
        Columns of `claran_core.common.tables.DETECTIONS`, the most probable of a subject first.
    subjects : (n,) int array
        Place in `components` of the subject of each detection.
    found : sequence of int arrays
        Units of each detection, as places in its subject (`claran_core.inference.membership.members_of`).
    components : ComponentBatch
        Units of the subjects.
    classes : sequence of str
        Names of the classes.
    """
    members = np.full((len(found), MAX_MEMBERS), -1, np.int64)
    for row, own in enumerate(found):
        members[row, : min(len(own), MAX_MEMBERS)] = own[:MAX_MEMBERS]
    probabilities = detections[probability_columns(classes)].to_numpy(np.float32)
    none = np.zeros(len(found), np.float32)
    listed = _rows(subjects, members, probabilities, none, classes)[members[:, 0] >= 0]
    unit = np.flatnonzero(components.usable)
    owner = np.searchsorted(components.starts, unit, side="right") - 1
    alone = np.full((len(unit), MAX_MEMBERS), -1, np.int64)
    alone[:, 0] = unit - components.starts[owner]
    nothing = np.zeros((len(unit), len(classes)), np.float32)
    added = _rows(owner, alone, nothing, np.zeros(len(unit), np.float32), classes)
    keys = ["subject", *(f"member_{k}" for k in range(MAX_MEMBERS))]
    return pd.concat([listed, added], ignore_index=True).drop_duplicates(keys, ignore_index=True)


def candidate_table(
    rows: Sequence[pd.DataFrame],
    index: pd.DataFrame,
    components: ComponentBatch,
    frame: Frame,
    classes: Sequence[str],
) -> pd.DataFrame:
    """Return the table of all candidates.

    Parameters
    ----------
    rows : sequence of DataFrame
        What `scored_rows` or `candidates_of_detections` return.
    index : DataFrame
        Rows of `claran_core.common.tables.FUSED`, one per subject.
    components : ComponentBatch
        Units of these subjects, in the same order.
    frame : Frame
        Geometry of a subject of the finest scale.
    classes : sequence of str
        Names of the classes.

    Returns
    -------
    DataFrame
        Columns of `claran_core.common.tables.CANDIDATES` for these classes; subjects in the order of the
        index.
    """
    schema = tables.for_classes(tables.CANDIDATES, classes)
    if not sum(map(len, rows)):
        return schema.empty_table().to_pandas()
    joined = pd.concat(rows, ignore_index=True).sort_values("subject", kind="stable", ignore_index=True)
    subject = joined["subject"].to_numpy()
    members = joined[[f"member_{k}" for k in range(MAX_MEMBERS)]].to_numpy()
    own, is_member = components.components, members >= 0
    unit = np.where(is_member, components.starts[subject][:, None] + members, 0)
    squares = np.clip(dr1_boxes(own.boxes[unit], is_member), 0.0, frame.size_px)
    scale = index["scale"].to_numpy()[subject]
    x, y = squares[:, [0, 2]].mean(axis=1), squares[:, [1, 3]].mean(axis=1)
    ra, dec = (index[name].to_numpy()[subject] for name in ("ra", "dec"))
    ra, dec = frame.frame_to_sky(ra, dec, x, y, scale=scale)
    room = np.minimum(own.boxes[:, :2], frame.size_px - own.boxes[:, 2:]).min(axis=1)
    room = np.where(is_member, room[unit], np.inf).min(axis=1) * frame.pixel_scale_arcsec * scale
    ids = np.split(own.ids[unit[is_member]], np.cumsum(is_member.sum(axis=1))[:-1])
    columns = {
        "subject_id": index["subject_id"].to_numpy()[subject],
        "scale": scale,
        "ra": ra,
        "dec": dec,
        **dict(zip(BOX_COLUMNS, squares.T, strict=True)),
        **{name: joined[name] for name in (*probability_columns(classes), P_ARTEFACT)},
        "unit_ids": pd.Series(ids, dtype=object),
        "at_edge": (own.at_edge[unit] & is_member).any(axis=1),
        "room": np.maximum(room, 0.0),
    }
    return pd.DataFrame(columns)[schema.names]


def _rows(
    subject: np.ndarray,
    members: np.ndarray,
    probabilities: np.ndarray,
    artefact: np.ndarray,
    classes: Sequence[str],
) -> pd.DataFrame:
    columns = {"subject": subject, **{f"member_{k}": members[:, k] for k in range(MAX_MEMBERS)}}
    columns |= dict(zip(probability_columns(classes), probabilities.T, strict=True)) | {P_ARTEFACT: artefact}
    return pd.DataFrame(columns)
