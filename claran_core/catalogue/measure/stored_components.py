"""The components of one subject as the table of components stores them, for measurements on its image."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from claran_core.components.component_table import NOMINAL_LEVEL

__all__ = ["NOTHING_STORED", "STORED_COLUMNS", "StoredComponents", "stored_components"]


# Columns of the table of components that are used: numbers, and lists with an entry per secondary peak.
_NUMBERS = ["component_id", "part_of", "ra", "dec", "pixel_x", "pixel_y", "n_peaks"]
_LISTS = ["secondary_ra", "secondary_dec", "secondary_snr", "secondary_saddle"]
_FIELDS = [
    ("ids", "component_id", np.int64),
    ("part_of", "part_of", np.int64),
    ("ra", "ra", np.float64),
    ("dec", "dec", np.float64),
    ("n_peaks", "n_peaks", np.int64),
]
STORED_COLUMNS = ["subject_id", "scale", "level", *_NUMBERS, *_LISTS]


@dataclass(frozen=True)
class StoredComponents:
    """Components of one subject and scale at the level of the contour rule, in the order of their labels.

    Attributes
    ----------
    ids : (k,) int64 array
        Identities on the sky.
    part_of : (k,) int64 array
        Component of the subject's own, larger scale that contains it; -1 without one.
    ra, dec : (k,) float64 arrays
        Sky position of the brightest pixel, deg, ICRS.
    pixels : (k, 2) int64 array
        Brightest pixel ``x y`` of the image of this scale.
    n_peaks : (k,) int64 array
        Peaks by the contour rule.
    owner : (m,) int64 array
        Component, from 0, of each secondary peak.
    secondary : (m, 4) float64 array
        Secondary peaks: sky position (deg), height and highest saddle to a higher peak over the noise.
    """

    ids: np.ndarray
    part_of: np.ndarray
    ra: np.ndarray
    dec: np.ndarray
    pixels: np.ndarray
    n_peaks: np.ndarray
    owner: np.ndarray
    secondary: np.ndarray

    def __len__(self) -> int:
        return self.ra.size


NOTHING_STORED = StoredComponents(
    ids=np.empty(0, np.int64),
    part_of=np.empty(0, np.int64),
    ra=np.empty(0),
    dec=np.empty(0),
    pixels=np.empty((0, 2), np.int64),
    n_peaks=np.empty(0, np.int64),
    owner=np.empty(0, np.int64),
    secondary=np.empty((0, 4)),
)


def stored_components(table: pd.DataFrame) -> dict[tuple[str, int], StoredComponents]:
    """Group rows of `claran_core.common.tables.COMPONENTS` at the level of the rule by subject and scale.

    Groups without components are absent; the order in each is that of the table.  Only `STORED_COLUMNS` are
    used.
    """
    rows = table[table["level"] == NOMINAL_LEVEL]
    rows = rows.sort_values(["subject_id", "scale"], kind="stable", ignore_index=True)
    secondary, row = _joined(rows)
    columns = {name: rows[name].to_numpy() for name in _NUMBERS}
    pixels = np.stack([columns["pixel_x"], columns["pixel_y"]], axis=1).astype(np.int64)
    subjects, scales = rows["subject_id"].to_numpy(object), rows["scale"].to_numpy(int)
    changes = (subjects[1:] != subjects[:-1]) | (scales[1:] != scales[:-1])
    starts = np.flatnonzero(np.append(np.ones(min(len(rows), 1), bool), changes))
    found = {}
    for start, stop in zip(starts, np.append(starts, len(rows))[1:], strict=True):
        first, last = np.searchsorted(row, [start, stop])
        found[subjects[start], int(scales[start])] = StoredComponents(
            **{name: columns[column][start:stop].astype(kind) for name, column, kind in _FIELDS},
            pixels=pixels[start:stop],
            owner=row[first:last] - start,
            secondary=secondary[first:last],
        )
    return found


def _joined(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the secondary peaks (m, 4) of all rows, and the number of the row of each."""
    lengths = np.array([len(values) for values in rows["secondary_snr"]], np.int64)
    joined = [np.concatenate([*rows[name], np.empty(0)]) for name in _LISTS]
    return np.stack(joined, axis=1), np.repeat(np.arange(len(rows)), lengths)
