"""Compare the catalogue with the truth of its area: a status for each row, an outcome for each true source.

A row is matched to a true source by their components: two components are the same if their brightest
pixels lie within half a beam.  A subject's border or noise can move the brightest pixel; a component whose
brightest pixel lies in the contour of a true component counts as a part of it.  Classes are ignored, which
keeps wrong associations apart from wrong classes.  Every row has one status, every true source one outcome
and, if it is missed, one reason.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy.spatial import cKDTree

from claran_core.catalogue.product.schema import OUTCOME_DESCRIPTIONS
from claran_core.common.boxes import BOX_COLUMNS, paired_iou
from claran_core.common.constants import ARCSEC_PER_DEG
from claran_core.common.flags import Flag
from claran_core.common.frame import Frame
from claran_core.common.sky import sky_to_offset, unit_vectors
from claran_core.evaluation.component_links import (
    LINK_ARCSEC,
    Parts,
    contour_around,
    nearest_true,
    shared_components,
)
from claran_core.labels.dr1_labels import LABELLED_SNR

__all__ = [
    "SOURCE_OUTCOMES",
    "REASONS",
    "STATUSES",
    "TRUE_OUTCOMES",
    "ROW_STATUSES",
    "Comparison",
    "compare_with_truth",
]

# A detection fits a true source when the IoU of their boxes is above this (paper section 5.2).
MIN_IOU = 0.5

STATUSES = {
    "true": "its components are exactly those of one true source",
    "fragment": "it holds a part of one true source, and nothing else",
    "blend": "it joins components of a true source with components of another source or of no source",
    "false": "none of its components belongs to a true source",
}
SOURCE_OUTCOMES = {
    "found": "a row has exactly its components",
    "blended": "a row joins components of it with other components",
    "fragmented": "several rows hold parts of it, and nothing else",
    "partial": "one row holds a part of it, and nothing else",
    "missed": "no row has any of its components",
}
REASONS = {
    "not_visible": "no component above 5.3 sigma",
    "confused": "its brightest pixel lies in the contour of another source or of noise",
    "outside": "its centre lies outside all subjects",
    "edge": "no subject contains its whole box",
    "unlabelled": f"not detected, and below {LABELLED_SNR:g} sigma, the limit of the training labels",
    **{
        name: f"outcome of its most probable detection: {text}" for name, text in OUTCOME_DESCRIPTIONS.items()
    },
    "not_detected": "no detection fits its box",
}


def _column(name: str, kind: pa.DataType, description: str, *, nullable: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=nullable, metadata={"description": description})


def _explained(words: dict[str, str]) -> str:
    return "; ".join(f"{word}: {meaning}" for word, meaning in words.items())


TRUE_OUTCOMES = pa.schema(
    [
        _column("source_id", pa.string(), "name of the true source"),
        _column("ra", pa.float64(), "right ascension of its centre, deg, ICRS"),
        _column("dec", pa.float64(), "declination of its centre, deg, ICRS"),
        _column("state", pa.string(), "as in the truth"),
        _column("placement", pa.string(), "as in the truth"),
        _column("morphology", pa.string(), "true class", nullable=True),
        _column("n_components", pa.int32(), "true components"),
        _column("angular_size", pa.float32(), "DR1 extent, arcsec", nullable=True),
        _column("snr", pa.float32(), "brightest pixel over the noise"),
        _column("flux", pa.float64(), "flux density of the model, mJy"),
        _column("outcome", pa.string(), _explained(SOURCE_OUTCOMES)),
        _column("reason", pa.string(), f"why it is missed, else empty; {_explained(REASONS)}"),
        _column("row_ids", pa.list_(pa.string()), "rows of the catalogue that hold components of it"),
        _column("detected", pa.bool_(), "a detection of at least the minimum probability fits its box"),
        _column("listed_as", pa.string(), "class of the row that found it", nullable=True),
    ]
)

ROW_STATUSES = pa.schema(
    [
        _column("source_id", pa.string(), "row of the catalogue"),
        _column("status", pa.string(), _explained(STATUSES)),
        _column("true_ids", pa.list_(pa.string()), "true sources it holds components of"),
        _column("n_components", pa.int32(), "components it holds"),
        _column("n_unmatched", pa.int32(), "components that belong to no true source"),
        _column(
            "n_shared",
            pa.int32(),
            "components that another row has too, whole or truncated by a border; must be 0",
        ),
        _column("true_morphology", pa.string(), "class of the source it found", nullable=True),
    ]
)


@dataclass(frozen=True)
class Comparison:
    """Result of comparing a catalogue with the truth.

    Attributes
    ----------
    sources : DataFrame
        Columns of `TRUE_OUTCOMES`, one row per true source, in the order of the truth.
    rows : DataFrame
        Columns of `ROW_STATUSES`, one row per row of the catalogue, in its order.
    n_duplicates : int
        Minimum number of rows to remove so that no two rows share a component, whole or truncated.
    """

    sources: pd.DataFrame
    rows: pd.DataFrame
    n_duplicates: int


def compare_with_truth(
    catalogue: pd.DataFrame,
    truth: pd.DataFrame,
    detections: pd.DataFrame | None = None,
    *,
    frame: Frame,
    min_probability: float = 0.8,
    link_arcsec: float = LINK_ARCSEC,
) -> Comparison:
    """Return the outcome of every true source and the status of every row.

    Parameters
    ----------
    catalogue : DataFrame
        Columns ``source_id``, ``morphology``, ``flags``, ``component_ra`` and ``component_dec`` of
        `claran_core.catalogue.product.schema.CATALOGUE`.
    truth : DataFrame
        Columns of `claran_core.evaluation.sky_truth.SKY_TRUTH`.
    detections : DataFrame, optional
        Columns of `claran_core.catalogue.product.schema.OUTCOMES`, the outcome of each detection.  Without
        it, reasons do not distinguish rejected sources from sources that were not detected.
    frame : Frame
        Geometry of the subjects; the boxes of `detections` are in its pixels.
    min_probability : float
        Minimum probability (`catalogue.min_probability`).  A source counts as detected when a detection fits
        its box that the post-filter did not reject as improbable; a ``competing`` detection, for which the
        post-filter compares no probability, needs a class of at least this probability.
    link_arcsec : float
        Maximum distance of the brightest pixels of one component.
    """
    rows, sources = Parts.of(catalogue), Parts.of(truth)
    linked = nearest_true(rows, sources, link_arcsec)
    part_of = np.where(linked < 0, contour_around(rows, truth, sources, link_arcsec), linked)
    owner = np.where(part_of < 0, -1, np.append(sources.row, -1)[part_of])
    status = _statuses(len(catalogue), rows.row, linked, owner, truth["n_components"].to_numpy(int))
    held = pd.DataFrame({"row": rows.row, "source": owner}).drop_duplicates()
    held = held[held["source"] >= 0].sort_values(["source", "row"])
    detected, ending = _detections_of(truth, detections, frame, min_probability)
    outcome = _outcomes(len(truth), held, status)
    known = {
        "outcome": outcome,
        "reason": _reasons(truth, outcome, detected, ending),
        "detected": detected,
    }
    # A component truncated by a border is the same component; one split by noise is a fragment.
    is_truncated = (catalogue["flags"].to_numpy(int) & int(Flag.EDGE) != 0)[rows.row]
    same = np.where((linked >= 0) | is_truncated, part_of, -1)
    n_shared, n_duplicates = shared_components(catalogue, link_arcsec, same)
    counted = {
        "status": status,
        "n_components": np.bincount(rows.row, minlength=len(catalogue)),
        "n_unmatched": np.bincount(rows.row[owner < 0], minlength=len(catalogue)),
        "n_shared": n_shared,
    }
    true = held[status[held["row"].to_numpy(int)] == "true"]
    return Comparison(
        sources=_source_table(catalogue, truth, held, true, known),
        rows=_row_table(catalogue, truth, held, true, counted),
        n_duplicates=n_duplicates,
    )


def _statuses(
    n_rows: int, row: np.ndarray, linked: np.ndarray, owner: np.ndarray, n_components: np.ndarray
) -> np.ndarray:
    """Return the status of each row of the catalogue.

    Parameters
    ----------
    n_rows : int
        Number of rows.
    row, linked, owner : (m,) int arrays
        For each component of a row: the row, the true component that it is, and the true source that it is
        at least a part of; -1 for none.
    n_components : (n_sources,) int array
        Number of components of each true source.
    """
    parts = pd.DataFrame({"row": row, "linked": linked, "owner": owner})
    owners = parts[parts["owner"] >= 0].groupby("row")["owner"]
    n_owners = owners.nunique().reindex(range(n_rows), fill_value=0).to_numpy()
    first = owners.min().reindex(range(n_rows), fill_value=0).to_numpy(int)
    whole = parts[parts["linked"] >= 0].groupby("row")["linked"].nunique()
    n_whole = whole.reindex(range(n_rows), fill_value=0).to_numpy()
    is_whole = n_whole == (n_components[first] if len(n_components) else 0)
    alone = np.where(is_whole, "true", "fragment")
    has_unmatched = np.bincount(row[owner < 0], minlength=n_rows) > 0
    is_blend = (n_owners > 1) | has_unmatched
    return np.where(n_owners == 0, "false", np.where(is_blend, "blend", alone)).astype(object)


def _outcomes(n_sources: int, held: pd.DataFrame, status: np.ndarray) -> np.ndarray:
    """Return the outcome of each true source; `held` pairs rows with the sources they hold parts of."""
    of_row = pd.Series(status[held["row"].to_numpy(int)], index=held["source"].to_numpy(int))
    outcome = np.full(n_sources, "missed", dtype=object)
    fragments = of_row[of_row == "fragment"].index.value_counts()
    outcome[fragments.index] = np.where(fragments.to_numpy() > 1, "fragmented", "partial")
    outcome[of_row.index[of_row == "blend"]] = "blended"
    outcome[of_row.index[of_row == "true"]] = "found"
    return outcome


def _detections_of(
    truth: pd.DataFrame, detections: pd.DataFrame | None, frame: Frame, min_probability: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return whether each source was detected, and the outcome of its most probable detection.

    The outcome is empty if no detection fits.
    """
    detected, ending = np.zeros(len(truth), bool), np.full(len(truth), "", dtype=object)
    if detections is None or not len(detections) or not len(truth):
        return detected, ending
    source, detection = _fitting(truth, detections, frame)
    weak = (detections["outcome"] == "competing") & (detections["probability"] < min_probability)
    probable = ~(weak | (detections["outcome"] == "improbable")).to_numpy(bool)[detection]
    detected[source[probable]] = True
    rising = np.lexsort((detection, detections["probability"].to_numpy(float)[detection]))
    ending[source[rising]] = detections["outcome"].to_numpy(object)[
        detection[rising]
    ]  # the last assignment wins
    return detected, ending


def _fitting(truth: pd.DataFrame, detections: pd.DataFrame, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs of a visible source and a detection that fits it (`MIN_IOU`)."""
    visible = np.flatnonzero(truth["state"] == "visible")
    size = truth["angular_size"].to_numpy(float)[visible]
    ra, dec = truth["ra"].to_numpy(float)[visible], truth["dec"].to_numpy(float)[visible]
    places = detections["ra"].to_numpy(float), detections["dec"].to_numpy(float)
    # Boxes of an IoU above 0.5 have centres within the half diagonal of the larger one.
    near = cKDTree(unit_vectors(*places)).query_ball_point(
        unit_vectors(ra, dec), np.deg2rad(np.sqrt(2) * size / ARCSEC_PER_DEG), return_sorted=True
    )
    source = np.repeat(np.arange(len(visible)), [len(one) for one in near])
    detection = np.concatenate([np.empty(0, int), *[np.asarray(one, int) for one in near]])
    middle = np.stack(sky_to_offset(ra[source], dec[source], *(axis[detection] for axis in places)), axis=1)
    boxes = detections[BOX_COLUMNS].to_numpy(float)
    sides = boxes[:, 2:] - boxes[:, :2]
    half = sides[detection] * frame.pixel_scale_arcsec / 2
    square = np.outer(size[source] / 2, [-1, -1, 1, 1])
    fits = paired_iou(np.concatenate([middle - half, middle + half], axis=1), square) > MIN_IOU
    return visible[source[fits]], detection[fits]


def _reasons(
    truth: pd.DataFrame, outcome: np.ndarray, detected: np.ndarray, ending: np.ndarray
) -> np.ndarray:
    """Return why each source is missed (the last reason that applies); empty if it is not missed."""
    state, placement = truth["state"].to_numpy(object), truth["placement"].to_numpy(object)
    reason = np.where(ending == "", "not_detected", ending).astype(object)
    reason[(truth["snr"].to_numpy(float) < LABELLED_SNR) & ~detected] = "unlabelled"
    for name in ("edge", "outside"):
        reason[placement == name] = name
    reason[state == "confused"] = "confused"
    reason[state == "faint"] = "not_visible"
    reason[outcome != "missed"] = ""
    return reason


def _source_table(
    catalogue: pd.DataFrame,
    truth: pd.DataFrame,
    held: pd.DataFrame,
    true: pd.DataFrame,
    known: dict[str, np.ndarray],
) -> pd.DataFrame:
    """Return the table of true sources; `held` pairs rows with sources, `true` the found ones."""
    facts = [name for name in TRUE_OUTCOMES.names if name in truth]
    names = catalogue["source_id"].to_numpy(object)[held["row"].to_numpy(int)]
    listed = np.full(len(truth), None, dtype=object)
    listed[true["source"].to_numpy(int)] = catalogue["morphology"].to_numpy(object)[true["row"].to_numpy(int)]
    ids = _lists(names, held["source"].to_numpy(int), len(truth))
    table = truth[facts].reset_index(drop=True)
    return table.assign(**known, row_ids=ids, listed_as=listed)[TRUE_OUTCOMES.names]


def _row_table(
    catalogue: pd.DataFrame,
    truth: pd.DataFrame,
    held: pd.DataFrame,
    true: pd.DataFrame,
    counted: dict[str, np.ndarray],
) -> pd.DataFrame:
    """Return the table of the rows of the catalogue; arguments as `_source_table`."""
    ordered = held.sort_values(["row", "source"])
    names = truth["source_id"].to_numpy(object)[ordered["source"].to_numpy(int)]
    right = np.full(len(catalogue), None, dtype=object)
    right[true["row"].to_numpy(int)] = truth["morphology"].to_numpy(object)[true["source"].to_numpy(int)]
    columns = {
        "source_id": catalogue["source_id"].to_numpy(object),
        "true_ids": _lists(names, ordered["row"].to_numpy(int), len(catalogue)),
        "true_morphology": right,
    }
    return pd.DataFrame(columns | counted, columns=ROW_STATUSES.names)


def _lists(values: np.ndarray, group: np.ndarray, n_groups: int) -> pd.Series:
    """Return a list of values per group; `values` are sorted by `group`."""
    ends = np.searchsorted(group, np.arange(n_groups + 1))
    return pd.Series([values[ends[k] : ends[k + 1]].tolist() for k in range(n_groups)], dtype=object)
