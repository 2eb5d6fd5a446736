"""The tables of components and noise: what the contour rule finds in the radio image of each subject.

The rule runs on the pixels of the cut-out (`claran_core.components.find`).  Its result depends on the noise
estimate, which is uncertain by several per cent.  Training subjects therefore list the components at several
contour levels, to cover those at which DR1 may have found the labelled components.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from claran_core.common.boxes import BOX_COLUMNS
from claran_core.common.files import read_arrow, read_table
from claran_core.common.tables import COMPONENTS, NOISE

__all__ = [
    "LEVELS",
    "NOMINAL_LEVEL",
    "NO_COMPONENTS",
    "PLAIN_COLUMNS",
    "SubjectComponents",
    "components_by_subject",
    "nominal_components",
    "read_components",
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
    """Components of one subject at one level, one entry per component; there may be no entry.

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
        frame px; area in frame px.
    prominences : (n, 3) float32 array
        Logarithm of peak over saddle of the most prominent secondary peaks, in units of the step between
        two contours; 0 for missing peaks.
    n_pixels : (n,) int64 array
        Number of pixels of the cut-out.
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

    def __len__(self) -> int:
        return len(self.boxes)

    @classmethod
    def from_rows(cls, rows: Mapping[str, np.ndarray]) -> "SubjectComponents":
        """Make an instance from columns of `claran_core.common.tables.COMPONENTS`, as arrays."""
        return cls(
            ids=np.asarray(rows["component_id"], np.int64),
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


def read_components(path: Path) -> dict[str, dict[float, SubjectComponents]]:
    """Read the components of a shard, by subject and level; subjects without components are absent.

    Raises
    ------
    InputError
        If the file cannot be read or lacks columns.
    """
    return components_by_subject(read_table(path, PLAIN_COLUMNS))


def read_noise(path: Path) -> dict[str, float]:
    """Read the noise of a shard by subject, in the survey's unit; NaN for subjects without a radio image.

    Raises
    ------
    InputError
        If the file cannot be read or lacks columns.
    """
    table = read_arrow(path, NOISE.names)
    return dict(zip(table["subject_id"].to_pylist(), table["sigma"].to_pylist(), strict=True))


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
