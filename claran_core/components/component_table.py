"""The components of each subject as a table: what the contour rule sees, in the frame of the subject.

The rule runs on the cut-out's own pixels (`claran_core.components.contour_rule`).  What it finds depends on
the noise it assumes, which nobody knows better than to some per cent; subjects to be learned from therefore
have the components of several levels, as the data release that made the labels might have seen them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from claran_core.common.boxes import BOX_COLUMNS
from claran_core.common.cutout import Cutout
from claran_core.common.files import read_table
from claran_core.common.frame import pixels_to_sky
from claran_core.common.noise import noise_sigma
from claran_core.common.subject import Subject, visible_in_frame
from claran_core.common.tables import COMPONENTS
from claran_core.components.contour_rule import (
    COMPONENT_SIGMA,
    LEVEL_RATIO,
    Components,
    SecondaryPeaks,
    find_components,
    secondary_peaks,
)

__all__ = [
    "LEVELS",
    "NOMINAL_LEVEL",
    "NO_COMPONENTS",
    "SubjectComponents",
    "component_rows",
    "components_by_subject",
    "read_components",
]

# Base contours at which components are listed, in units of the rule's 5.3 sigma: the rule itself, and for
# subjects to be learned from the middles of six equal parts of a normal distribution (in the logarithm) of
# 8 per cent around it.  Labels by the rule with the image's own noise and those of DR1 differ in the class of
# 8 % of the sources (docs/measurements/); a shift of the levels by so much gives about as many differences.
NOMINAL_LEVEL = 1.0
LEVEL_SPREAD = 0.08
_MIDDLES = np.array([-1.383, -0.674, -0.210, 0.210, 0.674, 1.383])
LEVELS: Mapping[str, tuple[float, ...]] = {
    "train": (NOMINAL_LEVEL, *(float(level) for level in np.round(np.exp(LEVEL_SPREAD * _MIDDLES), 3))),
    "test": (NOMINAL_LEVEL,),
    "none": (NOMINAL_LEVEL,),
}

# Secondary peaks listed per component, the most prominent ones first.
PROMINENCE_COLUMNS = [name for name in COMPONENTS.names if name.startswith("prominence_")]


@dataclass(frozen=True)
class SubjectComponents:
    """Components of one subject at one level, entry by entry; none at all is normal.

    Attributes
    ----------
    boxes : (n, 4) float32 array
        Contour boxes ``x1 y1 x2 y2``, frame px.
    peaks : (n, 2) float32 array
        Brightest pixel ``x y``, frame px.
    n_peaks : (n,) int64 array
        Peaks by the contour rule.
    snr, flux, area : (n,) float32 arrays
        Brightest pixel over the noise; sum of the pixels over the noise, times the area of a pixel in
        frame px; area in frame px.
    prominences : (n, 3) float32 array
        For the most prominent secondary peaks the logarithm of peak over saddle, in units of the
        distance of two contours; 0 where there is none.
    n_pixels : (n,) int64 array
        Pixels of the cut-out in it.
    """

    boxes: np.ndarray
    peaks: np.ndarray
    n_peaks: np.ndarray
    snr: np.ndarray
    flux: np.ndarray
    area: np.ndarray
    prominences: np.ndarray
    n_pixels: np.ndarray

    def __len__(self) -> int:
        return len(self.boxes)

    @classmethod
    def from_rows(cls, rows: Mapping[str, np.ndarray]) -> "SubjectComponents":
        """From columns of `claran_core.common.tables.COMPONENTS`, as arrays."""
        return cls(
            boxes=np.stack([rows[name] for name in BOX_COLUMNS], axis=1).astype(np.float32),
            peaks=np.stack([rows["peak_x"], rows["peak_y"]], axis=1).astype(np.float32),
            n_peaks=np.asarray(rows["n_peaks"], np.int64),
            snr=np.asarray(rows["snr"], np.float32),
            flux=np.asarray(rows["flux"], np.float32),
            area=np.asarray(rows["area"], np.float32),
            prominences=np.stack([rows[name] for name in PROMINENCE_COLUMNS], axis=1).astype(np.float32),
            n_pixels=np.asarray(rows["n_pixels"], np.int64),
        )


NO_COMPONENTS = SubjectComponents.from_rows({name: np.empty(0) for name in COMPONENTS.names})


def component_rows(subject: Subject, cutout: Cutout, levels: Sequence[float]) -> list[dict[str, Any]]:
    """Rows of `claran_core.common.tables.COMPONENTS` for one subject.

    Parameters
    ----------
    subject : Subject
        Name and frame.
    cutout : Cutout
        Its radio image; only what lies in the frame counts.
    levels : sequence of float
        Base contours in units of the rule's.

    Notes
    -----
    Boxes keep the width they have along the axes of the cut-out, whose north may differ from the frame's by a
    degree or so; their middles are where they are on the sky.
    """
    visible = visible_in_frame(subject, cutout)
    sigma = noise_sigma(visible)
    if not sigma > 0:
        return []
    base = COMPONENT_SIGMA * sigma
    secondary = secondary_peaks(visible, min(levels) * base)
    return [row for level in levels for row in _rows_at(subject, cutout, visible, sigma, level, secondary)]


def _rows_at(
    subject: Subject,
    cutout: Cutout,
    visible: np.ndarray,
    sigma: float,
    level: float,
    secondary: SecondaryPeaks,
) -> list[dict[str, Any]]:
    """Rows of one level."""
    found = find_components(visible, sigma, threshold=level * COMPONENT_SIGMA)
    if not len(found):
        return []
    zoom = cutout.pixel_scale_arcsec / subject.frame.pixel_scale_arcsec
    flat = found.labels.ravel()
    pixels = np.bincount(flat, minlength=len(found) + 1)[1:]
    flux = np.bincount(flat, np.nan_to_num(visible).ravel(), len(found) + 1)[1:]
    middles = 0.5 * (found.boxes[:, :2] + found.boxes[:, 2:])
    middles, peaks = np.split(_in_frame(subject, cutout, np.concatenate([middles, found.brightest])), 2)
    half = 0.5 * zoom * (found.boxes[:, 2:] - found.boxes[:, :2])
    boxes = np.concatenate([middles - half, middles + half], axis=1)
    x, y = found.brightest.T
    prominences = _prominences(found, secondary, level * COMPONENT_SIGMA * sigma)
    return [
        {
            "subject_id": subject.subject_id,
            "level": level,
            **dict(zip(BOX_COLUMNS, boxes[k], strict=True)),
            "peak_x": peaks[k, 0],
            "peak_y": peaks[k, 1],
            "n_peaks": found.n_peaks[k],
            "snr": visible[y[k], x[k]] / sigma,
            "flux": flux[k] / sigma * zoom**2,
            "area": pixels[k] * zoom**2,
            "n_pixels": pixels[k],
            **dict(zip(PROMINENCE_COLUMNS, prominences[k], strict=True)),
        }
        for k in range(len(found))
    ]


def _in_frame(subject: Subject, cutout: Cutout, pixels: np.ndarray) -> np.ndarray:
    """Positions (n, 2) of the cut-out's pixels in frame px."""
    sky = pixels_to_sky(cutout.wcs, *pixels.T)
    return np.stack(subject.frame.sky_to_frame(subject.ra_deg, subject.dec_deg, *sky), axis=1)


def _prominences(found: Components, secondary: SecondaryPeaks, base: float) -> np.ndarray:
    """The largest prominences (n, 3) in each component, those of saddles inside it."""
    prominences = np.zeros((len(found), len(PROMINENCE_COLUMNS)))
    inside = secondary.saddle > base
    owner = found.labels[secondary.y[inside], secondary.x[inside]]
    heights = np.log(secondary.peak[inside] / secondary.saddle[inside]) / np.log(LEVEL_RATIO)
    for k in np.unique(owner[owner > 0]):
        own = np.sort(heights[owner == k])[::-1][: len(PROMINENCE_COLUMNS)]
        prominences[k - 1, : len(own)] = own
    return prominences


def read_components(path: Path) -> dict[str, dict[float, SubjectComponents]]:
    """Components of all subjects of a shard, by subject and level; subjects without any are left out.

    Raises
    ------
    InputError
        If the file cannot be read or lacks columns.
    """
    return components_by_subject(read_table(path, COMPONENTS.names))


def components_by_subject(table: pd.DataFrame) -> dict[str, dict[float, SubjectComponents]]:
    """Rows of `claran_core.common.tables.COMPONENTS` by subject and level, in the order of the table."""
    columns = {name: table[name].to_numpy() for name in table.columns}
    keys = pd.MultiIndex.from_arrays([table["subject_id"], table["level"]])
    codes, order = keys.factorize()
    place = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[place], np.arange(len(order) + 1))
    found: dict[str, dict[float, SubjectComponents]] = {}
    for number, (subject_id, level) in enumerate(order):
        rows = place[starts[number] : starts[number + 1]]
        components = SubjectComponents.from_rows({name: values[rows] for name, values in columns.items()})
        found.setdefault(subject_id, {})[float(level)] = components
    return found
