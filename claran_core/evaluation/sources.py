"""Table of the true sources with their detections, which several metrics and figures use."""

import numpy as np
import pandas as pd
import pyarrow as pa

from claran_core.evaluation.matching import NO_TRUTH

__all__ = ["TRUE_SOURCES", "true_sources"]


def _column(name: str, kind: pa.DataType, description: str, *, nullable: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=nullable, metadata={"description": description})


TRUE_SOURCES = pa.schema(
    [
        _column("subject_id", pa.string(), "subject"),
        _column("label_id", pa.string(), "name of the true source", nullable=True),
        _column("morphology", pa.string(), "true class"),
        _column("n_components", pa.int32(), "true components, not clipped", nullable=True),
        _column("n_peaks", pa.int32(), "true peaks, not clipped", nullable=True),
        _column("angular_size", pa.float32(), "DR1 extent, arcsec", nullable=True),
        _column("consensus", pa.float32(), "consensus level, if known", nullable=True),
        _column("width", pa.float64(), "width of the true box, frame px"),
        _column(
            "probability",
            pa.float64(),
            "probability of its true detection (eq. 12); null without one",
            nullable=True,
        ),
        _column(
            "found_width", pa.float64(), "width of the box of its true detection, frame px", nullable=True
        ),
        _column(
            "listed_as",
            pa.string(),
            "class of the source of the subject that is listed in its place; null where missed",
            nullable=True,
        ),
    ]
)

# Columns copied from the labels; null if the labels lack them.
_COPIED = ["label_id", "n_components", "n_peaks", "angular_size", "consensus"]


def true_sources(
    detections: pd.DataFrame, labels: pd.DataFrame, found: np.ndarray, listed_as: np.ndarray
) -> pd.DataFrame:
    """Join each true source with the detection that found it.

    Parameters
    ----------
    detections : DataFrame
        Columns ``probability`` and the box.
    labels : DataFrame
        Columns ``subject_id``, ``morphology`` and the box; some other columns of
        `claran_core.common.tables.LABELS` are copied if present, else null.
    found : (N,) int array
        Row of `labels` that each detection matches (`claran_core.evaluation.matching.match_detections`).
    listed_as : (T,) object array
        Class each true source is listed as, or None (`claran_core.evaluation.confusion.listed_classes`).

    Returns
    -------
    DataFrame
        Columns of `TRUE_SOURCES`, one row per row of `labels`, in their order.
    """
    hit = np.flatnonzero(found != NO_TRUTH)
    probability, width = np.full(len(labels), np.nan), np.full(len(labels), np.nan)
    probability[found[hit]] = detections["probability"].to_numpy(float)[hit]
    width[found[hit]] = _width(detections)[hit]
    facts = labels.reindex(columns=["subject_id", "morphology", *_COPIED]).reset_index(drop=True)
    table = facts.assign(
        width=_width(labels),
        probability=probability,
        found_width=width,
        listed_as=pd.Series(listed_as, dtype=object),
    )
    return table[TRUE_SOURCES.names]


def _width(table: pd.DataFrame) -> np.ndarray:
    return (table["box_x2"].to_numpy(float)) - (table["box_x1"].to_numpy(float))
