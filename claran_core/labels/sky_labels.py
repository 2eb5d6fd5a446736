"""Labels that a user draws: boxes or outlines of sources on the sky, and the components inside them.

A label says which components are one source, and its class.  A component belongs to the label whose box, or
whose outline where it has one, contains the component's brightest pixel; of several labels, to the smallest.
Everything else of a label (box, extent, counts) is measured by the contour rule, as for all other labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from claran_core.common.boxes import BOX_COLUMNS
from claran_core.common.constants import ARCSEC_PER_DEG
from claran_core.common.linear_wcs import sky_of_vectors
from claran_core.common.sky import chord, chord_angle, unit_vectors
from claran_core.common.subject import Subject
from claran_core.components.component_table import NOMINAL_LEVEL
from claran_core.labels.owners import NO_OWNER, Rows, is_unit, of_parts
from claran_core.labels.units import Units

__all__ = ["SkyLabel", "SkyLabels", "own_rows"]


@dataclass(frozen=True)
class SkyLabel:
    """A label of a user.

    Attributes
    ----------
    label_id : str
        Unique name.
    morphology : str
        Class.
    corners : (4, 2) float64 array
        Right ascension and declination of the corners of the box, one after the other around it, deg, ICRS.
    outlines : tuple of (k, 2) float64 arrays
        Polygons of the mask, as `corners`; empty for a label without one.
    host : (float, float)
        Right ascension and declination of the host, deg; NaN if it is unknown.
    subject_id : str
        The only subject to which the label applies; empty for all that show it.
    """

    label_id: str
    morphology: str
    corners: np.ndarray
    outlines: tuple[np.ndarray, ...] = ()
    host: tuple[float, float] = (np.nan, np.nan)
    subject_id: str = ""


class SkyLabels:
    """All labels of a run, with their places on the sky.

    Parameters
    ----------
    labels : sequence of SkyLabel
        The labels.

    Attributes
    ----------
    labels : tuple of SkyLabel
        The labels.
    centres_deg : (n, 2) float64 array
        Right ascension and declination of the centres of their boxes.
    """

    def __init__(self, labels: Sequence[SkyLabel]) -> None:
        self.labels = tuple(labels)
        corners = np.array([one.corners for one in labels]).reshape(-1, 4, 2)
        vectors = unit_vectors(corners[..., 0], corners[..., 1])
        middle = vectors.sum(axis=1)
        self._vectors = middle / np.linalg.norm(middle, axis=1, keepdims=True)
        apart = np.linalg.norm(vectors - self._vectors[:, None], axis=2)
        self._radius_arcsec = chord_angle(apart.max(axis=1, initial=0.0))
        self.centres_deg = np.stack(sky_of_vectors(self._vectors), axis=-1)

    def near(self, subject: Subject) -> list[SkyLabel]:
        """Return the labels that apply to a subject and may reach into its frame."""
        reach = self._radius_arcsec + subject.frame.width_arcsec / np.sqrt(2)
        centre = unit_vectors(subject.ra_deg, subject.dec_deg)
        apart = np.linalg.norm(self._vectors - centre, axis=1)
        close = np.flatnonzero(apart <= chord(np.minimum(reach, 90 * ARCSEC_PER_DEG)))
        named = ("", subject.subject_id)
        return [self.labels[index] for index in close if self.labels[index].subject_id in named]


def own_rows(
    subject: Subject, labels: Sequence[SkyLabel], rows: Rows
) -> tuple[list[dict[str, Any]], np.ndarray]:
    """Return the labels of a subject, and the owner of each of its components.

    A label whose box reaches outside the frame, or contains no component, does not apply to this subject.

    Parameters
    ----------
    subject : Subject
        The subject.
    labels : sequence of SkyLabel
        The labels near it (`SkyLabels.near`).
    rows : mapping of str to (n,) array
        Its components, at any levels.

    Returns
    -------
    labels : list of dict
        Rows of `claran_core.common.tables.LABELS`.
    owner : (n,) int64 array
        Index of the label of each component, or `NO_OWNER`.
    """
    peaks = np.stack(_in_frame(subject, np.stack([rows["ra"], rows["dec"]], axis=-1)), axis=-1)
    regions = [_region(subject, one) for one in labels]
    owner = np.full(len(peaks), NO_OWNER)
    for index in sorted(range(len(labels)), key=lambda index: _area(regions[index])):
        inside = np.logical_or.reduce([_is_inside(peaks, polygon) for polygon in regions[index]])
        owner[inside & (owner == NO_OWNER)] = index
    cut = [index for index, one in enumerate(labels) if not _fits(subject, one)]
    owner[np.isin(owner, cut)] = NO_OWNER
    owner = of_parts(rows, owner)
    nominal = np.flatnonzero(is_unit(subject, rows) & (rows["level"] == NOMINAL_LEVEL))
    units = Units.of_rows(subject, {name: values[nominal] for name, values in rows.items()})
    found = [
        units.label_row(subject, np.flatnonzero(owner[nominal] == index)) | _known(labels[index])
        for index in np.unique(owner[nominal][owner[nominal] != NO_OWNER]).tolist()
    ]
    return [row for row in found if row[BOX_COLUMNS[0]] < row[BOX_COLUMNS[2]]], owner


def _known(label: SkyLabel) -> dict[str, Any]:
    """Return the columns of a label that do not come from the image."""
    ra, dec = label.host
    return {
        "label_id": label.label_id,
        "morphology": label.morphology,
        "consensus": None,
        "host_ra": None if np.isnan(ra) else ra,
        "host_dec": None if np.isnan(dec) else dec,
    }


def _in_frame(subject: Subject, sky_deg: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return subject.frame.sky_to_frame(subject.ra_deg, subject.dec_deg, sky_deg[:, 0], sky_deg[:, 1])


def _region(subject: Subject, label: SkyLabel) -> list[np.ndarray]:
    """Return the polygons (k, 2) of a label in frame pixels: its outlines, else its box."""
    return [np.stack(_in_frame(subject, polygon), axis=-1) for polygon in label.outlines or (label.corners,)]


def _fits(subject: Subject, label: SkyLabel) -> bool:
    """Return whether the box of a label lies in the frame."""
    corners = np.stack(_in_frame(subject, label.corners))
    return bool(((corners >= 0) & (corners <= subject.frame.size_px)).all())


def _area(region: Sequence[np.ndarray]) -> float:
    """Return the area of polygons, px^2."""
    areas = [abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) / 2 for x, y in (one.T for one in region)]
    return float(np.sum(areas))


def _is_inside(points: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """Return which points (n, 2) lie in a polygon (k, 2): with an odd number of edges to one side."""
    (x1, y1), (x2, y2) = polygon.T, np.roll(polygon, -1, axis=0).T
    x, y = points[:, :1], points[:, 1:]
    crosses = (y1 > y) != (y2 > y)
    at = x1 + (y - y1) / np.where(crosses, y2 - y1, 1.0) * (x2 - x1)
    return np.asarray((crosses & (x < at)).sum(axis=1) % 2 == 1)
