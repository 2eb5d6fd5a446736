"""Overlays of a subject's pictures: boxes, components, hosts and contours, in frame pixels."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from claran_core.common.flags import describe
from claran_core.common.frame import Frame
from claran_core.report.pictures import SubjectImages, contour_paths

__all__ = ["subject_overlay"]

# Boxes are drawn at least this far inside the picture, so that their lines are visible.
BORDER_PX = 0.5


def subject_overlay(
    images: SubjectImages,
    subject: Mapping[str, Any],
    found: pd.DataFrame,
    true: pd.DataFrame | None,
    *,
    frame: Frame,
    contour_sigma: float,
) -> dict[str, Any]:
    """Return everything that the page draws over the pictures of a subject, and its facts.

    Parameters
    ----------
    images : SubjectImages
        Images of the subject.
    subject : mapping
        ``subject_id, scale, ra, dec, split, flags``.
    found : DataFrame
        Its rows of the catalogue, with their number in the gallery as ``row`` (-1 if not in the gallery).
    true : DataFrame, optional
        Its rows of the labels.
    frame : Frame
        Geometry of the images, at the subject's scale.
    contour_sigma : float
        Lowest contour in units of the noise; each contour is twice the previous one.

    Returns
    -------
    dict
        JSON-serialisable; positions are ``[x, y]`` and boxes ``[x, y, width, height]``, frame px.
    """
    centre = float(subject["ra"]), float(subject["dec"])
    return {
        "id": str(subject["subject_id"]),
        "ra": centre[0],
        "dec": centre[1],
        "scale": int(subject["scale"]),
        "split": str(subject["split"]),
        "flags": describe(int(subject["flags"])),
        "radio": bool(np.isfinite(images.planes.radio).any()),
        "infrared": bool(np.isfinite(images.planes.infrared).any()),
        "contours": contour_paths(images.planes.radio, contour_sigma * images.planes.sigma),
        "sources": [_source(row, frame, centre) for row in _records(found)],
        "truth": [] if true is None else [_truth(row, frame) for row in _records(true)],
    }


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _source(row: Mapping[str, Any], frame: Frame, centre: tuple[float, float]) -> dict[str, Any]:
    return {
        "row": int(row["row"]),
        "id": row["source_id"],
        "morphology": row["morphology"],
        "probability": round(float(row["probability"]), 3),
        "box": _box(row, frame),
        "components": _positions(row["component_ra"], row["component_dec"], frame, centre),
        "hosts": _positions(row["host_candidate_ra"], row["host_candidate_dec"], frame, centre),
        "host": _host(row, frame, centre),
    }


def _host(row: Mapping[str, Any], frame: Frame, centre: tuple[float, float]) -> list[float] | None:
    """Return the position of the host; None without one (NaN, or a reliability of 0)."""
    if not row["host_reliability"] > 0 or not np.isfinite(row["host_ra"]):
        return None
    return next(iter(_positions([row["host_ra"]], [row["host_dec"]], frame, centre)), None)


def _positions(
    ra_deg: np.ndarray | list[float],
    dec_deg: np.ndarray | list[float],
    frame: Frame,
    centre: tuple[float, float],
) -> list[list[float]]:
    """Return the frame positions; those on the far side of the sky are left out."""
    x, y = frame.sky_to_frame(*centre, np.asarray(ra_deg, float), np.asarray(dec_deg, float))
    points = np.round(np.stack([x, y], axis=-1), 2)
    return points[np.isfinite(points).all(axis=-1)].tolist()


def _truth(row: Mapping[str, Any], frame: Frame) -> dict[str, Any]:
    return {"morphology": row["morphology"], "box": _box(row, frame)}


def _box(row: Mapping[str, Any], frame: Frame) -> list[float]:
    low, high = BORDER_PX, frame.size_px - BORDER_PX
    x1, x2 = np.clip([row["box_x1"], row["box_x2"]], low, high).tolist()
    y1, y2 = np.clip([row["box_y1"], row["box_y2"]], low, high).tolist()
    return [round(x1, 2), round(y1, 2), round(x2 - x1, 2), round(y2 - y1, 2)]
