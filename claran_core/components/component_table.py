"""The tables of components and noise: what the contour rule finds in the radio image of each subject.

The rule runs on the pixels of the cut-out (`claran_core.components.find`).  Its result depends on the noise
estimate, which is uncertain by several per cent.  Training subjects therefore list the components at several
contour levels, to cover those at which DR1 may have found the labelled components.

A coarser view has components of its smoothed image and of the survey's own resolution.  Its sources are
groups of *units* (`claran_core.components.units`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pandas as pd

from claran_core.common.boxes import BOX_COLUMNS
from claran_core.common.files import read_arrow, read_table
from claran_core.common.tables import COMPONENTS, NATIVE_SCALE, NOISE
from claran_core.components.units import Units, find_units, fine_parts

__all__ = [
    "LEVELS",
    "NOMINAL_LEVEL",
    "NO_COMPONENTS",
    "PLAIN_COLUMNS",
    "SubjectComponents",
    "components_by_subject",
    "nominal_components",
    "read_components",
    "read_native_noise",
    "read_noise",
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

# All columns but the lists, which are slow to read.
PLAIN_COLUMNS = [name for name in COMPONENTS.names if not name.startswith("secondary_")]

# Columns of the secondary peaks of a component, the most prominent one first.
PROMINENCE_COLUMNS = [name for name in COMPONENTS.names if name.startswith("prominence_")]


@dataclass(frozen=True)
class SubjectComponents:
    """Units of one subject at one level, one entry per unit; there may be no entry.

    The units of a subject of the finest scale are its components.  Those of a coarser view are the components
    of its smoothed image, and those of the survey's own resolution that are inside none of these.

    Attributes
    ----------
    ids : (n,) int64 array
        Identities on the sky: the same for the same component seen from another subject.
    boxes : (n, 4) float32 array
        Contour boxes ``x1 y1 x2 y2``, frame px.
    peaks : (n, 2) float32 array
        Brightest pixel ``x y``, frame px.
    n_peaks : (n,) int64 array
        Peaks by the contour rule.
    snr, flux, area : (n,) float32 arrays
        Brightest pixel over the noise; sum of the pixels over the noise, times the area of a pixel in
        frame px; area in frame px.  Noise and frame px are those of the unit's own scale.
    prominences : (n, 3) float32 array
        Logarithm of peak over saddle of the most prominent secondary peaks, in units of the step between
        two contours; 0 for missing peaks.
    n_pixels : (n,) int64 array
        Number of pixels of the image of the unit's scale.
    at_edge : (n,) bool array
        Whether the contour touches the border of the frame or missing pixels.
    scale : (n,) int64 array
        Scale of the image of which it is a component: more than 1 for a smoothed one.
    n_fine : (n,) int64 array
        For a coarse unit, usable components of the finest scale inside its contour; 1 for other units.
    fine_snr : (n,) float32 array
        Largest SNR of these components, over the noise at the finest scale; 0 without any.  For other
        units, their own.
    fine_ratio : (n,) float32 array
        Second largest over largest flux of these components; 0 if there are fewer than two.
    fine_boxes : (n, 4) float32 array
        Box around these components, frame px; for other units and without any, their own.
    """

    ids: np.ndarray
    boxes: np.ndarray
    peaks: np.ndarray
    n_peaks: np.ndarray
    snr: np.ndarray
    flux: np.ndarray
    area: np.ndarray
    prominences: np.ndarray
    n_pixels: np.ndarray
    at_edge: np.ndarray
    scale: np.ndarray
    n_fine: np.ndarray
    fine_snr: np.ndarray
    fine_ratio: np.ndarray
    fine_boxes: np.ndarray

    def __len__(self) -> int:
        return len(self.boxes)

    @classmethod
    def of_units(cls, table: Mapping[str, np.ndarray], units: Units) -> "SubjectComponents":
        """Return the units of a table, of any number of subjects and levels.

        Parameters
        ----------
        table : mapping of str to array
            Columns of `claran_core.common.tables.COMPONENTS`.
        units : Units
            Its units (`claran_core.components.units.find_units`), in the order of the result.
        """
        rows = {name: table[name][units.rows] for name in _UNIT_COLUMNS}
        fine = fine_parts(table, units)
        return cls(
            ids=rows["component_id"].astype(np.int64),
            boxes=np.stack([rows[name] for name in BOX_COLUMNS], axis=1).astype(np.float32),
            peaks=np.stack([rows["peak_x"], rows["peak_y"]], axis=1).astype(np.float32),
            n_peaks=rows["n_peaks"].astype(np.int64),
            snr=rows["snr"].astype(np.float32),
            flux=rows["flux"].astype(np.float32),
            area=rows["area"].astype(np.float32),
            prominences=np.stack([rows[name] for name in PROMINENCE_COLUMNS], axis=1).astype(np.float32),
            n_pixels=rows["n_pixels"].astype(np.int64),
            at_edge=rows["at_edge"].astype(bool),
            scale=rows["scale"].astype(np.int64),
            n_fine=fine.n_fine,
            fine_snr=fine.fine_snr.astype(np.float32),
            fine_ratio=fine.fine_ratio.astype(np.float32),
            fine_boxes=fine.fine_boxes.astype(np.float32),
        )

    def take(self, units: np.ndarray) -> "SubjectComponents":
        """Return some of the units, by their indices."""
        return SubjectComponents(**{field.name: getattr(self, field.name)[units] for field in fields(self)})


_UNIT_COLUMNS = [
    *("component_id", "scale", "peak_x", "peak_y", "n_peaks", "snr", "flux", "area", "n_pixels", "at_edge"),
    *BOX_COLUMNS,
    *PROMINENCE_COLUMNS,
]

_EMPTY = {name: np.empty(0) for name in COMPONENTS.names}
NO_COMPONENTS = SubjectComponents.of_units(_EMPTY, find_units(_EMPTY))


def read_components(path: Path) -> dict[str, dict[float, SubjectComponents]]:
    """Read the units of a shard, by subject and level; subjects without components are absent.

    Raises
    ------
    InputError
        If the file cannot be read or lacks columns.
    """
    return components_by_subject(read_table(path, PLAIN_COLUMNS))


def read_noise(path: Path) -> dict[str, float]:
    """Read the noise of the images of a shard by subject, in the survey's unit; NaN without a radio image.

    For a coarser view this is the noise of its smoothed image.

    Raises
    ------
    InputError
        If the file cannot be read or lacks columns.
    """
    subject, scale, sigma = _noise_columns(path)
    order = np.argsort(scale, kind="stable")
    return dict(zip(subject[order].tolist(), sigma[order].tolist(), strict=True))  # the coarsest is the last


def read_native_noise(path: Path) -> dict[str, float]:
    """Read the noise at the survey's own resolution by subject, in its unit; absent without such an image.

    Raises
    ------
    InputError
        If the file cannot be read or lacks columns.
    """
    subject, scale, sigma = _noise_columns(path)
    native = scale == NATIVE_SCALE
    return dict(zip(subject[native].tolist(), sigma[native].tolist(), strict=True))


def _noise_columns(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    table = read_arrow(path, NOISE.names)
    subject, scale, sigma = (table[name].to_numpy() for name in ("subject_id", "scale", "sigma"))
    return subject, scale, sigma


def components_by_subject(table: pd.DataFrame) -> dict[str, dict[float, SubjectComponents]]:
    """Return the units of `claran_core.common.tables.COMPONENTS` by subject and level, in table order."""
    columns = {name: table[name].to_numpy() for name in table.columns}
    units = find_units(columns)
    every = SubjectComponents.of_units(columns, units)
    keys = pd.MultiIndex.from_arrays([columns["subject_id"][units.rows], columns["level"][units.rows]])
    codes, order = keys.factorize()
    place = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[place], np.arange(len(order) + 1))
    found: dict[str, dict[float, SubjectComponents]] = {}
    for number, (subject_id, level) in enumerate(order):
        own = place[starts[number] : starts[number + 1]]
        found.setdefault(subject_id, {})[float(level)] = every.take(own)
    return found


def nominal_components(table: pd.DataFrame) -> dict[str, SubjectComponents]:
    """Return the units of each subject at `NOMINAL_LEVEL`; subjects without any are left out."""
    rows = table[table["level"] == NOMINAL_LEVEL]
    return {name: levels[NOMINAL_LEVEL] for name, levels in components_by_subject(rows).items()}
