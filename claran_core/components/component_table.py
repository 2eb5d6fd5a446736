"""The table of components: the components of each subject by the contour rule, in the subject's frame.

The rule runs on the pixels of the cut-out (`claran_core.components.contour_rule`).  Its result depends on
the noise estimate, which is uncertain by several per cent.  Training subjects therefore list the components
at several contour levels, to cover those at which DR1 may have found the labelled components.
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
    "nominal_components",
    "read_components",
]

# Base contours of the listed components, in units of the rule's 5.3 sigma: the rule itself, and for training
# subjects the centres of six equal parts of a log-normal distribution with a width of 8 % around it.  The
# rule with the noise of the image gives 8 % of the sources another class than DR1 (docs/measurements/);
# shifting the levels by this width changes about as many.
NOMINAL_LEVEL = 1.0
LEVEL_SPREAD = 0.08
_MIDDLES = np.array([-1.383, -0.674, -0.210, 0.210, 0.674, 1.383])
LEVELS: Mapping[str, tuple[float, ...]] = {
    "train": (NOMINAL_LEVEL, *(float(level) for level in np.round(np.exp(LEVEL_SPREAD * _MIDDLES), 3))),
    "test": (NOMINAL_LEVEL,),
    "none": (NOMINAL_LEVEL,),
}

# Columns of the secondary peaks of a component, the most prominent one first.
PROMINENCE_COLUMNS = [name for name in COMPONENTS.names if name.startswith("prominence_")]


@dataclass(frozen=True)
class SubjectComponents:
    """Components of one subject at one level, one entry per component; there may be no entry.

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
        Logarithm of peak over saddle of the most prominent secondary peaks, in units of the step between
        two contours; 0 for missing peaks.
    n_pixels : (n,) int64 array
        Number of pixels of the cut-out.
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
        """Make an instance from columns of `claran_core.common.tables.COMPONENTS`, as arrays."""
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
    """Return the rows of `claran_core.common.tables.COMPONENTS` for one subject.

    Parameters
    ----------
    subject : Subject
        The subject.
    cutout : Cutout
        Its radio image; pixels outside the frame are ignored.
    levels : sequence of float
        Base contours in units of 5.3 sigma.

    Notes
    -----
    The centres of boxes are converted through the sky.  Their widths are those along the axes of the
    cut-out, whose north may differ from the frame's by about a degree.
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
    """Return the rows of one level."""
    found = find_components(visible, sigma, threshold=level * COMPONENT_SIGMA)
    if not len(found):
        return []
    zoom = cutout.pixel_scale_arcsec / subject.frame.pixel_scale_arcsec
    flat = found.labels.ravel()
    pixels = np.bincount(flat, minlength=len(found) + 1)[1:]
    flux = np.bincount(flat, np.nan_to_num(visible).ravel(), len(found) + 1)[1:]
    centres = 0.5 * (found.boxes[:, :2] + found.boxes[:, 2:])
    centres, peaks = np.split(_in_frame(subject, cutout, np.concatenate([centres, found.brightest])), 2)
    half = 0.5 * zoom * (found.boxes[:, 2:] - found.boxes[:, :2])
    boxes = np.concatenate([centres - half, centres + half], axis=1)
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
    """Return positions (n, 2) in the cut-out (px) as frame positions (px)."""
    sky = cutout.wcs.pixels_to_sky(*pixels.T)
    return np.stack(subject.frame.sky_to_frame(subject.ra_deg, subject.dec_deg, *sky), axis=1)


def _prominences(found: Components, secondary: SecondaryPeaks, base: float) -> np.ndarray:
    """Return the largest prominences (n, 3) of each component, for saddles inside it."""
    prominences = np.zeros((len(found), len(PROMINENCE_COLUMNS)))
    inside = secondary.saddle > base
    owner = found.labels[secondary.y[inside], secondary.x[inside]]
    heights = np.log(secondary.peak[inside] / secondary.saddle[inside]) / np.log(LEVEL_RATIO)
    for k in np.unique(owner[owner > 0]):
        own = np.sort(heights[owner == k])[::-1][: len(PROMINENCE_COLUMNS)]
        prominences[k - 1, : len(own)] = own
    return prominences


def read_components(path: Path) -> dict[str, dict[float, SubjectComponents]]:
    """Read the components of a shard, by subject and level; subjects without components are absent.

    Raises
    ------
    InputError
        If the file cannot be read or lacks columns.
    """
    return components_by_subject(read_table(path, COMPONENTS.names))


def components_by_subject(table: pd.DataFrame) -> dict[str, dict[float, SubjectComponents]]:
    """Group rows of `claran_core.common.tables.COMPONENTS` by subject and level, in table order."""
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


def nominal_components(table: pd.DataFrame) -> dict[str, SubjectComponents]:
    """Return the components of each subject at `NOMINAL_LEVEL`; subjects without any are left out."""
    rows = table[table["level"] == NOMINAL_LEVEL]
    return {name: levels[NOMINAL_LEVEL] for name, levels in components_by_subject(rows).items()}
