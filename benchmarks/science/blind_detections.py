"""Imitate a detector: make imperfect detections from the truth of each subject; used by blind_survey.py."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from claran_core.common.boxes import BOX_COLUMNS, box_array
from claran_core.common.frame import Frame
from claran_core.common.morphology import morphology_of, probability_columns
from claran_core.common.tables import DETECTIONS
from claran_core.components.component_batch import ComponentBatch
from claran_core.components.component_groups import dr1_boxes
from claran_core.components.component_table import NOMINAL_LEVEL
from claran_core.evaluation.component_links import LINK_ARCSEC
from claran_core.inference.membership import component_ids_of

# Boxes closer to the border than this are truncated, frame px; rates are measured without them.
BORDER_PX = 1.0


@dataclass(frozen=True)
class Rates:
    """Rates of the imperfections of detections.

    Attributes
    ----------
    dropped : float
        Fraction of the labelled sources of a subject that are not detected in it.
    split : float
        Fraction of those with several components whose components are detected separately.
    jitter : float
        Standard deviation of the centre along each axis, and of the side, in units of the side.
    """

    dropped: float
    split: float
    jitter: float


def imitate(
    labels: pd.DataFrame,
    index: pd.DataFrame,
    components: pd.DataFrame,
    rates: Rates,
    frame: Frame,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return detections of the labelled sources of some subjects, as a detector with these rates makes them.

    Parameters
    ----------
    labels, index, components : DataFrame
        Columns of `LABELS`, `FUSED` and `COMPONENTS` of the subjects (`claran_core.common.tables`).

    Returns
    -------
    DataFrame
        Columns of `DETECTIONS`, subject by subject.
    """
    centres = index.set_index("subject_id")[["ra", "dec"]]
    own = components[components["level"] == NOMINAL_LEVEL].groupby("subject_id")
    groups = {name: rows for name, rows in own}
    found: list[dict[str, Any]] = []
    for label in labels.itertuples():
        if rng.random() < rates.dropped:
            continue
        centre = centres.loc[label.subject_id].to_numpy(float)
        boxes = [(np.array([getattr(label, name) for name in BOX_COLUMNS], float), label.morphology)]
        if label.n_components > 1 and rng.random() < rates.split:
            boxes = _parts(label, groups[label.subject_id], centre, frame)
        found += [_detection(label.subject_id, centre, *box, rates.jitter, frame, rng) for box in boxes]
    table = pd.DataFrame(found, columns=DETECTIONS.names)
    names = index["subject_id"]
    ids = component_ids_of(table, ComponentBatch.from_table(components, names), names, frame)
    table["component_ids"] = pd.Series(ids, dtype=object)
    order = pd.Index(names).get_indexer(table["subject_id"])
    return table.iloc[np.lexsort((-table["probability"].to_numpy(float), order))].reset_index(drop=True)


def _parts(
    label: Any, components: pd.DataFrame, centre: np.ndarray, frame: Frame
) -> list[tuple[np.ndarray, str]]:
    """Return the boxes and classes of the components of a labelled source."""
    x, y = frame.sky_to_frame(*centre, np.array(label.component_ra), np.array(label.component_dec))
    peaks = components[["peak_x", "peak_y"]].to_numpy(float)
    nearest = np.hypot(peaks[:, :1] - x, peaks[:, 1:] - y).argmin(axis=0)
    boxes, n_peaks = box_array(components), components["n_peaks"].to_numpy(int)
    squares = np.clip(dr1_boxes(boxes[nearest, None], np.ones((len(nearest), 1), bool)), 0.0, frame.size_px)
    return [
        (box, morphology_of(1, n_peaks[k])[0])
        for box, k in zip(squares, nearest, strict=True)
        if has_area(box)
    ]


def has_area(box: np.ndarray) -> bool:
    """Return whether a box has an area."""
    return bool((box[2:] > box[:2]).all())


def _detection(
    subject_id: str,
    centre: np.ndarray,
    box: np.ndarray,
    morphology: str,
    jitter: float,
    frame: Frame,
    rng: np.random.Generator,
) -> dict[str, Any]:
    side = (box[2:] - box[:2]).mean()
    middle = (box[:2] + box[2:]) / 2 + jitter * side * rng.standard_normal(2)
    half = (box[2:] - box[:2]) / 2 * np.exp(jitter * rng.standard_normal())
    moved = np.clip(np.concatenate([middle - half, middle + half]), 0.0, frame.size_px)
    moved = moved if has_area(moved) else box
    ra, dec = frame.frame_to_sky(*centre, *(moved[:2] + moved[2:]) / 2)
    probability = rng.uniform(0.8, 1.0)
    shares = {name: 0.0 for name in probability_columns()} | {f"p_{morphology.lower()}": probability}
    place = {"ra": float(ra), "dec": float(dec), **dict(zip(BOX_COLUMNS, moved, strict=True))}
    about = {"subject_id": subject_id, "scale": 1, "morphology": morphology, "probability": probability}
    return {**about, **place, **shares}


def measured_rates(
    labels: pd.DataFrame, sources: pd.DataFrame, frame: Frame, jitter: float
) -> tuple[Rates, dict[str, int]]:
    """Return the rates of a real detector, from the sources of the catalogue stage in each subject.

    Parameters
    ----------
    labels : DataFrame
        Columns of `LABELS`.
    sources : DataFrame
        Columns of `claran_core.catalogue.product.schema.SOURCES`.
    jitter : float
        Passed through: the boxes of the shipped detector are exactly those of components.
    """
    rows = {name: group for name, group in sources.groupby("subject_id")}
    counts = dict.fromkeys(["whole", "dropped", "exact", "split", "other", "several", "several_split"], 0)
    boxes = box_array(labels)
    whole = ((boxes >= BORDER_PX) & (boxes <= frame.size_px - BORDER_PX)).all(axis=1)
    for label in labels[whole].itertuples():
        kind = _seen_as(label, rows.get(label.subject_id))
        counts["whole"] += 1
        counts[kind] += 1
        if label.n_components > 1 and kind != "dropped":
            counts["several"] += 1
            counts["several_split"] += kind == "split"
    dropped = counts["dropped"] / max(1, counts["whole"])
    return Rates(dropped, counts["several_split"] / max(1, counts["several"]), jitter), counts


def _seen_as(label: Any, rows: pd.DataFrame | None) -> str:
    """Return how its subject shows a source: ``exact``, ``split``, ``dropped`` or ``other``."""
    holders = []
    for ra, dec in [] if rows is None else zip(rows["component_ra"], rows["component_dec"], strict=True):
        east = (np.array(label.component_ra)[:, None] - ra[None]) * np.cos(np.deg2rad(label.dec))
        near = np.hypot(east, np.array(label.component_dec)[:, None] - dec[None]) * 3600 < LINK_ARCSEC
        holders.append((int(near.any(axis=1).sum()), len(ra)))
    holders = [(held, size) for held, size in holders if held]
    if not holders:
        return "dropped"
    if holders == [(label.n_components, label.n_components)]:
        return "exact"
    alone = all(held == size for held, size in holders)
    return "split" if len(holders) > 1 and alone else "other"


def described(rates: Rates) -> str:
    """Return the rates as a line of text."""
    return ", ".join(f"{name} {value:.4f}" for name, value in asdict(rates).items())
